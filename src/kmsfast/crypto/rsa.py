"""RSA by `cryptography`: PKCS #1 v2.2 (RFC 8017) signatures and OAEP encryption.

Rules:
- the public exponent is 65537; the salt of PSS has the length of the digest, as in AWS KMS;
- OAEP uses its hash for MGF1 as well, and no label.
"""

from __future__ import annotations

from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from kmsfast.errors import InvalidCiphertext

__all__ = ["decrypt", "encrypt", "generate", "max_plaintext", "sign", "spec_of", "verify"]

_HASHES: Final[dict[str, hashes.HashAlgorithm]] = {
    "SHA_1": hashes.SHA1(),  # noqa: S303 - OAEP needs no resistance to collisions (RFC 8017 B.1)
    "SHA_256": hashes.SHA256(),
    "SHA_384": hashes.SHA384(),
    "SHA_512": hashes.SHA512(),
}


def generate(spec: str) -> Any:
    """A fresh private key of 2048, 3072 or 4096 bits."""
    return generate_private_key(65537, int(spec.removeprefix("RSA_")))


def spec_of(public: Any) -> str | None:
    """RSA_2048 and so on; None for another type of key."""
    return f"RSA_{public.key_size}" if isinstance(public, RSAPublicKey) else None


def sign(private: Any, algorithm: str, message: bytes, *, hashed: bool) -> bytes:
    """The signature, as long as the modulus."""
    signature: bytes = private.sign(message, *_scheme(algorithm, hashed))
    return signature


def verify(public: Any, algorithm: str, message: bytes, signature: bytes, *, hashed: bool) -> bool:
    """Whether it is the signature of the message."""
    try:
        public.verify(signature, message, *_scheme(algorithm, hashed))
    except InvalidSignature:
        return False
    return True


def encrypt(public: Any, algorithm: str, plaintext: bytes) -> bytes:
    """The ciphertext, as long as the modulus."""
    ciphertext: bytes = public.encrypt(plaintext, _oaep(algorithm))
    return ciphertext


def decrypt(private: Any, algorithm: str, ciphertext: bytes) -> bytes:
    """The plaintext.

    Raises:
        InvalidCiphertext: it does not open; why is not told.
    """
    try:
        plaintext: bytes = private.decrypt(ciphertext, _oaep(algorithm))
    except ValueError:
        raise InvalidCiphertext(
            "the ciphertext does not open: it was changed, or encrypted under another key or by "
            "another algorithm"
        ) from None
    return plaintext


def max_plaintext(spec: str, algorithm: str) -> int:
    """How many bytes fit (RFC 8017 7.1.1 step 1b)."""
    return int(spec.removeprefix("RSA_")) // 8 - 2 * _hash(algorithm).digest_size - 2


def _hash(algorithm: str) -> hashes.HashAlgorithm:
    return next(known for name, known in _HASHES.items() if algorithm.endswith(name))


def _oaep(algorithm: str) -> padding.OAEP:
    name = _hash(algorithm)
    return padding.OAEP(padding.MGF1(name), name, None)


def _scheme(algorithm: str, hashed: bool) -> tuple[Any, Any]:
    """Padding and hash of a signature."""
    name = _hash(algorithm)
    pss = padding.PSS(padding.MGF1(name), name.digest_size)
    scheme = pss if algorithm.startswith("RSASSA_PSS") else padding.PKCS1v15()
    return scheme, Prehashed(name) if hashed else name
