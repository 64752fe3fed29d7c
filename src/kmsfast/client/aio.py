"""The client for asyncio: the same calls, awaited; one connection serves all tasks.

Rules: those of :mod:`.driving` and of :mod:`.link`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Self, TypeVar

from kmsfast.client.calls import Answer, Async, Call, Request
from kmsfast.client.description import arn_in
from kmsfast.client.driving import PROGRAM, WINDOW, Attempts, Server, closed, seconds
from kmsfast.client.faults import silent
from kmsfast.client.keys import KeyCalls
from kmsfast.client.link import Link
from kmsfast.client.protocol import Hello, Protocol
from kmsfast.client.stores import KmsCalls
from kmsfast.errors import KmsError
from kmsfast.model.arn import Home

__all__ = ["AsyncKey", "AsyncKms", "connect_async"]

T = TypeVar("T")


class _Client:
    """The connection of an asynchronous client, made anew when it was lost."""

    def __init__(
        self, path: str, region: str | None, timeout: float, hello: Hello | None = None
    ) -> None:
        self.path, self.region, self.timeout = path, region, timeout
        self.hello = hello
        self._link: Link | None = None
        self._turn = asyncio.Lock()
        self._closed = False

    async def exchange(self, requests: Iterable[Request]) -> list[Answer]:
        """The answers to requests, in their order.

        Args:
            requests: can be gone through again.

        Raises:
            ServerUnreachable: no server, or it went away. DependencyTimeout: it is silent.
        """
        attempts = Attempts(self.path, requests)
        try:
            async with asyncio.timeout(self.timeout) as limit:
                while True:
                    coming: list[asyncio.Future[Answer]] = []
                    try:
                        return await self._exchange(await self._linked(), requests, coming, limit)
                    except OSError as error:
                        pause = attempts.failed(error, was_asked=bool(coming))
                    await asyncio.sleep(pause)
        except TimeoutError as error:
            if isinstance(error, KmsError):
                raise
            raise silent(self.timeout) from None

    async def _exchange(
        self,
        link: Link,
        requests: Iterable[Request],
        coming: list[asyncio.Future[Answer]],
        limit: asyncio.Timeout,
    ) -> list[Answer]:
        """The answers; ``coming`` gets those of the requests that were sent."""
        answers: list[Answer] = []

        async def take() -> None:
            answers.append(await coming[len(answers)])
            limit.reschedule(asyncio.get_running_loop().time() + self.timeout)

        try:
            for request in requests:
                if len(coming) - len(answers) >= WINDOW:
                    await take()
                coming.append(await link.send(request))
            while len(answers) < len(coming):
                await take()
        except BaseException:
            for future in coming[len(answers) :]:
                future.cancel()
            raise
        return answers

    async def _linked(self) -> Link:
        if self._closed:
            raise closed()
        async with self._turn:
            if self._link is None or self._link.is_lost:
                protocol = Protocol(self.region, PROGRAM)
                loop = asyncio.get_running_loop()
                _, link = await loop.create_unix_connection(lambda: Link(protocol), self.path)
                try:
                    await link.greeted
                except BaseException:
                    link.close()
                    raise
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

    def _drive(self, call: Call[T]) -> Awaitable[T]:
        return self._kms._drive(call)

    def _sibling(self, region: str, metadata: Mapping[str, Any]) -> AsyncKey:
        return AsyncKey(self._kms.at(region), arn_in(metadata))


class AsyncKms(Server, KmsCalls[AsyncKey], Async):
    """A key store behind a socket, for asyncio. Close it, or use it in ``async with``."""

    def __init__(self, client: _Client, clients: dict[str | None, _Client] | None = None) -> None:
        self._client, self._path = client, client.path
        self._clients = {client.region: client} if clients is None else clients

    @property
    def server(self) -> Hello:
        """What the server said of itself, and whom it takes us for."""
        assert self._client.hello is not None  # noqa: S101 - connect_async asked it
        return self._client.hello

    def at(self, region: str | None = None) -> AsyncKms:
        """The same store for another region, which connects at its first call.

        Closing one of them closes all.
        """
        client = self._client
        if region is None or region == client.region:
            return self
        if region not in self._clients:
            hello = replace(self.server, region=region)
            self._clients[region] = _Client(client.path, region, client.timeout, hello)
        return AsyncKms(self._clients[region], self._clients)

    async def close(self) -> None:
        """Closes the connections, in all regions. Later use of its objects raises."""
        for client in self._clients.values():
            client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

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
        timeout: seconds after which an answer that is not whole fails its call.

    Raises:
        ServerUnreachable: no server answers there.
        AccessDenied: the server does not know the user of this process.
    """
    client = _Client(os.fspath(path), region, seconds(timeout))
    await client.exchange(())
    return AsyncKms(client)
