"""ML-DSA (FIPS 204) by `cryptography`, pure with an empty context, of messages or an external mu.

Private keys are kept as their seed of 32 bytes (RFC 9881). Signing is hedged.
"""

from __future__ import annotations

from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import mldsa

__all__ = ["MuHasher", "generate", "sign", "spec_of", "verify"]

_TYPES: Final[dict[str, tuple[Any, Any]]] = {
    "ML_DSA_44": (mldsa.MLDSA44PrivateKey, mldsa.MLDSA44PublicKey),
    "ML_DSA_65": (mldsa.MLDSA65PrivateKey, mldsa.MLDSA65PublicKey),
    "ML_DSA_87": (mldsa.MLDSA87PrivateKey, mldsa.MLDSA87PublicKey),
}
MuHasher: Final = mldsa.MLDSAMuHasher


def generate(spec: str) -> Any:
    """A fresh private key."""
    private, _ = _TYPES[spec]
    return private.generate()


def spec_of(public: Any) -> str | None:
    """The key spec of a public key; None for another type of key."""
    return next((spec for spec, (_, kind) in _TYPES.items() if isinstance(public, kind)), None)


def sign(
    private: Any,
    algorithm: str,  # noqa: ARG001 - there is one
    message: bytes,
    *,
    hashed: bool,
) -> bytes:
    """The signature of a message, or of its mu (64 bytes)."""
    signature: bytes = private.sign_mu(message) if hashed else private.sign(message)
    return signature


def verify(
    public: Any,
    algorithm: str,  # noqa: ARG001 - there is one
    message: bytes,
    signature: bytes,
    *,
    hashed: bool,
) -> bool:
    """Whether it is the signature of the message, or of its mu."""
    check = public.verify_mu if hashed else public.verify
    try:
        check(signature, message)
    except (InvalidSignature, ValueError):  # ValueError: a signature of another length
        return False
    return True
