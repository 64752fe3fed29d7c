"""How keys of origin EXTERNAL get their material.

Rules: those of :mod:`kmsfast.local`.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from kmsfast import app
from kmsfast.doors import Door, Outcome
from kmsfast.local.members import moment
from kmsfast.local.recorded import operation
from kmsfast.model.imports import ExpirationModel

if TYPE_CHECKING:
    from kmsfast.service.importing import ImportedMaterial, ImportParameters

__all__ = ["ImportUses"]


def _of_material(made: ImportedMaterial) -> Outcome:
    return Outcome({"KeyMaterialId": made.material_id} if made.material_id else {})


class ImportUses:
    """The part of :class:`kmsfast.Key` for imported key material."""

    __slots__ = ()

    _app: app.Application
    _door: Door
    _raw_id: bytes

    @operation(
        "GetParametersForImport",
        members={
            "wrapping_algorithm": "WrappingAlgorithm",
            "wrapping_key_spec": "WrappingKeySpec",
        },
    )
    def get_parameters_for_import(
        self,
        *,
        wrapping_algorithm: str = "RSA_AES_KEY_WRAP_SHA_256",
        wrapping_key_spec: str = "RSA_4096",
    ) -> ImportParameters:
        """A public key to wrap key material with, and the token that goes back with it.

        Both can be used for 24 hours, together, and as often as needed.

        Args:
            wrapping_algorithm: RSA_AES_KEY_WRAP_SHA_256 or _SHA_1 (PKCS #11 CKM_RSA_AES_KEY_WRAP),
                RSAES_OAEP_SHA_256 or _SHA_1 (RFC 8017; not for RSA private keys).
            wrapping_key_spec: RSA_2048, RSA_3072 or RSA_4096.

        Raises:
            UnsupportedOperation: the key's material was made here, or an algorithm not offered.
            InvalidState, KeyNotFound: the key waits for its deletion, or is gone.
            ValidationError: an unknown name, or one that cannot wrap keys of this spec.
        """
        return self._app.importing.parameters(self._raw_id, wrapping_algorithm, wrapping_key_spec)

    @operation(
        "ImportKeyMaterial",
        members={
            "valid_to": ("ValidTo", moment),
            "expiration_model": "ExpirationModel",
            "import_type": "ImportType",
            "key_material_description": "KeyMaterialDescription",
            "key_material_id": "KeyMaterialId",
        },
        outcome=_of_material,
    )
    def import_key_material(
        self,
        import_token: bytes,
        encrypted_key_material: bytes,
        *,
        valid_to: datetime | None = None,
        expiration_model: str = ExpirationModel.KEY_MATERIAL_EXPIRES,
        import_type: str | None = None,
        key_material_description: str | None = None,
        key_material_id: str | None = None,
    ) -> ImportedMaterial:
        """Takes key material: 32 bytes for AES-256, those of an HMAC key, or a PKCS #8 private key.

        Symmetric encryption keys take further material, which waits for :meth:`rotate`. All keys
        take the same material again: when it was deleted, has expired or shall expire otherwise.

        Args:
            import_token: that of the public key which wrapped the material.
            encrypted_key_material: 1 to 6,144 bytes.
            valid_to: when it expires, at most 365 days from now (an aware datetime).
            expiration_model: KEY_MATERIAL_EXPIRES (the default, as in AWS KMS, which needs
                ``valid_to``) or KEY_MATERIAL_DOES_NOT_EXPIRE.
            import_type: NEW_KEY_MATERIAL or EXISTING_KEY_MATERIAL; None: new at first, then
                existing. This and the next two are for symmetric encryption keys.
            key_material_description: up to 256 characters.
            key_material_id: that of existing material, which is checked.

        Raises:
            InvalidImportToken, ExpiredImportToken: not of this key, or older than 24 hours.
            InvalidCiphertext: the material does not unwrap.
            IncorrectKeyMaterial: not what the key takes, or not what it had.
            InvalidState: the key waits for its deletion, or other material for its rotation.
            UnsupportedOperation, KeyNotFound, ValidationError: as for the parameters.
        """
        return self._app.importing.import_material(
            self._raw_id, import_token, encrypted_key_material, expiration_model=expiration_model,
            valid_to=valid_to, import_type=import_type, description=key_material_description,
            named=key_material_id,
        )  # fmt: skip

    @operation(
        "DeleteImportedKeyMaterial",
        members={"key_material_id": "KeyMaterialId"},
        outcome=_of_material,
    )
    def delete_imported_key_material(self, key_material_id: str | None = None) -> ImportedMaterial:
        """Removes imported material. The key cannot be used until the same is imported again.

        Args:
            key_material_id: which one; None: the current one.

        Raises:
            UnsupportedOperation: the key's material was made here.
            InvalidState: it has none. KeyNotFound: it has none of this id.
        """
        return self._app.importing.delete_material(self._raw_id, key_material_id)
