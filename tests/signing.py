"""Requests signed by Signature Version 4, written from the IAM User Guide for the tests."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from hashlib import sha256

from kmsfast.model.signing_key import SigningKey
from kmsfast.wire.sigv4 import Signed

ACCESS_KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
REGION = "us-east-1"
NOW = datetime(2026, 11, 28, 12, 0, 0, tzinfo=UTC)
STAMP = "20261128T120000Z"


def derived(secret: str, day: str, region: str, service: str = "kms") -> bytes:
    """The signing key."""
    key = b"AWS4" + secret.encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def keys(access_key: str, day: str, region: str) -> SigningKey:
    """Of the one access key there is."""
    known = access_key == ACCESS_KEY
    return SigningKey(derived(SECRET if known else "of nobody", day, region), known)


def signature(canonical: str, stamp: str, scope: str, key: bytes) -> str:
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    return hmac.digest(key, text.encode(), "sha256").hex()


def signed(
    body: bytes = b"{}",
    *,
    headers: dict[str, str] | None = None,
    also: tuple[str, ...] = (),
    leave_out: tuple[str, ...] = (),
    stamp: str = STAMP,
    access_key: str = ACCESS_KEY,
    secret: str = SECRET,
    scope: str | None = None,
    path: str = "/",
    query: str = "",
    method: str = "POST",
) -> Signed:
    """A request with an Authorization header.

    leave_out: headers that are sent and not signed; also: ones that are named and not sent.
    """
    sent = {
        "host": "localhost:8080",
        "x-amz-date": stamp,
        "x-amz-target": "TrentService.Encrypt",
        "content-type": "application/x-amz-json-1.1",
        **(headers or {}),
    }
    names = sorted({*sent, *also} - set(leave_out))
    scope = scope or f"{stamp[:8]}/{REGION}/kms/aws4_request"
    lines = "".join(f"{name}:{' '.join(sent.get(name, '').split())}\n" for name in names)
    canonical = "\n".join([method, path, query, lines, ";".join(names), sha256(body).hexdigest()])
    day, region, service, _ = scope.split("/") if scope.count("/") == 3 else ("", "", "", "")
    made = signature(canonical, stamp, scope, derived(secret, day, region, service))
    sent["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={';'.join(names)}, "
        f"Signature={made}"
    )
    target = path + (f"?{query}" if query else "")
    return Signed(
        method,
        target.encode(),
        [(name.encode(), value.encode()) for name, value in sent.items()],
        body,
    )
