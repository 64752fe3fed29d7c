"""Imported key material: every spec and wrapping, and what the key cannot have."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from store_files import files_of
from wrapping import bring, external, openssl, private_key

import kmsfast
from kmsfast.errors import (
    IncorrectKeyMaterial,
    InvalidCiphertext,
    InvalidState,
)

KWP, OAEP = "RSA_AES_KEY_WRAP_SHA_256", "RSAES_OAEP_SHA_256"
CONTEXT = {"table": "orders"}
HMACS = {"HMAC_224": 28, "HMAC_256": 32, "HMAC_384": 48, "HMAC_512": 64}
CURVES = {
    "ECC_NIST_P256": "P-256", "ECC_NIST_P384": "P-384", "ECC_NIST_P521": "P-521",
    "ECC_SECG_P256K1": "secp256k1",
}  # fmt: skip


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
    ):
        with pytest.raises(InvalidState, match=f"{key.arn} is pending import"):
            use()
    assert key.delete_imported_key_material() == (key.arn, None)  # there is none
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
    assert material not in b"".join(each.read_bytes() for each in files_of(path))


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
        ("ECC_NIST_P384", ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")),
        ("RSA_2048", ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072")),
        ("RSA_2048", ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")),
        ("ECC_NIST_P256", ("-algorithm", "ED25519")),
    ],
)  # fmt: skip
def test_material_that_the_key_cannot_have(
    kms: kmsfast.Kms, spec: str, material: bytes | tuple[str, ...]
) -> None:
    """Material as bytes, or as what makes a private key of another kind."""
    if isinstance(material, tuple):
        material = private_key(*material)
    usage = "SIGN_VERIFY" if spec.startswith(("RSA", "ECC")) else None
    key = external(kms, spec, usage)
    with pytest.raises(IncorrectKeyMaterial, match="key material"):
        bring(key, material, KWP)
    assert key.state == "PendingImport"
    assert key.versions() == ()
