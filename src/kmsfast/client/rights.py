"""Grants on a key of a server, and material that is imported into it.

Rules: those of :mod:`.keys`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from kmsfast.client.calls import Call, method
from kmsfast.client.description import bytes_in, grant_of
from kmsfast.client.naming import every, instant, named
from kmsfast.model.imports import ExpirationModel
from kmsfast.model.policy_grant import Grant
from kmsfast.service.grants import IssuedGrant
from kmsfast.service.importing import ImportedMaterial, ImportParameters

__all__ = ["RightCalls"]


class RightCalls:
    """The part of a key for grants and imported material."""

    arn: str

    @method
    def create_grant(
        self,
        operations: Iterable[str],
        *,
        grantee_principal: str | None = None,
        grantee_service_principal: str | None = None,
        retiring_principal: str | None = None,
        retiring_service_principal: str | None = None,
        encryption_context_equals: Mapping[str, str] | None = None,
        encryption_context_subset: Mapping[str, str] | None = None,
        source_arn: str | None = None,
        name: str | None = None,
    ) -> Call[IssuedGrant]:
        """Lets a principal use the key; see :meth:`kmsfast.Key.create_grant`."""
        bound: dict[str, Any] = {
            "EncryptionContextEquals": encryption_context_equals,
            "EncryptionContextSubset": encryption_context_subset,
            "SourceArn": source_arn,
        }
        bound = {member: value for member, value in bound.items() if value is not None}
        answer = yield from named(
            "CreateGrant", KeyId=self.arn, Operations=list(operations),
            GranteePrincipal=grantee_principal, GranteeServicePrincipal=grantee_service_principal,
            RetiringPrincipal=retiring_principal,
            RetiringServicePrincipal=retiring_service_principal, Constraints=bound or None,
            Name=name,
        )  # fmt: skip
        return IssuedGrant(answer["GrantId"], answer["GrantToken"])

    @method
    def grants(self, grantee_principal: str | None = None) -> Call[list[Grant]]:
        """The key's grants, or those of one grantee, in the order of their ids."""
        found = yield from every(
            "ListGrants", "Grants", 100, KeyId=self.arn, GranteePrincipal=grantee_principal
        )
        return [grant_of(each) for each in found]

    @method
    def retire_grant(self, grant_id: str) -> Call[None]:
        """Ends a grant whose work is done. It is gone at once."""
        yield from named("RetireGrant", KeyId=self.arn, GrantId=grant_id)

    @method
    def revoke_grant(self, grant_id: str) -> Call[None]:
        """Ends a grant, whoever needs it. It is gone at once."""
        yield from named("RevokeGrant", KeyId=self.arn, GrantId=grant_id)

    @method
    def get_parameters_for_import(
        self,
        *,
        wrapping_algorithm: str = "RSA_AES_KEY_WRAP_SHA_256",
        wrapping_key_spec: str = "RSA_4096",
    ) -> Call[ImportParameters]:
        """A public key to wrap key material with, and the token that goes back with it."""
        answer = yield from named(
            "GetParametersForImport", KeyId=self.arn, WrappingAlgorithm=wrapping_algorithm,
            WrappingKeySpec=wrapping_key_spec,
        )  # fmt: skip
        until = instant(answer["ParametersValidTo"])
        return ImportParameters(
            bytes_in(answer, "PublicKey"), bytes_in(answer, "ImportToken"), until, self.arn
        )

    @method
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
    ) -> Call[ImportedMaterial]:
        """Takes key material; see :meth:`kmsfast.Key.import_key_material`."""
        answer = yield from named(
            "ImportKeyMaterial", KeyId=self.arn, ImportToken=import_token,
            EncryptedKeyMaterial=encrypted_key_material,
            ValidTo=None if valid_to is None else valid_to.isoformat(),
            ExpirationModel=str(expiration_model), ImportType=import_type,
            KeyMaterialDescription=key_material_description, KeyMaterialId=key_material_id,
        )  # fmt: skip
        return ImportedMaterial(self.arn, answer.get("KeyMaterialId"))

    @method
    def delete_imported_key_material(
        self, key_material_id: str | None = None
    ) -> Call[ImportedMaterial]:
        """Removes imported material. The key cannot be used until the same is imported again."""
        answer = yield from named(
            "DeleteImportedKeyMaterial", KeyId=self.arn, KeyMaterialId=key_material_id
        )
        return ImportedMaterial(self.arn, answer.get("KeyMaterialId"))
