"""Requests that were signed and then changed, on a socket: none is answered, and nothing is done.

Each attack is tried when the server knows nothing of its caller, and when it knows all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from wire_attacks import Wire, World, scope

MISMATCH = "InvalidSignatureException"
INCOMPLETE = "IncompleteSignatureException"
NOBODY = "UnrecognizedClientException"
BROKEN = "BadRequest"
DELETE = b"TrentService.ScheduleKeyDeletion"

Attack = Callable[[World, Wire], Wire]


def authorization(change: Callable[[bytes], bytes]) -> Attack:
    return lambda _world, wire: wire.with_header(
        b"authorization", change(wire.header(b"authorization"))
    )


def signature(change: Callable[[bytes], bytes]) -> Attack:
    return authorization(lambda text: text[:-64] + change(text[-64:]))


def made(code: str, **options: object) -> tuple[Attack, str]:
    """A request that is signed in this way from the start."""
    return lambda world, _wire: world.wire(**options), code  # type: ignore[arg-type]


def scoped(**parts: str) -> Attack:
    def attack(world: World, wire: Wire) -> Wire:
        return world.wire(scope=scope(wire.header(b"x-amz-date").decode(), **parts))

    return attack


def moved(days: int) -> Attack:
    """Signed in the scope of another day."""

    def attack(world: World, _wire: Wire) -> Wire:
        day = datetime.now(UTC) + timedelta(days=days)
        return world.wire(scope=scope(f"{day:%Y%m%d}"))

    return attack


ATTACKS: dict[str, tuple[Attack, str]] = {
    # replay
    "replay after the window": made(MISMATCH, late=302),
    "replay a day later": made(MISMATCH, late=86_400),
    "a date in the future": made(MISMATCH, late=-330),
    "an old request with a fresh date": (
        lambda w, _: w.wire(late=400).with_header(b"x-amz-date", w.wire().header(b"x-amz-date")),
        MISMATCH,
    ),
    # the body
    "swapped body": (lambda _, r: replace(r, body=r.body.replace(b"QUJD", b"QUJE")), MISMATCH),
    "longer body": (
        lambda _, r: replace(r, body=r.body + b" ").with_header(
            b"content-length", str(len(r.body) + 1).encode()
        ),
        MISMATCH,
    ),
    "no body": (lambda _, r: replace(r, body=b"").with_header(b"content-length", b"0"), MISMATCH),
    "unsigned payload": made(MISMATCH, headers={"x-amz-content-sha256": "UNSIGNED-PAYLOAD"}),
    "the hash of another body": made(MISMATCH, headers={"x-amz-content-sha256": "0" * 64}),
    "two lengths": (lambda _, r: r.and_header(b"content-length", b"1"), BROKEN),
    "a length and chunks": (lambda _, r: r.and_header(b"transfer-encoding", b"chunked"), BROKEN),
    # the target
    "swapped target": (lambda _, r: r.with_header(b"x-amz-target", DELETE), MISMATCH),
    "unsigned target": made(MISMATCH, leave_out=("x-amz-target",)),
    "a target in another case": (
        lambda _, r: r.with_header(b"x-amz-target", b"trentservice.encrypt"),
        "UnknownOperationException",
    ),
    "target given twice": (lambda _, r: r.and_header(b"x-amz-target", DELETE), BROKEN),
    "target given twice, in another case": (
        lambda _, r: r.and_header(b"X-AMZ-TARGET", DELETE),
        BROKEN,
    ),
    "target with a space before the colon": (
        lambda _, r: r.and_header(b"x-amz-target ", DELETE),
        BROKEN,
    ),
    # headers
    "host not signed": made(MISMATCH, leave_out=("host",)),
    "date not signed": made(MISMATCH, leave_out=("x-amz-date",)),
    "another host": (lambda _, r: r.with_header(b"host", b"kms.example.com"), MISMATCH),
    "host given twice": (lambda _, r: r.and_header(b"host", b"kms.example.com"), BROKEN),
    "date given twice": (
        lambda _, r: r.and_header(b"x-amz-date", r.header(b"x-amz-date")),
        MISMATCH,
    ),
    "a signed header given twice": (
        lambda _, r: r.and_header(b"content-type", b"application/x-amz-json-1.1"),
        MISMATCH,
    ),
    "a signed header taken away": (lambda _, r: r.without(b"content-type"), MISMATCH),
    "a header of amazon, not signed": (
        lambda _, r: r.and_header(b"x-amz-security-token", b"x"),
        MISMATCH,
    ),
    "the same in another case": (lambda _, r: r.and_header(b"X-AMZ-Security-Token", b""), MISMATCH),
    "a hundred signed headers": made(MISMATCH, headers={f"x-amz-{i:03}": "v" for i in range(100)}),
    "a value beyond ASCII": (lambda _, r: r.and_header(b"x-amz-meta", b"\xc3\xa9"), MISMATCH),
    "huge headers": (lambda _, r: r.and_header(b"x-more", b"v" * 40_000), BROKEN),
    "many headers": (
        lambda _, r: replace(r, headers=(*r.headers, *[(b"x-more", b"v")] * 300)),
        BROKEN,
    ),
    # the Authorization header
    "no signature": (
        lambda _, r: r.without(b"authorization"),
        "MissingAuthenticationTokenException",
    ),
    "authorization given twice": (
        lambda _, r: r.and_header(b"authorization", r.header(b"authorization")),
        BROKEN,
    ),
    "an empty signature": (signature(lambda _: b""), INCOMPLETE),
    "a short signature": (signature(lambda text: text[:-1]), MISMATCH),
    "a signature of zeros": (signature(lambda _: b"0" * 64), MISMATCH),
    "a signature in upper case": (signature(lambda text: b"A" + text[1:].upper()), MISMATCH),
    "a signature beyond ASCII": (signature(lambda text: text[:-2] + b"\xc3\xa9"), MISMATCH),
    "a signature and more": (signature(lambda text: text + b"0"), MISMATCH),
    "a signature twice": (authorization(lambda text: text + b", Signature=" + text[-64:]),
                          INCOMPLETE),
    "signed headers in upper case": (
        authorization(lambda text: text.replace(b"x-amz-target", b"X-Amz-Target")),
        MISMATCH,
    ),
    "signed headers that are not sorted": (
        authorization(lambda text: text.replace(b"content-type;host", b"host;content-type")),
        MISMATCH,
    ),
    "another algorithm": (
        authorization(lambda text: text.replace(b"HMAC-SHA256", b"ECDSA-P256-SHA256")),
        INCOMPLETE,
    ),
    "a token of another scheme": (authorization(lambda _: b"Bearer abc"), INCOMPLETE),
    "an authorization of 20 KB": (
        authorization(lambda text: text.replace(b"Credential=", b"Credential=" + b"A" * 20_000)),
        NOBODY,
    ),
    # the credential
    "an access key of nobody": made(NOBODY, access_key="AKIANOBODYNOBODYNOBO"),
    "an access key beyond ASCII": (
        authorization(lambda text: text.replace(b"Credential=", b"Credential=\xff")),
        NOBODY,
    ),
    "a wrong secret": made(MISMATCH, secret="x" * 40),
    "an empty secret": made(MISMATCH, secret=""),
    "scope of another region": (scoped(region="eu-west-1"), MISMATCH),
    "scope of another service": (scoped(service="s3"), MISMATCH),
    "scope with another end": (scoped(end="aws5_request"), MISMATCH),
    "scope of yesterday": (moved(-1), MISMATCH),
    "scope of tomorrow": (moved(1), MISMATCH),
    # the path and the query
    "a query added": (lambda _, r: replace(r, target=b"/?Action=Decrypt"), MISMATCH),
    "a query parameter of the signature added": (
        lambda _, r: replace(r, target=b"/?X-Amz-Signature=" + b"0" * 64),
        INCOMPLETE,
    ),
    **{
        f"the path {path.decode()}": (
            lambda _, r, path=path: replace(r, target=path),  # type: ignore[misc]
            "UnknownOperationException",
        )
        for path in (b"//", b"/./", b"/x/..", b"/%2F", b"/%2e", b"/../", b"/;a", b"/TrentService")
    },
    "another method": (lambda _, r: replace(r, method=b"PUT"), "UnknownOperationException"),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_attack(world: World, name: str) -> None:
    attack, code = ATTACKS[name]
    keys = len(world.kms.keys())
    for _ in range(2):
        assert world.code(attack(world, world.wire())) == code
        assert world.code(world.wire()) == ""  # from now on all is known
        assert world.code(world.wire()) == ""
    assert len(world.kms.keys()) == keys
    assert world.kms.key("alias/a").state == "Enabled"


def test_what_means_the_same_is_answered(world: World) -> None:
    """Names of headers have no case, and space before values no meaning (RFC 9110, 5.1 and 5.5)."""
    for _ in range(2):
        wire = world.wire()
        shouted = tuple((name.upper(), b"  " + value) for name, value in wire.headers)
        assert world.code(replace(wire, headers=shouted)) == ""
        assert world.code(replace(wire, target=b"/?")) == ""
        assert world.code(wire) == ""  # within the window a signature is good again
        assert world.code(world.wire(late=290)) == ""


def presigned(world: World, expires: int, query: str = "") -> Wire:
    url = f"{world.server.url}/{query}"
    made = AWSRequest("POST", url, {"X-Amz-Target": "TrentService.ListKeys"})
    credentials = Credentials(world.admin.id, world.admin.secret)
    SigV4QueryAuth(credentials, "kms", "us-east-1", expires).add_auth(made)
    host = f"127.0.0.1:{world.server.port}".encode()
    headers = ((b"host", host), (b"x-amz-target", b"TrentService.ListKeys"),
               (b"content-length", b"0"))  # fmt: skip
    return Wire(headers, b"", target=b"/" + made.url.partition(world.server.url + "/")[2].encode())


PRESIGNED: dict[str, tuple[bytes, bytes, str]] = {
    "a longer life": (b"X-Amz-Expires=60", b"X-Amz-Expires=600", MISMATCH),
    "a life of more than a week": (b"X-Amz-Expires=60", b"X-Amz-Expires=604801", INCOMPLETE),
    "no end": (b"X-Amz-Expires=60&", b"", INCOMPLETE),
    "an end twice": (b"X-Amz-Expires=60", b"X-Amz-Expires=60&X-Amz-Expires=600", INCOMPLETE),
    "a signature twice": (b"X-Amz-Signature=", b"X-Amz-Signature=0&X-Amz-Signature=", INCOMPLETE),
    "the signature in another case": (
        b"X-Amz-Signature=", b"x-amz-signature=", INCOMPLETE,
    ),
    "more": (b"X-Amz-Expires=60", b"X-Amz-Expires=60&Action=CreateKey", MISMATCH),
    "the target not signed": (b"host%3Bx-amz-target", b"host", MISMATCH),
    "another algorithm": (b"AWS4-HMAC-SHA256", b"AWS4-HMAC-SHA1", INCOMPLETE),
    "another region": (b"us-east-1", b"eu-west-1", MISMATCH),
    "a credential twice": (
        b"X-Amz-Credential=", b"X-Amz-Credential=x&X-Amz-Credential=", INCOMPLETE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PRESIGNED)
def test_attack_on_a_presigned_request(world: World, name: str) -> None:
    old, new, code = PRESIGNED[name]
    wire = presigned(world, 60)
    assert world.code(wire) == ""
    assert old in wire.target
    assert world.code(replace(wire, target=wire.target.replace(old, new))) == code
    assert world.code(replace(wire, target=wire.target + b"&X-Amz-Date=20200101T000000Z")) == (
        INCOMPLETE
    )


def test_attack_a_presigned_request_with_another_target(world: World) -> None:
    wire = presigned(world, 60)
    assert world.code(wire.with_header(b"x-amz-target", b"TrentService.CreateKey")) == MISMATCH
    with_body = replace(wire, body=b"{}").with_header(b"content-length", b"2")
    assert world.code(with_body) == MISMATCH
    both = wire.and_header(b"authorization", world.wire().header(b"authorization"))
    assert world.code(both) == INCOMPLETE


def test_attack_query_parameters_twice(world: World) -> None:
    """Which of the two is meant is the signer's to say: both are signed, in the order of values."""
    wire = world.wire(query="a=1&a=2")
    assert world.code(wire) == ""
    assert world.code(replace(wire, target=b"/?a=1")) == MISMATCH
    assert world.code(replace(wire, target=b"/?a=1&a=2&a=2")) == MISMATCH


def test_attack_the_target_again_behind_the_body(world: World) -> None:
    """A trailer is no header: the request is the one that was signed."""
    wire = world.wire().without(b"content-length").and_header(b"transfer-encoding", b"chunked")
    chunks = b"%x\r\n%b\r\n0\r\nx-amz-target: %b\r\n\r\n" % (len(wire.body), wire.body, DELETE)
    status, body = world.send(replace(wire, body=chunks))
    assert (status, body["KeyId"]) == (200, world.kms.key("alias/a").arn)
    assert "CiphertextBlob" in body
    assert world.kms.key("alias/a").state == "Enabled"


def test_attack_a_request_hidden_behind_another(world: World) -> None:
    """What follows a signed body is a request of its own, and needs a signature of its own."""
    wire = world.wire()
    hidden = (
        b"POST / HTTP/1.1\r\nhost: x\r\nx-amz-target: %b\r\ncontent-length: 2\r\n\r\n{}" % DELETE
    )
    first, second = world.exchange(replace(wire, tail=hidden), 2)
    assert (first[0], first[1]["KeyId"]) == (200, world.kms.key("alias/a").arn)
    assert (second[0], second[1]["__type"]) == (400, "MissingAuthenticationTokenException")
    assert world.kms.key("alias/a").state == "Enabled"
