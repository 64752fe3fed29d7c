"""Multi-Region keys that belong together: same id and material, one in each of several regions.

Rules:
- each of them has the regions of all in its own metadata, the primary's first; whatever changes
  that, or another property that they share, changes it in the rows of all, in one transaction;
- they share id, material, spec, usage, origin and automatic rotation; policy, tags, description,
  aliases and state are each key's own, and so is imported material, though it must be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

from kmsfast.errors import StoreIntegrity
from kmsfast.model.key import KeyMetadata, KeyState
from kmsfast.service.ports import Reader, Writer

__all__ = ["change_related", "related", "remove_replica"]


def related(rows: Reader, key: KeyMetadata) -> Iterator[tuple[Writer, KeyMetadata]]:
    """The other keys that belong to a multi-Region key, each with the rows of its region.

    Raises:
        StoreIntegrity: one is not there.
    """
    for region in key.regions:
        if region != key.region:
            there = rows.beside(region)
            other = there.key(key.raw_id)
            if other is None:
                raise StoreIntegrity(
                    f"{key.arn} has no related key in {region}, where it belongs: the store was "
                    "changed from outside; restore it from a backup"
                )
            yield there, other


def change_related(
    rows: Writer, key: KeyMetadata, change: Callable[[KeyMetadata], KeyMetadata]
) -> KeyMetadata:
    """Changes what a key shares with all that are related to it; returns the key after that."""
    changed = change(key)
    for there, other in related(rows, key):
        there.save(change(other))
    rows.save(changed)
    return changed


def remove_replica(rows: Writer, key: KeyMetadata) -> None:
    """Removes a replica whose waiting period is over.

    That of a primary which waits for its replicas begins when the last of them ended.
    """
    left = tuple(region for region in key.regions if region != key.region)

    def without(other: KeyMetadata) -> KeyMetadata:
        other = replace(other, regions=left)
        if len(left) > 1 or other.state is not KeyState.PENDING_REPLICA_DELETION:
            return other
        begin, days = key.deletion_date, other.deletion_days
        if begin is None or days is None:
            raise StoreIntegrity(f"{other.arn} waits for its deletion without a waiting period")
        date = begin + timedelta(days=days)
        return replace(
            other, state=KeyState.PENDING_DELETION, deletion_date=date, deletion_days=None
        )

    for there, other in related(rows, key):
        there.save(without(other))
    rows.remove(key)
