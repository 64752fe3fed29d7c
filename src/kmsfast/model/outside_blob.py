"""Blobs of keys whose material is elsewhere (docs/custom-key-stores.md): framing alone, no keys.

Rules:
- the header is that of every blob, with a suite of its own for each type of key store;
- parsing is strict: one encoding for each meaning, every length checked, each byte is part of what
  is authenticated: the header and the context as associated data, the rest by AES-GCM.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from kmsfast.errors import FrameError
from kmsfast.model.key_store import KeyStoreType

__all__ = [
    "HEADER_LEN",
    "SUITES",
    "Box",
    "OutsideBlob",
    "associated_data",
    "is_outside",
    "make_header",
    "parse",
    "write",
]

HEADER_LEN: Final = 24
SUITES: Final[Mapping[KeyStoreType, int]] = {
    KeyStoreType.AWS_CLOUDHSM: 3,
    KeyStoreType.EXTERNAL_KEY_STORE: 4,
}
_TYPES: Final = {suite: kind for kind, suite in SUITES.items()}
_STARTS: Final = frozenset(bytes((0xF5, 1, suite)) for suite in _TYPES)
_DOMAIN: Final = b"kmsfast blob of a custom key store v1"
_NONCES: Final = frozenset({12, 16})
_MAX_METADATA: Final = 20
_TAG_LEN: Final = 16


class Box(NamedTuple):
    """What AES-GCM outside made of a plaintext.

    Attributes:
        nonce: 12 or 16 bytes.
        metadata: at most 20 bytes that a proxy wants back.
        tag: 16 bytes.
    """

    nonce: bytes
    metadata: bytes
    ciphertext: bytes
    tag: bytes


class OutsideBlob(NamedTuple):
    """A parsed blob.

    Attributes:
        type: of the key store that made it.
        header: its first 24 bytes.
    """

    type: KeyStoreType
    header: bytes
    key_id: bytes
    version: int
    box: Box


def is_outside(data: bytes) -> bool:
    """Whether the bytes begin as a blob of a custom key store's key does."""
    return data[:3] in _STARTS


def make_header(kind: KeyStoreType, key_id: bytes, version: int) -> bytes:
    """The first 24 bytes of a key version's blobs; keys of custom key stores have one region."""
    return bytes((0xF5, 1, SUITES[kind], 0)) + key_id + version.to_bytes(4, "big")


def associated_data(header: bytes, context: bytes) -> bytes:
    """What a blob is bound to: its header and the canonical context. 32 bytes."""
    return hashlib.sha256(_DOMAIN + b"\0" + header + context).digest()


def write(header: bytes, box: Box) -> bytes:
    """The blob."""
    lengths = bytes((len(box.nonce), len(box.metadata)))
    return b"".join((header, lengths, box.nonce, box.metadata, box.ciphertext, box.tag))


def parse(data: bytes) -> OutsideBlob:
    """The parts of a blob.

    Raises:
        FrameError: none of a custom key store, cut off, or not written as :func:`write` does.
    """
    if not is_outside(data):
        raise FrameError("not a blob of a key in a custom key store")
    if len(data) < HEADER_LEN + 2:
        raise FrameError("the blob is cut off within its header")
    header, nonce_len, metadata_len = data[:HEADER_LEN], data[HEADER_LEN], data[HEADER_LEN + 1]
    kind = _TYPES[header[2]]
    most = _MAX_METADATA if kind is KeyStoreType.EXTERNAL_KEY_STORE else 0
    if header[3] or nonce_len not in _NONCES or metadata_len > most:
        raise FrameError("a blob with a reserved flag, or with lengths that none has")
    start = HEADER_LEN + 2
    after_nonce = start + nonce_len
    after_metadata = after_nonce + metadata_len
    if len(data) < after_metadata + _TAG_LEN:
        raise FrameError("the blob is shorter than that of an empty record")
    box = Box(
        data[start:after_nonce],
        data[after_nonce:after_metadata],
        data[after_metadata:-_TAG_LEN],
        data[-_TAG_LEN:],
    )
    return OutsideBlob(kind, header, header[4:20], int.from_bytes(header[20:24], "big"), box)
