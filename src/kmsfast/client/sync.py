"""The client that waits: a key store behind a socket, and its keys, for programs with threads.

Rules: those of :mod:`.driving` and of :mod:`.pool`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Self, TypeVar

from kmsfast.client.calls import Call, Sync
from kmsfast.client.description import arn_in
from kmsfast.client.driving import Server, seconds
from kmsfast.client.keys import KeyCalls
from kmsfast.client.pool import Pool
from kmsfast.client.properties import KeyProperties
from kmsfast.client.protocol import Hello
from kmsfast.client.stores import KmsCalls
from kmsfast.model.arn import Home
from kmsfast.service.streaming import OpensStreams, SealsStreams

__all__ = ["Key", "Kms", "connect"]

T = TypeVar("T")


class Key(KeyProperties, KeyCalls["Key"], SealsStreams, Sync):
    """One key of a server; the methods are those of the in-process key, one request each."""

    __slots__ = ("_kms", "arn", "id")

    def __init__(self, kms: Kms, arn: str) -> None:
        self._kms, self.arn, self.id = kms, arn, arn.rpartition("/")[2]

    def _drive(self, call: Call[T]) -> T:
        return self._kms._drive(call)

    def _sibling(self, region: str, metadata: Mapping[str, Any]) -> Key:
        return Key(self._kms.at(region), arn_in(metadata))


class Kms(Server, KmsCalls[Key], OpensStreams, Sync):
    """A key store behind a socket. Close it, or use it as a context manager."""

    def __init__(self, pool: Pool, pools: dict[str | None, Pool] | None = None) -> None:
        self._pool, self._path = pool, pool.path
        self._pools = {pool.region: pool} if pools is None else pools

    @property
    def server(self) -> Hello:
        """What the server said of itself, and whom it takes us for."""
        assert self._pool.hello is not None  # noqa: S101 - connect asked it
        return self._pool.hello

    def at(self, region: str | None = None) -> Kms:
        """The same store for another region; closing one of them closes all.

        Raises:
            ValidationError: the server has no such region.
        """
        pool = self._pools.get(region or self._pool.region)
        if pool is None:
            pool = self._pool.of_region(region)
            pool.exchange(())
            pool = self._pools.setdefault(region, pool)
        return Kms(pool, self._pools)

    def close(self) -> None:
        """Closes the connections, in all regions. Later use of its objects raises."""
        for pool in tuple(self._pools.values()):
            pool.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def _drive(self, call: Call[T]) -> T:
        try:
            requests = next(call)
            while True:
                requests = call.send(self._pool.exchange(requests))
        except StopIteration as end:
            result: T = end.value
            return result

    def _home(self) -> Home:
        return Home(self.server.region, self.server.account)

    def _key(self, arn: str) -> Key:
        return Key(self, arn)


def connect(
    path: str | os.PathLike[str],
    *,
    region: str | None = None,
    timeout: float = 30.0,
    connections: int = 16,
) -> Kms:
    """Connects to the server at a Unix socket; its keys are used as those of ``kmsfast.open``.

    Args:
        region: whose keys; None: the server's default.
        timeout: seconds after which an answer that is not whole fails its call.
        connections: that are kept for later calls; each call of another thread uses one.

    Raises:
        ServerUnreachable: no server answers there.
        AccessDenied: the server does not know the user of this process.
    """
    pool = Pool(os.fspath(path), region, seconds(timeout), connections)
    pool.exchange(())
    return Kms(pool)
