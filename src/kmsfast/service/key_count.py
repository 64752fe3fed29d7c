"""How many customer managed keys there are in a region and account, against their quota.

Rules:
- keys of any state count until their waiting period is over; AWS managed keys do not;
- the store knows how many keys it has ever had in a scope, and of those that do not count (deleted
  ones, AWS managed ones) none ever begins to: how many they were once stays a lower bound. So keys
  are counted only when that bound does not show that there is room.
"""

from __future__ import annotations

from datetime import datetime

from kmsfast.model.quotas import exceeded
from kmsfast.service.ports import Reader

__all__ = ["KeyCount"]


class KeyCount:
    """Counts the keys of one scope."""

    def __init__(self) -> None:
        self._total, self._apart = 0, 0

    def has_room(self, rows: Reader, quota: int, more: int = 1) -> bool:
        """Whether it is known without counting that so many more keys can be made."""
        total = rows.num_keys()
        apart = self._apart if total >= self._total else 0  # else the store was emptied
        return total - apart + more <= quota

    def require_room(self, rows: Reader, quota: int, now: datetime, more: int = 1) -> None:
        """Passes when so many more keys can be made.

        Raises:
            LimitExceeded: they cannot.
        """
        if self.has_room(rows, quota, more):
            return
        total, usage = rows.num_keys(), rows.num_customer_keys()
        self._total, self._apart = total, total - usage
        usage -= rows.num_overdue_keys(now)
        if usage + more > quota:
            raise exceeded("Key", quota, usage)
