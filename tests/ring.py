"""A store key and key versions whose material the tests know."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

import reference

from kmsfast.crypto import keys

STORE_ID = bytes(range(16))


@dataclass
class Version:
    """One key version: its handle in C and, for the reference, its material."""

    key_id: bytes
    version: int
    handle: int
    material: bytes
    wrapped: bytes
    flags: int = 0

    def seal(
        self, plaintext: bytes, context: dict[str, str] | None = None, aad: bytes = b""
    ) -> bytes:
        """The reference's blob of one record."""
        return reference.seal_blob(
            self.material, self.key_id, self.version, os.urandom(24), plaintext, context, aad,
            self.flags,
        )  # fmt: skip

    def open(self, blob: bytes, context: dict[str, str] | None = None, aad: bytes = b"") -> bytes:
        """What the reference reads from a blob."""
        return reference.open_blob(self.material, blob, context, aad)


@dataclass
class Ring:
    """A store key that the test can see into."""

    store: keys.StoreKey
    store_key: bytes
    versions: dict[tuple[bytes, int], Version] = field(default_factory=dict)

    def add(self, key_id: bytes = b"k" * 16, version: int = 1, flags: int = 0) -> Version:
        wrapped = self.store.generate_material(key_id, version, flags)
        return self._load(wrapped, key_id, version, flags)

    def add_material(self, material: bytes, key_id: bytes, version: int = 1) -> Version:
        wrapped = reference.wrap_material(
            self.store_key, STORE_ID, material, key_id, version, os.urandom(24)
        )
        return self._load(wrapped, key_id, version)

    def _load(self, wrapped: bytes, key_id: bytes, version: int, flags: int = 0) -> Version:
        handle = self.store.load_material(wrapped, key_id, version, flags)
        material = reference.unwrap_material(
            self.store_key, STORE_ID, wrapped, key_id, version, flags
        )
        made = Version(key_id, version, handle, material, wrapped, flags)
        self.versions[key_id, version] = made
        return made

    def resolve(self, prefix: bytes) -> int:
        from kmsfast.crypto import blob
        from kmsfast.errors import KeyNotFound

        name = blob.parse_key(prefix)
        found = self.versions.get((name.key_id, name.version))
        if found is None:
            raise KeyNotFound(f"no key {name.key_id.hex()} version {name.version}")
        if not keys.in_arena(found.handle):
            found.handle = self.store.load_material(found.wrapped, *name)
        return found.handle
