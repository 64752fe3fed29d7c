"""Signatures, beside those of botocore."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from kmsfast.wire.sigv4_sign import Signer, signed_headers


class Fixed(SigV4Auth):
    """Signs what the specification has signed, at a given time."""

    def headers_to_sign(self, request: AWSRequest) -> object:
        headers = super().headers_to_sign(request)
        for name in set(headers) - {"host", "x-amz-date"}:
            del headers[name]
        return headers


@pytest.mark.parametrize("body", [b"", b'{"requestMetadata":{}}', bytes(range(256))])
@pytest.mark.parametrize("path", ["/kms/xks/v1/health", "/a_b/c-d/kms/xks/v1/keys/x.y_z/encrypt"])
def test_the_signature_is_botocore_s(
    body: bytes, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    when = datetime(2026, 11, 28, 12, 34, 56, tzinfo=UTC)
    monkeypatch.setattr(
        "botocore.auth.get_current_datetime", lambda: when.replace(tzinfo=None), raising=True
    )
    request = AWSRequest("POST", f"https://xks.example.com{path}", data=body)
    Fixed(Credentials("A" * 20, "secret" * 8), "kms-xks-proxy", "eu-west-1").add_auth(request)
    signer = Signer("A" * 20, bytearray(b"secret" * 8), "eu-west-1", "kms-xks-proxy")
    made = signed_headers(signer, when, "xks.example.com", path, body)
    assert made["Authorization"] == request.headers["Authorization"]
    assert made["X-Amz-Date"] == request.headers["X-Amz-Date"] == "20261128T123456Z"
    assert "secret" not in repr(signer)
