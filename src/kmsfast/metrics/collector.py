"""What Prometheus asks for, made of what C has counted and of the store."""

from __future__ import annotations

import logging
import platform
import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from prometheus_client import Metric

from kmsfast.crypto import counters, native, p256
from kmsfast.crypto.counters import (
    ACCEPTED,
    AUDIT_FAILURES,
    CLOSED,
    DECISIONS_MADE,
    DECISIONS_USED,
    REFUSED,
    SIZE_BOUNDS,
    TEMPLATES_MADE,
    TIME_BOUNDS,
    Timer,
)
from kmsfast.doors import Request
from kmsfast.errors import KmsError
from kmsfast.metrics.table import TABLE, Family
from kmsfast.model.census import Census, KeyEnd

if TYPE_CHECKING:
    from kmsfast.local.kms import Kms

__all__ = ["MOST_KEYS", "Collector"]

MOST_KEYS: Final = 1000
_LOG: Final = logging.getLogger(__name__)


class Collector:
    """The metrics of this process and of one store, for a registry of prometheus_client.

    ``prometheus_client.REGISTRY.register(Collector(kms))``: what was counted is that of the whole
    process, so one collector in a process is enough; the keys are those of the store, in all
    regions and accounts.

    Args:
        most_keys: how many keys have gauges of their own, of those whose imported material expires,
            and of those that wait for their deletion; the first to end. 0: none has.

    Raises:
        AccessDenied: the store was opened for a principal, not for its owner.
    """

    def __init__(self, kms: Kms, *, most_keys: int = MOST_KEYS) -> None:
        kms._door.permit(Request("GetMetrics", {}, service="kmsfast"))
        self._app, self._most = kms._app, native.checked_int(most_keys, 0, 1_000_000, "most_keys")
        self._lock = threading.Lock()
        self._taken: tuple[int, Census] | None = None

    def describe(self) -> Iterable[Metric]:
        """The names alone, so that registering counts nothing."""
        return [Family(name).made for name in TABLE]

    def collect(self) -> Iterator[Metric]:
        """The metrics. It may wait for the disk, once after each change of the store."""
        for each in (_requests, _core, _arena, _audit, self._keys):
            yield from (family.made for family in each().values())

    def _keys(self) -> dict[str, Family]:
        names = ("kmsfast_store_readable", "kmsfast_keys", "kmsfast_keys_with_expiring_material",
                 _EXPIRATION, _DELETION)  # fmt: skip
        made = {name: Family(name) for name in names}
        try:
            census = self._census()
        except KmsError as error:
            _LOG.warning("the keys cannot be counted: %s", error)
            made["kmsfast_store_readable"].add((), 0)
            return made
        made["kmsfast_store_readable"].add((), 1)
        for kind, number in census.keys.items():
            labels = (kind.home.region, kind.home.account, *kind[1:])
            made["kmsfast_keys"].add(labels, number)
        made["kmsfast_keys_with_expiring_material"].add((), census.num_expiring)
        now = datetime.fromtimestamp(self._app.ring.clock(), UTC)
        for name, ends in ((_EXPIRATION, census.expiring), (_DELETION, census.deleted)):
            for end in ends:
                made[name].add((end.arn,), _seconds_until(end, now))
        return made

    def _census(self) -> Census:
        """The keys, counted anew when the store has changed."""
        with self._lock:
            epoch = self._app.ring.settled()  # before it is read
            if self._taken is None or self._taken[0] != epoch or epoch < 0:
                self._app.ring.check_open()
                self._taken = epoch, self._app.deployment.census(self._most)
            return self._taken[1]


# The counters of uses and of loads.
_CACHES: Final = {
    "arena": (counters.ARENA_USES, counters.ARENA_LOADS),
    "decisions": (counters.counter(DECISIONS_USED), counters.counter(DECISIONS_MADE)),
    "templates": (counters.USUAL, counters.counter(TEMPLATES_MADE)),
}
_EXPIRATION: Final = "kmsfast_seconds_until_key_material_expiration"
_DELETION: Final = "kmsfast_seconds_until_key_deletion"


def _seconds_until(end: KeyEnd, now: datetime) -> float:
    """0 when it is over, and nobody has asked for the key since."""
    return max(0.0, (end.when - now).total_seconds())


def _families(*names: str) -> dict[str, Family]:
    return {name: Family(name) for name in names}


def _requests() -> dict[str, Family]:
    made = _families(
        "kmsfast_requests", "kmsfast_request_errors", "kmsfast_request_duration_seconds",
        "kmsfast_request_records", "kmsfast_request_bytes", "kmsfast_connections",
        "kmsfast_connections_accepted", "kmsfast_connections_refused",
    )  # fmt: skip
    doors = set()
    for labels, timer in counters.timers().items():
        doors.add(labels[0])
        made["kmsfast_requests"].add(labels, timer.calls)
        if any(timer.times):  # of what nobody asks for it would be many lines
            _add_times(made["kmsfast_request_duration_seconds"], labels, timer)
        if any(timer.sizes):
            _add_sizes(made["kmsfast_request_records"], labels, timer)
        if timer.bytes:
            made["kmsfast_request_bytes"].add(labels, timer.bytes)
    for error, number in counters.errors().items():
        made["kmsfast_request_errors"].add(error, number)
    for door in sorted(doors):
        _add_connections(made, door)
    return made


def _add_connections(made: dict[str, Family], door: str) -> None:
    closed = counters.value(counters.counter(CLOSED + door))  # first: it is never the larger one
    accepted = counters.value(counters.counter(ACCEPTED + door))
    refused = counters.value(counters.counter(REFUSED + door))
    made["kmsfast_connections"].add((door,), accepted - closed)
    made["kmsfast_connections_accepted"].add((door,), accepted)
    made["kmsfast_connections_refused"].add((door,), refused)


def _core() -> dict[str, Family]:
    made = _families(
        "kmsfast_build_info", "kmsfast_core_calls", "kmsfast_core_records",
        "kmsfast_core_records_refused", "kmsfast_core_batch_records",
        "kmsfast_core_batch_duration_seconds",
    )  # fmt: skip
    facts = (version("kmsfast"), platform.python_version(), native.describe()["implementation"],
             p256.implementation())  # fmt: skip
    made["kmsfast_build_info"].add(facts, 1)
    for name, number in counters.CORE.items():
        timer = counters.read(number)
        made["kmsfast_core_calls"].add((name,), timer.calls)
        made["kmsfast_core_records"].add((name,), timer.records)
        made["kmsfast_core_records_refused"].add((name,), timer.failed)
        if any(timer.sizes):
            _add_sizes(made["kmsfast_core_batch_records"], (name,), timer)
            _add_times(made["kmsfast_core_batch_duration_seconds"], (name,), timer)
    return made


def _arena() -> dict[str, Family]:
    made = _families(
        "kmsfast_cache_uses", "kmsfast_cache_loads", "kmsfast_arena_slots",
        "kmsfast_arena_slots_used", "kmsfast_arena_evictions", "kmsfast_arena_locked",
    )  # fmt: skip
    for cache, (uses, loads) in _CACHES.items():
        made["kmsfast_cache_uses"].add((cache,), counters.value(uses))
        made["kmsfast_cache_loads"].add((cache,), counters.value(loads))
    arena = native.describe()["arena"]
    made["kmsfast_arena_slots"].add((), arena["slots"])
    made["kmsfast_arena_slots_used"].add((), arena["used"])
    made["kmsfast_arena_evictions"].add((), arena["evictions"])
    made["kmsfast_arena_locked"].add((), int(arena["locked"]))
    return made


def _audit() -> dict[str, Family]:
    made = _families(
        "kmsfast_audit_records", "kmsfast_audit_failures", "kmsfast_audit_append_duration_seconds"
    )
    timer = counters.read(counters.AUDIT)
    made["kmsfast_audit_records"].add((), timer.calls)
    made["kmsfast_audit_failures"].add((), counters.value(counters.counter(AUDIT_FAILURES)))
    _add_times(made["kmsfast_audit_append_duration_seconds"], (), timer)
    return made


def _add_times(family: Family, labels: tuple[str, ...], timer: Timer) -> None:
    family.add_histogram(labels, TIME_BOUNDS, timer.times, timer.seconds)


def _add_sizes(family: Family, labels: tuple[str, ...], timer: Timer) -> None:
    singles = timer.calls - sum(timer.sizes)  # calls of one record each that are no batches
    family.add_histogram(labels, SIZE_BOUNDS, timer.sizes, timer.records - singles)
