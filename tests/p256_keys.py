"""P-256 for tests: the two encodings of a signature, keys whose private scalar the test knows."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from ring import Ring

from kmsfast.crypto import p256

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
KEY_ID = bytes(range(16))
ALGORITHM = ec.ECDSA(utils.Prehashed(hashes.SHA256()))


def be(number: int) -> bytes:
    """32 bytes, big-endian."""
    return number.to_bytes(32, "big")


def raw(r: int, s: int) -> bytes:
    """r || s."""
    return be(r) + be(s)


def der(r: int, s: int) -> bytes:
    """The DER of cryptography."""
    return utils.encode_dss_signature(r, s)


def public_of(private: ec.EllipticCurvePrivateKey) -> bytes:
    """x || y."""
    numbers = private.public_key().public_numbers()
    return be(numbers.x) + be(numbers.y)


def peer_of(public: bytes) -> ec.EllipticCurvePublicKey:
    """The public key as cryptography has it."""
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public)


@dataclass(frozen=True)
class Key:
    """The handle of a private key, its public key, and cryptography's key of the same scalar."""

    handle: int
    public: bytes
    private: ec.EllipticCurvePrivateKey


def import_key(ring: Ring, scalar: int) -> Key:
    """A key in the arena."""
    wrapped, public = p256.import_private(ring.store, be(scalar), KEY_ID, 1, 0)
    handle, again = p256.load(ring.store, wrapped, KEY_ID, 1, 0)
    assert again == public
    return Key(handle, public, ec.derive_private_key(scalar, ec.SECP256R1()))


def new_key(ring: Ring) -> Key:
    """A key of a random scalar."""
    private = ec.generate_private_key(ec.SECP256R1())
    return import_key(ring, private.private_numbers().private_value)
