"""What a server says of a key, as the values that a key has in-process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from kmsfast.client.naming import as_said, instant, moment
from kmsfast.model.alias import Alias
from kmsfast.model.key import KeyManager, KeyState, KeyVersion, RotationStatus, parse_key_id
from kmsfast.model.key_store import Backing, KeyStoreType
from kmsfast.model.keyspec import KeySpec, KeyUsage, Origin
from kmsfast.model.policy_grant import Grant
from kmsfast.model.usage import KeyUse, LastUsage

__all__ = [
    "Description",
    "alias_of",
    "aliases_in",
    "arn_in",
    "bytes_in",
    "current_in",
    "described",
    "grant_of",
    "last_usage_of",
    "rotation_of",
    "spec_in",
    "tags_in",
    "versions_of",
]

_ALGORITHMS = (
    "EncryptionAlgorithms", "SigningAlgorithms", "MacAlgorithms", "KeyAgreementAlgorithms",
    "EncapsulationAlgorithms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Description:
    """A key at one moment (DescribeKey).

    Attributes:
        id, arn: its names.
        algorithms: that it works with, as AWS names them.
        regions: of a multi-Region key and those related to it, the primary's first.
        valid_to: when imported material expires (UTC); None: never.
        material_id: of the version that encrypts, 64 hexadecimal digits.
        backing: in which custom key store its material is; the name there is empty where the API
            does not say it.
        members: all that the server said, by the names of the API.
    """

    id: str
    arn: str
    state: KeyState
    spec: KeySpec
    usage: KeyUsage
    origin: Origin
    manager: KeyManager
    description: str
    algorithms: tuple[str, ...]
    multi_region: bool
    regions: tuple[str, ...]
    created_at: datetime
    deletion_date: datetime | None
    valid_to: datetime | None
    material_id: str | None
    backing: Backing | None
    members: Mapping[str, Any]


@as_said
def arn_in(metadata: Mapping[str, Any], member: str = "Arn") -> str:
    """An ARN."""
    arn: str = metadata[member]
    if not isinstance(arn, str):
        raise TypeError(member)
    return arn


@as_said
def bytes_in(answer: Mapping[str, Any], member: str) -> bytes:
    """Bytes."""
    found = answer[member]
    if type(found) is not bytes:
        raise TypeError(member)
    return found


@as_said
def spec_in(answer: Mapping[str, Any], member: str) -> KeySpec:
    """What kind of material a key, or a pair, has."""
    return KeySpec(answer[member])


@as_said
def aliases_in(found: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names of ListAliases, sorted."""
    return tuple(sorted(each["AliasName"] for each in found))


@as_said
def tags_in(found: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The tags of ListResourceTags."""
    return {each["TagKey"]: each["TagValue"] for each in found}


@as_said
def current_in(rotations: Sequence[Mapping[str, Any]]) -> int:
    """The number of the version that encrypts, from ListKeyRotations; 0: there is none."""
    states = [each["KeyMaterialState"] for each in rotations]
    return states.index("CURRENT") + 1 if "CURRENT" in states else 0


@as_said
def described(metadata: Mapping[str, Any]) -> Description:
    """The description in KeyMetadata."""
    related = metadata.get("MultiRegionConfiguration")
    regions = ()
    if related is not None:
        regions = (
            related["PrimaryKey"]["Region"],
            *(each["Region"] for each in related["ReplicaKeys"]),
        )
    return Description(
        metadata["KeyId"],
        metadata["Arn"],
        KeyState(metadata["KeyState"]),
        KeySpec(metadata["KeySpec"]),
        KeyUsage(metadata["KeyUsage"]),
        Origin(metadata["Origin"]),
        KeyManager(metadata["KeyManager"]),
        metadata["Description"],
        next((tuple(metadata[name]) for name in _ALGORITHMS if name in metadata), ()),
        metadata["MultiRegion"],
        regions,
        instant(metadata["CreationDate"]),
        moment(metadata.get("DeletionDate")),
        moment(metadata.get("ValidTo")),
        metadata.get("CurrentKeyMaterialId"),
        _backing(metadata),
        metadata,
    )


def _backing(metadata: Mapping[str, Any]) -> Backing | None:
    key_store = metadata.get("CustomKeyStoreId")
    if key_store is None:
        return None
    external = metadata.get("XksKeyConfiguration")
    return Backing(
        key_store,
        "" if external is None else external["Id"],
        KeyStoreType.AWS_CLOUDHSM if external is None else KeyStoreType.EXTERNAL_KEY_STORE,
        metadata["KeyState"] != KeyState.UNAVAILABLE,
        metadata.get("CloudHsmClusterId"),
    )


@as_said
def versions_of(created: datetime, rotations: Sequence[Mapping[str, Any]]) -> list[KeyVersion]:
    """The versions of a key that rotates, from ListKeyRotations with all key material.

    Args:
        created: when the key was.
    """
    return [
        KeyVersion(
            number,
            moment(each.get("RotationDate")) or created,
            _ORIGINS.get(each.get("RotationType"), "created"),
            material_id=each.get("KeyMaterialId"),
            description=each.get("KeyMaterialDescription") or "",
            valid_to=moment(each.get("ValidTo")),
            is_present=each.get("ImportState") != "PENDING_IMPORT",
        )
        for number, each in enumerate(rotations, 1)
    ]


_ORIGINS: Final[Mapping[Any, str]] = {"ON_DEMAND": "on demand", "AUTOMATIC": "rotation"}


@as_said
def rotation_of(said: Mapping[str, Any]) -> RotationStatus:
    """GetKeyRotationStatus."""
    return RotationStatus(
        said["KeyRotationEnabled"],
        said.get("RotationPeriodInDays"),
        moment(said.get("NextRotationDate")),
    )


@as_said
def alias_of(said: Mapping[str, Any]) -> Alias:
    """An element of ListAliases."""
    key_id = said["TargetKeyId"]
    raw_id, _ = parse_key_id(key_id) or (b"", False)
    return Alias(
        said["AliasName"],
        said["AliasArn"],
        key_id,
        raw_id,
        instant(said["CreationDate"]),
        instant(said["LastUpdatedDate"]),
    )


@as_said
def grant_of(said: Mapping[str, Any]) -> Grant:
    """An element of ListGrants."""
    bound = said.get("Constraints") or {}
    return Grant(
        said["GrantId"],
        frozenset(said["Operations"]),
        said.get("GranteePrincipal") or said["GranteeServicePrincipal"],
        said.get("RetiringPrincipal") or said.get("RetiringServicePrincipal"),
        equals=bound.get("EncryptionContextEquals"),
        subset=bound.get("EncryptionContextSubset"),
        source_arn=bound.get("SourceArn"),
        name=said.get("Name"),
        created_at=moment(said.get("CreationDate")),
        issuing_account=said.get("IssuingAccount"),
        key_arn=said.get("KeyId"),
        to_service="GranteeServicePrincipal" in said,
        by_service="RetiringServicePrincipal" in said,
    )


@as_said
def last_usage_of(arn: str, said: Mapping[str, Any]) -> LastUsage:
    """GetKeyLastUsage."""
    use = said.get("KeyLastUsage")
    last = None
    if use:
        last = KeyUse(
            use["Operation"], instant(use["Timestamp"]), use.get("KmsRequestId"),
            use["CloudTrailEventId"],
        )  # fmt: skip
    return LastUsage(
        arn, instant(said["KeyCreationDate"]), instant(said["TrackingStartDate"]), last
    )
