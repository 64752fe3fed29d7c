"""One connection of the client for asyncio, which all tasks share.

Rules:
- answers come in any order; one that is malformed fails the task that asked, and no other;
- a task that is cancelled leaves its request to the server, and its answer is dropped;
- of requests with chunks one is sent after the other: what a server has of those that are not whole
  it must keep, and when it may keep no more it does not read the chunks that would end them;
- what breaks the order of the frames ends the connection, and fails all who wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from kmsfast.client.calls import Answer, Request
from kmsfast.client.driving import asked, closed
from kmsfast.client.protocol import Protocol

__all__ = ["Link"]


class Link(asyncio.BufferedProtocol):
    """A connection in an event loop.

    Attributes:
        greeted: is done when the server has answered the hello.
        is_lost: whether the connection is at its end.
    """

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._waiting: dict[int, tuple[Request, asyncio.Future[Answer]]] = {}
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.greeted: asyncio.Future[None] = loop.create_future()
        self._room = asyncio.Event()
        self._room.set()
        self._sending: set[asyncio.Future[None]] = set()
        self._turn = asyncio.Lock()  # of requests with chunks
        self.is_lost = False

    # ---- what the event loop calls ----------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greets the server."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - of a stream socket
        self._transport = transport
        transport.writelines(self._protocol.greeting())

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the protocol knows better
        """Where the next bytes go."""
        return self._protocol.room()

    def buffer_updated(self, nbytes: int) -> None:
        """Hands answers to whom they are for."""
        try:
            for number, answer in self._protocol.received(nbytes):
                self._answered(number, answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, the connection is at its end
            self._fail(error)
            return
        if self._protocol.hello is not None and not self.greeted.done():
            self.greeted.set_result(None)

    def _answered(self, number: int, answer: Answer) -> None:
        request, future = asked(self._waiting, number)
        if future.cancelled():
            return
        try:
            future.set_result(request.answered(answer))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is of this request alone
            future.set_exception(error)

    def eof_received(self) -> None:
        """The server has closed."""
        self._fail(ConnectionResetError("the server closed the connection"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._fail(exc or ConnectionResetError("the connection was closed"))

    def pause_writing(self) -> None:
        """The server does not read as fast as we write."""
        self._room.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._room.set()

    def _fail(self, error: Exception) -> None:
        self.is_lost = True
        self._room.set()
        waiting, self._waiting = self._waiting, {}
        if not self.greeted.done():
            self.greeted.set_exception(error)
        for _, future in waiting.values():
            if not future.done():
                future.set_exception(error)
        if self._transport is not None:
            self._transport.abort()

    # ---- what the client calls --------------------------------------------------------------

    async def send(self, request: Request) -> asyncio.Future[Answer]:
        """Sends a request; its answer will be there in the future.

        Raises:
            OSError: the connection is lost, and nothing was sent.
        """
        await self._room.wait()
        if self.is_lost:
            raise ConnectionResetError("the connection was lost")
        number, frames = self._protocol.frames(request)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = request, future
        if request.chunks is None:
            self._write(next(frames))
            return future
        # Whole, even when the task that asks is cancelled: the server would wait for the rest.
        sending = asyncio.ensure_future(self._send_all(frames))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            future.cancel()
            raise
        return future

    async def _send_all(self, frames: Iterable[list[Any]]) -> None:
        async with self._turn:
            for frame in frames:
                await self._room.wait()
                if self.is_lost:
                    return
                self._write(frame)

    def _write(self, frame: list[Any]) -> None:
        assert self._transport is not None  # noqa: S101 - it was greeted
        self._transport.writelines(frame)

    def close(self) -> None:
        """Ends it."""
        self._fail(closed())
