"""Ids of key material: 64 hexadecimal digits, one for each version of each key.

They are SHA-256 of a label, the key's 16 bytes and the version as a big-endian u32: the same in
every process, and nothing that the material could be guessed from.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

__all__ = ["material_id"]


@lru_cache(maxsize=1024)
def material_id(raw_id: bytes, version: int) -> str:
    """The id of a key version's material."""
    return sha256(b"kmsfast key material id\0" + raw_id + version.to_bytes(4, "big")).hexdigest()
