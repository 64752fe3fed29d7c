"""Imported key material: every spec and wrapping, again, expiring, deleted, rotated, refused."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clocks import Clock
from wrapping import FOREVER, bring, openssl, private_key, wrap

import kmsfast
from kmsfast.errors import (
    BatchError,
    ExpiredImportToken,
    IncorrectKeyMaterial,
    InvalidCiphertext,
    InvalidImportToken,
    InvalidState,
    KeyNotFound,
    UnsupportedOperation,
    ValidationError,
)

KWP, OAEP = "RSA_AES_KEY_WRAP_SHA_256", "RSAES_OAEP_SHA_256"
CONTEXT = {"table": "orders"}
HMACS = {"HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
CURVES = {
    "ECC_NIST_P256": "P-256", "ECC_NIST_P384": "P-384", "ECC_NIST_P521": "P-521",
    "ECC_SECG_P256K1": "secp256k1",
}  # fmt: skip


def external(
    kms: kmsfast.Kms, spec: str = "SYMMETRIC_DEFAULT", usage: str | None = None
) -> kmsfast.Key:
    return kms.create_key(spec=spec, usage=usage, origin="EXTERNAL")


def in_days(clock: Clock, days: float) -> datetime:
    return datetime.fromtimestamp(clock(), UTC) + timedelta(days=days)


# ---- what can be imported ---------------------------------------------------------------------


def test_a_key_without_material_is_pending_import(kms: kmsfast.Kms) -> None:
    key = external(kms)
    assert (key.state, key.origin, key.current_version, key.versions()) == (
        "PendingImport", "EXTERNAL", 0, (),
    )  # fmt: skip
    for use in (
        lambda: key.encrypt(b"x"),
        lambda: key.encrypt_batch([b"x"]),
        key.generate_data_key,
        key.rotate,
        key.enable,
        key.disable,
        key.delete_imported_key_material,
    ):
        with pytest.raises(InvalidState, match=f"{key.arn} is pending import"):
            use()
    key.update_description("described")
    key.tag({"a": "b"})
    kms.create_alias("alias/external", key)
    assert (key.description, key.tags, key.aliases) == (
        "described",
        {"a": "b"},
        ("alias/external",),
    )


@pytest.mark.parametrize("wrapping", ["RSA_2048", "RSA_3072", "RSA_4096"])
@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", OAEP, "RSA_AES_KEY_WRAP_SHA_1", KWP])
def test_aes_material(kms: kmsfast.Kms, path: Path, algorithm: str, wrapping: str) -> None:
    key, material = external(kms), os.urandom(32)
    done = bring(key, material, algorithm, wrapping)
    assert key.state == "Enabled"
    assert done.key_arn == key.arn
    assert done.material_id is not None
    assert len(done.material_id) == 64
    assert [v.material_id for v in key.versions()] == [done.material_id]
    blob = key.encrypt(b"value", context=CONTEXT)
    with kmsfast.open(path) as again:
        assert again.decrypt(blob, context=CONTEXT) == b"value"
    assert material not in b"".join(each.read_bytes() for each in path.iterdir())


def test_the_same_material_of_another_key_encrypts_otherwise(kms: kmsfast.Kms) -> None:
    material = os.urandom(32)
    one, other = external(kms), external(kms)
    ids = {bring(key, material).material_id for key in (one, other)}
    assert len(ids) == 2
    blob = one.encrypt(b"value")
    foreign = blob[:4] + other.encrypt(b"")[4:20] + blob[20:]
    with pytest.raises(InvalidCiphertext):
        kms.decrypt(foreign)


@pytest.mark.parametrize("spec", HMACS)
def test_hmac_material(kms: kmsfast.Kms, spec: str) -> None:
    key, material = external(kms, spec), os.urandom(HMACS[spec])
    bring(key, material)
    hash_name = f"sha{spec[5:]}"
    expected = openssl(
        "dgst", f"-{hash_name}", "-mac", "HMAC", "-macopt", f"hexkey:{material.hex()}", "-binary",
        given=b"message",
    )  # fmt: skip
    assert key.mac(b"message") == expected


@pytest.mark.parametrize("algorithm", [OAEP, KWP])
@pytest.mark.parametrize("spec", CURVES)
def test_elliptic_curve_material(
    kms: kmsfast.Kms, tmp_path: Path, spec: str, algorithm: str
) -> None:
    der = private_key("-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{CURVES[spec]}")
    key = external(kms, spec, "SIGN_VERIFY")
    done = bring(key, der, algorithm, "RSA_3072")
    assert done.material_id is None
    check_signature(key, der, tmp_path)


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072"])
def test_rsa_material(kms: kmsfast.Kms, tmp_path: Path, spec: str) -> None:
    der = private_key("-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{spec[4:]}")
    key = external(kms, spec, "SIGN_VERIFY")
    bring(key, der, KWP)
    check_signature(key, der, tmp_path)


def check_signature(key: kmsfast.Key, der: bytes, folder: Path) -> None:
    """The key has the public key of the private one, and openssl verifies what it signs."""
    private, public, signature = folder / "private", folder / "public", folder / "signature"
    private.write_bytes(der)
    expected = openssl("pkey", "-inform", "DER", "-in", str(private), "-pubout", "-outform", "DER")
    assert key.public_key_der() == expected
    name = next(each for each in key.algorithms if "PSS" not in each)
    public.write_bytes(openssl("pkey", "-pubin", "-inform", "DER", given=expected))
    signature.write_bytes(key.sign(b"message", algorithm=name))
    said = openssl(
        "dgst", f"-sha{name[-3:]}", "-verify", str(public), "-signature", str(signature),
        given=b"message",
    )  # fmt: skip
    assert said == b"Verified OK\n"


@pytest.mark.parametrize(
    ("spec", "material"),
    [
        ("SYMMETRIC_DEFAULT", bytes(31)),
        ("SYMMETRIC_DEFAULT", bytes(33)),
        ("HMAC_256", bytes(28)),
        ("HMAC_512", bytes(65)),
        ("ECC_NIST_P384", b"no key at all"),
        ("ECC_NIST_P384", private_key("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")),
        ("RSA_2048", private_key("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072")),
        ("RSA_2048", private_key("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")),
        ("ECC_NIST_P256", private_key("-algorithm", "ED25519")),
    ],
)  # fmt: skip
def test_material_that_the_key_cannot_have(kms: kmsfast.Kms, spec: str, material: bytes) -> None:
    usage = "SIGN_VERIFY" if spec.startswith(("RSA", "ECC")) else None
    key = external(kms, spec, usage)
    with pytest.raises(IncorrectKeyMaterial, match="key material"):
        bring(key, material, KWP)
    assert key.state == "PendingImport"
    assert key.versions() == ()


# ---- again, deleted, expired ------------------------------------------------------------------


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


# ---- rotation ---------------------------------------------------------------------------------


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
    with pytest.raises(InvalidState, match="pending import"):
        key.delete_imported_key_material(names[0])


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


# ---- tokens and requests ----------------------------------------------------------------------


def test_tokens_are_of_one_key_and_one_day(kms: kmsfast.Kms, clock: Clock) -> None:
    key, other = external(kms), external(kms)
    asked = key.get_parameters_for_import(wrapping_algorithm=OAEP, wrapping_key_spec="RSA_2048")
    assert asked.key_arn == key.arn
    assert asked.valid_to == in_days(clock, 1)
    assert len(asked.import_token) <= 6144
    wrapped = wrap(asked.public_key, OAEP, bytes(range(32)))
    with pytest.raises(InvalidImportToken, match=other.arn):
        other.import_key_material(asked.import_token, wrapped, **FOREVER)
    changed = asked.import_token[:-1] + bytes([asked.import_token[-1] ^ 1])
    for token in (changed, asked.import_token[:-1], b"", b"x" * 40, b"x" * 9000, key.encrypt):
        with pytest.raises((InvalidImportToken, ValidationError)):
            key.import_key_material(token, wrapped, **FOREVER)
    clock.forward(days=0.999)
    key.import_key_material(asked.import_token, wrapped, **FOREVER)
    key.import_key_material(asked.import_token, wrapped, **FOREVER)
    clock.forward(days=0.001)
    with pytest.raises(ExpiredImportToken, match="24 hours"):
        key.import_key_material(asked.import_token, wrapped, **FOREVER)


def test_another_wrapping_than_was_asked_for(kms: kmsfast.Kms) -> None:
    key = external(kms)
    asked = key.get_parameters_for_import(wrapping_algorithm=OAEP, wrapping_key_spec="RSA_2048")
    another = key.get_parameters_for_import(wrapping_algorithm=OAEP, wrapping_key_spec="RSA_2048")
    for wrapped in (
        wrap(asked.public_key, "RSAES_OAEP_SHA_1", bytes(32)),
        wrap(asked.public_key, KWP, bytes(32)),
        wrap(another.public_key, OAEP, bytes(32)),
        bytes(256),
    ):
        with pytest.raises(InvalidCiphertext, match=OAEP):
            key.import_key_material(asked.import_token, wrapped, **FOREVER)
    assert key.state == "PendingImport"


def test_a_key_of_this_store_has_no_import(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    for use in (
        key.get_parameters_for_import,
        lambda: key.import_key_material(b"token", b"material", **FOREVER),
        key.delete_imported_key_material,
    ):
        with pytest.raises(UnsupportedOperation, match="origin is AWS_KMS"):
            use()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"),
        ({"expiration_model": "NEVER"}, "enum value set"),
        ({"expiration_model": "KEY_MATERIAL_DOES_NOT_EXPIRE",
          "valid_to": datetime(2030, 1, 1, tzinfo=UTC)}, "must not be set"),
        ({"valid_to": datetime(2000, 1, 1, tzinfo=UTC)}, "must lie in the future"),
        ({"valid_to": datetime(2999, 1, 1, tzinfo=UTC)}, "at most 365 days"),
        ({"valid_to": datetime(2030, 1, 1, tzinfo=UTC).replace(tzinfo=None)}, "time zone"),
        ({**FOREVER, "import_type": "NEW"}, "enum value set"),
        ({**FOREVER, "key_material_id": "12"}, "keyMaterialId"),
        ({**FOREVER, "key_material_description": "a" * 257}, "keyMaterialDescription"),
        ({**FOREVER, "key_material_description": "né"}, "keyMaterialDescription"),
        ({**FOREVER, "import_type": "NEW_KEY_MATERIAL", "key_material_id": "0" * 64},
         "cannot be specified"),
    ],
)  # fmt: skip
def test_requests_that_say_too_much_or_too_little(
    kms: kmsfast.Kms, given: dict[str, object], said: str
) -> None:
    key = external(kms)
    with pytest.raises(ValidationError, match=said):
        key.import_key_material(b"token", b"material", **given)


def test_wrappings_that_do_not_fit(kms: kmsfast.Kms) -> None:
    rsa, p521 = (
        external(kms, "RSA_2048", "SIGN_VERIFY"),
        external(kms, "ECC_NIST_P521", "SIGN_VERIFY"),
    )
    for key, algorithm, spec, error in (
        (rsa, OAEP, "RSA_4096", ValidationError),
        (p521, OAEP, "RSA_2048", ValidationError),
        (p521, "RSAES_PKCS1_V1_5", "RSA_2048", UnsupportedOperation),
        (p521, "SM2PKE", "RSA_2048", UnsupportedOperation),
        (p521, "AES", "RSA_2048", ValidationError),
        (p521, [], "RSA_2048", ValidationError),
        (p521, OAEP, [], ValidationError),
        (p521, KWP, "RSA_1024", ValidationError),
    ):
        with pytest.raises(error):
            key.get_parameters_for_import(wrapping_algorithm=algorithm, wrapping_key_spec=spec)
    hmac = external(kms, "HMAC_256")
    with pytest.raises(ValidationError, match="for symmetric encryption keys"):
        hmac.import_key_material(b"t", b"m", import_type="NEW_KEY_MATERIAL", **FOREVER)


def test_what_is_deleted_is_not_in_the_files(kms: kmsfast.Kms, path: Path) -> None:
    key = external(kms)
    bring(key, os.urandom(32))
    with kmsfast.open(path) as again:
        wrapped = again._app.store  # the wrapped bytes themselves
        with wrapped.read() as rows:
            found = rows.key(key._raw_id)
            assert found is not None
            stored = rows.material(found, 1)
    assert stored
    assert any(stored in each.read_bytes() for each in path.iterdir())
    key.delete_imported_key_material()
    assert not any(stored in each.read_bytes() for each in path.iterdir())


def test_other_keys_are_found_by_id_only(kms: kmsfast.Kms) -> None:
    key = external(kms)
    bring(key, os.urandom(32))
    with pytest.raises(KeyNotFound, match="0" * 64):
        key.delete_imported_key_material("0" * 64)
