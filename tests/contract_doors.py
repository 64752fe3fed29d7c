"""The doors of one store as the same objects: in this process, and through a socket."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from serving import served_at_socket

import kmsfast
from kmsfast.client.aio import AsyncKey, AsyncKms

DOORS = ("in-process", "socket", "socket, async")


@contextmanager
def opened(door: str, store: Path) -> Iterator[Any]:
    """An open key store behind a door; it is made if need be."""
    if door == "in-process":
        with kmsfast.open(store, create=not (store / "store.db").exists()) as kms:
            yield kms
        return
    with served_at_socket(store) as path:
        if door == "socket":
            with kmsfast.connect(path) as kms:
                yield kms
            return
        with asyncio.Runner() as runner:
            kms = runner.run(kmsfast.connect_async(path))
            yield Awaited(runner, kms)
            runner.run(kms.close())


class Awaited:
    """An object of the asynchronous client whose methods wait."""

    def __init__(self, runner: asyncio.Runner, inner: Any) -> None:
        self._runner, self._inner = runner, inner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._waiting(found) if callable(found) else found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Awaited) and other._inner == self._inner

    def __hash__(self) -> int:
        return hash(self._inner)

    def _waiting(self, method: Any) -> Any:
        def waiting(*args: Any, **named: Any) -> Any:
            async def call() -> Any:
                return await method(*map(_bare, args), **named)

            return self._wrapped(self._runner.run(call()))

        return waiting

    def _wrapped(self, value: Any) -> Any:
        if isinstance(value, AsyncKey | AsyncKms):
            return Awaited(self._runner, value)
        if isinstance(value, list):
            return [self._wrapped(each) for each in value]
        return value


def _bare(value: Any) -> Any:
    return value._inner if isinstance(value, Awaited) else value
