"""Elliptic curves by `cryptography`: ECDSA (FIPS 186-5) and ECDH (SP 800-56A) on P-384 and P-521.

secp256k1 (SEC 2) signs. P-256 keys of a store live in C (:mod:`.p256`); what is here of that curve
is for data key pairs, which are used elsewhere.
"""

from __future__ import annotations

from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kmsfast.errors import ValidationError

__all__ = [
    "exchange",
    "from_raw",
    "generate",
    "point_of",
    "sign",
    "spec_of",
    "to_raw",
    "verify",
]

_CURVES: Final[dict[str, ec.EllipticCurve]] = {
    "ECC_NIST_P256": ec.SECP256R1(),
    "ECC_NIST_P384": ec.SECP384R1(),
    "ECC_NIST_P521": ec.SECP521R1(),
    "ECC_SECG_P256K1": ec.SECP256K1(),
}
_SPECS: Final = {curve.name: spec for spec, curve in _CURVES.items()}
_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "ECDSA_SHA_256": hashes.SHA256(),
    "ECDSA_SHA_384": hashes.SHA384(),
    "ECDSA_SHA_512": hashes.SHA512(),
}


def generate(spec: str) -> Any:
    """A fresh private key on the spec's curve."""
    return ec.generate_private_key(_CURVES[spec])


def spec_of(public: Any) -> str | None:
    """The key spec of a public key's curve; None: another curve, or another type of key."""
    return _SPECS.get(public.curve.name) if isinstance(public, ec.EllipticCurvePublicKey) else None


def point_of(public: Any) -> bytes:
    """X || y of a public key, each as long as the field."""
    encoded: bytes = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return encoded[1:]


def sign(
    private: Any, algorithm: str, message: bytes, *, hashed: bool, deterministic: bool = False
) -> bytes:
    """The signature as DER (RFC 3279 2.2.3); ``deterministic``: by RFC 6979."""
    signature: bytes = private.sign(message, _scheme(algorithm, hashed, deterministic))
    return signature


def verify(public: Any, algorithm: str, message: bytes, signature: bytes, *, hashed: bool) -> bool:
    """Whether it is the signature of the message, as DER."""
    try:
        public.verify(signature, message, _scheme(algorithm, hashed, deterministic=False))
    except InvalidSignature:
        return False
    return True


def exchange(private: Any, public: Any) -> bytes:
    """The x-coordinate of the common point, as long as the field (SP 800-56A 5.7.1.2).

    Raises:
        ValidationError: the public key is on another curve.
    """
    try:
        secret: bytes = private.exchange(ec.ECDH(), public)
    except (ValueError, TypeError, AttributeError):
        raise ValidationError("the public key is not on the curve of the key") from None
    return secret


def to_raw(signature: bytes, spec: str) -> bytes:
    """R and s, each as long as the curve's order, of a DER signature (IEEE P1363)."""
    size = _size(spec)
    return b"".join(part.to_bytes(size, "big") for part in decode_dss_signature(signature))


def from_raw(signature: bytes, spec: str) -> bytes | None:
    """The DER signature of r and s; None when the length is not that of two numbers."""
    size = _size(spec)
    if len(signature) != 2 * size:
        return None
    parts = (signature[:size], signature[size:])
    return encode_dss_signature(*(int.from_bytes(part, "big") for part in parts))


def _size(spec: str) -> int:
    return (_CURVES[spec].key_size + 7) // 8


def _scheme(algorithm: str, hashed: bool, deterministic: bool) -> ec.ECDSA:
    name = _HASHES[algorithm]
    return ec.ECDSA(Prehashed(name) if hashed else name, deterministic_signing=deterministic)
