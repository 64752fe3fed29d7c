"""Import tokens, and requests that are refused."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from clocks import Clock, in_days
from store_files import files_of
from wrapping import FOREVER, bring, external, wrap

import kmsfast
from kmsfast.errors import (
    ExpiredImportToken,
    InvalidCiphertext,
    InvalidImportToken,
    KeyNotFound,
    UnsupportedOperation,
    ValidationError,
)

KWP, OAEP = "RSA_AES_KEY_WRAP_SHA_256", "RSAES_OAEP_SHA_256"


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
    assert any(stored in each.read_bytes() for each in files_of(path))
    key.delete_imported_key_material()
    assert not any(stored in each.read_bytes() for each in files_of(path))


def test_other_keys_are_found_by_id_only(kms: kmsfast.Kms) -> None:
    key = external(kms)
    bring(key, os.urandom(32))
    with pytest.raises(KeyNotFound, match="0" * 64):
        key.delete_imported_key_material("0" * 64)
