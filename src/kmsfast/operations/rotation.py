"""Rotation of keys, by period and on demand."""

from __future__ import annotations

from typing import Any, Final

from kmsfast.app import Application
from kmsfast.model.key import KeyMetadata, KeyState, KeyVersion
from kmsfast.model.material_id import material_id
from kmsfast.operations.names import id_or_arn
from kmsfast.operations.pages import Listing
from kmsfast.operations.requests import Given, Operation, Result
from kmsfast.service.rotations import ON_DEMAND

__all__ = ["OPERATIONS"]

_DEFAULT_PERIOD: Final = 365
_ROTATIONS: Final[Listing[KeyVersion]] = Listing(
    "Rotations", lambda version: f"{version.number:010d}", 100, 1000
)


def enable_key_rotation(app: Application, given: Given) -> Result:
    """Rotates a key by itself from now on."""
    days = given.get("RotationPeriodInDays", _DEFAULT_PERIOD)
    app.management.enable_rotation(id_or_arn(app, given["KeyId"]).raw_id, days)
    return {}


def disable_key_rotation(app: Application, given: Given) -> Result:
    """Ends automatic rotation."""
    app.management.disable_rotation(id_or_arn(app, given["KeyId"]).raw_id)
    return {}


def get_key_rotation_status(app: Application, given: Given) -> Result:
    """Whether a key rotates by itself, and when next; it does not while it waits for deletion."""
    key = id_or_arn(app, given["KeyId"])
    enabled = key.rotation.enabled and key.state is not KeyState.PENDING_DELETION
    return {
        "KeyRotationEnabled": enabled,
        "KeyId": key.id,
        "RotationPeriodInDays": key.rotation.period_days if enabled else None,
        "NextRotationDate": key.rotation.next_rotation if enabled else None,
    }


def rotate_key_on_demand(app: Application, given: Given) -> Result:
    """Adds key material, which encrypts from now on."""
    return {"KeyId": app.rotations.on_demand(id_or_arn(app, given["KeyId"]).raw_id).arn}


def list_key_rotations(app: Application, given: Given) -> Result:
    """The rotations of a key, oldest first; on request with the material that it began with."""
    key, versions = app.rotations.history(id_or_arn(app, given["KeyId"]).raw_id)
    if given.get("IncludeKeyMaterial") != "ALL_KEY_MATERIAL":
        versions = versions[1:]
    return _ROTATIONS.page(app, given, versions, lambda version: _shown(key, version))


OPERATIONS: Final = {
    "EnableKeyRotation": Operation(enable_key_rotation),
    "DisableKeyRotation": Operation(disable_key_rotation),
    "GetKeyRotationStatus": Operation(get_key_rotation_status),
    "RotateKeyOnDemand": Operation(rotate_key_on_demand),
    "ListKeyRotations": Operation(list_key_rotations),
}


def _shown(key: KeyMetadata, version: KeyVersion) -> dict[str, Any]:
    rotated = version.number > 1
    on_demand = version.origin == ON_DEMAND
    return {
        "KeyId": key.id,
        "KeyMaterialId": material_id(key.raw_id, version.number),
        "KeyMaterialState": "CURRENT" if version.number == key.current_version else "NON_CURRENT",
        "RotationDate": version.created_at if rotated else None,
        "RotationType": ("ON_DEMAND" if on_demand else "AUTOMATIC") if rotated else None,
    }
