"""ML-KEM (FIPS 203) by `cryptography`, which has ML-KEM-768 and ML-KEM-1024.

Private keys are kept as their seed d || z of 64 bytes (RFC 9935). A ciphertext of the right length
that is not one of the key gives a secret of the same form, which nobody else has (implicit
rejection, FIPS 203 algorithm 18).
"""

from __future__ import annotations

from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import mlkem

from kmsfast.errors import InvalidCiphertext

__all__ = ["decapsulate", "encapsulate", "generate", "spec_of"]

_TYPES: Final[dict[str, tuple[Any, Any]]] = {
    "ML_KEM_768": (mlkem.MLKEM768PrivateKey, mlkem.MLKEM768PublicKey),
    "ML_KEM_1024": (mlkem.MLKEM1024PrivateKey, mlkem.MLKEM1024PublicKey),
}
# FIPS 203 table 3.
_CIPHERTEXT_LENGTHS: Final = {"ML_KEM_768": 1088, "ML_KEM_1024": 1568}


def generate(spec: str) -> Any:
    """A fresh private key."""
    private, _ = _TYPES[spec]
    return private.generate()


def spec_of(public: Any) -> str | None:
    """The key spec of a public key; None for another type of key."""
    return next((spec for spec, (_, kind) in _TYPES.items() if isinstance(public, kind)), None)


def encapsulate(public: Any) -> tuple[bytes, bytes]:
    """A fresh shared secret, 32 bytes, and its ciphertext."""
    secret, ciphertext = public.encapsulate()
    return secret, ciphertext


def decapsulate(private: Any, spec: str, ciphertext: bytes) -> bytes:
    """The shared secret of a ciphertext, 32 bytes.

    Raises:
        InvalidCiphertext: it does not have the length of the spec's ciphertexts.
    """
    expected = _CIPHERTEXT_LENGTHS[spec]
    if len(ciphertext) != expected:
        raise InvalidCiphertext(
            f"a ciphertext of {spec} has {expected} bytes, not {len(ciphertext)}"
        )
    secret: bytes = private.decapsulate(ciphertext)
    return secret
