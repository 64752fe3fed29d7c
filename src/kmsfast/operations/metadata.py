"""What the API says of a key (KeyMetadata). Members that do not apply are absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kmsfast.app import Application
from kmsfast.model.imports import ExpirationModel
from kmsfast.model.key import KeyMetadata, KeyState
from kmsfast.model.key_store import KeyStoreType
from kmsfast.model.keyspec import KeyUsage, Origin

__all__ = ["algorithms", "describe"]

_ALGORITHMS: Final[Mapping[KeyUsage, str]] = {
    KeyUsage.ENCRYPT_DECRYPT: "EncryptionAlgorithms",
    KeyUsage.SIGN_VERIFY: "SigningAlgorithms",
    KeyUsage.GENERATE_VERIFY_MAC: "MacAlgorithms",
    KeyUsage.KEY_AGREEMENT: "KeyAgreementAlgorithms",
    KeyUsage.ENCAPSULATE_DECAPSULATE: "EncapsulationAlgorithms",
}


def describe(app: Application, key: KeyMetadata) -> dict[str, Any]:
    """The KeyMetadata of a key."""
    key = app.multi_region.settled(key) if key.multi_region else key
    has_material = key.rotates and key.current_version > 0
    current = key.material_id(key.current_version) if has_material else None
    return {
        "AWSAccountId": key.account,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": key.created_at,
        "Enabled": key.shown_state is KeyState.ENABLED,
        "Description": key.description,
        "KeyUsage": key.usage.value,
        "KeyState": key.shown_state.value,
        "DeletionDate": key.deletion_date,
        "Origin": key.origin.value,
        **_key_store(key),
        **_expiry(key),
        "KeyManager": key.manager.value,
        "CustomerMasterKeySpec": key.spec.value,
        "KeySpec": key.spec.value,
        **algorithms(key),
        "MultiRegion": key.multi_region,
        "MultiRegionConfiguration": _related(key) if key.multi_region else None,
        "PendingDeletionWindowInDays": key.deletion_days,
        "CurrentKeyMaterialId": current,
    }


def _key_store(key: KeyMetadata) -> dict[str, Any]:
    """In which custom key store the material of a key is, if it is in one."""
    backing = key.backing
    if backing is None:
        return {}
    external = backing.type is KeyStoreType.EXTERNAL_KEY_STORE
    return {
        "CustomKeyStoreId": backing.key_store_id,
        "CloudHsmClusterId": backing.cluster_id,
        "XksKeyConfiguration": {"Id": backing.name} if external else None,
    }


def _expiry(key: KeyMetadata) -> dict[str, Any]:
    """Whether and when the imported material of a key expires, while it is there."""
    if key.origin is not Origin.EXTERNAL or key.state is KeyState.PENDING_IMPORT:
        return {}
    if key.valid_to is None:
        return {"ExpirationModel": ExpirationModel.KEY_MATERIAL_DOES_NOT_EXPIRE.value}
    model = ExpirationModel.KEY_MATERIAL_EXPIRES.value
    return {"ExpirationModel": model, "ValidTo": key.valid_to}


def algorithms(key: KeyMetadata) -> dict[str, list[str]]:
    """The one member of several that lists the algorithms of a key's usage."""
    return {_ALGORITHMS[key.usage]: list(key.algorithms)}


def _related(key: KeyMetadata) -> dict[str, Any]:
    arns = [{"Arn": key.arn_in(region), "Region": region} for region in key.regions]
    return {
        "MultiRegionKeyType": "REPLICA" if key.is_replica else "PRIMARY",
        "PrimaryKey": arns[0],
        "ReplicaKeys": arns[1:],
    }
