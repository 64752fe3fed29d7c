"""The socket's reactor beside a floor that only moves frames, by a load client in C (c/socket/).

Server and client have a core each. What is compared is in turns, and of each the best of its
rounds; policy decisions are tickets, as a server issues them, and every answer is recorded in an
audit log first.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgpack
import pytest
from conftest import Compare
from rows import Result, Row

from kmsfast.audit.event import Caller, Event
from kmsfast.audit.frames import pack
from kmsfast.audit.log import AuditLog
from kmsfast.crypto import blob, keys
from kmsfast.crypto.reactor import EventKind, Limits, Log, Reactor, Ticket

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE.parent / "build" / "bench" / "socket"
ANSWER_LEN = 170  # of Encrypt of 64 bytes, [id, 0, blob]: 5 + 1 + 2 + 160 + the array's byte
SERVER_CORE, CLIENT_CORE = "0", "1"
ARN = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CALLER = Caller(
    "IAMUser", "arn:aws:iam::000000000000:user/alice", "000000000000", "AIDAEXAMPLE", "", "unix:0"
)
EVENT = Event(0, "Encrypt", "us-east-1", (ARN,), CALLER)
MEMBERS = {"KeyId": "alias/bench", "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}


def load(path: Path, *options: str) -> dict[str, float]:
    """One run of the load client."""
    command = ["taskset", "-c", CLIENT_CORE, str(PROGRAMS / "load"), str(path), *options]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


class Served:
    """A reactor that answers Encrypt under alias/bench, recorded; everybody is caller 1."""

    def __init__(self, folder: Path) -> None:
        keys.open_arena()
        keys.RootKey.create_file(str(folder / "root"))
        store, _ = keys.StoreKey.create(keys.RootKey.load_file(str(folder / "root")), bytes(16))
        self._key = store.load_material(store.generate_material(b"k" * 16, 1, 0), b"k" * 16, 1, 0)
        (folder / "audit").mkdir()
        self._log = AuditLog(folder / "audit", store, bytes(16), segment_bytes=1 << 40)
        self._lock = os.open(folder / "audit" / "end", os.O_RDWR | os.O_CLOEXEC)
        self.path = folder / "socket"
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.path))
        self._listening.listen(64)
        self._listening.setblocking(False)
        epoch = memoryview(bytearray(8)).cast("Q")
        self._reactor = Reactor([self._listening.fileno()], epoch, Limits())
        self._log.append(pack(EVENT))
        self._reactor.record(Log(self._log.end, self._lock, self._log.segment))
        self._put_tickets()
        self._stopping = False
        self._threads = [threading.Thread(target=self._reactor.run, name="loop")]
        self._threads.append(threading.Thread(target=self._serve, name="server"))
        for thread in self._threads:
            thread.start()

    def _put_tickets(self) -> None:
        ticket = Ticket(
            self._key,
            0,
            recorded=True,
            event=b"".join(map(pack, EVENT[1:7])),
            members=pack(MEMBERS)[1:],
            num_members=len(MEMBERS),
        )
        self._reactor.put(1, 1, b"alias/bench", b"", ticket)
        self._reactor.put(1, 2, b"", blob.prefix(self._key)[:24], ticket)

    def _serve(self) -> None:
        hello = msgpack.packb(["kmsfast", 1, {}])
        while not self._stopping:
            select.select([self._reactor.event_fd], [], [], 0.1)
            while (event := self._reactor.take()) is not None:
                if event.kind is EventKind.FRAME:
                    self._reactor.send(event.conn, struct.pack(">I", len(hello)) + hello)
                    self._reactor.admit(event.conn, 1)
                event.done()

    def close(self) -> None:
        self._reactor.stop(1)
        self._threads[0].join()
        self._stopping = True
        self._threads[1].join()
        assert self._reactor.counts().unrecorded == 0
        self._reactor.close()
        self._listening.close()
        self._log.close()
        os.close(self._lock)


@contextmanager
def _floor(path: Path) -> Iterator[Path]:
    command = ["taskset", "-c", SERVER_CORE, str(PROGRAMS / "floor"), str(path), str(ANSWER_LEN)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            yield path
        finally:
            child.terminate()


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[Path, Path]]:
    """The paths of the floor and of a reactor, which runs in this process, on the server's core."""
    if not hasattr(os, "eventfd"):
        pytest.skip("there is no epoll here")
    before = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="kmsfast-bench-") as name:
        folder = Path(name)
        os.sched_setaffinity(0, {int(SERVER_CORE)})
        served = Served(folder)
        try:
            with _floor(folder / "floor") as floor:
                yield floor, served.path
        finally:
            served.close()
            os.sched_setaffinity(0, before)


class _Run:
    """Runs of the load client against one server; what it measured is kept."""

    def __init__(self, path: Path, *options: str) -> None:
        self._path, self._options = path, options
        self.figures: list[dict[str, float]] = []

    def __call__(self) -> None:
        self.figures.append(load(self._path, *self._options))

    def best(self, name: str) -> float:
        """The least of a latency, in ms."""
        return min(each[name] for each in self.figures) / 1000


def _compare(
    compare: Compare, both: tuple[Path, Path], row: Row, requests: int, *options: str
) -> tuple[dict[str, Any], _Run, _Run]:
    floor, ours = (_Run(path, "-r", str(requests), *options) for path in both)
    return compare(row, ours, floor, units=requests, rounds=8, warmup=1), ours, floor


ONE = "socket, encrypt 64 B, one client at a time"


def test_one_client_at_a_time(both: tuple[Path, Path], compare: Compare) -> None:
    """How long a request takes: 1.5 times the floor's median, twice its 99th percentile."""
    row = Row(f"{ONE}, rate", unit="requests/s")
    info, ours, floor = _compare(compare, both, row, 10_000, "-n1", "-d1")
    info["more"] = [
        asdict(
            Result(f"{ONE}, {name}", "ms", mine, limit, limit / mine, 1 / most, 1 / hoped),
        )
        for name, most, hoped in (("p50", 1.5, 1.25), ("p99", 2.0, 1.5))
        for mine, limit in [(ours.best(f"{name}_us"), floor.best(f"{name}_us"))]
    ]


def test_pipelined(both: tuple[Path, Path], compare: Compare) -> None:
    """64 requests on their way all the time."""
    row = Row("socket, encrypt 64 B, 64 at a time beside the floor", 0.35, 0.45, "requests/s")
    _compare(compare, both, row, 300_000, "-n1", "-d64")


def test_sixteen_clients(both: tuple[Path, Path], compare: Compare) -> None:
    """Sixteen connections, one request at a time each."""
    row = Row("socket, encrypt 64 B, 16 clients beside the floor", 0.6, 0.8, "requests/s")
    _compare(compare, both, row, 60_000, "-n16", "-d1")


@pytest.mark.parametrize(
    ("what", "size", "requests", "target"),
    [("1 MiB", 1 << 20, 400, 1e9), ("64 MiB in chunks", 64 << 20, 6, 0.8e9)],
)
def test_large(
    both: tuple[Path, Path], compare: Compare, what: str, size: int, requests: int, target: float
) -> None:
    """Bytes a second of large records; the peer is the target itself."""
    row = Row(f"socket, encrypt {what}, bytes", 1.0, unit="bytes/s")
    ours = _Run(both[1], "-s", str(size), "-r", str(requests))
    units = size * requests
    compare(row, ours, lambda: units / target, units=units, rounds=6, warmup=1, own_clock=True)
