"""Keys, their versions and states.

Rules:
- states and their names are those of AWS KMS; a table says what each state allows;
- what a key is of and for is said by :mod:`.keyspec`; it is checked before the state, as AWS does;
- a key's id is a UUID; that of a multi-Region key is written ``mrk-`` and 32 hexadecimal digits;
- versions are numbered from 1 without gaps, the last one is current, none goes before the key;
- times are aware datetimes in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from kmsfast.errors import (
    InvalidKeyUsage,
    InvalidState,
    KeyDisabled,
    UnsupportedOperation,
    ValidationError,
)
from kmsfast.model.arn import Home
from kmsfast.model.key_store import Backing, KeyStoreType
from kmsfast.model.keyspec import (
    KeySpec,
    KeyUsage,
    Origin,
    algorithms_of,
    is_asymmetric,
    require_algorithm,
)
from kmsfast.model.material_id import material_id
from kmsfast.model.quotas import AWS

__all__ = [
    "FLAG_MULTI_REGION",
    "MAX_DESCRIPTION",
    "MAX_POLICY",
    "WAITING",
    "KeyManager",
    "KeyMetadata",
    "KeyState",
    "KeyVersion",
    "RotationStatus",
    "checked_description",
    "checked_policy",
    "checked_rotation_period",
    "checked_waiting_period",
    "format_key_id",
    "parse_key_id",
    "require",
    "require_primary",
    "require_symmetric",
    "require_usage",
]

FLAG_MULTI_REGION = 1
MAX_DESCRIPTION = 8192
MAX_POLICY = 131_072
_MIN_ROTATION, _MAX_ROTATION = 90, 2560
_MIN_WAITING, _MAX_WAITING = 7, 30
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
_MRK = re.compile(r"mrk-[0-9a-f]{32}")


class KeyState(StrEnum):
    """The states of a key, as AWS KMS names them.

    DELETED is what the store remembers of a key whose material is gone; users never see it: such
    a key does not exist. UNAVAILABLE is what users see of a key in a custom key store that is not
    connected; the store has what the key will be when it is.
    """

    ENABLED = "Enabled"
    DISABLED = "Disabled"
    PENDING_IMPORT = "PendingImport"
    PENDING_DELETION = "PendingDeletion"
    PENDING_REPLICA_DELETION = "PendingReplicaDeletion"
    UNAVAILABLE = "Unavailable"
    DELETED = "Deleted"


class KeyManager(StrEnum):
    """Whose key it is: the customer's, or an AWS managed one."""

    CUSTOMER = "CUSTOMER"
    AWS = "AWS"


WAITING = (KeyState.PENDING_DELETION, KeyState.PENDING_REPLICA_DELETION)
"""The states of keys that will be deleted unless that is cancelled."""

# What each state allows; "read" needs no state at all.
_ALLOWED: dict[str, frozenset[KeyState]] = {
    "use": frozenset({KeyState.ENABLED}),
    "switch": frozenset({KeyState.ENABLED, KeyState.DISABLED}),
    "change": frozenset({KeyState.ENABLED, KeyState.DISABLED, KeyState.PENDING_IMPORT}),
    "drop": frozenset({KeyState.ENABLED, KeyState.DISABLED, KeyState.PENDING_IMPORT, *WAITING}),
    "cancel": frozenset(WAITING),
}


_ENDING: dict[KeyState, str] = {
    KeyState.PENDING_DELETION: "pending deletion",
    KeyState.PENDING_REPLICA_DELETION: "pending replica deletion",
}


# States that a key in a custom key store has only while that is connected.
_LOSABLE = frozenset({KeyState.ENABLED, KeyState.DISABLED})
_BEHIND = {
    KeyStoreType.AWS_CLOUDHSM: ("CloudHSM cluster", "CloudHSM key store"),
    KeyStoreType.EXTERNAL_KEY_STORE: ("external key store proxy", "external key store"),
}


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One generation of key material. The material itself is only in the store and in C.

    Attributes:
        number: from 1. An imported one that is newer than the key's current version waits for the
            rotation that makes it current.
        origin: how it came about.
        public_key: of a key pair, as a DER SubjectPublicKeyInfo (RFC 5280).
        material_id: of a symmetric encryption key's version, 64 hexadecimal digits, as AWS KMS has.
        material_name: of imported material, 32 bytes that tell it from all other of the key.
        description: what was said of imported material.
        valid_to: when imported material expires (UTC), or None.
        is_present: whether there is material; what was imported can be deleted and expire.
    """

    number: int
    created_at: datetime
    origin: str
    public_key: bytes | None = None
    material_id: str | None = None
    material_name: bytes | None = None
    description: str = ""
    valid_to: datetime | None = None
    is_present: bool = True


@dataclass(frozen=True, slots=True)
class RotationStatus:
    """Whether and when a key rotates by itself (``GetKeyRotationStatus``)."""

    enabled: bool
    period_days: int | None
    next_rotation: datetime | None


@dataclass(frozen=True, slots=True)
class KeyMetadata:
    """What is known of a key without its material.

    Attributes:
        raw_id: the 16 bytes that blobs carry.
        current_version: number of the newest version, which encrypts.
        deletion_date: when the material goes, while the key waits for its deletion.
        public_key: that of the current version, where the key is a pair.
        valid_to: when the first of the imported materials that are in use expires.
        expires: the same of all, those that wait for their rotation as well.
        material_names: of imported material, by the number of its version.
        backing: where the material is, of a key in a custom key store.
        regions: of a multi-Region key, those of all related keys, the primary's first.
        deletion_days: how long it will wait, while its replicas' deletion is waited for.
    """

    raw_id: bytes
    arn: str
    state: KeyState
    description: str
    multi_region: bool
    created_at: datetime
    current_version: int
    rotation: RotationStatus
    deletion_date: datetime | None
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    policy: str | None
    spec: KeySpec = KeySpec.SYMMETRIC_DEFAULT
    usage: KeyUsage = KeyUsage.ENCRYPT_DECRYPT
    origin: Origin = Origin.AWS_KMS
    public_key: bytes | None = None
    valid_to: datetime | None = None
    expires: datetime | None = None
    material_names: Mapping[int, bytes] = field(default_factory=dict)
    backing: Backing | None = None
    manager: KeyManager = KeyManager.CUSTOMER
    regions: tuple[str, ...] = ()
    deletion_days: int | None = None

    @property
    def shown_state(self) -> KeyState:
        """The state as users see it."""
        lost = self.backing is not None and not self.backing.connected
        return KeyState.UNAVAILABLE if lost and self.state in _LOSABLE else self.state

    @property
    def id(self) -> str:
        """The key's id as text."""
        return format_key_id(self.raw_id, self.multi_region)

    @property
    def flags(self) -> int:
        """The flags byte of the key's blobs."""
        return FLAG_MULTI_REGION if self.multi_region else 0

    @property
    def region(self) -> str:
        """Where it is."""
        return self.arn.split(":", 5)[3]

    @property
    def account(self) -> str:
        """Whose it is."""
        return self.arn.split(":", 5)[4]

    def arn_in(self, region: str) -> str:
        """The ARN of the related key in a region."""
        return Home(region, self.account).arn(f"key/{self.id}")

    @property
    def is_replica(self) -> bool:
        """Whether it is a multi-Region key that has its primary elsewhere."""
        return bool(self.regions) and self.regions[0] != self.region

    @property
    def has_replicas(self) -> bool:
        """Whether it is the primary of multi-Region keys elsewhere."""
        return len(self.regions) > 1 and not self.is_replica

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms that the key works with."""
        return algorithms_of(self.spec, self.usage)

    @property
    def is_asymmetric(self) -> bool:
        """Whether the key is a pair."""
        return is_asymmetric(self.spec)

    def material_id(self, number: int) -> str:
        """The id of a version's material; of symmetric encryption keys alone users see it."""
        return material_id(self.raw_id, number, self.material_names.get(number))

    @property
    def rotates(self) -> bool:
        """Whether new versions can be added: to symmetric keys with their material here alone."""
        return self.spec is KeySpec.SYMMETRIC_DEFAULT and self.backing is None


def require(key: KeyMetadata, what: str) -> None:
    """Passes when the key's state allows ``what``, which is one of the words of the table above.

    Raises:
        KeyDisabled: it is disabled.
        InvalidState: it waits for deletion or import, or it does not.
    """
    if key.backing is not None and what == "use":
        _require_connected(key, key.backing)
    if key.state in _ALLOWED[what]:
        return
    if key.state is KeyState.DISABLED and what == "use":
        raise KeyDisabled(f"{key.arn} is disabled.")
    if key.state is KeyState.PENDING_IMPORT and what != "cancel":
        raise InvalidState(f"{key.arn} is pending import.")
    if key.state in _ENDING:
        raise InvalidState(
            f"{key.arn} is {_ENDING[key.state]}.", hint="'kmsfast key cancel-deletion' keeps it"
        )
    raise InvalidState(f"{key.arn} is not pending deletion.")


def _require_connected(key: KeyMetadata, backing: Backing) -> None:
    if key.shown_state is KeyState.UNAVAILABLE:
        raise InvalidState(
            f"This KMS key is in a custom key store that is not connected to its "
            f"{_BEHIND[backing.type][0]}. Connect the {_BEHIND[backing.type][1]} and try the "
            "request again.",
            hint=f"'kmsfast key-store connect {backing.key_store_id}' does",
        )


def require_primary(key: KeyMetadata) -> None:
    """Passes for a multi-Region key that is the primary one.

    Raises:
        UnsupportedOperation: a replica, or a single-Region key.
    """
    if not key.multi_region or key.is_replica:
        where = f"Its primary is in {key.regions[0]}" if key.regions else ""
        raise UnsupportedOperation(f"{key.arn} is not a multi-region primary key.", hint=where)


def require_usage(key: KeyMetadata, usage: KeyUsage, operation: str) -> None:
    """Passes when the key is for this usage; asked before its state is.

    Args:
        operation: as AWS names it.

    Raises:
        InvalidKeyUsage: it is for another one.
    """
    if key.usage is not usage:
        raise InvalidKeyUsage(
            f"{key.arn} key usage is {key.usage} which is not valid for {operation}."
        )


def require_symmetric(key: KeyMetadata, operation: str) -> None:
    """Passes when the key makes and opens blobs.

    Raises:
        InvalidKeyUsage: it is for something else, or encrypts by an algorithm that must be named.
    """
    require_usage(key, KeyUsage.ENCRYPT_DECRYPT, operation)
    require_algorithm(key.spec, key.usage, KeySpec.SYMMETRIC_DEFAULT)


def format_key_id(raw_id: bytes, multi_region: bool) -> str:
    """The text of a key id."""
    return f"mrk-{raw_id.hex()}" if multi_region else str(UUID(bytes=raw_id))


def parse_key_id(text: str) -> tuple[bytes, bool] | None:
    """The 16 bytes of a key id and whether it is of a multi-Region key; None when malformed."""
    if _UUID.fullmatch(text):
        return UUID(text).bytes, False
    if _MRK.fullmatch(text):
        return bytes.fromhex(text[4:]), True
    return None


def checked_description(text: str) -> str:
    """The description, when it is short enough.

    Raises:
        ValidationError: more than 8,192 characters, or no valid Unicode.
    """
    return _text(text, 0, MAX_DESCRIPTION, "description")


def checked_policy(document: str | None, most: int = AWS.key_policy_bytes) -> str | None:
    """The key policy, when there is none or it is one that can be evaluated.

    Raises:
        ValidationError: not 1 to 131,072 characters, or characters that policies cannot have.
        LimitExceeded: more than ``most`` bytes.
        MalformedPolicyDocument: it breaks the grammar of policies; the message says where.
    """
    if document is None:
        return None  # and no import: a child that is forked during one waits for it for ever
    from kmsfast.model.policy_document import checked_key_policy

    return checked_key_policy(_text(document, 1, MAX_POLICY, "policy"), most)


def _text(text: str, low: int, high: int, what: str) -> str:
    if not isinstance(text, str):
        raise ValidationError(f"the {what} must be str, not {type(text).__name__}")
    if not low <= len(text) <= high:
        raise ValidationError(f"the {what} must have {low} to {high} characters, not {len(text)}")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValidationError(
            f"the {what} is not valid Unicode: character {error.start} is a lone surrogate"
        ) from None
    return text


def checked_rotation_period(days: int) -> int:
    """The rotation period, when it lies between 90 and 2,560 days."""
    return _days(days, _MIN_ROTATION, _MAX_ROTATION, "rotation period")


def checked_waiting_period(days: int) -> timedelta:
    """The waiting period before a deletion, when it lies between 7 and 30 days."""
    return timedelta(days=_days(days, _MIN_WAITING, _MAX_WAITING, "waiting period"))


def _days(days: int, low: int, high: int, what: str) -> int:
    if isinstance(days, bool) or not isinstance(days, int) or not low <= days <= high:
        raise ValidationError(f"the {what} must be between {low} and {high} days, not {days!r}")
    return days
