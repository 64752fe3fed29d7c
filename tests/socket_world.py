"""A server of the socket in this process, in a thread of its own, on a store of its own."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from botocore_model import kms_model
from socket_line import Line

import kmsfast
from kmsfast.server.doors import SocketDoor, socket_door
from kmsfast.server.unix_place import UnixPlace, claim
from kmsfast.wire.model import ServiceModel


class Served:
    """A store with keys, served; this process's uid is the administrator there."""

    def __init__(self, kms: kmsfast.Kms, path: Path, door: SocketDoor) -> None:
        self.kms, self.path, self.door = kms, path, door

    def line(self, **facts: Any) -> Line:
        made = Line(self.path, hello=not facts)
        if facts:
            made.server = made.ask("kmsfast", 1, 1, {"client": "tests/1", **facts})
        return made

    def events(self) -> list[dict[str, Any]]:
        return list(self.kms._app.deployment.trail.search())


@contextmanager
def serving(directory: Path, *, in_c: bool, strict: bool = False, **door: Any) -> Iterator[Served]:
    """Serves until the block ends; what is unanswered then is answered."""
    directory.mkdir(exist_ok=True)
    with kmsfast.open(directory / "store", create=True, audit="off") as kms:
        kms.principals.create_administrator()
        kms.principals.map_uid(os.getuid(), "administrator")
        kms.create_key(alias="alias/a")
        kms.create_key(alias="alias/b")
        kms.create_key(alias="alias/s", spec="ECC_NIST_P256", usage="SIGN_VERIFY")
        kms.create_key(alias="alias/m", spec="HMAC_256", usage="GENERATE_VERIFY_MAC")
        place = claim(UnixPlace(str(directory / "socket")))
        recorder = kms._app.deployment.recorder(strict=strict)
        made = socket_door(kms._app, ServiceModel(kms_model()), recorder, place, open_to_all=False)
        made.in_c = in_c
        for name, value in door.items():
            setattr(made, name, value)
        running, stop = _started(made)
        try:
            yield Served(kms, directory / "socket", made)
        finally:
            stop()
            running.join(30)
            place.close()
            assert not running.is_alive()


def _started(door: SocketDoor) -> tuple[threading.Thread, Any]:
    ready: list[Any] = []
    begun = threading.Event()

    async def run() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        server = await door.begin()
        sweeping = asyncio.create_task(server.sweep())
        ready.append(lambda: loop.call_soon_threadsafe(ended.set))
        begun.set()
        await ended.wait()
        door.end()
        await server.drain()
        sweeping.cancel()

    running = threading.Thread(target=asyncio.run, args=(run(),))
    running.start()
    assert begun.wait(30)
    return running, ready[0]
