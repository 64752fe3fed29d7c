"""Signature Version 4 against botocore's signers: what they sign is accepted, and nothing else."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from dataclasses import replace
from unittest import mock

import botocore.auth
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from signing import ACCESS_KEY, NOW, REGION, SECRET, keys

from kmsfast.errors import KmsError
from kmsfast.wire.sigv4 import Signed, Verifier

ROUNDS = 400
VERIFIER = Verifier({REGION}, keys)
TEXT = string.ascii_letters + string.digits + "-_.~ !$'()*+,;:@/=&%"


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    now = NOW.replace(tzinfo=None)
    with mock.patch.object(botocore.auth, "get_current_datetime", return_value=now):
        yield


def text(chance: random.Random, most: int = 12, letters: str = TEXT) -> str:
    return "".join(chance.choice(letters) for _ in range(chance.randint(1, most)))


def url(chance: random.Random) -> str:
    safe = string.ascii_letters + string.digits + "-_.~"
    escapes = ["%20", "%2F", "%C3%A9", "%25"]
    parts = [text(chance, letters=safe) + chance.choice(["", *escapes])
             for _ in range(chance.randint(0, 3))]  # fmt: skip
    path = chance.choice(["/", "//", "/./", "/a/../"]) + "/".join(parts) + chance.choice(["", "/"])
    return f"http://localhost:{chance.randint(1, 65535)}{path}"


def query(chance: random.Random) -> str:
    names = {text(chance, letters=string.ascii_letters) for _ in range(chance.randint(0, 4))}
    escaped = (f"{name}={botocore.auth.quote(text(chance), safe='-_.~')}" for name in names)
    return "&".join(escaped)


def request(chance: random.Random, *, body: bool) -> AWSRequest:
    address, more = url(chance), query(chance)
    headers = {
        "X-Amz-Target": f"TrentService.{text(chance, letters=string.ascii_letters)}",
        "Content-Type": "application/x-amz-json-1.1",
        "User-Agent": "not signed",
    }
    for number in range(chance.randint(0, 3)):
        headers[f"X-Amz-Meta-{number}"] = f" {text(chance)}  {text(chance)}\t"
    data = chance.randbytes(chance.choice([0, 1, 100, 5000])) if body else b""
    return AWSRequest("POST", f"{address}?{more}" if more else address, headers, data)


def sent(made: AWSRequest) -> Signed:
    """As it goes over the wire."""
    prepared = made.prepare()
    target = "/" + prepared.url.split("/", 3)[3]
    host = prepared.url.split("/", 3)[2]
    headers = [(str(name).lower().encode(), value if isinstance(value, bytes) else value.encode())
               for name, value in prepared.headers.items()]  # fmt: skip
    return Signed(
        "POST", target.encode(), [(b"host", host.encode()), *headers], prepared.body or b""
    )


def variants(chance: random.Random, good: Signed) -> Iterator[Signed]:
    """The request with one thing changed."""
    yield replace(good, body=good.body + b"x")
    yield replace(good, target=good.target + (b"&" if b"?" in good.target else b"?") + b"more=1")
    yield replace(good, target=b"/more" + good.target)
    place = chance.randrange(len(good.headers))
    name, value = good.headers[place]
    if name not in (b"user-agent", b"content-length"):
        changed = [*good.headers]
        changed[place] = (name, value + b"x")
        yield replace(good, headers=changed)
        yield replace(good, headers=[*good.headers, (name, value)])


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("presigned", [False, True])
def test_what_botocore_signs_is_accepted_and_nothing_else(seed: int, presigned: bool) -> None:
    chance = random.Random(seed)
    credentials = Credentials(ACCESS_KEY, SECRET, chance.choice([None, "a/session+token="]))
    for _ in range(ROUNDS):
        made = request(chance, body=not presigned)
        signer = SigV4QueryAuth if presigned else SigV4Auth
        signer(credentials, "kms", REGION).add_auth(made)
        good = sent(made)
        assert VERIFIER.check(good, NOW.timestamp()) == (ACCESS_KEY, REGION)
        for bad in variants(chance, good):
            with pytest.raises(KmsError):
                VERIFIER.check(bad, NOW.timestamp())


@pytest.mark.parametrize("expires", [1, 60, 604_800])
def test_a_presigned_request_is_good_as_long_as_it_says(expires: int) -> None:
    made = request(random.Random(expires), body=False)
    SigV4QueryAuth(Credentials(ACCESS_KEY, SECRET), "kms", REGION, expires).add_auth(made)
    good, now = sent(made), NOW.timestamp()
    assert VERIFIER.check(good, now + expires) == (ACCESS_KEY, REGION)
    for moment, said in ((now + expires + 1, "Signature expired"), (now - 301, "not yet current")):
        with pytest.raises(KmsError, match=said):
            VERIFIER.check(good, moment)


def test_a_presigned_request_that_is_tampered_with_is_refused() -> None:
    made = AWSRequest("POST", "http://localhost:1/", {"X-Amz-Target": "TrentService.ListKeys"})
    SigV4QueryAuth(Credentials(ACCESS_KEY, SECRET), "kms", REGION).add_auth(made)
    good = sent(made)
    text_of = good.target.decode()
    signature = text_of.rpartition("=")[2]
    for old, new in (
        ("X-Amz-Expires=3600", "X-Amz-Expires=7200"),
        ("X-Amz-Expires=3600", "X-Amz-Expires=604801"),
        ("X-Amz-Expires=3600", "X-Amz-Expires=-1"),
        ("X-Amz-Expires=3600", "X-Amz-Expires=%32"),
        ("X-Amz-Expires=3600", ""),
        ("X-Amz-Expires=3600", "X-Amz-Expires=3600&X-Amz-Expires=3600"),
        (signature, signature[::-1]),
        (f"X-Amz-Signature={signature}", f"X-Amz-Signature={signature}&X-Amz-Signature=0"),
        ("X-Amz-Signature", "x-amz-signature"),
        ("X-Amz-SignedHeaders=host%3Bx-amz-target", "X-Amz-SignedHeaders=host"),
        ("X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Algorithm=AWS4-HMAC-SHA1"),
        (ACCESS_KEY, "AKIANOBODY"),
        ("us-east-1", "us-west-2"),
    ):
        assert old in text_of
        with pytest.raises(KmsError):
            VERIFIER.check(
                replace(good, target=text_of.replace(old, new).encode()), NOW.timestamp()
            )
