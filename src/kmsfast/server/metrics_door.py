"""The listener that serves metrics and nothing else.

Rules:
- whoever reads the page is not asked who it is: it has no secrets, and its listener is where the
  operator put it;
- pages in browsers do not read it: a name that its owner had resolved to this machine stands in the
  Host header, and only addresses, ``localhost``, the machine's own name and the name in the
  listener's address are answered.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from typing import Final

from kmsfast.server.endpoint import Later, Reply, Request

__all__ = ["MetricsEndpoint"]

_ADDRESS: Final = re.compile(
    r"(\[[0-9a-f:.]+\]|[0-9]{1,3}(\.[0-9]{1,3}){3}|([a-z0-9_-]+\.)*localhost)\.?", re.ASCII
)
_PORT: Final = re.compile(r":[0-9]{0,5}\Z", re.ASCII)
_NOWHERE: Final = Reply(404, b"The metrics are at /metrics\n", "", b"text/plain")
_FORBIDDEN: Final = Reply(
    403,
    b"The Host header names another machine: ask by address, or put the name into --metrics\n",
    "",
    b"text/plain",
)


class MetricsEndpoint:
    """Answers ``GET /metrics``.

    Args:
        page: makes it.
        host: of the listener's address, by which it may be asked.
    """

    def __init__(self, page: Later, host: str) -> None:
        self._page = page
        name = socket.gethostname().lower()
        self._names = {"", host.lower(), name, name.partition(".")[0]}

    def answer(self, request: Request) -> Reply | Later:
        """The page, or why not."""
        host = _PORT.sub("", request.host.decode("latin-1")).lower()
        if host not in self._names and not _ADDRESS.fullmatch(host):
            return _FORBIDDEN
        if request.method != "GET" or request.path != "/metrics":
            return _NOWHERE
        return self._page

    def write(self, held: Sequence[tuple[Request, Reply]]) -> list[Reply]:
        """The replies that were held; none has an event."""
        return [reply for _, reply in held]
