"""The form of keys and of what belongs to them as rows, before they are authenticated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from kmsfast.errors import StoreUnusable
from kmsfast.model.key import KeyMetadata, KeyVersion
from kmsfast.store.moments import from_micros, to_micros
from kmsfast.store.table import Row

__all__ = [
    "key_row", "known", "micros_of", "moment_of", "policy_rows", "tag_rows", "version_of",
    "version_row",
]  # fmt: skip

Name = TypeVar("Name", bound=StrEnum)


def known(names: type[Name], value: str) -> Name:
    """The name that a key's row has.

    Raises:
        StoreUnusable: a newer release wrote it.
    """
    try:
        return names(value)
    except ValueError:
        raise StoreUnusable(
            f"the store has a key of {value!r}, which this release does not know; upgrade kmsfast"
        ) from None


def moment_of(micros: int | None) -> datetime | None:
    """The time of a row; None: it has none."""
    return None if micros is None else from_micros(micros)


def micros_of(moment: datetime | None) -> int | None:
    """The same as whole microseconds."""
    return None if moment is None else to_micros(moment)


def key_row(key: KeyMetadata) -> Row:
    """The row of a key, without its sums."""
    return {
        "key_id": key.raw_id,
        "flags": key.flags,
        "spec": key.spec.value,
        "usage": key.usage.value,
        "origin": key.origin.value,
        "state": key.state.value,
        "description": key.description,
        "created_at": to_micros(key.created_at),
        "rotation_days": key.rotation.period_days,
        "next_rotation": micros_of(key.rotation.next_rotation),
        "deletion_date": micros_of(key.deletion_date),
        "deletion_days": key.deletion_days,
        "manager": key.manager.value,
        "regions": " ".join(key.regions),
        "num_versions": key.current_version,
    }


def version_of(row: Row) -> KeyVersion:
    """The version that a row says; its material stays in the row."""
    return KeyVersion(
        number=row["number"],
        created_at=from_micros(row["created_at"]),
        origin=row["origin"],
        public_key=row["public_key"],
        material_name=row["material_name"],
        description=row["description"],
        valid_to=moment_of(row["valid_to"]),
        is_present=row["wrapped"] != b"",
    )


def version_row(key: KeyMetadata, version: KeyVersion, wrapped: bytes) -> Row:
    """The row of a version and its wrapped material."""
    return {
        "key_id": key.raw_id,
        "number": version.number,
        "created_at": to_micros(version.created_at),
        "origin": version.origin,
        "wrapped": wrapped,
        "public_key": version.public_key,
        "material_name": version.material_name,
        "description": version.description,
        "valid_to": micros_of(version.valid_to),
    }


def tag_rows(key: KeyMetadata) -> Sequence[Row]:
    """A row for each tag of a key."""
    return [
        {"key_id": key.raw_id, "tag_key": name, "tag_value": value}
        for name, value in key.tags.items()
    ]


def policy_rows(key: KeyMetadata) -> Sequence[Row]:
    """The row of a key's policy, if it has one."""
    return [] if key.policy is None else [{"key_id": key.raw_id, "document": key.policy}]
