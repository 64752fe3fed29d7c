"""Signature Version 4: what is refused, in AWS's words, and that nothing changed is accepted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from signing import ACCESS_KEY, NOW, REGION, STAMP, keys, signed

from kmsfast.errors import KmsError
from kmsfast.model.signing_key import SigningKey
from kmsfast.wire.faults import fault_of
from kmsfast.wire.sigv4 import Signed, Verifier

VERIFIER = Verifier({REGION}, keys)
NOW_UNIX = NOW.timestamp()
MISMATCH = "The request signature we calculated does not match the signature you provided."


def check(request: Signed, now: float = NOW_UNIX) -> str:
    signer = VERIFIER.check(request, now)
    assert signer.region == REGION
    return signer.access_key


def refused(request: Signed, code: str, text: str, now: float = NOW_UNIX) -> None:
    with pytest.raises(KmsError) as caught:
        check(request, now)
    fault = fault_of(caught.value)
    assert (fault.code, fault.status) == (code, 400)
    assert text in caught.value.message


def header(request: Signed, name: str, value: str | None, *, add: bool = False) -> Signed:
    """The request with another value of a header, without it, or with it once more."""
    kept = [pair for pair in request.headers if add or pair[0] != name.encode()]
    more = [] if value is None else [(name.encode(), value.encode())]
    return replace(request, headers=[*kept, *more])


def of(request: Signed, name: str) -> str:
    return dict(request.headers)[name.encode()].decode()


def test_what_was_signed_is_accepted() -> None:
    assert check(signed()) == ACCESS_KEY
    assert check(signed(b"")) == ACCESS_KEY
    assert check(signed(query="a=1&b=%2F")) == ACCESS_KEY


def test_a_header_in_another_form_is_the_same_signature() -> None:
    request = signed()
    text = of(request, "authorization")
    algorithm, _, rest = text.partition(" ")
    parts = rest.split(", ")
    for form in (
        f"{algorithm} {','.join(parts)}",
        f"{algorithm}   {'  ,  '.join(parts)}",
        f"{algorithm} {', '.join(reversed(parts))}",
    ):
        assert check(header(request, "authorization", form)) == ACCESS_KEY


@pytest.mark.parametrize(
    "change",
    [
        lambda r: replace(r, body=b'{"KeyId":"other"}'),
        lambda r: replace(r, body=b""),
        lambda r: replace(r, method="GET"),
        lambda r: replace(r, target=b"/other"),
        lambda r: replace(r, target=b"/?a=1"),
        lambda r: header(r, "host", "elsewhere:8080"),
        lambda r: header(r, "x-amz-target", "TrentService.Decrypt"),
        lambda r: header(r, "x-amz-target", "trentservice.encrypt"),
        lambda r: header(r, "content-type", "text/plain"),
        lambda r: header(r, "x-amz-date", "20261128T120001Z"),
    ],
    ids=["body", "no body", "method", "path", "query", "host", "target", "case", "type", "date"],
)
def test_what_was_changed_since_is_refused(change: Callable[[Signed], Signed]) -> None:
    refused(change(signed()), "InvalidSignatureException", MISMATCH)


def test_every_changed_digit_of_a_signature_is_refused() -> None:
    request = signed()
    text = of(request, "authorization")
    for place in range(len(text) - 64, len(text)):
        digit = "0" if text[place] != "0" else "1"
        forged = text[:place] + digit + text[place + 1 :]
        refused(header(request, "authorization", forged), "InvalidSignatureException", MISMATCH)
    for forged in (text[:-1], text + "0", text[:-64] + text[-64:].upper()):
        refused(header(request, "authorization", forged), "InvalidSignatureException", MISMATCH)


def test_a_header_of_amazon_that_is_not_signed_is_refused() -> None:
    said = "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."
    refused(signed(leave_out=("x-amz-target",)), "InvalidSignatureException", said)
    said = "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
    refused(signed(leave_out=("host",)), "InvalidSignatureException", said)
    said = "'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization."
    refused(signed(leave_out=("x-amz-date",)), "InvalidSignatureException", said)
    added = header(signed(), "x-amz-security-token", "token", add=True)
    said = "'X-Amz-Security-Token' must be a 'SignedHeader' in the AWS Authorization."
    refused(added, "InvalidSignatureException", said)


def test_the_date_of_a_request_is_signed_under_either_name() -> None:
    request = signed(headers={"date": STAMP})
    without = header(request, "x-amz-date", None)
    refused(without, "InvalidSignatureException", MISMATCH)  # signed, and taken away since


def test_a_header_that_is_signed_is_there_once() -> None:
    for name, value in (("x-amz-target", "TrentService.Decrypt"), ("host", "localhost:8080")):
        for request in (signed(), replace(signed(), headers=signed().headers[::-1])):
            twice = header(request, name, value, add=True)
            refused(twice, "InvalidSignatureException", f"signed header '{name}' is given twice")
    refused(signed(also=("x-extra",)), "InvalidSignatureException", MISMATCH)
    assert check(header(header(signed(), "accept", "a", add=True), "accept", "b", add=True))


def test_two_authorizations_are_none() -> None:
    request = signed()
    said = "A request is signed once"
    for value in (of(request, "authorization"), "AWS4-HMAC-SHA256 Credential=x"):
        both = header(request, "authorization", value, add=True)
        refused(both, "IncompleteSignatureException", said)
    presigned = replace(request, target=b"/?X-Amz-Signature=" + b"0" * 64)
    refused(presigned, "IncompleteSignatureException", said)


def test_space_within_values_is_folded_and_nothing_else() -> None:
    request = signed(headers={"x-amz-meta": "two  words"})
    assert check(header(request, "x-amz-meta", "  two \t words ")) == ACCESS_KEY
    refused(header(request, "x-amz-meta", "twowords"), "InvalidSignatureException", MISMATCH)
    refused(header(request, "x-amz-meta", "Two words"), "InvalidSignatureException", MISMATCH)


def test_names_of_signed_headers_are_sorted_each_once_and_small() -> None:
    request = signed()
    text = of(request, "authorization")
    names = text.partition("SignedHeaders=")[2].partition(",")[0]
    for forged in (
        ";".join(reversed(names.split(";"))), names + ";" + names, names.upper(), names + ";",
        names.replace("host", "host;host"),
    ):  # fmt: skip
        with pytest.raises(KmsError):
            check(header(request, "authorization", text.replace(names, forged)))


def test_a_signature_is_good_for_five_minutes() -> None:
    request = signed()
    assert check(request, NOW_UNIX + 300) == ACCESS_KEY
    assert check(request, NOW_UNIX - 300) == ACCESS_KEY
    refused(
        request, "InvalidSignatureException",
        "Signature expired: 20261128T120000Z is now earlier than 20261128T120001Z "
        "(20261128T120501Z - 5 min.)", NOW_UNIX + 301,
    )  # fmt: skip
    refused(
        request, "InvalidSignatureException",
        "Signature not yet current: 20261128T120000Z is still later than 20261128T115959Z "
        "(20261128T115459Z + 5 min.)", NOW_UNIX - 301,
    )  # fmt: skip


@pytest.mark.parametrize(
    "stamp", ["", "2026", "20261128T120000", "20261328T120000Z", "\uff120261128T120000Z"]
)
def test_a_date_that_is_none_is_incomplete(stamp: str) -> None:
    said = "Date must be in ISO-8601 'basic format'." if stamp else "'X-Amz-Date' or a 'Date'"
    request = header(signed(), "x-amz-date", stamp)
    refused(request, "IncompleteSignatureException", said)


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        ("20261128/eu-west-1/kms/aws4_request", "scoped to a valid region, not 'eu-west-1'"),
        (f"20261128/{REGION}/s3/aws4_request", "scoped to correct service: 'kms'"),
        (f"20261128/{REGION}/kms/aws5_request", "valid terminator: 'aws4_request', not 'aws5_"),
        (f"20261127/{REGION}/kms/aws4_request", "'20261127' != '20261128'"),
    ],
)
def test_the_scope_is_that_of_the_request(scope: str, said: str) -> None:
    refused(signed(scope=scope), "InvalidSignatureException", said)


def test_a_credential_has_five_parts() -> None:
    request = signed(scope=f"20261128/{REGION}/kms")
    refused(request, "IncompleteSignatureException", "exactly 5 slash-delimited elements")


def test_nobody_is_told_apart_from_a_wrong_signature_before_the_work_is_done() -> None:
    asked: list[str] = []

    def counting(access_key: str, day: str, region: str) -> SigningKey:
        asked.append(access_key)
        return keys(access_key, day, region)

    verifier = Verifier({REGION}, counting)
    for request in (signed(access_key="AKIANOBODY"), signed(secret="wrong")):
        with pytest.raises(KmsError):
            verifier.check(request, NOW_UNIX)
    assert asked == ["AKIANOBODY", ACCESS_KEY]
    refused(
        signed(access_key="AKIANOBODY"), "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )  # fmt: skip
    refused(signed(secret="wrong"), "InvalidSignatureException", MISMATCH)


def test_what_headers_say_is_remembered_of_right_and_of_wrong_signatures() -> None:
    """Reading is the same work for both then, and wrong ones push nothing out."""
    verifier = Verifier({REGION}, keys)
    for number in range(2000):
        assert verifier.check(signed(), NOW_UNIX).access_key == ACCESS_KEY
        for wrong in (signed(access_key=f"AKIANOBODY{number}"), signed(secret="wrong")):
            with pytest.raises(KmsError):
                verifier.check(wrong, NOW_UNIX)
    assert len(verifier._forms) == 1
    assert 0 < len(verifier._others) <= 1024
    long = signed(headers={f"x-{'a' * 1000}": "v"})
    assert verifier.check(long, NOW_UNIX).access_key == ACCESS_KEY
    assert len(verifier._forms) == 1


def test_what_is_remembered_of_a_header_decides_nothing() -> None:
    """A request in a known form is checked as one in a new form is, and refused in its words."""
    good = signed()
    text = of(good, "authorization")
    known = Verifier({REGION}, keys)
    known.check(good, NOW_UNIX)
    for request, now in (
        (good, NOW_UNIX + 301),
        (good, NOW_UNIX - 301),
        (header(good, "x-amz-date", "20261129T120000Z"), NOW_UNIX + 86_400),
        (header(good, "x-amz-date", ""), NOW_UNIX),
        (header(good, "x-amz-date", None), NOW_UNIX),
        (header(good, "content-type", None), NOW_UNIX),
        (header(good, "x-amz-meta", "v"), NOW_UNIX),
        (header(good, "host", "localhost:8080", add=True), NOW_UNIX),
        (header(good, "authorization", text[:-1] + ","), NOW_UNIX),
        (header(good, "authorization", text[:-1] + " "), NOW_UNIX),
        (header(good, "authorization", text[:-64] + text[-64:].upper()), NOW_UNIX),
        (header(good, "x-amz-content-sha256", "0" * 64), NOW_UNIX),
        (replace(good, target=b"/?a=1"), NOW_UNIX),
        (replace(good, body=b"[]"), NOW_UNIX),
        (replace(good, method="PUT"), NOW_UNIX),
    ):
        said = []
        for verifier in (known, Verifier({REGION}, keys)):
            with pytest.raises(KmsError) as caught:
                verifier.check(request, now)
            said.append((type(caught.value), caught.value.message))
        assert said[0] == said[1]


def test_the_key_that_stands_in_for_nobody_opens_nothing() -> None:
    """Even a signature by that very key."""
    request = signed(access_key="AKIANOBODY", secret="of nobody")
    refused(request, "UnrecognizedClientException", "security token")


def test_no_signature_is_missing_authentication() -> None:
    request = header(signed(), "authorization", None)
    refused(request, "MissingAuthenticationTokenException", "Missing Authentication Token")
    lower = replace(request, target=b"/?x-amz-signature=00")
    refused(lower, "MissingAuthenticationTokenException", "Missing Authentication Token")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "requires 'Credential' parameter. Authorization header requires 'Signature' param"),
        ("AWS4-HMAC-SHA256 Credential=a/b/c/d/e", "requires 'Signature' parameter."),
        ("AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=", "requires 'Signature'"),
        ("AWS4-HMAC-SHA256 Credential", "'Credential' not a valid key=value pair"),
        ("AWS4-HMAC-SHA256 Credential=a, Credential=b", "'Credential' occurs twice"),
        ("Bearer eyJ", "missing equal-sign"),
    ],
)
def test_a_header_without_all_its_parts_is_incomplete(text: str, said: str) -> None:
    refused(header(signed(), "authorization", text), "IncompleteSignatureException", said)


def test_another_algorithm_is_none() -> None:
    request = signed()
    for name in ("AWS4-HMAC-SHA1", "aws4-hmac-sha256", "AWS4-ECDSA-P256-SHA256"):
        text = of(request, "authorization").replace("AWS4-HMAC-SHA256", name)
        said = f"Unsupported AWS 'algorithm': '{name}'"
        refused(header(request, "authorization", text), "IncompleteSignatureException", said)


def test_a_token_of_another_kind_is_not_repeated() -> None:
    for value in ("s3cr3t-token", "Bearer s3cr3t-token"):
        with pytest.raises(KmsError) as caught:
            check(header(signed(), "authorization", value))
        assert "s3cr3t" not in str(caught.value)


def test_a_body_is_never_unsigned() -> None:
    for value in ("UNSIGNED-PAYLOAD", "0" * 64, ""):
        request = signed(headers={"x-amz-content-sha256": value})
        refused(request, "InvalidSignatureException", MISMATCH)


def test_secrets_are_not_shown() -> None:
    assert keys(ACCESS_KEY, "20261128", REGION).key.hex() not in repr(
        SigningKey(b"\x01" * 32, True)
    )
    assert "01" * 4 not in repr(SigningKey(b"\x01" * 32, True))
    request = signed(b"plaintext")
    assert "plaintext" not in repr(request)
    assert "Signature=" not in repr(request)
