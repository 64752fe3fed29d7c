"""Markers: where a listing goes on. Opaque, good for one listing and for a day.

A marker is base64url(version ‖ seconds ‖ position ‖ tag): version 1 byte, seconds since 1970 as a
big-endian u64, the position UTF-8, the tag the first 16 bytes of the MAC over a label, the region
and account, the listing and all that goes before the tag. So a marker that was changed, belongs to
another listing or is too old is refused rather than understood in some way; and it survives a
restart of the server.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from hmac import compare_digest
from typing import Final

from kmsfast.errors import InvalidMarker

__all__ = ["Markers"]

_LABEL: Final = b"kmsfast marker\x00"
_VERSION: Final = b"\x01"
_TAG_LEN: Final = 16
_HEAD_LEN: Final = len(_VERSION) + 8
_LIFETIME: Final = 86_400


class Markers:
    """Makes and reads markers.

    Args:
        mac: 32 bytes under a secret of the deployment.
        clock: Unix time in seconds.
        home: what tells the region and account from others.
    """

    def __init__(
        self, mac: Callable[[bytes], bytes], clock: Callable[[], float], home: str
    ) -> None:
        self._mac, self._clock, self._home = mac, clock, home

    def write(self, listing: str, position: str) -> str:
        """The marker of a position in a listing."""
        now = int(self._clock())
        payload = _VERSION + now.to_bytes(8, "big") + position.encode()
        return urlsafe_b64encode(payload + self._tag(listing, payload)).decode().rstrip("=")

    def read(self, listing: str, marker: str) -> str:
        """The position that a marker names.

        Raises:
            InvalidMarker: none of this listing, or too old.
        """
        try:
            whole = urlsafe_b64decode(marker + "=" * (-len(marker) % 4))
        except ValueError:
            whole = b""
        payload, tag = whole[:-_TAG_LEN], whole[-_TAG_LEN:]
        if len(payload) < _HEAD_LEN or not compare_digest(tag, self._tag(listing, payload)):
            raise InvalidMarker("The marker is not one of this listing")
        age = int(self._clock()) - int.from_bytes(payload[1:_HEAD_LEN], "big")
        if not 0 <= age <= _LIFETIME:
            raise InvalidMarker("The marker has expired; start the listing again")
        return payload[_HEAD_LEN:].decode()

    def _tag(self, listing: str, payload: bytes) -> bytes:
        name = f"{self._home} {listing}".encode()
        message = _LABEL + len(name).to_bytes(4, "big") + name + payload
        return self._mac(message)[:_TAG_LEN]
