"""What there is to bill: the keys of one region and account, deleted ones as well.

The store forgets the versions of a deleted key, and replicas that were deleted altogether.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from kmsfast.model.key import KeyMetadata
from kmsfast.service.keyring import Keyring

__all__ = ["Billing", "Kept"]


class Kept(NamedTuple):
    """A key, and when it was rotated."""

    key: KeyMetadata
    rotations: tuple[datetime, ...]


class Billing:
    """Reads the keys of one store."""

    def __init__(self, ring: Keyring) -> None:
        self._ring = ring

    def keys(self) -> list[Kept]:
        """All keys that the store remembers, oldest first."""
        self._ring.check_open()
        self._ring.purge_due()
        with self._ring.store.read() as rows:
            return [
                Kept(
                    key,
                    tuple(
                        version.created_at
                        for version in rows.versions(key)
                        if 1 < version.number <= key.current_version
                    ),
                )
                for key in rows.all_keys()
            ]
