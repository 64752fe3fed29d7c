"""Key encapsulation: keys, secrets, ciphertexts, and what others make of them."""

from __future__ import annotations

import copy
import pickle
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import mlkem
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_der_public_key
from pairs import ENCAPSULATING, KINDS, AllKeys, Kind, name_of

import kmsfast
from kmsfast.errors import (
    InvalidCiphertext,
    InvalidKeyUsage,
    KeyDisabled,
    UnsupportedOperation,
    ValidationError,
)

LENGTHS = {"ML_KEM_768": 1088, "ML_KEM_1024": 1568}
# RFC 9935 section 3: 2.16.840.1.101.3.4.4.2 and .3.
OIDS = {"ML_KEM_768": "0609608648016503040402", "ML_KEM_1024": "0609608648016503040403"}

every = pytest.mark.parametrize("kind", ENCAPSULATING, ids=name_of)


@every
def test_a_secret_travels(all_keys: AllKeys, kind: Kind) -> None:
    key = all_keys[kind]
    made, again = key.encapsulate(), key.encapsulate(algorithm="ML_KEM")
    assert (len(made.shared_secret), len(made.ciphertext)) == (32, LENGTHS[kind[0]])
    assert made.key_arn == key.arn
    assert made.shared_secret != again.shared_secret
    for each in (made, again):
        assert key.decapsulate(each.ciphertext) == each.shared_secret
        assert key.decapsulate(each.ciphertext, algorithm="ML_KEM") == each.shared_secret


@every
def test_the_public_key_is_that_of_the_standard(all_keys: AllKeys, kind: Kind) -> None:
    der = all_keys[kind].public_key_der()
    assert bytes.fromhex(OIDS[kind[0]]) in der[:24]
    public = load_der_public_key(der)
    assert isinstance(public, mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey)
    secret, ciphertext = public.encapsulate()
    assert all_keys[kind].decapsulate(ciphertext) == secret


@every
def test_rejection_is_implicit(all_keys: AllKeys, kind: Kind) -> None:
    """Changed or foreign ciphertexts give a secret of their own, the same each time."""
    key, made = all_keys[kind], all_keys[kind].encapsulate()
    foreign = all_keys.kms.create_key(spec=kind[0]).encapsulate()
    changed = made.ciphertext[:-1] + bytes([made.ciphertext[-1] ^ 1])
    for ciphertext, real in ((changed, made.shared_secret), (foreign.ciphertext, foreign[0])):
        given = key.decapsulate(ciphertext)
        assert len(given) == 32
        assert given != real
        assert key.decapsulate(ciphertext) == given


@every
def test_ciphertexts_of_another_length(all_keys: AllKeys, kind: Kind) -> None:
    key, ciphertext = all_keys[kind], all_keys[kind].encapsulate().ciphertext
    for wrong in (ciphertext[:-1], ciphertext + b"x", b"x", bytes(6144)):
        with pytest.raises(InvalidCiphertext, match=f"{LENGTHS[kind[0]]} bytes, not {len(wrong)}"):
            key.decapsulate(wrong)
    for none in (b"", bytes(6145), None, "text"):
        with pytest.raises(ValidationError):
            key.decapsulate(none)  # type: ignore[arg-type]


def test_the_keys_survive_their_store(tmp_path: Path) -> None:
    with kmsfast.open(tmp_path / "store", create=True) as kms:
        key = kms.create_key(spec="ML_KEM_768", alias="alias/kem")
        made, public = key.encapsulate(), key.public_key_der()
    with kmsfast.open(tmp_path / "store") as kms:
        again = kms.key("alias/kem")
        assert again.usage == "ENCAPSULATE_DECAPSULATE"
        assert again.public_key_der() == public
        assert again.decapsulate(made.ciphertext) == made.shared_secret


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_other_keys_do_not_encapsulate(all_keys: AllKeys, kind: Kind) -> None:
    if kind in ENCAPSULATING:
        for use in (
            lambda: all_keys[kind].sign(b"x"),
            lambda: all_keys[kind].encrypt(b"x"),
            lambda: all_keys[kind].derive_shared_secret(b"x"),
        ):
            with pytest.raises(InvalidKeyUsage, match="ENCAPSULATE_DECAPSULATE which is not valid"):
                use()
        return
    for operation, use in (
        ("Encapsulate", all_keys[kind].encapsulate),
        ("Decapsulate", lambda: all_keys[kind].decapsulate(b"x")),
    ):
        with pytest.raises(InvalidKeyUsage, match=f"{kind[1]} which is not valid for {operation}."):
            use()


def test_states_and_names(kms: kmsfast.Kms) -> None:
    key = kms.create_key(spec="ML_KEM_1024")
    ciphertext = key.encapsulate().ciphertext
    key.disable()
    uses = (key.encapsulate, lambda: key.decapsulate(ciphertext), lambda: key.decapsulate(b"x"))
    for use in uses:
        with pytest.raises(KeyDisabled):
            use()
    for algorithm in ("", "ml_kem", "ECDH", "ML_KEM_1024"):
        with pytest.raises(ValidationError, match="encapsulationAlgorithm"):
            key.encapsulate(algorithm=algorithm)
    for made in ({"spec": "ML_KEM_512"}, {"spec": "ML_KEM_768", "origin": "EXTERNAL"}):
        with pytest.raises(UnsupportedOperation, match=made["spec"]):
            kms.create_key(**made)


def test_the_secret_is_not_printed_or_copied(kms: kmsfast.Kms) -> None:
    made = kms.create_key(spec="ML_KEM_768").encapsulate()
    assert "<secret 32 bytes>" in repr(made)
    assert str(made.shared_secret) not in repr(made)
    for use in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            use(made)


@pytest.mark.parametrize("spec", LENGTHS)
def test_data_key_pairs(kms: kmsfast.Kms, spec: str) -> None:
    """The private key has the seed form of RFC 9935, of one length for all specs."""
    pair = kms.create_key().generate_data_key_pair(spec)
    assert pair.private_key is not None
    assert len(pair.private_key) == 86
    private, public = (
        load_der_private_key(pair.private_key, None),
        load_der_public_key(pair.public_key),
    )
    assert isinstance(private, mlkem.MLKEM768PrivateKey | mlkem.MLKEM1024PrivateKey)
    assert isinstance(public, mlkem.MLKEM768PublicKey | mlkem.MLKEM1024PublicKey)
    secret, ciphertext = public.encapsulate()
    assert private.decapsulate(ciphertext) == secret


def _openssl_has_ml_kem() -> bool:
    asked = ["openssl", "list", "-kem-algorithms"]
    return b"ML-KEM" in subprocess.run(asked, capture_output=True, check=False).stdout


@pytest.mark.skipif(not _openssl_has_ml_kem(), reason="openssl is older than 3.5")
@every
def test_openssl_encapsulates(all_keys: AllKeys, kind: Kind, tmp_path: Path) -> None:
    (tmp_path / "public.der").write_bytes(all_keys[kind].public_key_der())
    subprocess.run(
        ["openssl", "pkeyutl", "-encap", "-pubin", "-keyform", "DER", "-inkey", "public.der",
         "-secret", "secret", "-out", "ciphertext"],
        cwd=tmp_path, check=True,
    )  # fmt: skip
    ciphertext, secret = (tmp_path / "ciphertext").read_bytes(), (tmp_path / "secret").read_bytes()
    assert all_keys[kind].decapsulate(ciphertext) == secret
