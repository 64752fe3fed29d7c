"""Counting the requests and connections of the socket (docs/metrics.md).

What the reactor answers under tickets is counted in C, by the same timers; everything else here,
when its answer is there.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from kmsfast.crypto import counters

__all__ = ["DOOR", "SocketMetering"]

DOOR: Final = "socket"
_UNKNOWN: Final = "unknown"


class SocketMetering:
    """Counts for the socket.

    Args:
        operations: their names, of which each has its counts from the start.
    """

    def __init__(self, operations: Collection[str]) -> None:
        self._timers = {name: counters.timer(DOOR, name) for name in (*operations, _UNKNOWN)}
        self._accepted = counters.counter(counters.ACCEPTED + DOOR)
        self._closed = counters.counter(counters.CLOSED + DOOR)

    def opened(self) -> None:
        """Counts a client that has connected."""
        counters.add(self._accepted, 1)

    def closed(self) -> None:
        """Counts one that is gone."""
        counters.add(self._closed, 1)

    def answered(self, name: str, begun: int, batch: tuple[int, int] | None, code: str) -> None:
        """Counts a request.

        Args:
            name: of the operation, as the client has it.
            begun: when it came (:data:`kmsfast.crypto.counters.now`).
            batch: its records, and how many of them failed; None: it is none.
            code: of the error that it was answered by, or empty.
        """
        known = name if name in self._timers else _UNKNOWN
        if batch is None:
            counters.request(self._timers[known], begun)
        else:
            counters.batch(self._timers[known], begun, *batch, 0)
        if code:
            counters.failed(DOOR, known, code)
