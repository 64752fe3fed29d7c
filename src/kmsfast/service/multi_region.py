"""Replicas of multi-Region keys, and which of the related keys is the primary one.

The rules of :mod:`.related` are kept; what AWS does after a while happens at once, so that no key
is ever seen in the states Creating and Updating.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from kmsfast.errors import KeyNotFound, ReplicaExists, UnsupportedOperation, ValidationError
from kmsfast.model.arn import Home
from kmsfast.model.key import (
    KeyMetadata,
    KeyState,
    checked_description,
    require,
    require_primary,
)
from kmsfast.model.keyspec import Origin
from kmsfast.model.tags import checked_tags
from kmsfast.service.key_count import KeyCount
from kmsfast.service.keyring import Keyring
from kmsfast.service.ports import PolicyCheck, Writer
from kmsfast.service.related import change_related

__all__ = ["MultiRegion"]

Tags = Mapping[str, str] | Iterable[tuple[str, str]]


class MultiRegion:
    """Replicates the keys of one region into others."""

    def __init__(self, ring: Keyring, checked_policy: PolicyCheck) -> None:
        self._ring, self._store, self._checked_policy = ring, ring.store, checked_policy
        self._counts: dict[str, KeyCount] = {}  # by region, which are few

    def settled(self, key: KeyMetadata) -> KeyMetadata:
        """The key, when related ones whose waiting period is over are gone."""
        purged = len(key.regions) > 1 and self._ring.purge_replicas(key)
        return self._ring.key(key.raw_id) if purged else key

    def replicate(
        self,
        raw_id: bytes,
        region: str,
        *,
        description: str = "",
        tags: Tags | None = None,
        policy: str | None = None,
    ) -> KeyMetadata:
        """A replica of a primary key in another region: enabled, or pending import.

        Raises:
            UnsupportedOperation: not a primary key. ReplicaExists: the region has one.
            KeyDisabled, InvalidState: the primary is not enabled.
            ValidationError: no region, one of another partition, or another wrong parameter.
            LimitExceeded: the region has as many keys as it may.
        """
        home = self._elsewhere(region)
        words, own_tags, own_policy = (
            checked_description(description), checked_tags(tags), self._checked_policy(policy),
        )  # fmt: skip
        require_primary(self.settled(self._ring.key(raw_id)))
        with self._store.write() as rows:
            key = self._primary(rows, raw_id)
            there = rows.beside(region)
            if region in key.regions:
                raise ReplicaExists(f"{home.arn(f'key/{key.id}')} already exists.")
            count = self._counts.setdefault(region, KeyCount())
            count.require_room(there, self._ring.quotas.keys, self._ring.now())
            regions = (*key.regions, region)
            key = change_related(rows, key, lambda each: replace(each, regions=regions))
            brought = key.origin is Origin.EXTERNAL
            replica = replace(
                key,
                arn=home.arn(f"key/{key.id}"),
                state=KeyState.PENDING_IMPORT if brought else KeyState.ENABLED,
                created_at=self._ring.now(),
                aliases=(),
                valid_to=None,
                expires=None,
                description=words,
                tags=own_tags,
                policy=own_policy,
            )
            there.add(replica)
            for version in rows.versions(key):
                wrapped = b"" if brought else rows.material(key, version.number) or b""
                there.add_version(replica, replace(version, valid_to=None), wrapped)
        return replica

    def update_primary(self, raw_id: bytes, region: str) -> None:
        """Makes the replica in another region the primary, and the primary a replica.

        Raises:
            UnsupportedOperation: not a primary key, or the region is where it is.
            KeyNotFound: no replica there. KeyDisabled, InvalidState: one of both is not enabled.
        """
        home = self._elsewhere(region)
        require_primary(self.settled(self._ring.key(raw_id)))
        with self._store.write() as rows:
            key = self._primary(rows, raw_id)
            if region == key.region:
                raise UnsupportedOperation(f"{key.arn} is the primary key already.")
            other = rows.beside(region).key(raw_id)
            if other is None or region not in key.regions:
                raise KeyNotFound(f"Key '{home.arn(f'key/{key.id}')}' does not exist")
            require(other, "use")
            regions = (region, *(each for each in key.regions if each != region))
            change_related(rows, key, lambda each: replace(each, regions=regions))

    def _primary(self, rows: Writer, raw_id: bytes) -> KeyMetadata:
        key = self._ring.writable(rows, raw_id)
        require_primary(key)
        require(key, "use")
        return key

    def _elsewhere(self, region: str) -> Home:
        """A region where related keys can be.

        Raises:
            ValidationError: no region, or one of another partition.
        """
        here = self._store.home
        home = replace(here, region=region)
        if home.partition != here.partition:
            raise ValidationError(
                f"{region} is in partition {home.partition}; keys of {here.region} have replicas "
                f"in {here.partition} alone"
            )
        return home
