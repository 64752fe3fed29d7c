"""Private keys of the types that `cryptography` serves: wrapped, loaded, and wiped on the way."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.serialization import load_der_public_key
from ring import Ring

from kmsfast.crypto import mac, p256, pkcs8
from kmsfast.errors import StoreIntegrity, ValidationError

KEY_ID = b"k" * 16
SPECS = ["RSA_2048", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519",
         "ML_DSA_44", "ML_DSA_65", "ML_DSA_87"]  # fmt: skip


@pytest.mark.parametrize("spec", SPECS)
def test_what_was_wrapped_is_loaded(ring: Ring, spec: str) -> None:
    wrapped, public = pkcs8.generate(ring.store, spec, KEY_ID, 1, 0)
    private = pkcs8.load(ring.store, wrapped, KEY_ID, 1, 0)
    assert pkcs8.public_der(private.public_key()) == public
    assert pkcs8.family_of(spec).spec_of(pkcs8.parse_public(public)) == spec
    assert pkcs8.family_of(spec).spec_of(load_der_public_key(public)) == spec
    for key_id, version, flags in ((b"x" * 16, 1, 0), (KEY_ID, 2, 0), (KEY_ID, 1, 1)):
        with pytest.raises(StoreIntegrity, match="does not authenticate"):
            pkcs8.load(ring.store, wrapped, key_id, version, flags)
    changed = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
    for wrong in (changed, wrapped[:-1], wrapped + b"\0", b"", bytes(40), bytes(9000)):
        with pytest.raises(StoreIntegrity):
            pkcs8.load(ring.store, wrong, KEY_ID, 1, 0)


def test_no_other_material_comes_out(ring: Ring) -> None:
    """Material of AES, HMAC and P-256 keys, of the same key id, version and flags."""
    others = [
        ring.store.generate_material(KEY_ID, 1, 0),
        mac.generate(ring.store, KEY_ID, 1, 0, bits=256),
        p256.generate(ring.store, KEY_ID, 1, 0)[0],
    ]
    for wrapped in others:
        with (
            pytest.raises(StoreIntegrity, match="does not authenticate"),
            ring.store.unwrapped_private(wrapped, KEY_ID, 1, 0),
        ):
            pass
    private = ring.store.wrap_private(bytes(32), KEY_ID, 1, 0)
    for load in (
        lambda: ring.store.load_material(private, KEY_ID, 1, 0),
        lambda: mac.load(ring.store, private, KEY_ID, 1, 0, bits=256),
        lambda: p256.load(ring.store, private, KEY_ID, 1, 0),
    ):
        with pytest.raises(StoreIntegrity):
            load()


def test_buffers_are_wiped(ring: Ring) -> None:
    wrapped, _ = pkcs8.generate(ring.store, "ECC_NIST_EDWARDS25519", KEY_ID, 1, 0)
    private = pkcs8.load(ring.store, wrapped, KEY_ID, 1, 0)
    with pkcs8.exported(private) as der:
        with ring.store.unwrapped_private(wrapped, KEY_ID, 1, 0) as unwrapped:
            assert unwrapped.tobytes() == der
            assert any(der)
        assert not any(unwrapped)
    assert not any(der)


def test_what_is_no_private_key_is_refused(ring: Ring) -> None:
    """As when the store key was used for something else; nobody else can wrap it."""
    wrapped = ring.store.wrap_private(b"no DER", KEY_ID, 1, 0)
    with pytest.raises(StoreIntegrity, match="cannot be read"):
        pkcs8.load(ring.store, wrapped, KEY_ID, 1, 0)
    for size in (0, 8193):
        with pytest.raises(ValidationError):
            ring.store.wrap_private(bytes(size), KEY_ID, 1, 0)


@pytest.mark.parametrize("der", [b"", b"x", bytes(91), "text", None, b"-----BEGIN PUBLIC KEY-----"])
def test_what_is_no_public_key(der: bytes) -> None:
    with pytest.raises(ValidationError, match="no valid DER SubjectPublicKeyInfo"):
        pkcs8.parse_public(der)
