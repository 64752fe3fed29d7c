"""The client for asyncio: the same calls, awaited; one connection serves all tasks.

Rules:
- requests of all tasks share a connection, their answers come in any order;
- a connection that was lost is replaced at the next call; requests that do no harm twice are made
  again, others raise ServerUnreachable;
- a task that is cancelled leaves its request to the server, and its answer is dropped.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Iterable, Mapping
from typing import Any, Final, NoReturn, Self, TypeVar

from kmsfast.client.calls import Answer, Async, Call, Request
from kmsfast.client.faults import lost, unreachable
from kmsfast.client.keys import KeyCalls
from kmsfast.client.protocol import Hello, Protocol
from kmsfast.client.stores import KmsCalls
from kmsfast.errors import (
    DependencyTimeout,
    KmsError,
    ProtocolError,
    ServerUnreachable,
    ValidationError,
)
from kmsfast.model.arn import Home

__all__ = ["AsyncKey", "AsyncKms", "connect_async"]

T = TypeVar("T")
_ATTEMPTS: Final = 3
_PAUSE: Final = 0.05  # seconds before the second attempt, doubled before the third
_WINDOW: Final = 64  # requests of one call that may be unanswered
_NAME: Final = "kmsfast-python"


class _Link(asyncio.BufferedProtocol):
    """One connection in an event loop."""

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._waiting: dict[int, tuple[Request, asyncio.Future[Answer]]] = {}
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.greeted: asyncio.Future[None] = loop.create_future()
        self._room = asyncio.Event()
        self._room.set()
        self._sending: set[asyncio.Future[None]] = set()
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
        request, future = self._waiting.pop(number, (None, None))
        if request is None or future is None:
            raise ProtocolError(f"the server answers {number}, which was not asked")
        if future.cancelled():
            return
        if request.take is not None:
            request.take(answer)
        future.set_result(answer if request.take is None else Answer(None, answer.error))

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
        await asyncio.shield(sending)
        return future

    async def _send_all(self, frames: Iterable[list[Any]]) -> None:
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
        self._fail(ServerUnreachable("the client was closed; connect again"))


class _Client:
    """The connection of an asynchronous client, made anew when it was lost."""

    def __init__(self, path: str, region: str | None, timeout: float) -> None:
        self.path, self.region, self.timeout = path, region, timeout
        self.hello: Hello | None = None
        self._link: _Link | None = None
        self._turn = asyncio.Lock()
        self._closed = False

    async def exchange(self, requests: Iterable[Request]) -> list[Answer]:
        """The answers to requests, in their order.

        Args:
            requests: can be gone through again.

        Raises:
            ServerUnreachable: no server, or it went away. DependencyTimeout: it is silent.
        """
        for attempt in range(_ATTEMPTS):
            last = attempt == _ATTEMPTS - 1
            try:
                link = await self._linked()
            except KmsError:
                raise
            except OSError as error:
                if last:
                    raise unreachable(self.path, error) from error
            else:
                try:
                    return await self._exchange(link, requests)
                except KmsError:
                    raise
                except OSError as error:
                    if last or not all(each.is_repeatable for each in requests):
                        raise lost(self.path, error) from error
            await asyncio.sleep(_PAUSE * 2**attempt)
        raise AssertionError

    async def _exchange(self, link: _Link, requests: Iterable[Request]) -> list[Answer]:
        coming: list[asyncio.Future[Answer]] = []
        answers: list[Answer] = []
        try:
            for request in requests:
                if len(coming) - len(answers) >= _WINDOW:
                    answers.append(await self._in_time(coming[len(answers)]))
                coming.append(await link.send(request))
            while len(answers) < len(coming):
                answers.append(await self._in_time(coming[len(answers)]))
        except BaseException:
            for future in coming[len(answers) :]:
                future.cancel()
            raise
        return answers

    async def _in_time(self, future: asyncio.Future[Answer]) -> Answer:
        try:
            return await asyncio.wait_for(future, self.timeout)
        except TimeoutError as error:
            if isinstance(error, KmsError):
                raise
            raise DependencyTimeout(
                f"the server has not answered in {self.timeout:g} seconds; the timeout of "
                "kmsfast.connect_async allows more"
            ) from None

    async def _linked(self) -> _Link:
        if self._closed:
            raise ServerUnreachable("the client was closed; connect again")
        async with self._turn:
            if self._link is None or self._link.is_lost:
                protocol = Protocol(self.region, _NAME)
                loop = asyncio.get_running_loop()
                _, link = await loop.create_unix_connection(lambda: _Link(protocol), self.path)
                async with asyncio.timeout(self.timeout):
                    await link.greeted
                self._link, self.hello = link, protocol.hello
            return self._link

    def close(self) -> None:
        """Ends the connection."""
        self._closed = True
        if self._link is not None:
            self._link.close()


class AsyncKey(KeyCalls["AsyncKey"], Async):
    """One key of a server; each method is awaited, and what the key is, by ``describe``."""

    __slots__ = ("_kms", "arn", "id")

    def __init__(self, kms: AsyncKms, arn: str) -> None:
        self._kms, self.arn, self.id = kms, arn, arn.rpartition("/")[2]

    def __repr__(self) -> str:
        return f"<kmsfast key {self.arn}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AsyncKey) and other.arn == self.arn

    def __hash__(self) -> int:
        return hash(self.arn)

    def _drive(self, call: Call[T]) -> Awaitable[T]:
        return self._kms._drive(call)

    def _sibling(self, region: str, metadata: Mapping[str, Any]) -> AsyncKey:
        return AsyncKey(self._kms.at(region), metadata["Arn"])


class AsyncKms(KmsCalls[AsyncKey], Async):
    """A key store behind a socket, for asyncio. Close it, or use it in ``async with``."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    @property
    def server(self) -> Hello:
        """What the server said of itself, and whom it takes us for."""
        assert self._client.hello is not None  # noqa: S101 - connect_async asked it
        return self._client.hello

    def at(self, region: str | None = None) -> AsyncKms:
        """The same store for another region; it connects at the first call."""
        client = self._client
        return AsyncKms(_Client(client.path, region or client.region, client.timeout))

    async def close(self) -> None:
        """Closes the connection. Later use of its objects raises."""
        self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<kmsfast server {self._client.path!r}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Kms has connections and cannot be pickled or copied; connect again")

    async def _drive(self, call: Call[T]) -> T:
        try:
            requests = next(call)
            while True:
                requests = call.send(await self._client.exchange(requests))
        except StopIteration as end:
            result: T = end.value
            return result

    def _home(self) -> Home:
        return Home(self.server.region, self.server.account)

    def _key(self, arn: str) -> AsyncKey:
        return AsyncKey(self, arn)


async def connect_async(
    path: str | os.PathLike[str],
    *,
    region: str | None = None,
    timeout: float = 30.0,  # noqa: ASYNC109 - of later calls
) -> AsyncKms:
    """Connects to the server at a Unix socket, in the running event loop.

    Args:
        region: whose keys; None: the server's default.
        timeout: seconds after which a request without an answer fails.

    Raises:
        ServerUnreachable: no server answers there.
        AccessDenied: the server does not know the user of this process.
    """
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise ValidationError(f"timeout is seconds, more than 0, not {timeout!r}")
    client = _Client(os.fspath(path), region, float(timeout))
    await client.exchange(())
    return AsyncKms(client)
