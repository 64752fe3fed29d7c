"""Whom a request names: the access key and region in its Signature Version 4 header.

The signature itself is not looked at here. A header of another form names nobody.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from kmsfast.model.signing_key import SERVICE

__all__ = ["NOBODY", "Credential", "credential_of", "scope_of"]

_SCHEME: Final = b"AWS4-HMAC-SHA256"
_NAME: Final = b"Credential="
_USUAL: Final = _SCHEME + b" " + _NAME  # how every client begins it
_USUAL_LEN: Final = len(_USUAL)
_SCHEME_LEN: Final = len(_SCHEME) + 1
# access key / day / region / service / terminator
_SCOPE: Final = re.compile(
    rb"Credential=([A-Za-z0-9]{1,128})/[0-9]{8}/([a-z0-9-]{1,64})/([a-z0-9]{1,64})/aws4_request"
)


class Credential(NamedTuple):
    """The credential scope of a signature; empty texts when there is none."""

    access_key: str
    region: str

    @property
    def account(self) -> str | None:
        """The account that the access key is the number of, or None."""
        key = self.access_key
        return key if len(key) == 12 and key.isdigit() else None


NOBODY: Final = Credential("", "")


def scope_of(authorization: bytes) -> bytes:
    """The part of an Authorization header that names somebody; it is the same all day."""
    if authorization.startswith(_USUAL):
        end = authorization.find(b",", _USUAL_LEN)
        return authorization[_SCHEME_LEN:] if end < 0 else authorization[_SCHEME_LEN:end]
    start = authorization.find(_NAME)
    if start < 0 or not authorization.startswith(_SCHEME):
        return b""
    end = authorization.find(b",", start)
    return authorization[start:] if end < 0 else authorization[start:end]


def credential_of(scope: bytes, service: str = SERVICE) -> Credential:
    """The credential for a service that such a part names, or NOBODY."""
    found = _SCOPE.fullmatch(scope)
    if found is None or found[3].decode() != service:
        return NOBODY
    return Credential(found[1].decode(), found[2].decode())
