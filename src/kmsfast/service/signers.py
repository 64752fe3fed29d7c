"""Who signs and verifies for keys of which spec: C for P-256, `cryptography` for the others.

Rules:
- the service has checked key, algorithm, message type and lengths before it comes here;
- a batch of messages is a list of bytes, or numpy uint8 of (n, width); so is one of signatures;
- messages are whole, or digests (for ML-DSA: mu) when ``hashed`` is said of them;
- ECDSA signatures are DER, or r and s side by side when ``raw`` is said of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol

from kmsfast.crypto import p256, pkcs8, spki
from kmsfast.crypto.keys import in_arena
from kmsfast.model.key import KeyMetadata
from kmsfast.model.keyspec import KeySpec
from kmsfast.model.message import signature_length
from kmsfast.service.keyring import Keyring

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Bools = npt.NDArray[np.bool_]
    Batch = list[bytes] | npt.NDArray[np.uint8]
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = ["Form", "Signer", "as_list", "bound_p256", "signer_of"]


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

    def sign_batch(self, key: KeyMetadata, messages: Batch, form: Form, threads: int) -> Batch:
        """A signature for each message; an array for ``raw`` ones of an array."""

    def verify_batch(
        self, key: KeyMetadata, messages: Batch, signatures: Batch, form: Form, threads: int
    ) -> Bools:
        """Whether each is the signature of its message."""


class _Library:
    """Keys that `cryptography` serves. It holds the GIL, so threads would not help."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def sign(self, key: KeyMetadata, message: bytes, form: Form) -> bytes:
        """One signature."""
        family, private = pkcs8.signing_family_of(key.spec), self._ring.private_key(key)
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
        return der is not None and pkcs8.signing_family_of(key.spec).verify(
            public, form.algorithm, message, der, hashed=form.hashed
        )

    def sign_batch(
        self,
        key: KeyMetadata,
        messages: Batch,
        form: Form,
        threads: int,  # noqa: ARG002 - the library keeps the GIL
    ) -> Batch:
        """A signature for each message; an array for ``raw`` ones of an array."""
        made = [self.sign(key, message, form) for message in as_list(messages)]
        if not form.raw or isinstance(messages, list):
            return made
        rows = np.frombuffer(b"".join(made), np.uint8)
        return rows.reshape(len(made), signature_length(key.spec, raw=True) or 0)

    def verify_batch(
        self,
        key: KeyMetadata,
        messages: Batch,
        signatures: Batch,
        form: Form,
        threads: int,  # noqa: ARG002 - the library keeps the GIL
    ) -> Bools:
        """Whether each is the signature of its message."""
        pairs = zip(as_list(messages), as_list(signatures), strict=True)
        return np.array([self.verify(key, *pair, form) for pair in pairs], np.bool_)


class _P256:
    """Keys of P-256, in C."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def sign(self, key: KeyMetadata, message: bytes, form: Form) -> bytes:
        """One signature."""
        digest = message if form.hashed else _sha256(message)
        return self._ring.with_version(
            key,
            lambda handle: p256.sign(
                handle, digest, encoding=_encoding(form), deterministic=form.deterministic
            ),
        )

    def verify(self, key: KeyMetadata, message: bytes, signature: bytes, form: Form) -> bool:
        """Whether it is the signature of the message."""
        digest = message if form.hashed else _sha256(message)
        return p256.verify(_point(key), digest, signature, encoding=_encoding(form))

    def sign_batch(self, key: KeyMetadata, messages: Batch, form: Form, threads: int) -> Batch:
        """A signature for each message; an array for ``raw`` ones of an array."""
        digests = _digests(messages, form)
        return self._ring.with_version(
            key,
            lambda handle: p256.sign_batch(
                handle, digests, encoding=_encoding(form), deterministic=form.deterministic,
                threads=threads,
            ),
        )  # fmt: skip

    def verify_batch(
        self, key: KeyMetadata, messages: Batch, signatures: Batch, form: Form, threads: int
    ) -> Bools:
        """Whether each is the signature of its message."""
        return p256.verify_batch(
            _point(key), _digests(messages, form), signatures, encoding=_encoding(form),
            threads=threads,
        )  # fmt: skip


def bound_p256(
    ring: Keyring, key: KeyMetadata, form: Form
) -> tuple[Callable[[bytes], bytes], Callable[[bytes, bytes], bool]]:
    """What signs and verifies by the key's handle, for callers that check nothing in between.

    When the key was evicted, or its store closed, the first raises StaleHandle and the second says
    False. Both raise StoreForked in a child.
    """
    handle, point, encoding = ring.with_version(key, int), _point(key), _encoding(form)
    sign = partial(p256.sign, handle, encoding=encoding, deterministic=form.deterministic)

    def verify(digest: bytes, signature: bytes) -> bool:
        return in_arena(handle) and p256.verify(point, digest, signature, encoding=encoding)

    if form.hashed:
        return sign, verify
    return (
        lambda message: sign(_sha256(message)),
        lambda message, signature: verify(_sha256(message), signature),
    )


def as_list(batch: Batch) -> list[bytes]:
    """The records of a batch, each as bytes."""
    return batch if isinstance(batch, list) else [row.tobytes() for row in batch]


def _point(key: KeyMetadata) -> bytes:
    return spki.to_point(key.public_key or b"")


def _encoding(form: Form) -> p256.Encoding:
    return p256.Encoding.RAW if form.raw else p256.Encoding.DER


def _digests(messages: Batch, form: Form) -> Batch:
    if form.hashed:
        return messages
    hashed = [_sha256(message) for message in as_list(messages)]
    if isinstance(messages, list):
        return hashed
    return np.frombuffer(b"".join(hashed), np.uint8).reshape(-1, p256.DIGEST_LEN)


def _sha256(message: bytes) -> bytes:
    import hashlib

    return hashlib.sha256(message).digest()


_SIGNERS: Final[dict[KeySpec, type[Any]]] = {KeySpec.ECC_NIST_P256: _P256}


def signer_of(ring: Keyring, spec: KeySpec) -> Signer:
    """Who signs for keys of the spec."""
    signer: Signer = _SIGNERS.get(spec, _Library)(ring)
    return signer


def _curves() -> Any:
    from kmsfast.crypto import ec

    return ec
