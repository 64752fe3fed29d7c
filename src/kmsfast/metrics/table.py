"""The metrics of kmsfast: names, labels, meanings. docs/metrics.md has the same table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Final, Literal, NamedTuple

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.utils import floatToGoString

__all__ = ["TABLE", "Described", "Family"]


class Described(NamedTuple):
    """A metric.

    Attributes:
        name: without ``_total``, ``_bucket`` and so on, which its kind adds.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str


_DOOR: Final = ("door", "operation")

TABLE: Final = {
    each.name: each
    for each in (
        Described("kmsfast_build_info", "gauge",
                  ("version", "python", "implementation", "p256_implementation"),
                  "1; version, and the implementations that this CPU runs."),
        Described("kmsfast_requests", "counter", _DOOR,
                  "Requests that were answered, by an error or without."),
        Described("kmsfast_request_errors", "counter", (*_DOOR, "code"),
                  "Requests that were answered by an error, by its name."),
        Described("kmsfast_request_duration_seconds", "histogram", _DOOR,
                  "From a request's last byte to its answer, waiting for a thread included."),
        Described("kmsfast_request_records", "histogram", _DOOR,
                  "Records of requests that are batches."),
        Described("kmsfast_request_bytes", "counter", _DOOR,
                  "Bytes of requests, where the door counts them."),
        Described("kmsfast_connections", "gauge", ("door",), "Clients that are connected."),
        Described("kmsfast_connections_accepted", "counter", ("door",),
                  "Clients that have connected."),
        Described("kmsfast_connections_refused", "counter", ("door",),
                  "Of them, those that were cut off because there were too many, or at the end."),
        Described("kmsfast_core_calls", "counter", ("operation",),
                  "Calls of the C core, by whatever door."),
        Described("kmsfast_core_records", "counter", ("operation",), "Records of these calls."),
        Described("kmsfast_core_records_refused", "counter", ("operation",),
                  "Records that did not open or verify, or could not be made."),
        Described("kmsfast_core_batch_records", "histogram", ("operation",),
                  "Records of batches; single records are no batches."),
        Described("kmsfast_core_batch_duration_seconds", "histogram", ("operation",),
                  "How long batches took."),
        Described("kmsfast_cache_uses", "counter", ("cache",),
                  "Uses of what a cache has: keys in the arena, decisions, templates of answers."),
        Described("kmsfast_cache_loads", "counter", ("cache",),
                  "What had to be put into the cache: its misses."),
        Described("kmsfast_arena_slots", "gauge", (), "Room for unwrapped keys."),
        Described("kmsfast_arena_slots_used", "gauge", (), "Of it, what is in use."),
        Described("kmsfast_arena_evictions", "counter", (),
                  "Keys that gave way to others: more are in use than there is room for."),
        Described("kmsfast_arena_locked", "gauge", (),
                  "1: unwrapped keys are never swapped to a disk; 0: mlock was refused."),
        Described("kmsfast_audit_records", "counter", (), "Events written to the audit log."),
        Described("kmsfast_audit_failures", "counter", (),
                  "Events that could not be written; their requests were refused."),
        Described("kmsfast_audit_append_duration_seconds", "histogram", (),
                  "How long an event took to be with the kernel; syncing is not in it."),
        Described("kmsfast_store_readable", "gauge", (),
                  "1; 0: the store could not be read, and the metrics of keys are not there."),
        Described("kmsfast_keys", "gauge",
                  ("region", "account", "state", "spec", "origin", "manager"),
                  "Keys that are not deleted."),
        Described("kmsfast_keys_with_expiring_material", "gauge", (),
                  "Keys that have imported material which expires."),
        Described("kmsfast_seconds_until_key_material_expiration", "gauge", ("key_arn",),
                  "Until the first imported material of a key expires; as "
                  "SecondsUntilKeyMaterialExpiration of AWS."),
        Described("kmsfast_seconds_until_key_deletion", "gauge", ("key_arn",),
                  "Until a key is deleted whose deletion is scheduled."),
    )
}  # fmt: skip
"""By name."""


class Family:
    """A metric with its values, as prometheus_client takes it."""

    def __init__(self, name: str) -> None:
        described = TABLE[name]
        make = _KINDS[described.kind]
        self.made: Any = make(name, described.help, labels=described.labels)

    def add(self, labels: Sequence[str], value: float) -> None:
        """The value of a counter or gauge."""
        self.made.add_metric(labels, value)

    def add_histogram(
        self, labels: Sequence[str], bounds: Sequence[float], counts: Sequence[int], total: float
    ) -> None:
        """The counts of a histogram, each without those before; the last has no bound."""
        edges = [*map(floatToGoString, bounds), "+Inf"]
        self.made.add_metric(labels, list(zip(edges, accumulate(counts), strict=True)), total)


_KINDS: Final[Mapping[str, Any]] = {
    "counter": CounterMetricFamily,
    "gauge": GaugeMetricFamily,
    "histogram": HistogramMetricFamily,
}
