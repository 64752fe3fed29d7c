"""What the API says of keys whose material was imported through another door."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from api import Api
from clocks import Clock
from wrapping import FOREVER, bring

import kmsfast


def test_metadata_and_rotations(api: Api, path: Path, clock: Clock) -> None:
    until = datetime.fromtimestamp(clock(), UTC) + timedelta(days=300)
    new = {"import_type": "NEW_KEY_MATERIAL"}
    with kmsfast.open(path, clock=clock) as kms:
        key = kms.create_key(origin="EXTERNAL")
        empty = api("DescribeKey", KeyId=key.id)["KeyMetadata"]
        assert (empty["Origin"], empty["KeyState"]) == ("EXTERNAL", "PendingImport")
        assert not {"CurrentKeyMaterialId", "ExpirationModel", "ValidTo"} & set(empty)
        assert api("ListKeyRotations", KeyId=key.id)["Rotations"] == []

        ids = [bring(key, os.urandom(32), valid_to=until).material_id]
        full = api("DescribeKey", KeyId=key.id)["KeyMetadata"]
        assert full["CurrentKeyMaterialId"] == ids[0]
        assert (full["ExpirationModel"], full["ValidTo"]) == (
            "KEY_MATERIAL_EXPIRES", until.timestamp(),
        )  # fmt: skip
        given = {"key_material_description": "second", **new, **FOREVER}
        ids.append(bring(key, os.urandom(32), **given).material_id)
        api("RotateKeyOnDemand", KeyId=key.id)
        ids.append(bring(key, os.urandom(32), **new, **FOREVER).material_id)
        key.delete_imported_key_material(ids[0])

    everything = api("ListKeyRotations", KeyId=key.id, IncludeKeyMaterial="ALL_KEY_MATERIAL")
    found = everything["Rotations"]
    assert [item["KeyMaterialId"] for item in found] == ids
    assert [item["KeyMaterialState"] for item in found] == [
        "NON_CURRENT", "CURRENT", "PENDING_ROTATION",
    ]  # fmt: skip
    states = [item["ImportState"] for item in found]
    assert states == ["PENDING_IMPORT", "IMPORTED", "IMPORTED"]
    assert [item.get("RotationType") for item in found] == [None, "ON_DEMAND", None]
    assert found[1]["KeyMaterialDescription"] == "second"
    assert found[1]["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    only = api("ListKeyRotations", KeyId=key.id)["Rotations"]
    assert [item["KeyMaterialId"] for item in only] == ids[1:2]


def test_rotations_to_imported_material_are_counted(api: Api, path: Path, clock: Clock) -> None:
    with kmsfast.open(path, clock=clock) as kms:
        key = kms.create_key(origin="EXTERNAL")
        bring(key, os.urandom(32))
        for _ in range(25):
            bring(key, os.urandom(32), import_type="NEW_KEY_MATERIAL", **FOREVER)
            api("RotateKeyOnDemand", KeyId=key.id)
        bring(key, os.urandom(32), import_type="NEW_KEY_MATERIAL", **FOREVER)
        code, _ = api.refused("RotateKeyOnDemand", KeyId=key.id)
        assert code == "LimitExceededException"
