"""Public keys, RSA encryption, key agreement, data key pairs."""

from __future__ import annotations

import copy
import pickle
from itertools import product

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)
from pairs import AGREEING, KINDS, RSA_ENCRYPTING, AllKeys, Kind, name_of

import kmsfast
from kmsfast.crypto.pkcs8 import family_of
from kmsfast.errors import (
    ContextError,
    FrameError,
    InvalidCiphertext,
    InvalidKeyUsage,
    KeyDisabled,
    UnsupportedOperation,
    ValidationError,
)
from kmsfast.model.keyspec import is_asymmetric

OAEP = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
# AWS KMS API Reference, Encrypt: the longest plaintext of each key spec and algorithm.
LONGEST = {
    ("RSA_2048", OAEP[0]): 214, ("RSA_2048", OAEP[1]): 190,
    ("RSA_3072", OAEP[0]): 342, ("RSA_3072", OAEP[1]): 318,
    ("RSA_4096", OAEP[0]): 470, ("RSA_4096", OAEP[1]): 446,
}  # fmt: skip
PAIR_SPECS = [spec for spec in kmsfast.KeySpec if is_asymmetric(spec)]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=name_of)
rsa = pytest.mark.parametrize("kind", RSA_ENCRYPTING, ids=name_of)
agreeing = pytest.mark.parametrize("kind", AGREEING, ids=name_of)


# ---- public keys ------------------------------------------------------------------------------


@every_kind
def test_the_public_key(all_keys: AllKeys, kind: Kind) -> None:
    key = all_keys[kind]
    if not is_asymmetric(kind[0]):
        with pytest.raises(UnsupportedOperation, match="has no public key"):
            key.public_key_der()
        return
    der = key.public_key_der()
    assert family_of(kind[0]).spec_of(load_der_public_key(der)) == kind[0]
    assert [version.public_key for version in key.versions()] == [der]


# ---- RSA encryption ---------------------------------------------------------------------------


@rsa
@pytest.mark.parametrize("algorithm", OAEP)
def test_rsa_encryption(all_keys: AllKeys, kind: Kind, algorithm: str) -> None:
    key, longest = all_keys[kind], LONGEST[kind[0], algorithm]
    for size in (1, 16, longest):
        plaintext = bytes(range(256))[:size] * (size // 256 + 1)
        plaintext = plaintext[:size]
        ciphertext = key.encrypt(plaintext, algorithm=algorithm)
        assert len(ciphertext) == int(kind[0][4:]) // 8
        assert ciphertext != key.encrypt(plaintext, algorithm=algorithm)
        assert key.decrypt(ciphertext, algorithm=algorithm) == plaintext
    with pytest.raises(ValidationError) as raised:
        key.encrypt(bytes(longest + 1), algorithm=algorithm)
    assert str(raised.value) == (
        f"Algorithm {algorithm} and key spec {kind[0]} cannot encrypt data larger than "
        f"{longest} bytes."
    )


@rsa
def test_what_does_not_open(all_keys: AllKeys, kind: Kind) -> None:
    key, said = all_keys[kind], set()
    ciphertext = key.encrypt(b"secret", algorithm=OAEP[0])
    changed = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    for wrong, algorithm in (
        (ciphertext, OAEP[1]), (changed, OAEP[0]), (ciphertext[1:], OAEP[0]), (b"", OAEP[0]),
        (b"\xff" * len(ciphertext), OAEP[0]), (bytes(len(ciphertext)), OAEP[0]),
    ):  # fmt: skip
        with pytest.raises(InvalidCiphertext) as raised:
            key.decrypt(wrong, algorithm=algorithm)
        said.add(str(raised.value))
    assert len(said) == 1


@rsa
def test_rsa_takes_its_own_algorithms_and_no_context(all_keys: AllKeys, kind: Kind) -> None:
    key = all_keys[kind]
    for algorithm in (None, "SYMMETRIC_DEFAULT"):
        for use in (key.encrypt, key.decrypt):
            with pytest.raises(InvalidKeyUsage, match="SYMMETRIC_DEFAULT is incompatible with"):
                use(b"x", algorithm=algorithm)
    with pytest.raises(ValidationError, match="at 'encryptionAlgorithm'"):
        key.encrypt(b"x", algorithm="RSAES_PKCS1_V1_5")
    for bound in ({"context": {"a": "b"}}, {"aad": b"x"}):
        with pytest.raises(ValidationError, match="no place for an encryption context"):
            key.encrypt(b"x", algorithm=OAEP[0], **bound)
        with pytest.raises(ValidationError, match="no place for an encryption context"):
            key.decrypt(bytes(256), algorithm=OAEP[0], **bound)
    for use in (
        lambda: key.encrypt_batch([b"x"]), key.generate_data_key, lambda: key.seal_batch([b"x"]),
        lambda: key.generate_data_key_pair("ECC_NIST_P384"), key.sealed_writer,
    ):  # fmt: skip
        with pytest.raises(InvalidKeyUsage, match="SYMMETRIC_DEFAULT is incompatible with key sp"):
            use()


@every_kind
def test_keys_that_do_not_encrypt(all_keys: AllKeys, kind: Kind) -> None:
    if kind[1] == "ENCRYPT_DECRYPT":
        pytest.skip("encrypts")
    key, symmetric = all_keys[kind], all_keys[KINDS[0]]
    blob = bytearray(symmetric.encrypt(b"x"))
    blob[4:20] = key._raw_id  # a forged one, which names this key
    for operation, use in (
        ("Encrypt", lambda: key.encrypt(b"x")),
        ("Encrypt", lambda: key.encrypt(b"x", {"a": "b"}, b"aad")),
        ("Encrypt", lambda: key.encrypt(b"x", algorithm=OAEP[0])),
        ("Encrypt", lambda: key.encrypt_batch([b"x"])),
        ("Decrypt", lambda: key.decrypt(bytes(256), algorithm=OAEP[0])),
        ("Decrypt", lambda: key.decrypt(bytes(blob))),
        ("Decrypt", lambda: key.decrypt_batch([bytes(blob)])),
        ("Decrypt", lambda: all_keys.kms.decrypt(bytes(blob))),
        ("GenerateDataKey", key.generate_data_key),
        ("GenerateDataKeyWithoutPlaintext", key.generate_data_key_without_plaintext),
        ("GenerateDataKeyPair", lambda: key.generate_data_key_pair("ECC_NIST_P384")),
        (
            "GenerateDataKeyPairWithoutPlaintext",
            lambda: key.generate_data_key_pair_without_plaintext("RSA_2048"),
        ),
    ):
        with pytest.raises(InvalidKeyUsage) as raised:
            use()
        said = f"{key.arn} key usage is {kind[1]} which is not valid for {operation}."
        assert str(raised.value) == said


def test_a_symmetric_key_may_be_told_its_algorithm(all_keys: AllKeys) -> None:
    key = all_keys[KINDS[0]]
    blob = key.encrypt(b"x", {"a": "b"}, algorithm="SYMMETRIC_DEFAULT")
    assert key.decrypt(blob, {"a": "b"}, algorithm="SYMMETRIC_DEFAULT") == b"x"
    key.encrypt(b"x", {"a": "b"})  # what the next call could go by
    for use, algorithm in product((key.encrypt, key.decrypt), (OAEP[0], "SM2PKE")):
        with pytest.raises(InvalidKeyUsage) as raised:
            use(blob, algorithm=algorithm)
        said = f"Algorithm {algorithm} is incompatible with key spec SYMMETRIC_DEFAULT."
        assert str(raised.value).startswith(said)


def test_rsa_ciphertexts_are_no_blobs(all_keys: AllKeys) -> None:
    key = all_keys[RSA_ENCRYPTING[0]]
    ciphertext = b"\x01" + key.encrypt(b"x", algorithm=OAEP[1])[1:]
    with pytest.raises(FrameError):
        all_keys.kms.decrypt(ciphertext)


# ---- key agreement ----------------------------------------------------------------------------


@agreeing
def test_both_sides_derive_the_same_secret(all_keys: AllKeys, kind: Kind) -> None:
    key, other = all_keys[kind], all_keys.kms.create_key(spec=kind[0], usage=kind[1])
    secret = key.derive_shared_secret(other.public_key_der())
    assert other.derive_shared_secret(key.public_key_der()) == secret
    theirs = ec.generate_private_key(load_der_public_key(key.public_key_der()).curve)
    der = theirs.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    mine = theirs.exchange(ec.ECDH(), load_der_public_key(key.public_key_der()))
    assert key.derive_shared_secret(der) == mine != secret
    assert len(mine) == {"P256": 32, "P384": 48, "P521": 66}[kind[0][9:]]


@agreeing
def test_public_keys_that_do_not_fit(all_keys: AllKeys, kind: Kind) -> None:
    key = all_keys[kind]
    der = key.public_key_der()
    off_curve = der[:-1] + bytes([der[-1] ^ 1])
    others = [all_keys[each].public_key_der() for each in AGREEING if each != kind]
    edwards = x25519.X25519PrivateKey.generate().public_key()
    others.append(edwards.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    others.append(all_keys[RSA_ENCRYPTING[0]].public_key_der())
    for wrong in (off_curve, der[:-1], der + b"\0", b"", b"x", *others):
        with pytest.raises(ValidationError, match="the public key is"):
            key.derive_shared_secret(wrong)
    with pytest.raises(ValidationError, match="must be bytes"):
        key.derive_shared_secret("text")


@every_kind
def test_keys_that_do_not_derive(all_keys: AllKeys, kind: Kind) -> None:
    if kind in AGREEING:
        pytest.skip("derives")
    key = all_keys[kind]
    with pytest.raises(InvalidKeyUsage, match="which is not valid for DeriveSharedSecret"):
        key.derive_shared_secret(all_keys[AGREEING[0]].public_key_der())


# ---- data key pairs ---------------------------------------------------------------------------


@pytest.mark.parametrize("spec", PAIR_SPECS)
def test_data_key_pairs(kms: kmsfast.Kms, spec: kmsfast.KeySpec) -> None:
    key, context = kms.create_key(), {"purpose": "test"}
    pair = key.generate_data_key_pair(spec, context)
    assert pair.private_key is not None
    assert (pair.spec, pair.key_arn) == (spec, key.arn)
    private = load_der_private_key(pair.private_key, None)
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert der == pair.public_key
    assert kms.decrypt(pair.private_key_blob, context) == pair.private_key
    with pytest.raises(InvalidCiphertext):
        kms.decrypt(pair.private_key_blob)
    assert pair.private_key.hex() not in repr(pair)
    assert "<secret" in repr(pair)
    for use in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            use(pair)
    quiet = key.generate_data_key_pair_without_plaintext(spec, context)
    assert quiet.private_key is None
    assert quiet.public_key != pair.public_key
    opened = load_der_private_key(kms.decrypt(quiet.private_key_blob, context), None)
    der = opened.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert der == quiet.public_key


def test_data_key_pairs_that_are_refused(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    for spec, error in (
        ("SYMMETRIC_DEFAULT", ValidationError), ("HMAC_256", ValidationError),
        ("RSA_1024", ValidationError), ("SM2", UnsupportedOperation),
        ("ML_KEM_512", UnsupportedOperation), (None, ValidationError), ([], ValidationError),
    ):  # fmt: skip
        with pytest.raises(error):
            key.generate_data_key_pair(spec)
    with pytest.raises(ContextError):
        key.generate_data_key_pair("ECC_NIST_P384", {"a": 1})
    key.disable()
    with pytest.raises(KeyDisabled):
        key.generate_data_key_pair("ECC_NIST_P384")
