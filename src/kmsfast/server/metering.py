"""Counting the requests and connections of a door (docs/metrics.md).

Rules:
- a request is counted when its answer is there, with the time that this took: signature, decision,
  waiting for a thread and the audit record included;
- a request to the API that names no operation of AWS KMS counts as one of operation ``unknown``;
  pages of the server, such as ``/healthz``, are not counted, nor is what ends a connection before
  it was a request.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns
from typing import Final

from kmsfast.crypto import counters
from kmsfast.server.endpoint import Later, Reply, Request
from kmsfast.wire.model import ServiceModel

__all__ = ["Metering"]

_UNKNOWN: Final = "unknown"
Answer = Callable[[Request], Reply | Later]


class Metering:
    """Counts for one door.

    Args:
        door: its name.
        model: whose operations it serves.
    """

    def __init__(self, door: str, model: ServiceModel) -> None:
        self._door = door
        self._names = {f"{model.target_prefix}.{name}".encode(): name for name in model.operations}
        self._accepted, self._refused, self._closed = (
            counters.counter(what + door)
            for what in (counters.ACCEPTED, counters.REFUSED, counters.CLOSED)
        )

    def counted(self, answer: Answer) -> Answer:
        """What answers requests, and counts them."""
        timers = {name: counters.timer(self._door, each) for name, each in self._names.items()}
        now, count, other, later = monotonic_ns, counters.request, self._count, self._later

        def counting(request: Request) -> Reply | Later:
            begun = now()
            made = answer(request)
            if made.__class__ is not Reply:
                return lambda: later(made, request, begun)  # type: ignore[arg-type]
            timer = timers.get(request.target)
            if timer is None or made.error:
                other(request, made, begun)
            else:
                count(timer, begun)
            return made

        return counting

    def opened(self, *, refused: bool) -> None:
        """Counts a client that has connected."""
        counters.add(self._accepted, 1)
        if refused:
            counters.add(self._refused, 1)

    def closed(self) -> None:
        """Counts one that is gone."""
        counters.add(self._closed, 1)

    def _later(self, work: Later, request: Request, begun: int) -> Reply:
        reply = work()
        self._count(request, reply, begun)
        return reply

    def _count(self, request: Request, reply: Reply, begun: int) -> None:
        name = self._names.get(request.target)
        if name is None:
            if request.method != "POST" or request.path != "/":
                return
            name = _UNKNOWN
        counters.request(counters.timer(self._door, name), begun)
        if reply.error:
            counters.failed(self._door, name, reply.error)
