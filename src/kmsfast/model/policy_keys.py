"""The condition keys that AWS KMS and IAM document: where they exist and how many values they have.

A key that is not here can be written in a policy all the same, as in AWS; a request just never has
it. The table serves warnings, and the rule on ForAllValues.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["KEYS", "ConditionKey", "condition_key", "family"]


@dataclass(frozen=True, slots=True)
class ConditionKey:
    """One key, or a family of keys that share a prefix.

    Attributes:
        several: a request can have more than one value (multivalued): needs a set operator.
        identity_only: key policies cannot ask for it.
        no_for_all: AWS KMS refuses ForAllValues with it; what it calls what is missing.
    """

    name: str
    several: bool = False
    identity_only: bool = False
    no_for_all: str | None = None

    @property
    def is_family(self) -> bool:
        """Whether the name is followed by a key of a tag or of an encryption context."""
        return self.name.endswith((":", "/"))


def _keys(names: str, *, several: bool = False) -> list[ConditionKey]:
    return [ConditionKey(name, several=several) for name in names.split()]


_ALL: Final = [
    *_keys(
        "kms:BypassPolicyLockoutSafetyCheck kms:CallerAccount kms:CustomerMasterKeySpec "
        "kms:CustomerMasterKeyUsage kms:DataKeyPairSpec kms:EncryptionAlgorithm "
        "kms:ExpirationModel kms:GrantConstraintType kms:GrantIsForAWSResource "
        "kms:GranteePrincipal kms:KeyAgreementAlgorithm kms:KeyOrigin kms:KeySpec kms:KeyUsage "
        "kms:MacAlgorithm kms:MessageType kms:MultiRegion kms:MultiRegionKeyType "
        "kms:PrimaryRegion kms:ReEncryptOnSameKey kms:ReplicaRegion kms:RequestAlias "
        "kms:RetiringPrincipal kms:RotationPeriodInDays "
        "kms:ScheduleKeyDeletionPendingWindowInDays kms:SigningAlgorithm kms:ValidTo "
        "kms:ViaService kms:WrappingAlgorithm kms:WrappingKeySpec "
        "aws:CalledViaFirst aws:CalledViaLast aws:CurrentTime aws:EpochTime "
        "aws:MultiFactorAuthAge aws:MultiFactorAuthPresent aws:PrincipalAccount aws:PrincipalArn "
        "aws:PrincipalIsAWSService aws:PrincipalOrgID aws:PrincipalServiceName aws:PrincipalType "
        "aws:referer aws:RequestedRegion aws:ResourceAccount aws:ResourceOrgID "
        "aws:SecureTransport aws:SourceAccount aws:SourceArn aws:SourceIdentity aws:SourceIp "
        "aws:SourceOrgID aws:SourceVpc aws:SourceVpce aws:TokenIssueTime aws:UserAgent "
        "aws:userid aws:username aws:ViaAWSService aws:VpcSourceIp"
    ),
    *_keys(
        "kms:EncryptionContextKeys kms:GrantOperations aws:CalledVia aws:PrincipalOrgPaths "
        "aws:PrincipalServiceNamesList aws:ResourceOrgPaths aws:SourceOrgPaths aws:TagKeys",
        several=True,
    ),
    ConditionKey("kms:ResourceAliases", several=True, identity_only=True),
    ConditionKey("kms:EncryptionContext:", no_for_all="encryption context"),
    ConditionKey("aws:RequestTag/", no_for_all="tag"),
    ConditionKey("aws:ResourceTag/", identity_only=True),
    ConditionKey("aws:PrincipalTag/"),
]

#: By name in lower case; families by their prefix.
KEYS: Final = {key.name.lower(): key for key in _ALL}
_FAMILIES: Final = [key for key in _ALL if key.is_family]


def family(prefix: str, pairs: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The condition keys of tags or of an encryption context, in lower case, with their values.

    Condition keys have no case; pairs whose keys differ in case alone are values of one of them.
    """
    found: dict[str, tuple[str, ...]] = {}
    for key, value in pairs.items():
        name = f"{prefix}{key}".lower()
        found[name] = (*found.get(name, ()), value)
    return found


def condition_key(name: str) -> ConditionKey | None:
    """The documented key of a name, in any case; None when there is none."""
    lower = name.lower()
    known = KEYS.get(lower)
    if known is not None:
        return None if known.is_family else known
    for family in _FAMILIES:
        if lower.startswith(family.name.lower()):
            return family
    return None
