"""Key pairs of the types that `cryptography` serves: made, wrapped, loaded.

Rules:
- at rest a private key is a DER PrivateKeyInfo (RFC 5958), wrapped by the store key in C;
- it exists in Python while it is wrapped or loaded, in buffers that are wiped after it, and in an
  object of `cryptography` while that is in use: the exception of docs/key-hierarchy.md;
- each family has a module of its own, imported with `cryptography` when it is first used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, Protocol, cast

from kmsfast.crypto.keys import StoreKey
from kmsfast.crypto.native import forget
from kmsfast.errors import IncorrectKeyMaterial, StoreIntegrity, ValidationError

__all__ = [
    "Family",
    "SigningFamily",
    "exported",
    "family_of",
    "generate",
    "import_material",
    "load",
    "p256_scalar",
    "parse_public",
    "public_der",
    "public_pem",
    "signing_family_of",
]

_FAMILIES: Final = {
    "RSA_": "rsa",
    "ECC_NIST_P": "ec",
    "ECC_SECG_P256K1": "ec",
    "ECC_NIST_EDWARDS25519": "ed25519",
    "ML_DSA_": "mldsa",
    "ML_KEM_": "mlkem",
}


class Family(Protocol):
    """What the module of a family of key types offers. Keys are objects of `cryptography`."""

    def generate(self, spec: str) -> Any:
        """A fresh private key."""

    def spec_of(self, public: Any) -> str | None:
        """The key spec of a public key, or None when it is of another family."""


class SigningFamily(Family, Protocol):
    """A family whose keys sign."""

    def sign(self, private: Any, algorithm: str, message: bytes, *, hashed: bool) -> bytes:
        """The signature of a message, or of its digest or mu when it is ``hashed``."""

    def verify(
        self, public: Any, algorithm: str, message: bytes, signature: bytes, *, hashed: bool
    ) -> bool:
        """Whether it is the signature of the message."""


def family_of(spec: str) -> Family:
    """The module that serves keys of the spec."""
    name = next(module for start, module in _FAMILIES.items() if spec.startswith(start))
    return cast(Family, import_module(f"kmsfast.crypto.{name}"))


def signing_family_of(spec: str) -> SigningFamily:
    """The same, for keys that sign."""
    return cast(SigningFamily, family_of(spec))


def generate(
    store: StoreKey, spec: str, key_id: bytes, version: int, flags: int
) -> tuple[bytes, bytes]:
    """A fresh private key, wrapped for its key id, version and flags, and its public key as DER."""
    private = family_of(spec).generate(spec)
    with exported(private) as der:
        return store.wrap_private(der, key_id, version, flags), public_der(private.public_key())


def import_material(
    store: StoreKey, der: bytearray, key_id: bytes, version: int, flags: int, *, spec: str
) -> tuple[bytes, bytes]:
    """A private key that the caller brings, as :func:`generate` gives its own.

    Args:
        der: a PrivateKeyInfo.

    Raises:
        IncorrectKeyMaterial: it is none, not valid, or of another spec.
    """
    private = _parse_private(der, spec)
    with exported(private) as own:
        return store.wrap_private(own, key_id, version, flags), public_der(private.public_key())


@contextmanager
def p256_scalar(der: bytearray) -> Iterator[bytearray]:
    """The private scalar, 32 bytes big-endian, of a P-256 PrivateKeyInfo; wiped after the block.

    Raises:
        IncorrectKeyMaterial: the DER is none, not valid, or of another spec.
    """
    with exported(_parse_private(der, "ECC_NIST_P256")) as own:
        # RFC 5915 within RFC 5958, always with the public key: all lengths are fixed.
        scalar = bytearray(memoryview(own)[36:68])
    try:
        yield scalar
    finally:
        forget(scalar)


def _parse_private(der: bytearray, spec: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    try:
        private = load_der_private_key(der, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise IncorrectKeyMaterial(
            f"the key material of a {spec} key is a DER PrivateKeyInfo (PKCS #8), not encrypted by "
            "a password; what was unwrapped is none, or its numbers are not valid"
        ) from None
    if family_of(spec).spec_of(private.public_key()) != spec:
        raise IncorrectKeyMaterial(f"the key material is a private key of another spec than {spec}")
    return private


def load(store: StoreKey, wrapped: bytes, key_id: bytes, version: int, flags: int) -> Any:
    """The private key that was wrapped.

    Raises:
        StoreIntegrity: it was not wrapped for this key, version and flags.
    """
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    with store.unwrapped_private(wrapped, key_id, version, flags) as der:
        try:
            # It authenticated, so it is what was generated here, or checked when it was imported.
            return load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
        except ValueError as error:
            raise StoreIntegrity(
                f"the private key of version {version} cannot be read: {error}"
            ) from None


@contextmanager
def exported(private: Any) -> Iterator[bytes]:
    """The DER PrivateKeyInfo of a private key, wiped when the block ends."""
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    der: bytes = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    try:
        yield der
    finally:
        forget(der)


def public_der(public: Any) -> bytes:
    """The DER SubjectPublicKeyInfo (RFC 5280) of a public key."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return der


def public_pem(der: bytes) -> bytes:
    """A SubjectPublicKeyInfo as PEM (RFC 7468)."""
    from base64 import encodebytes

    text = encodebytes(der).replace(b"\n", b"")
    lines = [text[i : i + 64] for i in range(0, len(text), 64)]
    return b"\n".join([b"-----BEGIN PUBLIC KEY-----", *lines, b"-----END PUBLIC KEY-----", b""])


@lru_cache(maxsize=256)
def parse_public(der: bytes) -> Any:
    """The public key of a DER SubjectPublicKeyInfo.

    Raises:
        ValidationError: it is none, or of a type or point that is not valid.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        return load_der_public_key(der)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValidationError(
            f"the public key is no valid DER SubjectPublicKeyInfo: {error}"
        ) from None
