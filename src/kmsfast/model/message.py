"""Messages that are signed or authenticated: their types, lengths, and the algorithms they fit.

Rules:
- the lengths are those of the AWS KMS API reference (Sign, Verify, GenerateMac, VerifyMac): 1 to
  4,096 bytes of a message, as many of a digest as the algorithm's hash has, 64 of an external mu;
- Ed25519 signs messages (ED25519_SHA_512) or digests (ED25519_PH_SHA_512), never both by one name.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from kmsfast.errors import ValidationError
from kmsfast.model.keyspec import (
    KNOWN_SIGNING_ALGORITHMS,
    KeySpec,
    KeyUsage,
    algorithms_of,
    enumerated,
    require_algorithm,
)

__all__ = [
    "MAX_MESSAGE",
    "MessageType",
    "checked_message",
    "checked_message_type",
    "checked_signing_algorithm",
    "hash_of",
    "length_of",
    "message_types_of",
    "signature_length",
    "signing_algorithm",
]

MAX_MESSAGE: Final = 4096


class MessageType(StrEnum):
    """What is given to be signed.

    RAW: the message, which is hashed as part of signing. DIGEST: its hash. EXTERNAL_MU: the 64-byte
    representative of a message that ML-DSA signs (FIPS 204 section 6.2).
    """

    RAW = "RAW"
    DIGEST = "DIGEST"
    EXTERNAL_MU = "EXTERNAL_MU"


_MESSAGE_TYPES: Final = tuple(str(each) for each in MessageType)
_DIGEST_LENGTHS: Final = {"SHA_256": 32, "SHA_384": 48, "SHA_512": 64}
_MU_LENGTH: Final = 64
_OTHER_TYPES: Final[Mapping[str, tuple[MessageType, ...]]] = {
    "ED25519_SHA_512": (MessageType.RAW,),
    "ED25519_PH_SHA_512": (MessageType.DIGEST,),
    "ML_DSA_SHAKE_256": (MessageType.RAW, MessageType.EXTERNAL_MU),
}
_SIGN: Final = KeyUsage.SIGN_VERIFY
# RFC 8017, FIPS 186-5, RFC 8032, FIPS 204 table 2.
_SIGNATURE_LENGTHS: Final[Mapping[KeySpec, int]] = {
    KeySpec.RSA_2048: 256,
    KeySpec.RSA_3072: 384,
    KeySpec.RSA_4096: 512,
    KeySpec.ECC_NIST_P256: 64,
    KeySpec.ECC_NIST_P384: 96,
    KeySpec.ECC_NIST_P521: 132,
    KeySpec.ECC_SECG_P256K1: 64,
    KeySpec.ECC_NIST_EDWARDS25519: 64,
    KeySpec.ML_DSA_44: 2420,
    KeySpec.ML_DSA_65: 3309,
    KeySpec.ML_DSA_87: 4627,
}
_MOST: Final = (MessageType.RAW, MessageType.DIGEST)


def message_types_of(algorithm: str) -> tuple[MessageType, ...]:
    """What a signing algorithm takes."""
    return _OTHER_TYPES.get(algorithm, _MOST)


def hash_of(algorithm: str) -> str | None:
    """The name of the hash of messages that may come as digests: SHA_256 and so on, or None."""
    takes_digests = MessageType.DIGEST in message_types_of(algorithm)
    return algorithm[-len("SHA_256") :] if takes_digests else None


def length_of(algorithm: str, message_type: MessageType) -> int | None:
    """The length in bytes that a digest or mu must have; None for messages."""
    if message_type is MessageType.RAW:
        return None
    name = hash_of(algorithm)
    if message_type is MessageType.EXTERNAL_MU or name is None:
        return _MU_LENGTH
    return _DIGEST_LENGTHS[name]


def signature_length(spec: KeySpec, *, raw: bool) -> int | None:
    """The length in bytes of the signatures of a spec; None where it varies, as of ECDSA's DER.

    Args:
        raw: ECDSA signatures are r and s.
    """
    if not raw and any(name.startswith("ECDSA") for name in algorithms_of(spec, _SIGN)):
        return None
    return _SIGNATURE_LENGTHS[spec]


def checked_message_type(name: str) -> MessageType:
    """The message type of that name.

    Raises:
        ValidationError: there is none.
    """
    return MessageType(enumerated(name, _MESSAGE_TYPES, "messageType"))


def checked_message(message: bytes, member: str = "message") -> bytes:
    """The bytes, when there are 1 to 4,096.

    Raises:
        ValidationError: there are not.
    """
    if 1 <= len(message) <= MAX_MESSAGE:
        return message
    bound = f"less than or equal to {MAX_MESSAGE}" if message else "greater than or equal to 1"
    raise ValidationError(
        f"1 validation error detected: Value at '{member}' failed to satisfy constraint: Member "
        f"must have length {bound}",
        hint=f"it has {len(message)} bytes",
    )


def checked_signing_algorithm(name: str | None) -> str | None:
    """The signing algorithm's name, when AWS has it; None stays None.

    Raises:
        ValidationError: it has not.
    """
    return None if name is None else enumerated(name, KNOWN_SIGNING_ALGORITHMS, "signingAlgorithm")


def signing_algorithm(spec: KeySpec, name: str | None, message_type: MessageType) -> str:
    """The algorithm by which a key of the spec signs; None: the only one for such messages.

    Raises:
        InvalidKeyUsage: it is not one of the spec. ValidationError: there are several to choose
            from, or the algorithm does not take messages of this type.
    """
    if name is not None:
        require_algorithm(spec, _SIGN, name)
        candidates = [name]
    else:
        candidates = list(algorithms_of(spec, _SIGN))
    fitting = [each for each in candidates if message_type in message_types_of(each)]
    if len(fitting) > 1:
        raise ValidationError(
            f"a key of spec {spec} signs by several algorithms; choose one: {', '.join(fitting)}"
        )
    if not fitting:
        takes = {str(each) for candidate in candidates for each in message_types_of(candidate)}
        raise ValidationError(
            f"message type {message_type} does not fit algorithm {', '.join(candidates)}, which "
            f"takes {' or '.join(sorted(takes))}"
        )
    return fitting[0]
