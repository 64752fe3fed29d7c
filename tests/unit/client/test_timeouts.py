"""How long a call may take: servers that are silent, slow or deaf hold nobody for ever."""

from __future__ import annotations

import asyncio
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_servers import HELLO, answers, fake, greeted
from socket_line import frame

import kmsfast
from kmsfast import DependencyTimeout
from kmsfast.client.driving import Deadline

ARN = "arn:aws:kms:us-east-1:000000000000:key/k"
TIMEOUT = 0.3
LATE = 5.0  # seconds; without a deadline these calls take four times as long, or for ever
MUCH = bytes(32 << 20)  # more than the kernel holds of what nobody reads


def dripping(connection: socket.socket, said: bytes) -> None:
    """A byte at a time, each long before anybody would call it silent."""
    try:
        for byte in said:
            connection.sendall(bytes([byte]))
            time.sleep(TIMEOUT / 6)
    except OSError:
        return


def drips(connection: socket.socket) -> None:
    if greeted(connection) and connection.recv(4096):
        dripping(connection, frame(0, 0, bytes(400)))


def drips_from_the_start(connection: socket.socket) -> None:
    if connection.recv(4096):
        dripping(connection, frame(*HELLO))


def deaf(connection: socket.socket) -> None:
    """Reads nothing after the hello, until the client has gone."""
    if greeted(connection):
        poll = select.poll()
        poll.register(connection, select.POLLRDHUP)
        poll.poll(10_000)


def sips(connection: socket.socket) -> None:
    """Reads some bytes again and again, and never answers."""
    if greeted(connection):
        while connection.recv(1 << 16):
            time.sleep(TIMEOUT / 12)


CALLS: dict[str, tuple[Callable[[socket.socket], None], Callable[[Any], Any]]] = {
    "an answer byte by byte": (drips, lambda kms: kms.generate_random(1)),
    "a hello byte by byte": (drips_from_the_start, lambda kms: kms.generate_random(1)),
    "nobody reads a record": (deaf, lambda kms: kms._key(ARN).encrypt(MUCH)),
    "nobody reads a batch": (deaf, lambda kms: kms._key(ARN).encrypt_batch([MUCH[:1 << 18]] * 40)),
    "read slowly": (sips, lambda kms: kms._key(ARN).encrypt(MUCH)),
}  # fmt: skip


def within(call: Callable[[], Any]) -> None:
    """Passes when a call fails about when its time is over."""
    begun = time.monotonic()
    with pytest.raises(DependencyTimeout, match=r"0\.3 seconds"):
        call()
    assert time.monotonic() - begun < LATE


@pytest.mark.parametrize("name", CALLS)
def test_the_client_that_waits(tmp_path: Path, name: str) -> None:
    server, call = CALLS[name]

    def made() -> None:
        with kmsfast.connect(tmp_path / "s", timeout=TIMEOUT) as kms:
            call(kms)

    with fake(tmp_path / "s", server):
        within(made)


@pytest.mark.parametrize("name", CALLS)
def test_the_client_for_asyncio(tmp_path: Path, name: str) -> None:
    server, call = CALLS[name]

    async def made() -> None:
        async with await kmsfast.connect_async(tmp_path / "s", timeout=TIMEOUT) as kms:
            await call(kms)

    with fake(tmp_path / "s", server):
        within(lambda: asyncio.run(asyncio.wait_for(made(), 2 * LATE)))


def test_small_requests_behind_one_that_nobody_reads(tmp_path: Path) -> None:
    """They wait for room, and no longer than they may."""

    async def made() -> None:
        async with await kmsfast.connect_async(tmp_path / "s", timeout=TIMEOUT) as kms:
            large = asyncio.ensure_future(kms._key(ARN).encrypt(MUCH))
            await asyncio.sleep(TIMEOUT / 3)
            with pytest.raises(DependencyTimeout):
                await kms.generate_random(1)
            await large

    with fake(tmp_path / "s", deaf):
        within(lambda: asyncio.run(asyncio.wait_for(made(), 2 * LATE)))


def batches(request: list[Any]) -> list[Any]:
    time.sleep(TIMEOUT / 4)
    num = request[4][0]
    return [request[0], 0, [[num, 97, bytes(97 * num)], None]]


def test_a_batch_goes_on_while_it_is_worked_on(tmp_path: Path) -> None:
    values = [b"x"] * 20_000  # of ten pieces

    async def made(path: Path) -> Any:
        async with await kmsfast.connect_async(path, timeout=TIMEOUT) as kms:
            return await kms._key(ARN).encrypt_batch(values)

    with fake(tmp_path / "s", answers(batches)):
        begun = time.monotonic()
        with kmsfast.connect(tmp_path / "s", timeout=TIMEOUT) as kms:
            assert len(kms._key(ARN).encrypt_batch(values)) == len(values)
        assert time.monotonic() - begun > 2 * TIMEOUT
    with fake(tmp_path / "t", answers(batches)):
        assert len(asyncio.run(made(tmp_path / "t"))) == len(values)


def test_a_connection_that_was_used_lately_waits_as_long_as_a_new_one(tmp_path: Path) -> None:
    """What was left of the time of one call is not all that the next one has."""
    pauses = iter([0.7, 0.7, 0.0, 0.7])

    def reply(request: list[Any]) -> list[Any]:
        time.sleep(next(pauses) * TIMEOUT)
        return [request[0], 0, b"x"]

    with (
        fake(tmp_path / "s", answers(reply)),
        kmsfast.connect(tmp_path / "s", timeout=TIMEOUT) as kms,
    ):
        for _ in range(4):
            assert kms.generate_random(1) == b"x"


def test_deadlines_are_renewed_by_answers_alone() -> None:
    now = [10.0]
    deadline = Deadline(5.0, lambda: now[0])
    now[0] = 14.0
    assert deadline.left() == pytest.approx(1.0)
    deadline.answered()
    assert deadline.left() == pytest.approx(5.0)
    now[0] = 19.0
    with pytest.raises(DependencyTimeout, match="5 seconds"):
        deadline.left()
