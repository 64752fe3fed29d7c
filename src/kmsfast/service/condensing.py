"""Messages of any length made short enough to be signed, read piece by piece.

RSA and ECDSA sign the digest of a message, ML-DSA its mu: both give the signature that the message
itself would have. Ed25519 reads a message twice, so it must come whole.
"""

from __future__ import annotations

from typing import Any, BinaryIO, Final, Protocol

from kmsfast.errors import ValidationError
from kmsfast.model.keyspec import KeySpec
from kmsfast.model.message import (
    MAX_MESSAGE,
    MessageType,
    hash_of,
    message_types_of,
    signing_algorithm,
)

__all__ = ["Pair", "condensed"]

_PIECE: Final = 1 << 16


class Pair(Protocol):
    """What must be known of a key pair: :class:`kmsfast.model.key.KeyMetadata` does."""

    @property
    def spec(self) -> KeySpec:
        """Of the pair."""

    @property
    def public_key(self) -> bytes | None:
        """As a DER SubjectPublicKeyInfo."""


def condensed(source: BinaryIO, key: Pair, algorithm: str | None) -> tuple[bytes, str, MessageType]:
    """What the key signs of all that ``source`` gives: the bytes, the algorithm, the message type.

    Raises:
        InvalidKeyUsage, ValidationError: not an algorithm of the key, none of several was chosen,
            or a message that is too long for Ed25519.
    """
    # Only Ed25519ph takes no messages: it is chosen by name, for digests.
    known = algorithm is not None and MessageType.RAW not in message_types_of(algorithm)
    kind = MessageType.DIGEST if known else MessageType.RAW
    chosen = signing_algorithm(key.spec, algorithm, kind)
    kind = message_types_of(chosen)[-1]
    if kind is MessageType.RAW:
        return _whole(source, chosen), chosen, kind
    hasher = _hasher(chosen, key)
    while piece := source.read(_PIECE):
        hasher.update(piece)
    finish = hasher.finalize if kind is MessageType.EXTERNAL_MU else hasher.digest
    return finish(), chosen, kind


def _hasher(algorithm: str, key: Pair) -> Any:
    name = hash_of(algorithm)
    if name is not None:
        import hashlib

        return hashlib.new(name.replace("_", "").lower())
    from kmsfast.crypto.mldsa import MuHasher
    from kmsfast.crypto.pkcs8 import parse_public

    return MuHasher(parse_public(key.public_key or b""))


def _whole(source: BinaryIO, algorithm: str) -> bytes:
    message = b""
    while len(message) <= MAX_MESSAGE and (piece := source.read(MAX_MESSAGE + 1 - len(message))):
        message += piece
    if len(message) > MAX_MESSAGE:
        raise ValidationError(
            f"{algorithm} signs messages of at most {MAX_MESSAGE} bytes; of a longer one sign the "
            "digest, by ED25519_PH_SHA_512"
        )
    return message
