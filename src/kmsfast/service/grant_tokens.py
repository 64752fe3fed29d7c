"""Grant tokens: opaque texts that name a grant, each different, all of a grant good for the same.

A token is base64url(version ‖ key id ‖ grant id ‖ nonce ‖ MAC): version 1 byte, the key's 16, the
grant's 32, 16 random ones, and the store key's MAC over a label and all that goes before. So nobody
makes a token but the store; that a token was made does not say that its grant is still there.
"""

from __future__ import annotations

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, NamedTuple, Protocol

from kmsfast.errors import InvalidGrantToken
from kmsfast.model.grant import GRANT_ID_LEN

__all__ = ["GrantName", "make_token", "read_token"]

_LABEL: Final = b"kmsfast grant token\x00"
_VERSION: Final = b"\x01"
_KEY_ID_LEN: Final = 16
_NONCE_LEN: Final = 16
_MAC_LEN: Final = 32
_GRANT_AT: Final = len(_VERSION) + _KEY_ID_LEN
_NONCE_AT: Final = _GRANT_AT + GRANT_ID_LEN
_PAYLOAD_LEN: Final = _NONCE_AT + _NONCE_LEN


class _Macs(Protocol):
    """The store key."""

    def mac(self, msg: bytes) -> bytes: ...
    def check_mac(self, mac: bytes, msg: bytes) -> bool: ...


class GrantName(NamedTuple):
    """The grant that a token names."""

    key_id: bytes
    grant_id: str


def make_token(macs: _Macs, name: GrantName) -> str:
    """Another token of a grant."""
    nonce = os.urandom(_NONCE_LEN)
    payload = _VERSION + name.key_id + bytes.fromhex(name.grant_id) + nonce
    return urlsafe_b64encode(payload + macs.mac(_LABEL + payload)).decode().rstrip("=")


def read_token(macs: _Macs, token: str) -> GrantName:
    """The grant that a token names.

    Raises:
        InvalidGrantToken: not made by this store.
    """
    try:
        whole = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (TypeError, ValueError):
        whole = b""
    payload, mac = whole[:_PAYLOAD_LEN], whole[_PAYLOAD_LEN:]
    if len(mac) != _MAC_LEN or not macs.check_mac(mac, _LABEL + payload):
        raise InvalidGrantToken("The grant token is not valid.")
    return GrantName(payload[len(_VERSION) : _GRANT_AT], payload[_GRANT_AT:_NONCE_AT].hex())
