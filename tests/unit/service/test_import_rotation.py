"""Imported key material that takes the place of other: rotation, several of one key."""

from __future__ import annotations

import os

import pytest
from clocks import Clock, in_days
from wrapping import FOREVER, bring, external

import kmsfast
from kmsfast.errors import (
    IncorrectKeyMaterial,
    InvalidState,
    UnsupportedOperation,
)


def test_new_material_waits_for_its_rotation(kms: kmsfast.Kms) -> None:
    key, first, second = external(kms), os.urandom(32), os.urandom(32)
    bring(key, first)
    old = key.encrypt(b"old")
    with pytest.raises(
        InvalidState, match=f"No available key material pending rotation.*{key.arn}"
    ):
        key.rotate()
    name = bring(key, second, import_type="NEW_KEY_MATERIAL", **FOREVER).material_id
    assert (key.current_version, len(key.versions())) == (1, 2)
    with pytest.raises(InvalidState, match="pending rotation"):
        bring(key, os.urandom(32), import_type="NEW_KEY_MATERIAL", **FOREVER)
    assert kms.decrypt(key.encrypt(b"still the first")) == b"still the first"
    key.rotate()
    assert key.current_version == 2
    new = key.encrypt(b"new")
    assert kms.decrypt_batch([old, new]) == [b"old", b"new"]
    assert kms.decrypt_batch(kms.rewrap_batch([old, new])) == [b"old", b"new"]
    with pytest.raises(IncorrectKeyMaterial, match="already"):
        bring(key, first, import_type="NEW_KEY_MATERIAL", **FOREVER)
    assert key.delete_imported_key_material(name).material_id == name
    with pytest.raises(InvalidState, match="pending import"):
        kms.decrypt(old)  # all of a key's materials must be there, as in AWS KMS
    bring(key, second, key_material_id=name, **FOREVER)
    assert kms.decrypt_batch([old, new]) == [b"old", b"new"]


def test_all_of_its_materials_make_a_key_usable(kms: kmsfast.Kms, clock: Clock) -> None:
    key, materials = external(kms), [os.urandom(32) for _ in range(3)]
    names = []
    for material in materials:
        names.append(bring(key, material, import_type="NEW_KEY_MATERIAL", **FOREVER).material_id)
        if key.versions()[-1].number > 1:
            key.rotate()
    for name in names:
        if key.state == "Enabled":
            key.delete_imported_key_material(name)
    assert key.state == "PendingImport"
    bring(key, materials[0])
    assert key.state == "Enabled"
    assert [v.material_id for v in key.versions()] == names


def test_each_material_can_be_deleted_while_others_are_gone(kms: kmsfast.Kms) -> None:
    key = external(kms)
    names = [bring(key, os.urandom(32)).material_id]
    names.append(bring(key, os.urandom(32), import_type="NEW_KEY_MATERIAL", **FOREVER).material_id)
    key.rotate()
    names.append(bring(key, os.urandom(32), import_type="NEW_KEY_MATERIAL", **FOREVER).material_id)
    for name in names:
        key.delete_imported_key_material(name)
    assert key.state == "PendingImport"
    assert [v.is_present for v in key.versions()] == [False, False]
    assert key.delete_imported_key_material(names[0]) == (key.arn, names[0])
    assert key.state == "PendingImport"


def test_waiting_material_can_be_taken_back(kms: kmsfast.Kms, clock: Clock) -> None:
    key = external(kms)
    bring(key, os.urandom(32))
    new = {"import_type": "NEW_KEY_MATERIAL"}
    name = bring(key, os.urandom(32), **new, **FOREVER).material_id
    key.delete_imported_key_material(name)
    assert (key.state, len(key.versions())) == ("Enabled", 1)
    bring(key, os.urandom(32), **new, valid_to=in_days(clock, 1))
    clock.forward(days=1)
    assert (key.state, len(key.versions())) == ("Enabled", 1)
    bring(key, os.urandom(32), **new, **FOREVER)
    key.rotate()
    assert key.current_version == 2


def test_imported_keys_do_not_rotate_by_themselves(kms: kmsfast.Kms) -> None:
    key = external(kms)
    bring(key, os.urandom(32))
    for change in (lambda: key.enable_rotation(90), key.disable_rotation):
        with pytest.raises(UnsupportedOperation, match="origin is EXTERNAL"):
            change()
    with pytest.raises(UnsupportedOperation, match="origin is EXTERNAL"):
        kms.create_key(origin="EXTERNAL", rotation_period_days=90)


def test_deletion_and_what_is_left_of_it(kms: kmsfast.Kms) -> None:
    empty, full = external(kms), external(kms)
    bring(full, os.urandom(32))
    for key, state in ((empty, "PendingImport"), (full, "Disabled")):
        key.schedule_deletion(7)
        with pytest.raises(InvalidState, match="pending deletion"):
            key.get_parameters_for_import()
        key.cancel_deletion()
        assert key.state == state
    full.schedule_deletion(7)
    full.delete_imported_key_material()
    assert full.state == "PendingDeletion"
    full.cancel_deletion()
    assert full.state == "PendingImport"
