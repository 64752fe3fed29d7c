"""Counters of this process, kept by C for all threads (docs/metrics.md).

Rules:
- a counter is a number in C; its name is here, given out once for the life of the process;
- counting costs one call of some fifty nanoseconds, takes no lock and never fails;
- names come from tables of this program (operations, error codes), never from what a client wrote.
  Should there be more than C has room for, the last counter takes what is left.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Mapping, Sequence
from typing import Final, Generic, NamedTuple, TypeVar

from kmsfast.crypto.native import check, ffi, lib

__all__ = [
    "ACCEPTED", "ARENA_LOADS", "ARENA_USES", "AUDIT", "AUDIT_FAILURES", "CLOSED", "CORE",
    "DECISIONS_MADE", "DECISIONS_USED", "REFUSED", "SIZE_BOUNDS", "TEMPLATES_MADE", "TIME_BOUNDS",
    "USUAL", "Error", "Timer", "add", "batch", "begin", "begun", "counter",
    "errors", "failed", "now", "read", "request", "timer", "timers", "value",
]  # fmt: skip

ARENA_USES: Final[int] = lib.KF_COUNTER_ARENA_USES
ARENA_LOADS: Final[int] = lib.KF_COUNTER_ARENA_LOADS
USUAL: Final[int] = lib.KF_COUNTER_USUAL
AUDIT: Final[int] = lib.KF_TIMER_AUDIT

AUDIT_FAILURES: Final = "audit failures"
DECISIONS_USED: Final = "decisions used"
DECISIONS_MADE: Final = "decisions made"
TEMPLATES_MADE: Final = "templates made"
ACCEPTED: Final = "connections accepted: "
REFUSED: Final = "connections refused: "
CLOSED: Final = "connections closed: "
"""Names of counters; those of connections are completed by the name of their door."""

CORE: Final[Mapping[str, int]] = {
    "seal": lib.KF_TIMER_SEAL,
    "open": lib.KF_TIMER_OPEN,
    "data_key": lib.KF_TIMER_DATA_KEY,
    "sealed_seal": lib.KF_TIMER_SEALED_SEAL,
    "sealed_open": lib.KF_TIMER_SEALED_OPEN,
    "sign": lib.KF_TIMER_SIGN,
    "verify": lib.KF_TIMER_VERIFY,
    "mac": lib.KF_TIMER_MAC,
    "verify_mac": lib.KF_TIMER_VERIFY_MAC,
}
"""The timers of what C computes, whichever door asked for it."""

_FIRST_TIME_BITS: Final = 10
TIME_BOUNDS: Final = tuple(
    2 ** (_FIRST_TIME_BITS + i) / 1_000_000_000 for i in range(lib.KF_TIMES - 1)
)
"""Upper bounds of the times of :class:`Timer`, in seconds; the last time has none."""

SIZE_BOUNDS: Final = tuple(2**i for i in range(lib.KF_SIZES - 1))
"""Upper bounds of its sizes, in records; the last size has none."""

add: Final = lib.kf_metrics_count
"""``add(counter, num)``: counts, from any thread."""

begin: Final = lib.kf_metrics_begin
"""``begin()``: a request begins in this thread."""

begun: Final = lib.kf_metrics_begun
"""``begun()``: when it did, for :data:`request`; 0: it was answered and counted in C."""

request: Final = lib.kf_metrics_request
"""``request(timer, begun)``: counts a request; of 0 its time is not known."""

now: Final = lib.kf_metrics_now
"""``now()``: the clock that ``begun`` is read from, in nanoseconds."""

batch: Final = lib.kf_metrics_batch
"""``batch(timer, begun, num, failed, bytes)``: counts a request for many records."""

Name = TypeVar("Name", bound=Hashable)


class Timer(NamedTuple):
    """What was counted of one kind of call.

    Attributes:
        records: of all calls; failed: those of them that were refused.
        bytes: where the caller has counted them.
        seconds: that all calls took whose time was taken.
        times: calls by their time, each of the bounds ``TIME_BOUNDS`` exclusive of the one before.
        sizes: batches by their records, likewise by ``SIZE_BOUNDS``.
    """

    calls: int
    records: int
    failed: int
    bytes: int
    seconds: float
    times: Sequence[int]
    sizes: Sequence[int]


class _Names(Generic[Name]):
    """Numbers of C's counters or timers by name, given out when they are first asked for."""

    def __init__(self, first: int, end: int) -> None:
        self._given: dict[Name, int] = {}
        self._lock = threading.Lock()
        self._next, self._last = first, end - 1

    def number(self, name: Name) -> int:
        """The number of a name."""
        found = self._given.get(name)
        if found is not None:
            return found
        with self._lock:
            if name not in self._given:
                self._given[name] = self._next
                self._next = min(self._next + 1, self._last)
            return self._given[name]

    def given(self) -> dict[Name, int]:
        """All names, in the order in which they came."""
        with self._lock:
            return dict(self._given)


class Error(NamedTuple):
    """The name of a counter of errors: of which door and operation, and AWS's code."""

    door: str
    operation: str
    code: str


_counters: _Names[str] = _Names(lib.KF_COUNTER_DOORS, lib.KF_COUNTER_DOORS + 64)
_errors: _Names[Error] = _Names(lib.KF_COUNTER_DOORS + 64, lib.KF_COUNTERS)
_timers: _Names[tuple[str, str]] = _Names(lib.KF_TIMER_DOORS, lib.KF_TIMERS)


def counter(name: str) -> int:
    """The counter of a name, for :data:`add`."""
    return _counters.number(name)


def timer(door: str, operation: str) -> int:
    """The timer of an operation as requests by a door ask for it, for :data:`request`."""
    return _timers.number((door, operation))


def failed(door: str, operation: str, code: str) -> None:
    """Counts a request that was answered by an error."""
    add(_errors.number(Error(door, operation, code)), 1)


def errors() -> dict[Error, int]:
    """Requests that were answered by an error, so far."""
    return {name: value(number) for name, number in _errors.given().items()}


def timers() -> dict[tuple[str, str], Timer]:
    """What was counted of the operations of doors, by door and operation."""
    return {name: read(number) for name, number in _timers.given().items()}


def value(number: int) -> int:
    """What a counter has now."""
    return int(lib.kf_metrics_counter(number))


def read(number: int) -> Timer:
    """What a timer has now."""
    found = ffi.new("struct kf_timer *")
    check(lib.kf_metrics_timer(found, number))
    return Timer(
        found.calls,
        found.records,
        found.failed,
        found.bytes,
        found.nanoseconds / 1_000_000_000,
        tuple(found.times),
        tuple(found.sizes),
    )
