"""What the header of a blob or sealed batch says; anyone can read it, no key is needed."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["BlobInfo"]


@dataclass(frozen=True, slots=True)
class BlobInfo:
    """The readable part of a ciphertext. Nothing of it is authenticated before it is opened.

    Attributes:
        kind: "blob" or "sealed batch".
        suite: name of the encryption suite.
        key_id: id of the key, as text.
        key_version: number of the key version.
        multi_region: whether the key is a multi-Region key.
        plaintext_size: bytes of the plaintext; None for a sealed batch.
        record_size: bytes of each record of a sealed batch, 0 when they vary; None for a blob.
    """

    kind: str
    frame_version: int
    suite: str
    key_id: str
    key_version: int
    multi_region: bool
    plaintext_size: int | None
    record_size: int | None
