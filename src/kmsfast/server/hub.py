"""The server: its connections, the threads behind them, the clock, and how it ends.

Stopping closes the listening sockets and every connection that is idle, lets requests that are in
work finish, and after GRACE seconds cuts off what is left. Work that no thread has begun by then is
not done; calls that run are waited for, which a busy store can prolong by its timeout.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from email.utils import formatdate
from typing import Final, Protocol

from kmsfast.server.connection import Connection
from kmsfast.server.endpoint import Later, Reply, Request
from kmsfast.server.metering import Uncounted
from kmsfast.server.request_ids import RequestIds
from kmsfast.server.signed import SignedConnection

__all__ = ["Answering", "Server"]

_THREADS: Final = 8
_MOST_CONNECTIONS: Final = 4096
GRACE: Final = 10.0
_SWEEP: Final = 1.0
_UNCOUNTED: Final = Uncounted()


class Answering(Protocol):
    """What a server serves."""

    def answer(self, request: Request) -> Reply | Later:
        """The reply, or what makes it."""

    def write(self, held: Sequence[tuple[Request, Reply]]) -> list[Reply]:
        """Writes the events of replies that were held; the replies that leave."""


class Server:
    """Serves an endpoint to connections; see :class:`kmsfast.server.connection.Hub`.

    Args:
        keep_headers: the endpoint asks for signatures, or records who asked.
        metering: counts requests and connections.
    """

    def __init__(
        self,
        endpoint: Answering,
        loop: asyncio.AbstractEventLoop,
        *,
        keep_headers: bool = False,
        metering: Uncounted = _UNCOUNTED,
    ) -> None:
        self.answer, self._write_events = endpoint.answer, endpoint.write
        self._held: list[tuple[Connection, Request, Reply]] = []
        self._metering = metering
        self.count = metering.count
        self._kind = SignedConnection if keep_headers else Connection
        self._loop = loop
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="kmsfast")
        self._connections: set[Connection] = set()
        self.next_id = RequestIds().next
        self.stopping = False
        self._empty = asyncio.Event()
        self._tick()

    # ---- for connections --------------------------------------------------------------------

    def connection(self) -> Connection:
        """A protocol for a client that connects."""
        return self._kind(self)

    def opened(self, connection: Connection) -> bool:
        """Counts a connection in; False: there are too many."""
        self._connections.add(connection)
        welcome = len(self._connections) <= _MOST_CONNECTIONS and not self.stopping
        self._metering.opened(refused=not welcome)
        return welcome

    def closed(self, connection: Connection) -> None:
        """Counts it out."""
        self._connections.discard(connection)
        self._metering.closed()
        if self.stopping and not self._connections:
            self._empty.set()

    def start(self, work: Later) -> asyncio.Future[Reply]:
        """Does work in a thread."""
        return self._loop.run_in_executor(self._pool, work)

    def hold(self, connection: Connection, request: Request, reply: Reply) -> None:
        """Holds a reply until the events of all that are ready now are written."""
        self._held.append((connection, request, reply))
        if len(self._held) == 1:
            self._loop.call_soon(self._release)

    def _release(self) -> None:
        """Writes the events by one write, and lets their replies go."""
        held, self._held = self._held, []
        replies = self._write_events([(request, reply) for _, request, reply in held])
        for (connection, request, _), reply in zip(held, replies, strict=True):
            connection.release(request, reply)

    # ---- its life ---------------------------------------------------------------------------

    async def sweep(self) -> None:
        """Keeps the clock, and cuts off connections whose deadline is over; for ever."""
        while True:
            await asyncio.sleep(_SWEEP)
            self._tick()
            for connection in [each for each in self._connections if each.deadline < self.now]:
                connection.expire()

    async def drain(self) -> None:
        """Ends all connections: idle ones now, the others after their reply, or after GRACE."""
        self.stopping = True
        for connection in list(self._connections):
            connection.stop()
        if self._connections:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), GRACE)
        for connection in list(self._connections):
            connection.abort()
        self._pool.shutdown(cancel_futures=True)

    def _tick(self) -> None:
        self.now = self._loop.time()
        self.date = formatdate(time.time(), usegmt=True).encode()
