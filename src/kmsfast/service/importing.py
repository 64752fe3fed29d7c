"""Import of key material: one method per operation.

Rules:
- an import token holds the private half of its wrapping key, its algorithm, the time until which it
  is good and what names its key (related multi-Region keys have one id), sealed by the store key;
  so nothing is kept of an import that never comes, and any process on the store can finish one that
  another began;
- a key takes the same material again whenever it is gone or shall expire at another time; other
  material only where it can rotate, and it waits for that rotation;
- what material a key has is decided inside the transaction that changes it.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple

from kmsfast.crypto.importing import (
    WRAPPING_ALGORITHMS,
    WRAPPING_SPECS,
    WrappingKey,
    unwrapped,
)
from kmsfast.crypto.native import forget
from kmsfast.errors import (
    ExpiredImportToken,
    IncorrectKeyMaterial,
    InvalidImportToken,
    InvalidState,
    KeyNotFound,
    StoreIntegrity,
    ValidationError,
)
from kmsfast.model.imports import (
    TOKEN_LIFETIME,
    ImportType,
    checked_expiration,
    checked_import_type,
    checked_material_description,
    checked_material_id,
    checked_wrapping,
    require_external,
)
from kmsfast.model.key import KeyMetadata, KeyState, KeyVersion, require, require_primary
from kmsfast.model.material_id import material_id
from kmsfast.service import material
from kmsfast.service.encryption import as_bytes
from kmsfast.service.keyring import Keyring
from kmsfast.service.ports import Writer
from kmsfast.service.related import related
from kmsfast.service.versions import lacks_material, remove_material

__all__ = ["ImportParameters", "ImportedMaterial", "Importing"]

# Algorithm; good until, in microseconds since 1970; SHA-256 of the key's ARN.
_TOKEN: Final = struct.Struct(">BQ32s")
_TOKEN_VERSION: Final = 0  # no key version has this number, so no token is ever taken for a key
_ALGORITHMS: Final = tuple(WRAPPING_ALGORITHMS)
_MAX_ENCRYPTED: Final = 6144
_ORIGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ImportParameters(NamedTuple):
    """What whoever has the material needs to wrap and send it.

    Attributes:
        public_key: the wrapping key, as a DER SubjectPublicKeyInfo.
        import_token: goes back with the material.
        valid_to: until when both can be used (UTC).
        key_arn: the key that they are for.
    """

    public_key: bytes
    import_token: bytes
    valid_to: datetime
    key_arn: str


class ImportedMaterial(NamedTuple):
    """What was imported or removed.

    Attributes:
        key_arn: the key.
        material_id: that of a symmetric encryption key, 64 hexadecimal digits; None of others.
    """

    key_arn: str
    material_id: str | None


class _Import(NamedTuple):
    """What a request says of material, checked."""

    kind: ImportType | None
    material_id: str | None
    description: str | None
    valid_to: datetime | None


class Importing:
    """Brings key material into the keys of one store."""

    def __init__(self, ring: Keyring) -> None:
        self._ring, self._store = ring, ring.store

    def parameters(self, raw_id: bytes, algorithm: str, spec: str) -> ImportParameters:
        """A wrapping key and its token, good for 24 hours."""
        key = self._importable(raw_id)
        checked_wrapping(key, algorithm, _ALGORITHMS, spec, tuple(WRAPPING_SPECS))
        valid_to = self._ring.now() + TOKEN_LIFETIME
        pair = WrappingKey.generate(spec)
        micros = (valid_to - _ORIGIN) // timedelta(microseconds=1)
        head = _TOKEN.pack(_ALGORITHMS.index(algorithm), micros, _named(key))
        content = head + pair.private
        try:
            token = self._store.store_key.wrap_private(content, raw_id, _TOKEN_VERSION, key.flags)
        finally:
            forget(content)
            forget(pair.private)
        return ImportParameters(pair.public, token, valid_to, key.arn)

    def import_material(
        self,
        raw_id: bytes,
        token: Any,
        encrypted: Any,
        *,
        expiration_model: str,
        valid_to: datetime | None,
        import_type: str | None,
        description: str | None,
        named: str | None,
    ) -> ImportedMaterial:
        """Takes wrapped material into a key."""
        token, wrapped = as_bytes(token, "import_token"), as_bytes(encrypted, "the key material")
        if not 1 <= len(wrapped) <= _MAX_ENCRYPTED:
            raise ValidationError(
                f"the encrypted key material must have 1 to {_MAX_ENCRYPTED} bytes, not "
                f"{len(wrapped)}"
            )
        given = _Import(
            checked_import_type(import_type),
            checked_material_id(named),
            checked_material_description(description),
            checked_expiration(expiration_model, valid_to, self._ring.now()),
        )
        if given.kind is ImportType.NEW_KEY_MATERIAL and given.material_id is not None:
            raise ValidationError("keyMaterialId cannot be specified with NEW_KEY_MATERIAL")
        key = self._importable(raw_id)
        if not key.rotates and (given.kind, given.material_id, given.description) != (None,) * 3:
            raise ValidationError(
                f"{key.arn} is of spec {key.spec}; import type, material id and description are "
                "for symmetric encryption keys"
            )
        private, algorithm = self._opened(token, key)
        try:
            with unwrapped(private, algorithm, wrapped) as plain, self._store.write() as rows:
                key = self._ring.writable(rows, raw_id)
                require(key, "change")
                return self._take(rows, key, plain, given)
        finally:
            forget(private)

    def delete_material(self, raw_id: bytes, named: str | None) -> ImportedMaterial:
        """Removes imported material; the key is unusable until the same is imported again.

        Where it is not there, nothing happens, as in AWS.
        """
        wanted = checked_material_id(named)
        require_external(self._ring.key(raw_id))
        with self._store.write() as rows:
            key = self._ring.writable(rows, raw_id)
            require(key, "drop")
            found = _find(rows.versions(key), key, wanted)
            if found is None or not found.is_present:
                return ImportedMaterial(key.arn, None if found is None else _id_of(key, found))
            remove_material(rows, key, found)
        self._ring.forget(raw_id)
        self._store.forget_deleted()
        return ImportedMaterial(key.arn, _id_of(key, found))

    # ---- within -----------------------------------------------------------------------------

    def _importable(self, raw_id: bytes) -> KeyMetadata:
        key = self._ring.key(raw_id)
        require_external(key)
        require(key, "change")
        return key

    def _opened(self, token: bytes, key: KeyMetadata) -> tuple[bytes, str]:
        """The private wrapping key of a token, and the algorithm that goes with it.

        Raises:
            InvalidImportToken: not one of this key. ExpiredImportToken: it is too old.
        """
        wrapped = self._store.store_key
        try:
            with wrapped.unwrapped_private(token, key.raw_id, _TOKEN_VERSION, key.flags) as content:
                index, micros, named = _TOKEN.unpack_from(content)
                if named != _named(key):
                    raise _foreign_token(key)
                private = bytes(content[_TOKEN.size :])
        except StoreIntegrity:
            raise _foreign_token(key) from None
        if _ORIGIN + timedelta(microseconds=micros) <= self._ring.now():
            raise ExpiredImportToken(
                "the import token has expired 24 hours after it was made; ask for new parameters "
                "and wrap the key material again"
            )
        return private, _ALGORITHMS[index]

    def _take(
        self, rows: Writer, key: KeyMetadata, plain: bytearray, given: _Import
    ) -> ImportedMaterial:
        versions, store = rows.versions(key), self._store.store_key
        before = self._known(key, versions, plain, given)
        version = before or KeyVersion(len(versions) + 1, self._ring.now(), "imported")
        made = material.take(store, key, version.number, plain)
        if before and (made.material_name, made.public_key) != (
            before.material_name,
            before.public_key,
        ):
            raise IncorrectKeyMaterial(
                f"{key.arn} takes the key material again that it had before, and no other"
            )
        after = replace(
            version,
            material_name=made.material_name,
            public_key=made.public_key,
            valid_to=given.valid_to,
            description=version.description if given.description is None else given.description,
            is_present=True,
        )
        if before:
            rows.save_version(key, after, made.wrapped)
        else:
            key = replace(key, current_version=max(key.current_version, 1))
            rows.add_version(key, after, made.wrapped)
            absent = replace(after, is_present=False, valid_to=None)
            for there, other in related(rows, key):
                there.add_version(other, absent, b"")
        if key.state is KeyState.PENDING_IMPORT and not lacks_material(rows, key):
            key = replace(key, state=KeyState.ENABLED)
        rows.save(key)
        return ImportedMaterial(key.arn, _id_of(key, after))

    def _known(
        self,
        key: KeyMetadata,
        versions: tuple[KeyVersion, ...],
        plain: bytearray,
        given: _Import,
    ) -> KeyVersion | None:
        """The version that had the material before; None: it is new.

        Raises:
            IncorrectKeyMaterial: it is not what the request says. InvalidState: another one waits.
        """
        if not key.rotates:
            return versions[0] if versions else None
        name = self._store.store_key.name_material(plain, key.raw_id)
        known = next((version for version in versions if version.material_name == name), None)
        usual = ImportType.EXISTING_KEY_MATERIAL if versions else ImportType.NEW_KEY_MATERIAL
        if (given.kind or usual) is ImportType.EXISTING_KEY_MATERIAL:
            if known is None or given.material_id not in (None, _id_of(key, known)):
                raise IncorrectKeyMaterial(
                    f"{key.arn} did not have this key material before"
                    + ("" if given.material_id is None else " under this id")
                    + "; to add it for a rotation, say NEW_KEY_MATERIAL"
                )
            return known
        if key.is_replica:
            require_primary(key)
        if known is not None:
            raise IncorrectKeyMaterial(
                f"{key.arn} has or had this key material already; say EXISTING_KEY_MATERIAL"
            )
        if any(version.number > key.current_version for version in versions):
            raise InvalidState(
                f"{key.arn} has key material that is pending rotation; rotate it first, or delete "
                "that material"
            )
        return None


def _named(key: KeyMetadata) -> bytes:
    """What tells the key from those that have the same id elsewhere."""
    return sha256(key.arn.encode()).digest()


def _foreign_token(key: KeyMetadata) -> InvalidImportToken:
    return InvalidImportToken(
        f"the import token is not one that was made for {key.arn}; ask for new parameters"
    )


def _id_of(key: KeyMetadata, version: KeyVersion) -> str | None:
    """The key material id that users see; of symmetric encryption keys alone, as in AWS KMS."""
    if not key.rotates:
        return None
    return material_id(key.raw_id, version.number, version.material_name)


def _find(
    versions: tuple[KeyVersion, ...], key: KeyMetadata, wanted: str | None
) -> KeyVersion | None:
    """The version of the material, by default the current one; None: no version has come yet.

    Raises:
        KeyNotFound: the key has none such.
    """
    if wanted is None and not key.current_version:
        return None
    for version in versions:
        if wanted is None and version.number == key.current_version:
            return version
        if wanted is not None and _id_of(key, version) == wanted:
            return version
    raise KeyNotFound(f"{key.arn} has no key material {wanted}")
