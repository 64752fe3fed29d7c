"""The reactor by its binding: contexts as the model has them, events as the audit log has them."""

from __future__ import annotations

import os
import select
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ring import STORE_ID, Ring, Version

from kmsfast.audit.event import Caller, Event
from kmsfast.audit.frames import pack
from kmsfast.audit.log import AuditLog
from kmsfast.audit.reading import Filter, read
from kmsfast.crypto import blob, counters
from kmsfast.crypto.reactor import EventKind, Limits, Log, Reactor, Ticket
from kmsfast.model.context import canonical

if not Reactor.is_available():
    pytest.skip("this system has no epoll", allow_module_level=True)

ENCRYPT, DECRYPT = 1, 2
CALLER = 5
EVENT = Event(0, "Encrypt", "us-east-1", ("arn:k",), Caller("IAMUser", "arn:u", "000000000000"))


def framed(*members: Any) -> bytes:
    body: bytes = msgpack.packb(members)
    return struct.pack(">I", len(body)) + body


class Client:
    """A connection; frames are read one by one."""

    def __init__(self, path: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(20)
        self._socket.connect(path)
        self.send(framed("kmsfast", 1, 1, {}))
        assert self.receive()[0] == "kmsfast"

    def send(self, frames: bytes) -> None:
        self._socket.sendall(frames)

    def receive(self) -> Any:
        (length,) = struct.unpack(">I", self._read(4))
        return msgpack.unpackb(self._read(length), strict_map_key=False)

    def call(self, *members: Any) -> Any:
        self.send(framed(*members))
        return self.receive()

    def close(self) -> None:
        self._socket.close()

    def _read(self, length: int) -> bytes:
        found = b""
        while len(found) < length:
            more = self._socket.recv(length - len(found))
            assert more, "the connection has ended"
            found += more
        return found


class Server:
    """A reactor, and a thread that answers what it hands on by an error."""

    def __init__(self, path: str) -> None:
        self.path, self.epoch = path, memoryview(bytearray(8)).cast("Q")
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(path)
        self._listening.listen()
        self._listening.setblocking(False)
        self.reactor = Reactor([self._listening.fileno()], self.epoch, Limits(max_connections=4))
        self.kinds: list[EventKind] = []
        self.gids: tuple[int, ...] = ()
        self._stopping = False
        self._threads = [threading.Thread(target=f) for f in (self.reactor.run, self._serve)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self.reactor.stop(1)
        self._threads[0].join()
        self._stopping = True
        self._threads[1].join()
        self.reactor.close()
        self._listening.close()

    def _serve(self) -> None:
        while not self._stopping:
            select.select([self.reactor.event_fd], [], [], 0.05)
            while (event := self.reactor.take()) is not None:
                self.kinds.append(event.kind)
                if event.kind is EventKind.CONNECTED:
                    self.gids = struct.unpack(f"{len(event.frame) // 4}I", event.frame)
                    assert event.uid == os.getuid()
                if event.kind is EventKind.FRAME:
                    self._answer(event.conn, msgpack.unpackb(bytes(event.frame)))
                event.done()

    def _answer(self, conn: int, members: list[Any]) -> None:
        if members[0] != "kmsfast":
            self.reactor.send(conn, framed(members[0], 1, ["Handed", False, ""]))
            return
        self.reactor.send(conn, framed("kmsfast", 1, {}))
        self.reactor.admit(conn, CALLER)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(str(tmp_path / "s"))
    yield made
    made.close()


@pytest.fixture
def version(ring: Ring) -> Version:
    return ring.add()


def teach(server: Server, version: Version, **facts: Any) -> None:
    ticket = Ticket(version.handle, server.epoch[0], **facts)
    start = blob.prefix(version.handle)[:24]
    server.reactor.put(CALLER, ENCRYPT, b"alias/a", b"", ticket)
    server.reactor.put(CALLER, DECRYPT, b"", start, ticket)


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


def test_contexts_are_those_of_the_model(server: Server, version: Version) -> None:
    teach(server, version)
    client = Client(server.path)

    @settings(max_examples=200, deadline=None)
    @given(st.dictionaries(TEXT.filter(bool), TEXT, max_size=16), st.binary(max_size=300))
    def check(context: dict[str, str], plaintext: bytes) -> None:
        _, status, sealed = client.call(7, ENCRYPT, "alias/a", context, plaintext)
        assert status == 0
        assert blob.open_one(version.handle, sealed, canonical(context)) == plaintext
        backwards = dict(reversed(context.items()))
        assert client.call(8, DECRYPT, None, backwards, sealed) == [8, 0, plaintext]

    check()
    client.close()


@pytest.mark.parametrize(
    "context",
    [
        {"": "v"},
        {str(i): "v" for i in range(17)},
        {"a": "v" * 66_000},
        {"a": 1},
        {"a": None},
        [["a", "b"]],
    ],
)
def test_other_contexts_are_handed_on(server: Server, version: Version, context: Any) -> None:
    teach(server, version)
    client = Client(server.path)
    assert client.call(7, ENCRYPT, "alias/a", context, b"x")[1] == 1
    client.close()


def test_a_ticket_holds_while_nothing_changes(server: Server, version: Version) -> None:
    client = Client(server.path)
    request = (7, ENCRYPT, "alias/a", None, b"x")
    assert client.call(*request)[1] == 1  # there is none
    teach(server, version, slot=9)
    assert client.call(*request)[1] == 0
    ((slot, request_id),) = server.reactor.used()
    assert slot == 9
    assert request_id.endswith("-7")
    assert server.reactor.used() == []
    server.epoch[0] += 2
    assert client.call(*request)[1] == 1
    teach(server, version)
    assert client.call(*request)[1] == 0
    teach(server, version, due=1)
    assert client.call(*request)[1] == 1
    teach(server, version)
    server.reactor.forget(CALLER + 1)
    assert client.call(*request)[1] == 0
    server.reactor.forget(CALLER)
    assert client.call(*request)[1] == 1
    assert client.call(8, "DescribeKey", {})[1] == 1
    counts = server.reactor.counts()
    assert counts.hot[ENCRYPT] == counts.records[ENCRYPT] == counts.bytes[ENCRYPT] == 3
    assert counts.handed == 6  # the hello among them
    client.close()


def test_answers_are_counted(server: Server, version: Version) -> None:
    timer = counters.timer("reactor", "Encrypt")
    before = counters.read(timer)
    teach(server, version, timer=timer)
    client = Client(server.path)
    for _ in range(3):
        assert client.call(7, ENCRYPT, "alias/a", None, b"x")[1] == 0
    assert client.call(7, ENCRYPT, "other", None, b"x")[1] == 1
    after = counters.read(timer)
    assert after.calls == before.calls + 3
    assert after.seconds > before.seconds
    client.close()


def test_a_deadline_and_associated_data(server: Server, version: Version) -> None:
    teach(server, version)
    client = Client(server.path)
    _, status, sealed = client.call(1, ENCRYPT, "alias/a", None, b"x", {"aad": b"y", "deadline": 5})
    assert status == 0
    assert blob.open_one(version.handle, sealed, b"", b"y") == b"x"
    assert client.call(2, DECRYPT, None, None, sealed, {"aad": b"y"}) == [2, 0, b"x"]
    assert client.call(2, DECRYPT, None, None, sealed)[1] == 1
    assert client.call(1, ENCRYPT, "alias/a", None, b"x", {"deadline": 0})[1] == 1
    assert client.call(1, ENCRYPT, "alias/a", None, b"x", {"tokens": []})[1] == 1
    client.close()


def test_peers_are_known(server: Server) -> None:
    clients = [Client(server.path) for _ in range(4)]
    assert server.gids[0] == os.getgid()
    assert set(server.gids) >= set(os.getgroups())
    with socket.socket(socket.AF_UNIX) as one_more:
        one_more.settimeout(20)
        one_more.connect(server.path)
        assert one_more.recv(1) == b""
    assert server.reactor.counts().refused == 1
    for client in clients:
        client.close()


def test_events_are_those_of_the_log(
    server: Server, ring: Ring, version: Version, tmp_path: Path
) -> None:
    directory = tmp_path / "audit"
    directory.mkdir()
    log = AuditLog(directory, ring.store, STORE_ID)
    lock = os.open(directory / "end", os.O_RDWR | os.O_CLOEXEC)
    server.reactor.record(Log(log.end, lock, log.segment))
    os.close(lock)
    members = {"KeyId": "alias/a"}
    teach(
        server,
        version,
        recorded=True,
        event=b"".join(map(pack, EVENT[1:7])),
        members=pack(members)[1:],
        num_members=len(members),
    )
    client = Client(server.path)
    context = {"b": "ü", "a": ""}
    assert client.call(1 << 63, ENCRYPT, "alias/a", context, b"x")[1] == 0
    log.append(pack(EVENT))
    assert client.call(3, ENCRYPT, "alias/a", None, b"x")[1] == 0
    log.close()
    client.close()
    found = [each.event for each in read(directory, Filter())]
    assert [each._replace(time=0, request_id="", request={}) for each in found] == [EVENT] * 3
    assert found[0].request == members | {"EncryptionContext": context}
    assert found[2].request == members
    assert found[0].request_id.endswith(f"-{1 << 63}")
    assert 0 < found[0].time <= found[2].time
    assert EventKind.RECORDED in server.kinds
