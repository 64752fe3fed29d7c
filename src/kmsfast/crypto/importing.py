"""Key material on its way into the store, wrapped under a key pair that is made for one import.

Rules:
- the wrapping key pair is made here and used once; its private half is kept only inside an import
  token, sealed by the store key;
- whatever is wrong with wrapped bytes, the error is the same, so that nobody learns by trying.

Material passes through this process unencrypted while it is unwrapped: the one moment at which
`cryptography` holds it (docs/key-hierarchy.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn, cast

from kmsfast.crypto.native import forget
from kmsfast.errors import InvalidCiphertext

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["WRAPPING_ALGORITHMS", "WRAPPING_SPECS", "WrappingKey", "unwrapped"]

WRAPPING_SPECS: Final = {"RSA_2048": 2048, "RSA_3072": 3072, "RSA_4096": 4096}
"""Bits of the modulus of each wrapping key spec (``WrappingKeySpec`` of GetParametersForImport)."""


class _Wrapping(NamedTuple):
    """How an algorithm wraps: OAEP around the material, or around an AES key that wraps it.

    The second is PKCS #11's CKM_RSA_AES_KEY_WRAP, its inner step RFC 5649.
    """

    hash_name: str
    in_two_steps: bool


WRAPPING_ALGORITHMS: Final = {
    "RSAES_OAEP_SHA_1": _Wrapping("SHA1", in_two_steps=False),
    "RSAES_OAEP_SHA_256": _Wrapping("SHA256", in_two_steps=False),
    "RSA_AES_KEY_WRAP_SHA_1": _Wrapping("SHA1", in_two_steps=True),
    "RSA_AES_KEY_WRAP_SHA_256": _Wrapping("SHA256", in_two_steps=True),
}


class WrappingKey(NamedTuple):
    """An RSA key pair as DER PKCS #8 and SubjectPublicKeyInfo. Prints without its private half."""

    private: bytes
    public: bytes

    @classmethod
    def generate(cls, spec: str) -> WrappingKey:
        """A key pair of one of :data:`WRAPPING_SPECS`."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        pair = rsa.generate_private_key(public_exponent=65537, key_size=WRAPPING_SPECS[spec])
        return cls(
            pair.private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            pair.public_key().public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
        )

    def __repr__(self) -> str:
        return f"WrappingKey(private=<secret {len(self.private)} bytes>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a WrappingKey holds a private key and cannot be pickled or copied")


@contextmanager
def unwrapped(private: bytes, algorithm: str, wrapped: bytes) -> Iterator[bytearray]:
    """The material that was wrapped under the public half of ``private``; wiped after the block.

    Args:
        private: DER PKCS #8.
        algorithm: one of :data:`WRAPPING_ALGORITHMS`.

    Raises:
        InvalidCiphertext: the bytes do not unwrap.
    """
    whole = _unwrap(_load(private), algorithm, wrapped)
    material = bytearray(whole)
    forget(whole)
    try:
        yield material
    finally:
        forget(material)


def _unwrap(key: RSAPrivateKey, algorithm: str, wrapped: bytes) -> bytes:
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap_with_padding

    how, size = WRAPPING_ALGORITHMS[algorithm], key.key_size // 8
    try:
        if not how.in_two_steps:
            return _open(key, how.hash_name, wrapped)
        wrapping = _open(key, how.hash_name, wrapped[:size])
        try:
            return aes_key_unwrap_with_padding(wrapping, wrapped[size:])
        finally:
            forget(wrapping)
    except (ValueError, InvalidUnwrap):
        raise InvalidCiphertext(
            f"the key material does not unwrap: wrap it with {algorithm} under the public key that "
            "came with this import token"
        ) from None


def _load(private: bytes) -> RSAPrivateKey:
    from cryptography.hazmat.primitives.serialization import load_der_private_key

    made_here = load_der_private_key(private, None, unsafe_skip_rsa_key_validation=True)
    return cast("RSAPrivateKey", made_here)


def _open(key: RSAPrivateKey, hash_name: str, wrapped: bytes) -> bytes:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    digest = getattr(hashes, hash_name)()
    return key.decrypt(wrapped, padding.OAEP(padding.MGF1(digest), digest, None))
