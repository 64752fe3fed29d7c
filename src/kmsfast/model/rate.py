"""So many in a second: a token bucket.

It holds as many tokens as come in a second, but at least one, and is full at first. Instead of
tokens it keeps the time at which it will be full again (the generic cell rate algorithm, ITU-T
I.371, Annex A, which is the same bucket): one number to bring up to date.
"""

from __future__ import annotations

from threading import Lock
from typing import Final

__all__ = ["Rate"]

_TOLERANCE: Final = 1e-6  # seconds, for times that are sums of fractions


class Rate:
    """A token bucket; threads can share it.

    Args:
        per_second: tokens that come in a second, above 0.
    """

    __slots__ = ("_full_at", "_interval", "_lock", "_slack")

    def __init__(self, per_second: float) -> None:
        self._interval = 1 / per_second
        self._slack = max(1.0, self._interval) - self._interval
        self._full_at = float("-inf")
        self._lock = Lock()

    def take(self, now: float, tokens: int = 1) -> float:
        """Takes tokens, when there is one: 0.0, or the seconds until there will be one.

        Who needs several takes them when there is one, and others wait the longer for it: else
        whoever needs more than fit into the bucket would wait for ever.

        Args:
            now: seconds of a clock that never goes back.
        """
        with self._lock:
            full_at = self._full_at
            full_at = max(full_at, now)
            wait = full_at - now - self._slack
            if wait > _TOLERANCE:
                return wait
            self._full_at = full_at + tokens * self._interval
            return 0.0

    def give_back(self, tokens: int = 1) -> None:
        """Undoes a take that was for nothing."""
        with self._lock:
            self._full_at -= tokens * self._interval

    def used(self, now: float) -> bool:
        """Whether a token is missing."""
        return self._full_at > now
