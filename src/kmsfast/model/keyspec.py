"""Key specs, what keys of each are used for, and the algorithms of each use, as AWS KMS has them.

Rules:
- the tables are those of the AWS KMS Developer Guide (key spec reference) and API reference, and
  the only lists of specs and algorithms;
- names are AWS's own; enumerations compare equal to their texts;
- a spec that AWS has and kmsfast does not offer is refused by name (docs/adr/0007).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final

from kmsfast.errors import InvalidKeyUsage, UnsupportedOperation, ValidationError

__all__ = [
    "ENCAPSULATION_ALGORITHMS",
    "ENCRYPTION_ALGORITHMS",
    "KNOWN_ENCRYPTION_ALGORITHMS",
    "KNOWN_SIGNING_ALGORITHMS",
    "MAC_ALGORITHMS",
    "SIGNING_ALGORITHMS",
    "KeySpec",
    "KeyUsage",
    "Origin",
    "algorithms_of",
    "checked_origin",
    "checked_pair_spec",
    "checked_spec",
    "checked_usage",
    "enumerated",
    "is_asymmetric",
    "require_algorithm",
]


class KeyUsage(StrEnum):
    """What a key is for; a key has one usage for ever."""

    ENCRYPT_DECRYPT = "ENCRYPT_DECRYPT"
    SIGN_VERIFY = "SIGN_VERIFY"
    GENERATE_VERIFY_MAC = "GENERATE_VERIFY_MAC"
    KEY_AGREEMENT = "KEY_AGREEMENT"
    ENCAPSULATE_DECAPSULATE = "ENCAPSULATE_DECAPSULATE"


class KeySpec(StrEnum):
    """The kinds of key material."""

    SYMMETRIC_DEFAULT = "SYMMETRIC_DEFAULT"
    RSA_2048 = "RSA_2048"
    RSA_3072 = "RSA_3072"
    RSA_4096 = "RSA_4096"
    ECC_NIST_P256 = "ECC_NIST_P256"
    ECC_NIST_P384 = "ECC_NIST_P384"
    ECC_NIST_P521 = "ECC_NIST_P521"
    ECC_SECG_P256K1 = "ECC_SECG_P256K1"
    ECC_NIST_EDWARDS25519 = "ECC_NIST_EDWARDS25519"
    ML_DSA_44 = "ML_DSA_44"
    ML_DSA_65 = "ML_DSA_65"
    ML_DSA_87 = "ML_DSA_87"
    ML_KEM_768 = "ML_KEM_768"
    ML_KEM_1024 = "ML_KEM_1024"
    HMAC_224 = "HMAC_224"
    HMAC_256 = "HMAC_256"
    HMAC_384 = "HMAC_384"
    HMAC_512 = "HMAC_512"


class Origin(StrEnum):
    """Where a key's material comes from."""

    AWS_KMS = "AWS_KMS"
    EXTERNAL = "EXTERNAL"
    AWS_CLOUDHSM = "AWS_CLOUDHSM"
    EXTERNAL_KEY_STORE = "EXTERNAL_KEY_STORE"


_Uses = Mapping[KeyUsage, tuple[str, ...]]


def _signing(*algorithms: str) -> _Uses:
    return {KeyUsage.SIGN_VERIFY: algorithms}


def _nist(ecdsa: str) -> _Uses:
    return {KeyUsage.SIGN_VERIFY: (ecdsa,), KeyUsage.KEY_AGREEMENT: ("ECDH",)}


def _hmac(bits: int) -> _Uses:
    return {KeyUsage.GENERATE_VERIFY_MAC: (f"HMAC_SHA_{bits}",)}


_RSA: Final[_Uses] = {
    KeyUsage.ENCRYPT_DECRYPT: ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"),
    KeyUsage.SIGN_VERIFY: (
        "RSASSA_PSS_SHA_256", "RSASSA_PSS_SHA_384", "RSASSA_PSS_SHA_512",
        "RSASSA_PKCS1_V1_5_SHA_256", "RSASSA_PKCS1_V1_5_SHA_384", "RSASSA_PKCS1_V1_5_SHA_512",
    ),
}  # fmt: skip
_ML_DSA: Final = _signing("ML_DSA_SHAKE_256")
_ML_KEM: Final[_Uses] = {KeyUsage.ENCAPSULATE_DECAPSULATE: ("ML_KEM",)}

_USES: Final[Mapping[KeySpec, _Uses]] = {
    KeySpec.SYMMETRIC_DEFAULT: {KeyUsage.ENCRYPT_DECRYPT: ("SYMMETRIC_DEFAULT",)},
    KeySpec.RSA_2048: _RSA,
    KeySpec.RSA_3072: _RSA,
    KeySpec.RSA_4096: _RSA,
    KeySpec.ECC_NIST_P256: _nist("ECDSA_SHA_256"),
    KeySpec.ECC_NIST_P384: _nist("ECDSA_SHA_384"),
    KeySpec.ECC_NIST_P521: _nist("ECDSA_SHA_512"),
    KeySpec.ECC_SECG_P256K1: _signing("ECDSA_SHA_256"),
    KeySpec.ECC_NIST_EDWARDS25519: _signing("ED25519_SHA_512", "ED25519_PH_SHA_512"),
    KeySpec.ML_DSA_44: _ML_DSA,
    KeySpec.ML_DSA_65: _ML_DSA,
    KeySpec.ML_DSA_87: _ML_DSA,
    KeySpec.ML_KEM_768: _ML_KEM,
    KeySpec.ML_KEM_1024: _ML_KEM,
    KeySpec.HMAC_224: _hmac(224),
    KeySpec.HMAC_256: _hmac(256),
    KeySpec.HMAC_384: _hmac(384),
    KeySpec.HMAC_512: _hmac(512),
}
# What AWS has elsewhere or besides, and why it is not here.
_NOT_OFFERED: Final[Mapping[str, str]] = {
    "SM2": "AWS has it in its China regions only",
    "ML_KEM_512": "the library that computes with ML-KEM keys has ML_KEM_768 and ML_KEM_1024 only",
}


_ORIGINS: Final = tuple(map(str, Origin))


def _all_of(usage: KeyUsage) -> tuple[str, ...]:
    """The algorithms of a usage, in the tables' order, each once."""
    return tuple(dict.fromkeys(name for uses in _USES.values() for name in uses.get(usage, ())))


_SPECS: Final = tuple(str(spec) for spec in KeySpec)
_USAGES: Final = tuple(str(usage) for usage in KeyUsage)
ENCRYPTION_ALGORITHMS: Final = _all_of(KeyUsage.ENCRYPT_DECRYPT)
SIGNING_ALGORITHMS: Final = _all_of(KeyUsage.SIGN_VERIFY)
# What a request may say, which no key here works with: these are of SM2 keys.
KNOWN_ENCRYPTION_ALGORITHMS: Final = (*ENCRYPTION_ALGORITHMS, "SM2PKE")
KNOWN_SIGNING_ALGORITHMS: Final = (*SIGNING_ALGORITHMS, "SM2DSA")
MAC_ALGORITHMS: Final = _all_of(KeyUsage.GENERATE_VERIFY_MAC)
ENCAPSULATION_ALGORITHMS: Final = _all_of(KeyUsage.ENCAPSULATE_DECAPSULATE)


def algorithms_of(spec: KeySpec, usage: KeyUsage) -> tuple[str, ...]:
    """The algorithms that a key of this spec and usage works with; none when they do not fit."""
    return _USES[spec].get(usage, ())


def is_asymmetric(spec: KeySpec) -> bool:
    """Whether keys of the spec are pairs, with a public key."""
    return not spec.startswith(("SYMMETRIC", "HMAC"))


def checked_spec(spec: str, member: str = "keySpec") -> KeySpec:
    """The key spec of that name.

    Raises:
        ValidationError: AWS has none of that name. UnsupportedOperation: AWS has, kmsfast has not.
    """
    if isinstance(spec, str) and spec in _NOT_OFFERED:
        raise UnsupportedOperation(f"Key spec {spec} is not offered: {_NOT_OFFERED[spec]}")
    return KeySpec(enumerated(spec, _SPECS, member))


def checked_pair_spec(spec: str) -> KeySpec:
    """The key spec of that name, when its keys are pairs.

    Raises:
        ValidationError, UnsupportedOperation: as :func:`checked_spec`, or not of a pair.
    """
    pairs = [each for each in KeySpec if is_asymmetric(each)]
    return KeySpec(enumerated(checked_spec(spec, "keyPairSpec"), pairs, "keyPairSpec"))


def checked_origin(origin: str, spec: KeySpec) -> Origin:
    """The origin of that name, when keys of the spec can have it.

    Raises:
        ValidationError: there is none. UnsupportedOperation: material of the spec cannot be
            imported, with AWS either.
    """
    known = Origin(enumerated(origin, _ORIGINS, "origin"))
    if known is Origin.EXTERNAL and _USES[spec] is _ML_KEM:
        raise UnsupportedOperation(
            f"Origin {known} is not offered for key spec {spec}: AWS KMS imports material of keys "
            "for encryption, signing, key agreement and MACs only"
        )
    return known


def checked_usage(spec: KeySpec, usage: str | None) -> KeyUsage:
    """The usage of a new key; None: the only one that its spec has.

    Raises:
        ValidationError: no usage of that name, not one of this spec, or none of several was chosen.
    """
    if usage is None:
        if len(_USES[spec]) > 1:
            raise ValidationError(
                "You must specify a KeyUsage value for all KMS keys except for symmetric "
                "encryption keys.",
                hint=f"{spec} has {' and '.join(_USES[spec])}",
            )
        return next(iter(_USES[spec]))
    known = KeyUsage(enumerated(usage, _USAGES, "keyUsage"))
    if known not in _USES[spec]:
        raise ValidationError(f"KeyUsage {known} is not compatible with KeySpec {spec}")
    return known


def require_algorithm(spec: KeySpec, usage: KeyUsage, algorithm: str) -> None:
    """Passes when keys of the spec and usage work with the algorithm.

    Raises:
        InvalidKeyUsage: they do not.
    """
    known = algorithms_of(spec, usage)
    if algorithm not in known:
        raise InvalidKeyUsage(
            f"Algorithm {algorithm} is incompatible with key spec {spec}.",
            hint=f"It has {', '.join(known)}",
        )


def enumerated(value: object, known: Collection[str], member: str) -> str:
    """The value, when it is one of the known texts.

    Raises:
        ValidationError: it is not.
    """
    if not isinstance(value, str) or value not in known:
        raise ValidationError(
            f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{', '.join(known)}]"
        )
    return str(value)
