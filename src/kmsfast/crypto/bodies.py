"""Usual requests, from the bytes of their body to the bytes of the answer's, in C.

Rules:
- a usual request is a JSON object without escapes whose members are the key's name, the payload and
  the encryption context, all of their type and each once (csrc/kf_request.c);
- whatever is not usual, or does not succeed, is None: the general way answers it, or says why not;
- plaintexts are decoded, encrypted, decrypted and encoded in C, in constant time, and are in Python
  only as a part of a body.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

from kmsfast.crypto.blob import bind
from kmsfast.crypto.native import BLOB_OVERHEAD, check, ffi, lib

__all__ = ["Kind", "Place", "Template", "data_key", "decrypt", "encrypt", "random_bytes",
           "recorded", "scan_data_key", "scan_decrypt", "scan_encrypt"]  # fmt: skip

# Looked up once: a request takes three microseconds.
_scan: Final = lib.kf_request_scan
_encrypt: Final = lib.kf_reply_encrypt
_decrypt: Final = lib.kf_reply_decrypt
_data_key: Final = lib.kf_reply_data_key
_random: Final = lib.kf_reply_random
_recorded: Final = lib.kf_request_recorded
_MOST_FRESH: Final = 1024
_ROOM: Final = 64  # for what a record has more than the body


class Kind(IntEnum):
    """Of usual requests."""

    ENCRYPT = lib.KF_REQUEST_ENCRYPT
    DECRYPT = lib.KF_REQUEST_DECRYPT
    DATA_KEY = lib.KF_REQUEST_DATA_KEY


Place = tuple[bytes, int, int]
"""What a usual request has: the key's name as it stands there, empty when there is none; where the
payload's text starts; and the bytes that its base64 stands for, or, where it is the size of a data
key, its characters."""


def _scanner(kind: Kind) -> Callable[[bytes], Place | None]:
    def scan(body: bytes) -> Place | None:
        found = _scan(kind, body, len(body))
        if not found:
            return None
        at = found & 0xFFFF
        return body[at : at + (found >> 16 & 0xFFFF)], found >> 32 & 0xFFFF, found >> 48

    return scan


scan_encrypt: Final = _scanner(Kind.ENCRYPT)
scan_decrypt: Final = _scanner(Kind.DECRYPT)
scan_data_key: Final = _scanner(Kind.DATA_KEY)


class Template:
    """An answer without its values, and the key version that makes them.

    Args:
        handle: of the key version; None for answers that need none.
        before: what stands before the ciphertext, or before the plaintext of a decryption.
        between: what stands before the plaintext of a data key; empty: it is left out.
        after: what stands behind the last value.
        timer: counts the answers (:func:`kmsfast.crypto.counters.timer`).

    Raises:
        StaleHandle: the key was evicted.
    """

    __slots__ = ("_kept", "length", "struct")

    def __init__(
        self, handle: int | None, before: bytes, between: bytes, after: bytes, timer: int
    ) -> None:
        self.struct = ffi.new("struct kf_reply *")
        self.struct.timer = timer
        if handle is not None:
            self.struct.binding = bind(handle, b"")[0]
        self._kept: list[Any] = []
        for field, text in (("before", before), ("between", between), ("after", after)):
            held = ffi.from_buffer("uint8_t[]", text)
            self._kept.append(held)
            place = getattr(self.struct, field)
            place.at, place.len = held, len(text)
        self.length = len(before) + len(between) + len(after)


def encrypt(template: Template, body: bytes, size: int) -> bytes | None:
    """The answer to a usual request, whose plaintext has ``size`` bytes."""
    out = bytes(template.length + _base64_len(size + BLOB_OVERHEAD))
    return out if _encrypt(template.struct, out, len(out), body, len(body)) == len(out) else None


def decrypt(template: Template, body: bytes, size: int) -> bytes | None:
    """The answer to a usual request, whose blob has ``size`` bytes."""
    if size < BLOB_OVERHEAD:
        return None
    out = bytes(template.length + _base64_len(size - BLOB_OVERHEAD))
    return out if _decrypt(template.struct, out, len(out), body, len(body)) == len(out) else None


def data_key(template: Template, body: bytes, size: int, *, with_plaintext: bool) -> bytes | None:
    """The answer to a usual request for a data key of ``size`` bytes."""
    if size > _MOST_FRESH:
        return None
    length = template.length + _base64_len(size + BLOB_OVERHEAD)
    out = bytes(length + _base64_len(size) if with_plaintext else length)
    made = _data_key(template.struct, out, len(out), body, len(body), size)
    return out if made == len(out) else None


def random_bytes(template: Template, size: int) -> bytes | None:
    """The answer to a request for ``size`` random bytes."""
    if size > _MOST_FRESH:
        return None
    out = bytes(template.length + _base64_len(size))
    return out if _random(template.struct, out, len(out), size) == len(out) else None


def recorded(kind: int, body: bytes) -> bytes:
    """The members of a usual request that are recorded: a msgpack map (docs/audit.md).

    Raises:
        ValidationError: it is not usual.
    """
    out = bytes(len(body) + _ROOM)
    length = _recorded(out, len(out), kind, body, len(body))
    if length < 0:
        check(length, "a request cannot be recorded")
    return out[:length]


def _base64_len(size: int) -> int:
    return (size + 2) // 3 * 4
