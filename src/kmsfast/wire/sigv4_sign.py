"""Signing requests with AWS Signature Version 4, as a client of others: POST, no query.

Source: AWS IAM User Guide, Create a signed AWS API request; XKS proxy API specification,
Appendix A. Signed are ``host`` and ``x-amz-date``, as the specification has it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import Final

__all__ = ["Signer", "signed_headers"]

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_SIGNED: Final = "host;x-amz-date"


@dataclass(frozen=True, slots=True, repr=False)
class Signer:
    """Who signs, and for which service. Has no repr, for the secret.

    Attributes:
        secret: the secret access key.
    """

    access_key_id: str
    secret: bytes | bytearray | memoryview
    region: str
    service: str


def signed_headers(
    signer: Signer, when: datetime, host: str, path: str, body: bytes
) -> dict[str, str]:
    """The headers that a signed POST has.

    Args:
        when: in UTC.
        path: of characters that need no encoding.
    """
    moment = when.strftime("%Y%m%dT%H%M%SZ")
    names = (moment[:8], signer.region, signer.service, "aws4_request")
    canonical = "\n".join(
        ("POST", path, "", f"host:{host}", f"x-amz-date:{moment}", "", _SIGNED, _sha256(body))
    )
    to_sign = "\n".join((_ALGORITHM, moment, "/".join(names), _sha256(canonical.encode())))
    key = hmac.digest(b"AWS4" + signer.secret, names[0].encode(), "sha256")
    for name in names[1:]:
        key = hmac.digest(key, name.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    credential = f"{signer.access_key_id}/{'/'.join(names)}"
    return {
        "Host": host,
        "X-Amz-Date": moment,
        "Authorization": f"{_ALGORITHM} Credential={credential}, SignedHeaders={_SIGNED}, "
        f"Signature={signature}",
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
