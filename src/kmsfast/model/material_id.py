"""Ids of key material: 64 hexadecimal digits, one for each material of each key.

They are SHA-256 of a label, the key's 16 bytes, and what tells the material from all other of the
key: of one that was made here the version as a big-endian u32, of an imported one its name (32
bytes, a MAC of the material). So they are the same in every process; imported material has the id
that it had whenever it comes back, and other material never has it. Without the store's MAC subkey
nobody can try whether a guess of the material is right.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import sha256

__all__ = ["material_id"]


@lru_cache(maxsize=1024)
def material_id(raw_id: bytes, version: int, name: bytes | None = None) -> str:
    """The id of a key version's material.

    Args:
        name: of imported material; None: it was made here.
    """
    told_by = version.to_bytes(4, "big") if name is None else name
    return sha256(b"kmsfast key material id\0" + raw_id + told_by).hexdigest()
