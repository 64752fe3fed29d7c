"""Imported key material that is brought again, deleted, and expires."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from clocks import Clock, in_days
from wrapping import bring, external, private_key

import kmsfast
from kmsfast.errors import (
    BatchError,
    IncorrectKeyMaterial,
    InvalidState,
)

KWP, OAEP = "RSA_AES_KEY_WRAP_SHA_256", "RSAES_OAEP_SHA_256"


def test_deleted_material_comes_back_and_no_other(kms: kmsfast.Kms, path: Path) -> None:
    key, material = external(kms), os.urandom(32)
    name = bring(key, material).material_id
    blob = key.encrypt(b"value")
    assert key.delete_imported_key_material() == (key.arn, name)
    assert key.state == "PendingImport"
    assert [(v.number, v.is_present) for v in key.versions()] == [(1, False)]
    with pytest.raises(InvalidState, match="pending import"):
        kms.decrypt(blob)
    with pytest.raises(IncorrectKeyMaterial, match="did not have this key material"):
        bring(key, os.urandom(32))
    with kmsfast.open(path) as again:
        assert bring(again.key(key.id), material).material_id == name
    assert key.state == "Enabled"
    assert kms.decrypt(blob) == b"value"


@pytest.mark.parametrize("spec", ["HMAC_256", "ECC_NIST_P384"])
def test_other_specs_take_the_same_material_only(kms: kmsfast.Kms, spec: str) -> None:
    def fresh() -> bytes:
        if spec == "HMAC_256":
            return os.urandom(32)
        return private_key("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384")

    key = external(kms, spec, None if spec == "HMAC_256" else "SIGN_VERIFY")
    material = fresh()
    bring(key, material, KWP)
    with pytest.raises(IncorrectKeyMaterial, match="had before, and no other"):
        bring(key, fresh(), KWP)
    key.delete_imported_key_material()
    with pytest.raises(IncorrectKeyMaterial):
        bring(key, fresh(), KWP)
    assert key.state == "PendingImport"
    bring(key, material, KWP)
    assert key.state == "Enabled"


def test_material_expires(kms: kmsfast.Kms, path: Path, clock: Clock) -> None:
    key, material = external(kms), os.urandom(32)
    date = in_days(clock, 30)
    bring(key, material, valid_to=date)
    assert key.valid_to == date
    blob = key.encrypt(b"value")
    assert kms.decrypt(blob) == kms.decrypt(blob) == b"value"
    clock.forward(days=29.9)
    assert kms.decrypt(blob) == b"value"
    key.encrypt(b"value")
    clock.forward(days=0.1)
    for use in (lambda: kms.decrypt(blob), lambda: key.encrypt(b"value")):
        with pytest.raises(InvalidState, match="pending import"):
            use()
    assert (key.state, key.valid_to) == ("PendingImport", None)
    bring(key, material)
    assert kms.decrypt(blob) == b"value"
    assert key.valid_to is None


def test_hmac_material_expires_for_calls_that_repeat(kms: kmsfast.Kms, clock: Clock) -> None:
    key = external(kms, "HMAC_256")
    bring(key, os.urandom(32), valid_to=in_days(clock, 1))
    mac = key.mac(b"message")
    for _ in range(3):
        assert key.mac(b"message") == mac
        key.verify_mac(b"message", mac)
    clock.forward(days=1)
    for use in (lambda: key.mac(b"message"), lambda: key.verify_mac(b"message", mac)):
        with pytest.raises(InvalidState, match="pending import"):
            use()


@pytest.mark.parametrize("curve", ["P-256", "P-384"])
def test_private_keys_expire_for_calls_that_repeat(
    kms: kmsfast.Kms, clock: Clock, curve: str
) -> None:
    key = external(kms, f"ECC_NIST_{curve.replace('-', '')}", "SIGN_VERIFY")
    der = private_key("-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}")
    bring(key, der, KWP, valid_to=in_days(clock, 1))
    for _ in range(3):
        signature = key.sign(b"message")
        key.verify(b"message", signature)
    clock.forward(days=10)
    for use in (lambda: key.sign(b"message"), lambda: key.verify(b"message", signature)):
        with pytest.raises(InvalidState, match="pending import"):
            use()


def test_expired_in_another_process_or_while_nobody_looked(
    kms: kmsfast.Kms, path: Path, clock: Clock
) -> None:
    key = external(kms)
    bring(key, os.urandom(32), valid_to=in_days(clock, 1))
    blob = key.encrypt(b"value")
    clock.forward(days=2)
    with kmsfast.open(path, clock=clock) as again:
        assert again.key(key.id).state == "PendingImport"
    with pytest.raises(BatchError, match="pending import"):
        kms.decrypt_batch([blob])


def test_expiry_is_changed_by_importing_again(kms: kmsfast.Kms, clock: Clock) -> None:
    key, material = external(kms), os.urandom(32)
    bring(key, material)
    bring(key, material, valid_to=in_days(clock, 1), key_material_description="short")
    assert (key.valid_to, key.versions()[0].description) == (in_days(clock, 1), "short")
    bring(key, material)
    assert (key.valid_to, key.versions()[0].description) == (None, "short")
