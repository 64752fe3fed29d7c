"""Seeds: keys with given ids and material, checked whole, left when they are there."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest
from clocks import Clock
from wrapping import openssl, private_key

import kmsfast
from kmsfast.errors import IncorrectKeyMaterial, ValidationError
from kmsfast.model.arn import Home
from kmsfast.model.seed import SeedKey, parse_seed

ID = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
MATERIAL = bytes(range(32))


def parsed(*keys: dict[str, Any]) -> list[SeedKey]:
    return parse_seed({"keys": list(keys)}, Home())


def apply(kms: kmsfast.Kms, *keys: dict[str, Any], emptied: bool = False) -> int:
    found = parsed(*keys)
    try:
        return kms._app.seeding.apply(found, emptied=emptied)
    finally:
        assert not any(any(each.material) for each in found)  # wiped, whatever came of it


def test_a_key_is_as_the_seed_says(kms: kmsfast.Kms, path: Path, tmp_path: Path) -> None:
    said = {
        "id": ID, "aliases": ["alias/a", "alias/b"], "description": "seeded", "tags": {"a": "b"},
        "material": {"hex": MATERIAL.hex()}, "rotation_period_days": 90,
        "policy": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}]},
    }  # fmt: skip
    assert apply(kms, said) == 1
    key = kms.key("alias/b")
    assert (key.id, key.description, key.tags, key.aliases, key.origin, key.state) == (
        ID, "seeded", {"a": "b"}, ("alias/a", "alias/b"), "AWS_KMS", "Enabled",
    )  # fmt: skip
    assert key.rotation.period_days == 90
    blob = key.encrypt(b"x")
    assert apply(kms, said) == 0
    # The same seed makes the same key elsewhere: what one encrypts the other decrypts.
    with kmsfast.open(tmp_path / "elsewhere", create=True) as elsewhere:
        apply(elsewhere, said)
        assert elsewhere.decrypt(blob) == b"x"
    with kmsfast.open(path) as again:
        assert apply(again, said) == 0
        assert again.decrypt(blob) == b"x"


def test_material_of_every_kind(kms: kmsfast.Kms) -> None:
    hmac = os.urandom(48)
    der = private_key("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384")
    pem = openssl("pkey", "-inform", "DER", given=der).decode()
    rsa = openssl("genrsa", "-traditional", "2048").decode()
    mrk = "mrk-" + "4" * 32
    keys: list[dict[str, Any]] = [
        {"id": ID, "spec": "HMAC_384", "material": {"base64": base64.b64encode(hmac).decode()}},
        {"id": OTHER, "spec": "ECC_NIST_P384", "usage": "SIGN_VERIFY", "material": {"pem": pem}},
        {"id": mrk, "spec": "RSA_2048", "usage": "ENCRYPT_DECRYPT", "material": {"pem": rsa},
         "origin": "EXTERNAL"},
        {"id": "3" * 8 + "-3333-4333-8333-" + "3" * 12, "origin": "EXTERNAL"},
        {"id": "5" * 8 + "-5555-4555-8555-" + "5" * 12, "spec": "ECC_NIST_P256",
         "usage": "SIGN_VERIFY", "enabled": False},
    ]  # fmt: skip
    for made in (5, 0):
        assert apply(kms, *keys) == made
    states = [kms.key(each["id"]).state for each in keys]
    assert states == ["Enabled", "Enabled", "Enabled", "PendingImport", "Disabled"]
    assert kms.key(ID).mac(b"x") == openssl(
        "dgst", "-sha384", "-mac", "HMAC", "-macopt", f"hexkey:{hmac.hex()}", "-binary", given=b"x"
    )
    public = openssl("pkey", "-inform", "DER", "-pubout", "-outform", "DER", given=der)
    assert kms.key(OTHER).public_key_der() == public
    key = kms.key(mrk)
    assert (key.multi_region, key.origin) == (True, "EXTERNAL")
    sealed = key.encrypt(b"x", algorithm="RSAES_OAEP_SHA_256")
    assert key.decrypt(sealed, algorithm="RSAES_OAEP_SHA_256") == b"x"


@pytest.mark.parametrize(
    ("change", "member"),
    [
        ({"description": "another"}, "description"),
        ({"tags": {}}, "tags"),
        ({"material": {"hex": "ff" * 32}}, "material"),
        ({"rotation_period_days": 100}, "rotation_period_days"),
        ({"enabled": False}, "enabled"),
        ({"origin": "EXTERNAL"}, "origin"),
        ({"spec": "HMAC_256", "material": None}, "spec"),
        ({"alias": "alias/new"}, "aliases"),
    ],
)
def test_a_key_that_differs(kms: kmsfast.Kms, change: dict[str, Any], member: str) -> None:
    said = {"id": ID, "alias": "alias/a", "description": "one", "tags": {"a": "b"},
            "material": {"hex": MATERIAL.hex()}}  # fmt: skip
    apply(kms, said)
    epoch = kms._ring.epoch[0]
    with pytest.raises(ValidationError, match=f"^seed: key {ID}: {member}: "):
        apply(kms, {"id": OTHER}, {**said, **change})
    assert kms._ring.epoch[0] == epoch  # nothing of the seed was written
    assert [key.id for key in kms.keys()] == [ID]


def test_what_the_seed_does_not_say_may_be_anything(kms: kmsfast.Kms) -> None:
    apply(kms, {"id": ID, "material": {"hex": MATERIAL.hex()}})
    key = kms.key(ID)
    key.rotate()
    key.update_description("changed")
    key.disable()
    assert apply(kms, {"id": ID, "material": {"hex": MATERIAL.hex()}}) == 0


def test_an_alias_of_another_key(kms: kmsfast.Kms) -> None:
    other = kms.create_key(alias="alias/taken")
    with pytest.raises(ValidationError, match=f"{ID}: aliases: alias/taken leads to {other.id}"):
        apply(kms, {"id": ID, "alias": "alias/taken"})


def test_material_that_does_not_fit(kms: kmsfast.Kms) -> None:
    with pytest.raises(IncorrectKeyMaterial, match=f"seed: key {ID}: material: .* 32 bytes"):
        apply(kms, {"id": ID, "material": {"hex": "00" * 31}})


SECRET = "c2VjcmV0IG1hdGVyaWFs"
BAD: list[tuple[Any, str]] = [
    ([], "seed: must be a mapping"),
    ({"keys": {}}, "seed: keys: must be a list"),
    ({"kyes": []}, "seed: 'kyes' is not known; there are account, keys, region"),
    ({"region": "eu-west-1"}, "seed: region: 'eu-west-1' is not served here, 'us-east-1' is"),
    ({"account": 0}, "quote it"),
    ({"keys": [{"id": ID.upper().replace("1", "A")}]}, r"seed: keys\[0\]: id: must be a UUID"),
    ({"keys": [{"id": ID, "region": "eu-west-1"}]}, f"seed: key {ID}: region: "),
    ({"keys": [{"id": ID}, {"id": ID}]}, f"seed: id {ID} is given twice"),
    ({"keys": [{"id": ID, "alias": "alias/a"}, {"id": OTHER, "aliases": ["alias/a"]}]},
     "seed: alias alias/a is given twice"),
    ({"keys": [{"id": ID, "alias": "a", "aliases": []}]}, "not both"),
    ({"keys": [{"id": ID, "alias": "orders"}]}, f"seed: key {ID}: aliases: Alias must start"),
    ({"keys": [{"id": ID, "alias": "alias/aws/s3"}]}, f"{ID}: aliases: alias/aws/s3 is reserved"),
    ({"keys": [{"id": ID, "tags": {"a": 1}}]}, f"seed: key {ID}: tags: must be a text, not 1"),
    ({"keys": [{"id": ID, "spec": "AES"}]}, f"seed: key {ID}: spec: "),
    ({"keys": [{"id": ID, "spec": "RSA_2048"}]}, f"seed: key {ID}: usage: "),
    ({"keys": [{"id": ID, "enabled": "no"}]}, f"seed: key {ID}: enabled: must be true or false"),
    ({"keys": [{"id": ID, "policy": "{"}]}, f"seed: key {ID}: policy: "),
    ({"keys": [{"id": ID, "rotation_period_days": 1}]}, f"seed: key {ID}: rotation_period_days: "),
    ({"keys": [{"id": ID, "origin": "EXTERNAL", "rotation_period_days": 90}]}, "only symmetric"),
    ({"keys": [{"id": ID, "origin": "EXTERNAL", "enabled": True}]}, "pending import"),
    ({"keys": [{"id": ID, "material": SECRET}]}, f"seed: key {ID}: material: must be a mapping"),
    ({"keys": [{"id": ID, "material": {"hex": SECRET}}]}, f"{ID}: material: hex: must be a text"),
    ({"keys": [{"id": ID, "material": {"pem": SECRET}}]}, f"{ID}: material: pem: must be one"),
    ({"keys": [{"id": ID, "material": {"base64": ""}}]}, "not empty"),
    ({"keys": [{"id": ID, "material": {SECRET: "base64"}}]}, "give one of base64, hex, pem"),
    ({"keys": [{"id": ID, "aliases": [f"alias/{i}" for i in range(51)]}]}, "50 aliases at most"),
    ({"keys": [{"id": ID, "material": {"hex": "00", "pem": ""}}]}, "give one of base64, hex, pem"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), BAD)
def test_documents_that_are_no_seed(document: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message) as raised:
        parse_seed(document, Home())
    assert SECRET not in str(raised.value)


def test_an_emptied_store_keeps_nothing(kms: kmsfast.Kms, path: Path, clock: Clock) -> None:
    """Neither what this process remembers nor what another does is used any more."""
    with kmsfast.open(path, clock=clock) as other:
        for opened in (kms, other):
            apply(opened, {"id": ID, "alias": "alias/a"})
        key, theirs = kms.key(ID), other.key(ID)
        old = [key.encrypt(b"x"), theirs.encrypt(b"x")]
        kms.create_key().schedule_deletion()
        key.create_grant(["Decrypt"], grantee_principal="arn:aws:iam::111122223333:user/a")
        assert len(theirs.grants()) == 1
        clock.forward(seconds=0.001)
        assert apply(kms, {"id": ID, "alias": "alias/a"}, emptied=True) == 1
        for used, opened in ((key, kms), (theirs, other)):
            assert [each.id for each in opened.keys()] == [ID]
            new = used.encrypt(b"x")
            assert kms.decrypt(new) == other.decrypt(new) == b"x"
            for blob in old:
                with pytest.raises(kmsfast.InvalidCiphertext):
                    opened.decrypt(blob)
            assert used.last_usage().use is not None
            assert used.grants() == []
        assert apply(kms, emptied=True) == 0
        with pytest.raises(kmsfast.KeyNotFound):
            theirs.encrypt(b"x")
