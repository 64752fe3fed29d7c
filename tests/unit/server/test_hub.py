"""How the server ends, and how it holds replies."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import pytest

from kmsfast.server import hub
from kmsfast.server.endpoint import Reply, Request


def test_work_that_was_not_begun_is_not_done_when_the_server_ends() -> None:
    release, begun, done = threading.Event(), threading.Semaphore(0), []

    def work() -> Reply:
        begun.release()
        release.wait(30)
        done.append(True)
        return Reply(200, b"")

    async def life() -> list[asyncio.Future[Reply]]:
        loop = asyncio.get_running_loop()
        server = hub.Server(SimpleNamespace(answer=None, write=None), loop)  # type: ignore[arg-type]
        futures = [server.start(work) for _ in range(5 * hub._THREADS)]
        for _ in range(hub._THREADS):
            assert begun.acquire(timeout=30)
        threading.Timer(0.2, release.set).start()
        await server.drain()
        await asyncio.wait(futures)
        return futures

    futures = asyncio.run(life())
    assert len(done) == hub._THREADS
    assert [future.cancelled() for future in futures].count(False) == hub._THREADS
    with pytest.raises(asyncio.CancelledError):
        futures[-1].result()


def test_replies_that_are_held_are_written_together_and_in_order() -> None:
    written: list[list[tuple[Request, Reply]]] = []
    released: list[tuple[int, str, bytes]] = []

    def write(held: list[tuple[Request, Reply]]) -> list[Reply]:
        written.append(held)
        return [Reply(200, reply.body + b"!") for _, reply in held]

    def connection(number: int) -> SimpleNamespace:
        return SimpleNamespace(
            release=lambda request, reply: released.append((number, request.path, reply.body))
        )

    async def life() -> None:
        server = hub.Server(
            SimpleNamespace(answer=None, write=write),  # type: ignore[arg-type]
            asyncio.get_running_loop(),
        )
        for turn in range(2):
            for number in range(3):
                reply = Reply(200, b"%d" % turn, event=b"e")
                server.hold(connection(number), Request(path="/"), reply)  # type: ignore[arg-type]
            assert len(written) == turn
            await asyncio.sleep(0)
            assert len(written) == turn + 1
        await server.drain()

    asyncio.run(life())
    assert [len(held) for held in written] == [3, 3]
    assert released == [(n, "/", b"%d!" % turn) for turn in range(2) for n in range(3)]
