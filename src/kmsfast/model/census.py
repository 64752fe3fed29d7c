"""How many keys of what kind a store has, and which of them end when: figures for people.

Nothing is decided by them: they are what the database says, without a look at what authenticates
its rows.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from kmsfast.model.arn import Home

__all__ = ["Census", "KeyEnd", "KeyKind"]


class KeyKind(NamedTuple):
    """What keys are counted by; values are AWS's names.

    Attributes:
        state: as users see it.
        manager: CUSTOMER or AWS.
    """

    home: Home
    state: str
    spec: str
    origin: str
    manager: str


class KeyEnd(NamedTuple):
    """When a key, or imported material of it, ends (UTC)."""

    arn: str
    when: datetime


class Census(NamedTuple):
    """The keys of all regions and accounts of a store, without those that were deleted.

    Attributes:
        keys: how many there are of each kind.
        num_expiring: keys that have imported material which expires.
        expiring: the first of them to expire, each with the first of its materials.
        deleted: the first keys to be deleted, of those that wait for it.
    """

    keys: dict[KeyKind, int]
    num_expiring: int
    expiring: tuple[KeyEnd, ...]
    deleted: tuple[KeyEnd, ...]
