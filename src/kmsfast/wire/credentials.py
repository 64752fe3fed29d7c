"""Whom a request names: the access key and region in its Signature Version 4 header.

The signature itself is not looked at here. A header of another form names nobody.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["NOBODY", "Credential", "credential_of"]

_CREDENTIAL: Final = re.compile(
    rb"AWS4-HMAC-SHA256\s+(?:.*[,\s])?Credential=([^/,\s]+)/[0-9]{8}/([a-z0-9-]+)/kms/aws4_request"
    rb"(?:[,\s].*)?"
)


class Credential(NamedTuple):
    """The credential scope of a signature."""

    access_key: str
    region: str

    @property
    def account(self) -> str | None:
        """The account that the access key is the number of, or None."""
        key = self.access_key
        return key if len(key) == 12 and key.isascii() and key.isdigit() else None


NOBODY: Final = Credential("", "")


def credential_of(authorization: bytes) -> Credential:
    """The credential of an Authorization header, or NOBODY."""
    found = _CREDENTIAL.fullmatch(authorization)
    if found is None:
        return NOBODY
    return Credential(found[1].decode("ascii", "replace"), found[2].decode())
