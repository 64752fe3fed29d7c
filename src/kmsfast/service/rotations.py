"""Rotation on demand, a limited number of times for each key, and a record of all rotations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from kmsfast.errors import LimitExceeded
from kmsfast.model.key import KeyMetadata, KeyVersion, require
from kmsfast.model.keyspec import Origin
from kmsfast.service.keyring import Keyring
from kmsfast.service.management import require_rotates, require_rotates_here
from kmsfast.service.related import related
from kmsfast.service.versions import add_rotation, waiting

__all__ = ["ON_DEMAND", "History", "Rotations"]

ON_DEMAND: Final = "on demand"


class History(NamedTuple):
    """What rotations a key has had.

    Attributes:
        versions: oldest first; all but the first came, or will come, by a rotation.
        everywhere: whether imported material that waits for its rotation is in all related keys.
    """

    key: KeyMetadata
    versions: tuple[KeyVersion, ...]
    everywhere: bool


class Rotations:
    """Rotates the keys of one store."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def on_demand(self, raw_id: bytes) -> KeyMetadata:
        """Another version encrypts from now on: a fresh one, or the imported one that waits.

        Raises:
            UnsupportedOperation: an asymmetric or HMAC key, or a replica. LimitExceeded: it was
            done as often as a key may be, 25 times. InvalidState: no imported material waits.
        """
        require_rotates_here(self._ring.key(raw_id))
        with self._ring.store.write() as rows:
            key = self._ring.writable(rows, raw_id)
            require(key, "use")
            _check_limit(key, rows.versions(key), self._ring.quotas.on_demand_rotations)
            return add_rotation(self._ring, rows, key, ON_DEMAND)

    def history(self, raw_id: bytes) -> History:
        """A key's versions."""
        key = self._ring.key(raw_id)
        require_rotates(key)
        with self._ring.store.read() as rows:
            key = self._ring.still(rows, key)
            versions = rows.versions(key)
            pends = key.multi_region and any(each.number > key.current_version for each in versions)
            keys = [(rows, key), *related(rows, key)] if pends else []
            return History(key, versions, all(waiting(there, each) for there, each in keys))


def _check_limit(key: KeyMetadata, versions: Sequence[KeyVersion], quota: int) -> None:
    by_hand = key.origin is Origin.EXTERNAL  # as all rotations of imported material are
    rotated = [each for each in versions if 1 < each.number <= key.current_version]
    if sum(by_hand or version.origin == ON_DEMAND for version in rotated) >= quota:
        raise LimitExceeded(
            "The on-demand rotations limit has been reached for the given keyId. No more on-demand "
            f"rotations can be performed for this key: {key.arn}"
        )
