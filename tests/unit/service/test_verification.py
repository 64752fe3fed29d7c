"""Signatures by many keys at once."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pairs import AllKeys

import kmsfast
from kmsfast.errors import ValidationError

NUM = 20


@pytest.fixture(scope="module")
def foreign() -> tuple[list[bytes], list[bytes], list[bytes]]:
    """Public keys, digests and signatures of somebody else."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(NUM)]
    digests = [hashlib.sha256(b"%d" % i).digest() for i in range(NUM)]
    scheme = ec.ECDSA(Prehashed(hashes.SHA256()))
    return (
        [
            key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            for key in keys
        ],
        digests,
        [key.sign(digest, scheme) for key, digest in zip(keys, digests, strict=True)],
    )


def rows(records: list[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(records), np.uint8).reshape(len(records), -1)


def raw(signature: bytes) -> bytes:
    return b"".join(part.to_bytes(32, "big") for part in decode_dss_signature(signature))


def test_every_form_of_keys_and_signatures(foreign: tuple) -> None:
    keys, digests, signatures = foreign
    raws = [raw(signature) for signature in signatures]
    for publics in (keys, rows(keys), rows(keys)[:, 27:]):
        for given, claimed, encoding in (
            (digests, signatures, None), (rows(digests), signatures, "der"),
            (digests, raws, "raw"), (rows(digests), rows(raws), None),
        ):  # fmt: skip
            found = kmsfast.verify_batch(publics, given, claimed, encoding=encoding, threads=2)
            assert found.dtype == np.bool_
            assert found.all()
    assert not kmsfast.verify_batch(keys[::-1], digests, signatures).any()
    assert len(kmsfast.verify_batch([], [], [])) == 0


def test_one_wrong_one_is_that_one_alone(foreign: tuple) -> None:
    keys, digests, signatures = (list(each) for each in foreign)
    digests[3] = bytes(32)
    signatures[5] = signatures[5][:-1]
    keys[7] = keys[7][:27] + b"\x05" * 64  # not on the curve
    found = kmsfast.verify_batch(keys, digests, signatures)
    assert np.flatnonzero(~found).tolist() == [3, 5, 7]


def test_keys_of_a_store(all_keys: AllKeys) -> None:
    key = all_keys["ECC_NIST_P256", "SIGN_VERIFY"]
    digests = [hashlib.sha256(b"%d" % i).digest() for i in range(3)]
    signatures = key.sign_batch(digests)
    assert kmsfast.verify_batch([key.public_key_der()] * 3, digests, signatures).all()


def test_what_is_no_key(all_keys: AllKeys, foreign: tuple) -> None:
    keys, digests, signatures = foreign
    other = all_keys["ECC_SECG_P256K1", "SIGN_VERIFY"].public_key_der()
    same_length = other[:23].ljust(27, b"\0") + bytes(64)
    for wrong in (other, keys[0][:-1], same_length, "text", None):
        with pytest.raises(ValidationError, match=r"public_keys\[2\]"):
            kmsfast.verify_batch([*keys[:2], wrong, *keys[3:]], digests, signatures)
    for publics in (
        "text",
        None,
        5,
        rows(keys)[:, 1:],
        rows(keys).astype(np.uint16),
        rows(keys)[0],
    ):
        with pytest.raises(ValidationError, match="public_keys"):
            kmsfast.verify_batch(publics, digests, signatures)
    with pytest.raises(ValidationError, match="20 public keys for 19 digests"):
        kmsfast.verify_batch(keys, digests[1:], signatures[1:])
    for nothing in (5, None, "text"):
        with pytest.raises(ValidationError, match="digests must be"):
            kmsfast.verify_batch(keys, nothing, signatures)
        with pytest.raises(ValidationError, match="signatures must be"):
            kmsfast.verify_batch(keys, digests, nothing)
    with pytest.raises(ValidationError, match="encoding"):
        kmsfast.verify_batch(keys, digests, signatures, encoding="DER")
