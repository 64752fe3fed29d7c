"""The key with which the requests of one access key are signed, on one day, for one region.

Source: IAM User Guide, "Create a signed AWS API request", task 4 (derive a signing key).
"""

from __future__ import annotations

import hmac
from typing import Final, NamedTuple

__all__ = ["PREFIX", "SERVICE", "TERMINATOR", "SigningKey", "derived"]

SERVICE: Final = "kms"
TERMINATOR: Final = "aws4_request"
#: What stands in front of a secret access key before it is a key of HMAC.
PREFIX: Final = b"AWS4"
_HASH: Final = "sha256"


class SigningKey(NamedTuple):
    """A key derived for one access key, day and region.

    Attributes:
        known: False: nobody has the access key, and the key is one that nobody has.
    """

    key: bytes
    known: bool

    def __repr__(self) -> str:
        return f"SigningKey(<secret {len(self.key)} bytes>, known={self.known})"


def derived(secret: bytes | memoryview, day: str, region: str, service: str = SERVICE) -> bytes:
    """The signing key, 32 bytes.

    Args:
        secret: the secret access key after PREFIX.
        day: YYYYMMDD.
        service: whose requests it signs.
    """
    key = hmac.digest(secret, day.encode(), _HASH)
    for part in (region, service, TERMINATOR):
        key = hmac.digest(key, part.encode(), _HASH)
    return key
