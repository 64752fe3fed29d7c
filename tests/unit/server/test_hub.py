"""How the server ends."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace

import pytest

from kmsfast.server import hub
from kmsfast.server.endpoint import Reply


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
