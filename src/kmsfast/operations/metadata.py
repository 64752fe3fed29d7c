"""What the API says of a key (KeyMetadata). Members that do not apply are absent."""

from __future__ import annotations

from typing import Any, Final

from kmsfast.app import Application
from kmsfast.errors import InvalidKeyUsage
from kmsfast.model.key import KeyMetadata, KeyState
from kmsfast.model.material_id import material_id

__all__ = ["SYMMETRIC", "describe", "require_symmetric_algorithm"]

SYMMETRIC: Final = "SYMMETRIC_DEFAULT"


def describe(app: Application, key: KeyMetadata) -> dict[str, Any]:
    """The KeyMetadata of a key."""
    return {
        "AWSAccountId": app.store.home.account,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": key.created_at,
        "Enabled": key.state is KeyState.ENABLED,
        "Description": key.description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": key.state.value,
        "DeletionDate": key.deletion_date,
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": SYMMETRIC,
        "KeySpec": SYMMETRIC,
        "EncryptionAlgorithms": [SYMMETRIC],
        "MultiRegion": key.multi_region,
        "MultiRegionConfiguration": _regions(app, key) if key.multi_region else None,
        "CurrentKeyMaterialId": material_id(key.raw_id, key.current_version),
    }


def require_symmetric_algorithm(algorithm: str | None) -> None:
    """Passes for the one algorithm of symmetric encryption keys, and for none given.

    Raises:
        InvalidKeyUsage: another one.
    """
    if algorithm not in {None, SYMMETRIC}:
        raise InvalidKeyUsage(f"Algorithm {algorithm} is incompatible with key spec {SYMMETRIC}.")


def _regions(app: Application, key: KeyMetadata) -> dict[str, Any]:
    return {
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": {"Arn": key.arn, "Region": app.store.home.region},
        "ReplicaKeys": [],
    }
