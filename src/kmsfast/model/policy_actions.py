"""The actions of AWS KMS that policies and grants speak of.

Rules:
- names are those of the Service Authorization Reference; ReEncrypt is two actions, one per key;
- a table says what each action is authorised on, and what of it crosses accounts;
- patterns of actions are resolved against the table once, when a policy is compiled.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal

from kmsfast.errors import ValidationError
from kmsfast.model.policy_glob import glob, wildcards

__all__ = [
    "ACTIONS",
    "ALL_ACTIONS",
    "CROSS_ACCOUNT",
    "CRYPTOGRAPHIC",
    "GRANTABLE",
    "LOOKUP_EVENTS",
    "PREFIX",
    "checked_action",
    "full_name",
    "matched_actions",
    "on_keys",
]

PREFIX: Final = "kms:"

Resource = Literal["key", "alias", "key store", "none"]

# Operations that use key material ("cryptographic operations" of the developer guide).
CRYPTOGRAPHIC: Final = frozenset(
    {
        "Decapsulate", "Decrypt", "DeriveSharedSecret", "Encapsulate", "Encrypt",
        "GenerateDataKey", "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext",
        "GenerateDataKeyWithoutPlaintext", "GenerateMac", "ReEncryptFrom", "ReEncryptTo", "Sign",
        "Verify", "VerifyMac",
    }
)  # fmt: skip

# What a principal of another account can be allowed (page "Allowing users in other accounts").
CROSS_ACCOUNT: Final = CRYPTOGRAPHIC | {
    "CreateGrant", "DescribeKey", "GetKeyRotationStatus", "GetPublicKey", "ListGrants",
    "RetireGrant", "RevokeGrant",
}  # fmt: skip

# What a grant can allow (CreateGrant, parameter Operations).
GRANTABLE: Final = CRYPTOGRAPHIC | {"CreateGrant", "DescribeKey", "GetPublicKey", "RetireGrant"}

_ON_KEYS: Final = CROSS_ACCOUNT | {
    "CancelKeyDeletion", "DeleteImportedKeyMaterial", "DisableKey", "DisableKeyRotation",
    "EnableKey", "EnableKeyRotation", "GetKeyLastUsage", "GetKeyPolicy", "GetParametersForImport",
    "ImportKeyMaterial", "ListKeyPolicies", "ListKeyRotations", "ListResourceTags", "PutKeyPolicy",
    "ReplicateKey", "RotateKeyOnDemand", "ScheduleKeyDeletion", "SynchronizeMultiRegionKey",
    "TagResource", "UntagResource", "UpdateKeyDescription", "UpdatePrimaryRegion",
}  # fmt: skip

# These are authorised twice: on the alias, by identity policies, and on its key.
_ON_ALIASES: Final = frozenset({"CreateAlias", "DeleteAlias", "UpdateAlias"})

_ON_KEY_STORES: Final = frozenset(
    {
        "ConnectCustomKeyStore", "CreateCustomKeyStore", "DeleteCustomKeyStore",
        "DescribeCustomKeyStores", "DisconnectCustomKeyStore", "UpdateCustomKeyStore",
    }
)  # fmt: skip

_ON_NOTHING: Final = frozenset(
    {"CreateKey", "GenerateRandom", "ListAliases", "ListKeys", "ListRetirableGrants"}
)

#: What each action is authorised on.
ACTIONS: Final[dict[str, Resource]] = {
    **dict.fromkeys(sorted(_ON_KEYS), "key"),
    **dict.fromkeys(sorted(_ON_ALIASES), "alias"),
    **dict.fromkeys(sorted(_ON_KEY_STORES), "key store"),
    **dict.fromkeys(sorted(_ON_NOTHING), "none"),
}

#: The one action of another service that is decided here; only identity policies allow it.
LOOKUP_EVENTS: Final = "cloudtrail:LookupEvents"

#: The same, with that one.
ALL_ACTIONS: Final[dict[str, Resource]] = {**ACTIONS, LOOKUP_EVENTS: "none"}


def full_name(action: str) -> str:
    """The action as policies write it."""
    return action if ":" in action else f"{PREFIX}{action}"


_NAMES: Final = {full_name(name).lower(): name for name in ALL_ACTIONS}


def checked_action(text: str) -> str:
    """The action of a name, with or without ``kms:``, in any case.

    That of another service is named with the service.

    Raises:
        ValidationError: AWS KMS has no such action.
    """
    lower = text.lower()
    name = _NAMES.get(full_name(lower))
    if name is not None:
        return name
    if lower.removeprefix(PREFIX) == "reencrypt":
        raise ValidationError(
            "ReEncrypt is authorised as kms:ReEncryptFrom on the source key and kms:ReEncryptTo "
            "on the destination key; ask for each of them"
        )
    raise ValidationError(f"{text!r} is no action of AWS KMS; one looks like kms:Decrypt")


def matched_actions(patterns: Iterable[str]) -> frozenset[str]:
    """The actions that any of the patterns matches; case does not matter."""
    return frozenset[str]().union(*(_matched(pattern.lower()) for pattern in patterns))


@lru_cache(maxsize=256)
def _matched(pattern: str) -> frozenset[str]:
    matches = glob(wildcards(pattern))
    return frozenset(name for lower, name in _NAMES.items() if matches(lower))


def on_keys(action: str) -> bool:
    """Whether an action is a "KMS key resource operation": the key policy has a say in it."""
    return ALL_ACTIONS[action] in ("key", "alias")
