"""What the API says of a key (KeyMetadata). Members that do not apply are absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kmsfast.app import Application
from kmsfast.model.key import KeyMetadata, KeyState
from kmsfast.model.keyspec import KeyUsage
from kmsfast.model.material_id import material_id

__all__ = ["algorithms", "describe"]

_ALGORITHMS: Final[Mapping[KeyUsage, str]] = {
    KeyUsage.ENCRYPT_DECRYPT: "EncryptionAlgorithms",
    KeyUsage.SIGN_VERIFY: "SigningAlgorithms",
    KeyUsage.GENERATE_VERIFY_MAC: "MacAlgorithms",
    KeyUsage.KEY_AGREEMENT: "KeyAgreementAlgorithms",
}


def describe(app: Application, key: KeyMetadata) -> dict[str, Any]:
    """The KeyMetadata of a key."""
    current = material_id(key.raw_id, key.current_version) if key.rotates else None
    return {
        "AWSAccountId": app.store.home.account,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": key.created_at,
        "Enabled": key.state is KeyState.ENABLED,
        "Description": key.description,
        "KeyUsage": key.usage.value,
        "KeyState": key.state.value,
        "DeletionDate": key.deletion_date,
        "Origin": key.origin.value,
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": key.spec.value,
        "KeySpec": key.spec.value,
        **algorithms(key),
        "MultiRegion": key.multi_region,
        "MultiRegionConfiguration": _regions(app, key) if key.multi_region else None,
        "CurrentKeyMaterialId": current,
    }


def algorithms(key: KeyMetadata) -> dict[str, list[str]]:
    """The one member of several that lists the algorithms of a key's usage."""
    return {_ALGORITHMS[key.usage]: list(key.algorithms)}


def _regions(app: Application, key: KeyMetadata) -> dict[str, Any]:
    return {
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": {"Arn": key.arn, "Region": app.store.home.region},
        "ReplicaKeys": [],
    }
