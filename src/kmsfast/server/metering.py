"""Counting the requests and connections of a door (docs/metrics.md).

Rules:
- what is answered from templates is counted in C, when it is answered; everything else here, when
  its reply is written, with the time since its last byte came: waiting for a thread and the audit
  record are in that;
- a request whose answer was counted, but was kept back, counts as an error besides;
- a request to the API that names no operation of AWS KMS counts as one of operation ``unknown``;
  pages of the server, such as ``/healthz``, are not counted, nor is what ends a connection before
  it was a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from kmsfast.crypto import counters
from kmsfast.server.endpoint import Reply, Request
from kmsfast.wire.model import ServiceModel

__all__ = ["Metering", "Uncounted"]

_UNKNOWN: Final = "unknown"


class Uncounted:
    """Counts nothing: the door of metrics itself."""

    def opened(self, *, refused: bool) -> None:
        """A client has connected."""

    def closed(self) -> None:
        """One is gone."""

    def count(self, request: Request, reply: Reply) -> None:
        """A reply is written."""


class Metering(Uncounted):
    """Counts for one door.

    Args:
        door: its name.
        model: whose operations it serves.
    """

    def __init__(self, door: str, model: ServiceModel) -> None:
        self._door = door
        self._names: Mapping[bytes, str] = {
            f"{model.target_prefix}.{name}".encode(): name for name in model.operations
        }
        self._accepted, self._refused, self._closed = (
            counters.counter(what + door)
            for what in (counters.ACCEPTED, counters.REFUSED, counters.CLOSED)
        )
        for name in (*model.operations, _UNKNOWN):
            counters.timer(door, name)  # so that it is there, and 0, from the start

    def opened(self, *, refused: bool) -> None:
        """Counts a client that has connected."""
        counters.add(self._accepted, 1)
        if refused:
            counters.add(self._refused, 1)

    def closed(self) -> None:
        """Counts one that is gone."""
        counters.add(self._closed, 1)

    def count(self, request: Request, reply: Reply) -> None:
        """Counts a request that was not counted when it was answered."""
        if request.method != "POST" or request.path != "/":
            return
        name = self._names.get(request.target, _UNKNOWN)
        if request.begun:
            counters.request(counters.timer(self._door, name), request.begun)
        if reply.error:
            counters.failed(self._door, name, reply.error)
