"""The quotas of AWS KMS as figures, and nothing else: resources, and requests per second.

Source: AWS KMS Developer Guide, pages "Resource quotas" and "Request quotas", in the edition of
2026 (the first one that lists GetKeyLastUsage), read on 2026-11-28; LookupEvents: AWS CloudTrail
API Reference. Each figure is for one account in one Region.

Rules:
- a family of requests that is no operation's own has a name in small letters;
- of a family that AWS says nothing about, the figure is that of the family most like it, and the
  family is in UNPUBLISHED.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["AS_OF", "REGIONAL", "REQUESTS", "RESOURCES", "UNPUBLISHED"]

AS_OF: Final = "2026-11-28"
"""When the pages were read."""

RESOURCES: Final[Mapping[str, int]] = {
    "keys": 100_000,
    "aliases-per-key": 50,
    "grants-per-key": 50_000,
    "key-policy-bytes": 32_768,  # page "Key policy format"
    "on-demand-rotations": 25,  # not adjustable with AWS
    "custom-key-stores": 10,
}

REQUESTS: Final[Mapping[str, float]] = {
    # Shared by cryptographic operations with keys of one type.
    "symmetric": 10_000,
    "rsa": 1_000,
    "ecc": 1_000,
    "ml-dsa": 1_000,
    "ml-kem": 1_000,
    "custom-key-store": 1_800,  # for each; not adjustable with AWS
    # Shared by GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext.
    "data-key-pair.ECC_NIST_P256": 100,
    "data-key-pair.ECC_NIST_P384": 100,
    "data-key-pair.ECC_NIST_P521": 100,
    "data-key-pair.ECC_SECG_P256K1": 100,
    "data-key-pair.ECC_NIST_EDWARDS25519": 100,
    "data-key-pair.ML_KEM_512": 100,
    "data-key-pair.ML_KEM_768": 100,
    "data-key-pair.ML_KEM_1024": 100,
    "data-key-pair.RSA_2048": 20,
    "data-key-pair.RSA_3072": 4,
    "data-key-pair.RSA_4096": 1,
    "data-key-pair.SM2": 25,
    # Of one operation each.
    "CancelKeyDeletion": 5,
    "ConnectCustomKeyStore": 5,
    "CreateAlias": 5,
    "CreateCustomKeyStore": 5,
    "CreateGrant": 50,
    "CreateKey": 5,
    "DeleteAlias": 15,
    "DeleteCustomKeyStore": 5,
    "DeleteImportedKeyMaterial": 15,
    "DescribeCustomKeyStores": 5,
    "DescribeKey": 2_000,
    "DisableKey": 5,
    "DisableKeyRotation": 5,
    "DisconnectCustomKeyStore": 5,
    "EnableKey": 5,
    "EnableKeyRotation": 15,
    "GetKeyLastUsage": 5,
    "GetKeyPolicy": 1_000,
    "GetKeyRotationStatus": 1_000,
    "GetParametersForImport": 1,
    "GetPublicKey": 2_000,
    "ImportKeyMaterial": 15,
    "ListAliases": 500,
    "ListGrants": 100,
    "ListKeyPolicies": 100,
    "ListKeyRotations": 100,
    "ListKeys": 500,
    "ListResourceTags": 2_000,
    "ListRetirableGrants": 100,
    "LookupEvents": 2,
    "PutKeyPolicy": 15,
    "ReplicateKey": 5,
    "RetireGrant": 50,
    "RevokeGrant": 50,
    "RotateKeyOnDemand": 5,
    "ScheduleKeyDeletion": 15,
    "TagResource": 10,
    "UntagResource": 5,
    "UpdateAlias": 5,
    "UpdateCustomKeyStore": 5,
    "UpdateKeyDescription": 5,
    "UpdatePrimaryRegion": 5,
}

_LARGE: Final = ("us-east-1", "us-west-2", "eu-west-1")
_MEDIUM: Final = (
    "us-east-2", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "eu-central-1", "eu-west-2",
)  # fmt: skip
_CHINA: Final = ("cn-north-1", "cn-northwest-1")

REGIONAL: Final[Mapping[str, Mapping[str, float]]] = {
    "symmetric": dict.fromkeys(_LARGE, 100_000) | dict.fromkeys(_MEDIUM, 20_000),
    "data-key-pair.RSA_2048": dict.fromkeys(_CHINA, 1),
    "data-key-pair.RSA_3072": dict.fromkeys(_CHINA, 0.5),
    "data-key-pair.RSA_4096": dict.fromkeys(_CHINA, 0.1),
}
"""Figures of REQUESTS that are others in some Regions."""

UNPUBLISHED: Final = frozenset(
    {
        "ml-kem",
        "data-key-pair.ML_KEM_512",
        "data-key-pair.ML_KEM_768",
        "data-key-pair.ML_KEM_1024",
    }
)
"""Families whose figures are guesses."""
