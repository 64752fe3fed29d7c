"""The page of metrics. It is made in a thread, never in the event loop."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

from kmsfast.app import Application
from kmsfast.local import of_owner
from kmsfast.metrics import Collector
from kmsfast.server.endpoint import Later, Reply

__all__ = ["metrics_page"]

_CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"


def metrics_page(app: Application, most_keys: int) -> Later:
    """What makes the page, for Prometheus in its text format.

    Args:
        most_keys: see :class:`kmsfast.metrics.Collector`.
    """
    registry = CollectorRegistry()
    registry.register(Collector(of_owner(app), most_keys=most_keys))
    ProcessCollector(registry=registry)
    return lambda: Reply(200, generate_latest(registry), "", _CONTENT_TYPE)
