"""Key encapsulation: shared secrets that travel to the holder of a key pair.

Checks come in the order of AWS: parameters, key, usage, state, algorithm, length.
"""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn

from kmsfast.crypto import pkcs8
from kmsfast.errors import ValidationError
from kmsfast.model.key import KeyMetadata
from kmsfast.model.keyspec import (
    ENCAPSULATION_ALGORITHMS,
    KeyUsage,
    enumerated,
    require_algorithm,
)
from kmsfast.service.encryption import as_bytes
from kmsfast.service.keyring import Keyring

__all__ = ["Encapsulated", "Encapsulation"]

_MOST = 6144  # of AWS's CiphertextType


class Encapsulated(NamedTuple):
    """A shared secret and what carries it. Prints without the secret.

    Attributes:
        shared_secret: 32 bytes, uniform: a key, or what keys are derived from.
        ciphertext: for the holder of the private key, who decapsulates it.
        key_arn: the key pair.
    """

    shared_secret: bytes
    ciphertext: bytes
    key_arn: str

    def __repr__(self) -> str:
        secret = f"<secret {len(self.shared_secret)} bytes>"
        return f"Encapsulated(shared_secret={secret}, key_arn={self.key_arn!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "an Encapsulated holds a shared secret and cannot be pickled or copied; send its "
            "ciphertext to whoever has the key"
        )


class Encapsulation:
    """Uses the ML-KEM key pairs of one store."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def encapsulate(self, raw_id: bytes, algorithm: str | None) -> Encapsulated:
        """A fresh shared secret, made with the public key."""
        key = self._usable(raw_id, algorithm, "Encapsulate")
        from kmsfast.crypto import mlkem

        secret, ciphertext = mlkem.encapsulate(pkcs8.parse_public(key.public_key or b""))
        self._ring.used(raw_id, "Encapsulate")
        return Encapsulated(secret, ciphertext, key.arn)

    def decapsulate(self, raw_id: bytes, ciphertext: Any, algorithm: str | None) -> bytes:
        """The shared secret of a ciphertext; of one that is none of the key, a secret of nobody.

        Raises:
            InvalidCiphertext: it does not have the length of the key's ciphertexts.
        """
        data = as_bytes(ciphertext, "the ciphertext")
        if not 1 <= len(data) <= _MOST:
            raise ValidationError(f"the ciphertext must have 1 to {_MOST} bytes, not {len(data)}")
        key = self._usable(raw_id, algorithm, "Decapsulate")
        from kmsfast.crypto import mlkem

        secret = mlkem.decapsulate(self._ring.private_key(key), key.spec, data)
        self._ring.used(raw_id, "Decapsulate")
        return secret

    def _usable(self, raw_id: bytes, algorithm: str | None, operation: str) -> KeyMetadata:
        if algorithm is not None:
            enumerated(algorithm, ENCAPSULATION_ALGORITHMS, "encapsulationAlgorithm")
        key = self._ring.usable(raw_id, KeyUsage.ENCAPSULATE_DECAPSULATE, operation)
        if algorithm is not None:
            require_algorithm(key.spec, key.usage, algorithm)
        return key
