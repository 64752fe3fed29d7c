"""Who signs and verifies for keys of which spec: C for P-256, `cryptography` for the others.

Rules:
- the service has checked key, algorithm, message type and lengths before it comes here;
- messages are whole, or digests (for ML-DSA: mu) when ``hashed`` is said of them;
- ECDSA signatures are DER, or r and s side by side when ``raw`` is said of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from kmsfast.crypto import pkcs8
from kmsfast.model.key import KeyMetadata
from kmsfast.model.keyspec import KeySpec
from kmsfast.service.keyring import Keyring

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = ["Form", "Signer", "signer_of"]


@dataclass(frozen=True, slots=True)
class Form:
    """How messages and signatures are given.

    Attributes:
        algorithm: as AWS names it.
        hashed: messages are digests, or the mu of ML-DSA.
        raw: ECDSA signatures are r and s (IEEE P1363), not DER.
        deterministic: ECDSA nonces by RFC 6979.
    """

    algorithm: str
    hashed: bool
    raw: bool = False
    deterministic: bool = False


class Signer(Protocol):
    """Signs and verifies for keys of some specs."""

    def sign(self, key: KeyMetadata, message: bytes, form: Form) -> bytes:
        """One signature."""

    def verify(self, key: KeyMetadata, message: bytes, signature: bytes, form: Form) -> bool:
        """Whether it is the signature of the message."""

    def sign_batch(self, key: KeyMetadata, messages: list[bytes], form: Form, threads: int) -> Any:
        """A signature for each message."""

    def verify_batch(
        self, key: KeyMetadata, messages: list[bytes], signatures: list[bytes], form: Form,
        threads: int,
    ) -> Bools:  # fmt: skip
        """Whether each is the signature of its message."""


class _Library:
    """Keys that `cryptography` serves. It holds the GIL, so threads would not help."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def sign(self, key: KeyMetadata, message: bytes, form: Form) -> bytes:
        """One signature."""
        family, private = pkcs8.family_of(key.spec), self._ring.private_key(key)
        if form.deterministic:
            made: bytes = _curves().sign(
                private, form.algorithm, message, hashed=form.hashed, deterministic=True
            )
        else:
            made = family.sign(private, form.algorithm, message, hashed=form.hashed)
        return bytes(_curves().to_raw(made, key.spec)) if form.raw else made

    def verify(self, key: KeyMetadata, message: bytes, signature: bytes, form: Form) -> bool:
        """Whether it is the signature of the message."""
        public = pkcs8.parse_public(key.public_key or b"")
        der = _curves().from_raw(signature, key.spec) if form.raw else signature
        return der is not None and pkcs8.family_of(key.spec).verify(
            public, form.algorithm, message, der, hashed=form.hashed
        )

    def sign_batch(
        self,
        key: KeyMetadata,
        messages: list[bytes],
        form: Form,
        threads: int,  # noqa: ARG002 - the library keeps the GIL
    ) -> list[bytes]:
        """A signature for each message."""
        return [self.sign(key, message, form) for message in messages]

    def verify_batch(
        self,
        key: KeyMetadata,
        messages: list[bytes],
        signatures: list[bytes],
        form: Form,
        threads: int,  # noqa: ARG002 - the library keeps the GIL
    ) -> Bools:
        """Whether each is the signature of its message."""
        pairs = zip(messages, signatures, strict=True)
        return np.array([self.verify(key, *pair, form) for pair in pairs], np.bool_)


_SIGNERS: Final[dict[KeySpec, type[Any]]] = {}


def signer_of(ring: Keyring, spec: KeySpec) -> Signer:
    """Who signs for keys of the spec."""
    signer: Signer = _SIGNERS.get(spec, _Library)(ring)
    return signer


def _curves() -> Any:
    from kmsfast.crypto import ec

    return ec
