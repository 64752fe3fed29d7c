"""What a process has done with its keys, for Prometheus (docs/metrics.md).

Rules:
- what is counted is counted in C, for the whole process; this package reads it when it is asked;
- names, labels and meanings of metrics stand in one table (:mod:`.table`), and in docs/metrics.md;
- labels are names of operations, errors, regions and accounts, and the kinds of keys. ARNs of keys
  are in the gauges of keys that end alone; encryption contexts, aliases and tags nowhere.
"""

from __future__ import annotations

from kmsfast.metrics.collector import MOST_KEYS, Collector

__all__ = ["MOST_KEYS", "Collector"]
