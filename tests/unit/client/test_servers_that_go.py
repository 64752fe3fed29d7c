"""Servers that go away, are silent, or speak something else."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from fake_servers import fake, greeted, says
from serving import WAIT, command
from socket_line import frame

import kmsfast
from kmsfast import AccessDenied, DependencyTimeout, ProtocolError, ServerUnreachable
from kmsfast.client.calls import Request


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def _both(path: Path, error: type[Exception], timeout: float = 5.0) -> None:
    """Passes when a call fails so in both clients."""
    with pytest.raises(error), kmsfast.connect(path, timeout=timeout) as kms:
        kms.generate_random(1)

    async def awaited() -> None:
        async with await kmsfast.connect_async(path, timeout=timeout) as kms:
            await kms.generate_random(1)

    with pytest.raises(error):
        asyncio.run(awaited())


def test_nobody_is_there(path: Path) -> None:
    _both(path, ServerUnreachable)


def test_no_socket(path: Path) -> None:
    path.write_text("a file")
    _both(path, ServerUnreachable)


def test_a_refused_caller(path: Path) -> None:
    refusal = frame(None, 1, ["AccessDeniedException", False, "nobody"])
    with fake(path, lambda connection: says(connection, refusal)):
        _both(path, AccessDenied)


OTHERS = [
    b"HTTP/1.1 200 OK\r\n\r\n", frame(0, 0, b""), frame("kmsfast", 9, {}),
    frame("kmsfast", 1, {"max_frame": "1"}), frame("kmsfast", 1, {"features": 1}),
]  # fmt: skip


@pytest.mark.parametrize("said", OTHERS)
def test_another_server(path: Path, said: bytes) -> None:
    with fake(path, lambda connection: says(connection, said)):
        _both(path, ProtocolError)


def test_an_answer_to_nothing(path: Path) -> None:
    def answer(connection: socket.socket) -> None:
        if greeted(connection) and connection.recv(4096):
            connection.sendall(frame(99, 0, b""))

    with fake(path, answer):
        _both(path, ProtocolError)


def test_a_silent_server(path: Path) -> None:
    def answer(connection: socket.socket) -> None:
        if greeted(connection):
            while connection.recv(4096):
                pass

    with fake(path, answer):
        _both(path, DependencyTimeout, timeout=0.2)


def test_it_closes_each_time(path: Path) -> None:
    def answer(connection: socket.socket) -> None:
        if greeted(connection):
            connection.recv(4096)

    with fake(path, answer):
        _both(path, ServerUnreachable)


def test_what_is_not_repeatable_is_asked_once(path: Path) -> None:
    asked = []

    def answer(connection: socket.socket) -> None:
        if greeted(connection) and (request := connection.recv(4096)):
            asked.append(request)

    with fake(path, answer), kmsfast.connect(path) as kms:
        with pytest.raises(ServerUnreachable, match="went away"):
            kms.create_alias("alias/a", "k")
        assert len(asked) == 1
        with pytest.raises(ServerUnreachable):
            kms.generate_random(1)
        assert len(asked) == 4


def test_what_is_not_repeatable_is_sent_anew_when_none_of_it_was(path: Path) -> None:
    asked = []

    def answer(connection: socket.socket) -> None:
        if greeted(connection) and (request := connection.recv(4096)):
            asked.append(request)

    async def on_a_link_that_is_lost_before_it_sends() -> None:
        async with await kmsfast.connect_async(path) as kms:
            link = await kms._client._linked()
            link.pause_writing()
            call = asyncio.ensure_future(kms.create_alias("alias/a", "k"))
            await asyncio.sleep(0.05)
            link.close()
            with pytest.raises(ServerUnreachable, match="went away"):
                await call

    with fake(path, answer):
        asyncio.run(on_a_link_that_is_lost_before_it_sends())
    assert len(asked) == 1


def _started(store: Path, path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        command(store, "--socket", str(path)), stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def _ended(process: subprocess.Popen[str], number: int) -> None:
    process.send_signal(number)
    process.wait(WAIT)
    assert process.stdout is not None
    process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_another_server_takes_over(tmp_path: Path, number: int) -> None:
    store, path = tmp_path / "store", tmp_path / "s"
    process = _started(store, path)
    try:
        with kmsfast.connect(path) as kms:
            key = kms.create_key()
            blob = key.encrypt(b"hello")
            for _ in range(2):
                _ended(process, number)
                process = _started(store, path)
                assert kms.decrypt(blob) == b"hello"
                assert key.decrypt_batch([blob] * 3) == [b"hello"] * 3
    finally:
        _ended(process, signal.SIGTERM)


def test_a_child_has_its_own_connections(tmp_path: Path) -> None:
    process = _started(tmp_path / "store", tmp_path / "s")
    try:
        with kmsfast.connect(tmp_path / "s") as kms:
            key = kms.create_key()
            blob = key.encrypt(b"hello")
            child = os.fork()
            if child == 0:
                os._exit(0 if kms.decrypt(blob) == b"hello" else 1)
            assert kms.decrypt(blob) == b"hello"
            assert os.waitpid(child, 0)[1] == 0
            assert kms.decrypt(blob) == b"hello"
    finally:
        _ended(process, signal.SIGTERM)


def test_threads_share_a_client(tmp_path: Path) -> None:
    process = _started(tmp_path / "store", tmp_path / "s")
    try:
        with kmsfast.connect(tmp_path / "s", connections=2) as kms:
            key = kms.create_key()
            wrong: list[int] = []

            def use(number: int) -> None:
                values = [b"%d %d" % (number, i) for i in range(200)]
                if [kms.decrypt(key.encrypt(value)) for value in values[:20]] != values[:20]:
                    wrong.append(number)
                if kms.decrypt_batch(key.encrypt_batch(values)) != values:
                    wrong.append(number)

            threads = [threading.Thread(target=use, args=(i,)) for i in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(WAIT)
            assert wrong == []
    finally:
        _ended(process, signal.SIGTERM)


def test_after_closing(path: Path) -> None:
    with fake(path, greeted):
        kms = kmsfast.connect(path)
        kms.close()
        with pytest.raises(ServerUnreachable, match="closed"):
            kms.generate_random(1)


@pytest.mark.parametrize("timeout", [0, -1, "1", True, float("inf"), float("nan"), 1e10])
def test_timeouts(path: Path, timeout: object) -> None:
    with pytest.raises(kmsfast.ValidationError, match="timeout"):
        kmsfast.connect(path, timeout=timeout)  # type: ignore[arg-type]


def test_a_server_that_goes_between_requests(path: Path) -> None:
    """A request on a connection that is known to be lost is not waited for."""

    def answer(connection: socket.socket) -> None:
        if greeted(connection):
            connection.recv(1)

    async def sent() -> None:
        kms = await kmsfast.connect_async(path, timeout=WAIT)
        link = kms._client._link
        assert link is not None
        link._fail(ConnectionResetError("gone"))
        with pytest.raises(ConnectionResetError):
            await link.send(Request(42, (None, None, [1, 1])))
        await kms.close()

    with fake(path, answer):
        asyncio.run(sent())


def test_a_request_in_chunks_that_is_cancelled(path: Path) -> None:
    """All of it is sent, so that the server does not wait for the rest."""
    size, got = 24 << 20, list[int]()
    begun, cancelled, ended = threading.Event(), threading.Event(), threading.Event()

    def answer(connection: socket.socket) -> None:
        if not greeted(connection):
            return
        received = len(connection.recv(4096))
        begun.set()
        cancelled.wait(WAIT)
        connection.settimeout(WAIT)
        while received < size and (more := connection.recv(1 << 20)):
            received += len(more)
        got.append(received)
        ended.set()

    async def asked() -> None:
        kms = await kmsfast.connect_async(path, timeout=WAIT)
        key = kms._key("arn:aws:kms:eu-central-1:000000000000:key/k")
        task = asyncio.ensure_future(key.encrypt(bytes(size)))
        await asyncio.to_thread(begun.wait, WAIT)
        task.cancel()
        cancelled.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(ended.wait, 2 * WAIT)
        await kms.close()

    with fake(path, answer):
        asyncio.run(asyncio.wait_for(asked(), 3 * WAIT))
    assert got[0] >= size
