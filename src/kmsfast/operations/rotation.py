"""Rotation of keys, by period and on demand."""

from __future__ import annotations

from typing import Any, Final

from kmsfast.app import Application
from kmsfast.model.key import WAITING, KeyVersion
from kmsfast.model.keyspec import Origin
from kmsfast.operations.names import id_or_arn
from kmsfast.operations.pages import Listing
from kmsfast.operations.requests import Given, Operation, Result
from kmsfast.service.rotations import ON_DEMAND, History

__all__ = ["OPERATIONS"]

_DEFAULT_PERIOD: Final = 365
_PENDING_IMPORTS: Final = "PENDING_MULTI_REGION_IMPORT_AND_ROTATION"
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
    enabled = key.rotation.enabled and key.state not in WAITING
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
    """The rotations of a key, oldest first; on request with the first material, and what waits."""
    history = app.rotations.history(id_or_arn(app, given["KeyId"]).raw_id)
    key, versions, _ = history
    if given.get("IncludeKeyMaterial") != "ALL_KEY_MATERIAL":
        versions = tuple(each for each in versions if 1 < each.number <= key.current_version)
    return _ROTATIONS.page(app, given, versions, lambda version: _shown(history, version))


OPERATIONS: Final = {
    "EnableKeyRotation": Operation(enable_key_rotation),
    "DisableKeyRotation": Operation(disable_key_rotation),
    "GetKeyRotationStatus": Operation(get_key_rotation_status),
    "RotateKeyOnDemand": Operation(rotate_key_on_demand),
    "ListKeyRotations": Operation(list_key_rotations),
}


def _shown(history: History, version: KeyVersion) -> dict[str, Any]:
    key = history.key
    rotated = 1 < version.number <= key.current_version
    on_demand = version.origin == ON_DEMAND or key.origin is Origin.EXTERNAL
    return {
        "KeyId": key.id,
        "KeyMaterialId": version.material_id,
        "KeyMaterialState": _state(history, version),
        **(_imported(version) if key.origin is Origin.EXTERNAL else {}),
        "RotationDate": version.created_at if rotated else None,
        "RotationType": ("ON_DEMAND" if on_demand else "AUTOMATIC") if rotated else None,
    }


def _state(history: History, version: KeyVersion) -> str:
    current = history.key.current_version
    if version.number > current:
        return "PENDING_ROTATION" if history.everywhere else _PENDING_IMPORTS
    return "CURRENT" if version.number == current else "NON_CURRENT"


def _imported(version: KeyVersion) -> dict[str, Any]:
    """What is said of imported material."""
    if not version.is_present:
        return {
            "ImportState": "PENDING_IMPORT",
            "KeyMaterialDescription": version.description or None,
        }
    expires = version.valid_to is not None
    return {
        "ImportState": "IMPORTED",
        "KeyMaterialDescription": version.description or None,
        "ExpirationModel": "KEY_MATERIAL_EXPIRES" if expires else "KEY_MATERIAL_DOES_NOT_EXPIRE",
        "ValidTo": version.valid_to,
    }
