"""Ed25519 (RFC 8032, FIPS 186-5): pure by `cryptography`, prehashed (Ed25519ph) by libsodium.

Rules:
- Ed25519ph hashes what it is given once more, also when that is a digest already: so does AWS KMS,
  and so it is said in the API reference of Sign;
- `cryptography` has no Ed25519ph: PyNaCl, libsodium's binding, signs (docs/adr/0008). The seed that
  it needs is wiped after each signature.
"""

from __future__ import annotations

from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from kmsfast.crypto.native import ffi, lib

__all__ = ["generate", "sign", "spec_of", "verify"]

_PREHASHED: Final = "ED25519_PH_SHA_512"
_SIGNATURE_LEN: Final = 64


def generate(spec: str) -> Any:  # noqa: ARG001 - there is one spec
    """A fresh private key."""
    return Ed25519PrivateKey.generate()


def spec_of(public: Any) -> str | None:
    """ECC_NIST_EDWARDS25519; None for another type of key."""
    return "ECC_NIST_EDWARDS25519" if isinstance(public, Ed25519PublicKey) else None


def sign(
    private: Any,
    algorithm: str,
    message: bytes,
    *,
    hashed: bool,  # noqa: ARG001 - the algorithm says it
) -> bytes:
    """The signature, 64 bytes."""
    if algorithm == _PREHASHED:
        return _sign_prehashed(private, message)
    signature: bytes = private.sign(message)
    return signature


def verify(
    public: Any,
    algorithm: str,
    message: bytes,
    signature: bytes,
    *,
    hashed: bool,  # noqa: ARG001 - the algorithm says it
) -> bool:
    """Whether it is the signature of the message."""
    if algorithm == _PREHASHED:
        return _verify_prehashed(public, message, signature)
    try:
        public.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _sign_prehashed(private: Any, message: bytes) -> bytes:
    from nacl import bindings

    seed = private.private_bytes_raw()
    secret = seed + private.public_key().public_bytes_raw()  # as libsodium has its secret keys
    try:
        signature: bytes = bindings.crypto_sign_ed25519ph_final_create(_hashed(message), secret)
    finally:
        for key_bytes in (seed, secret):
            lib.kf_forget(ffi.from_buffer("uint8_t[]", key_bytes), len(key_bytes))
    return signature


def _verify_prehashed(public: Any, message: bytes, signature: bytes) -> bool:
    from nacl import bindings
    from nacl.exceptions import BadSignatureError

    if len(signature) != _SIGNATURE_LEN:
        return False
    try:
        bindings.crypto_sign_ed25519ph_final_verify(
            _hashed(message), signature, public.public_bytes_raw()
        )
    except BadSignatureError:
        return False
    return True


def _hashed(message: bytes) -> Any:
    """The state of Ed25519ph after the message."""
    from nacl import bindings

    state = bindings.crypto_sign_ed25519ph_state()
    bindings.crypto_sign_ed25519ph_update(state, message)
    return state
