"""One connection with a transport and a hub that only note what happens."""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from kmsfast.server.connection import IDLE, MAX_HEAD, NEVER, Connection
from kmsfast.server.endpoint import MAX_BODY, Reply, Request


class Transport:
    def __init__(self) -> None:
        self.sent, self.paused, self.closed, self.aborted = b"", False, False, False

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.sent += data

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed


class Hub:
    """Answers each request with its own body; those to ``slow`` later, ``held`` when released."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.now, self.date, self.stopping, self.full = 100.0, b"now", False, False
        self.loop, self.requests, self.works, self.held = loop, [], [], []
        self.connections: set[Connection] = set()

    def opened(self, connection: Connection) -> bool:
        self.connections.add(connection)
        return not self.full

    def closed(self, connection: Connection) -> None:
        self.connections.discard(connection)

    def next_id(self) -> str:
        return "id"

    def answer(self, request: Request) -> Any:
        self.requests.append(request)
        event = b"e" if request.target == b"held" else b""
        reply = Reply(413 if request.too_long else 200, request.body, event=event)
        return (lambda: reply) if request.target == b"slow" else reply

    def count(self, request: Request, reply: Reply) -> None:
        """What is counted is tested in test_metering.py."""

    def start(self, work: Callable[[], Reply]) -> asyncio.Future[Reply]:
        future: asyncio.Future[Reply] = self.loop.create_future()
        self.works.append((future, work))
        return future

    def hold(self, connection: Connection, request: Request, reply: Reply) -> None:
        self.held.append((connection, request, reply))

    def release(self) -> None:
        held, self.held = self.held, []
        for connection, request, reply in held:
            connection.release(request, reply)

    def finish(self) -> None:
        future, work = self.works.pop(0)
        future.set_result(work())
        self.loop.run_until_complete(asyncio.sleep(0))


class Line:
    """A client's end."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.hub, self.transport = Hub(loop), Transport()
        self.connection = Connection(self.hub)
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]

    def send(self, data: bytes) -> None:
        self.connection.data_received(data)

    @property
    def statuses(self) -> list[int]:
        return [int(code) for code in re.findall(rb"HTTP/1.1 (\d+) ", self.transport.sent)]

    @property
    def bodies(self) -> list[bytes]:
        return re.findall(rb"Content-Length: \d+\r\n\r\n([^H]*)", self.transport.sent)


@pytest.fixture
def line() -> Iterator[Line]:
    loop = asyncio.new_event_loop()
    yield Line(loop)
    loop.close()


def request(body: bytes = b"x", *headers: bytes, version: bytes = b"1.1") -> bytes:
    head = [b"POST / HTTP/" + version, b"Host: localhost", b"Content-Length: %d" % len(body)]
    return b"\r\n".join([*head, *headers, b"", body])


CHUNKED = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
SLOW = request(b"slow", b"X-Amz-Target: slow")


def test_a_request_in_any_pieces(line: Line) -> None:
    whole = request(b"body", b"X-AMZ-target: t", b"authorization: a")
    for size in (1, 7, len(whole)):
        for at in range(0, len(whole), size):
            line.send(whole[at : at + size])
    assert line.bodies == [b"body"] * 3
    for made in line.hub.requests:
        assert (made.method, made.path, made.host) == ("POST", "/", b"localhost")
        assert (made.target, made.authorization, made.body) == (b"t", b"a", b"body")
    assert not line.transport.closed
    assert line.connection.deadline == line.hub.now + IDLE


def test_the_head_of_a_reply(line: Line) -> None:
    line.send(request())
    head, _, body = line.transport.sent.partition(b"\r\n\r\n")
    assert body == b"x"
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 200 OK",
        b"x-amzn-RequestId: id",
        b"Cache-Control: no-cache, no-store, must-revalidate, private",
        b"Content-Type: application/x-amz-json-1.1",
        b"Date: now",
        b"Content-Length: 1",
    ]


def test_requests_sent_ahead_are_answered_in_order(line: Line) -> None:
    line.send(request(b"1") + SLOW + request(b"3") + SLOW + request(b"5"))
    assert line.bodies == [b"1"]
    assert line.transport.paused
    assert line.connection.deadline == NEVER
    line.connection.expire()
    assert not line.transport.closed
    line.hub.finish()
    assert line.bodies == [b"1", b"slow", b"3"]
    line.hub.finish()
    assert line.bodies == [b"1", b"slow", b"3", b"slow", b"5"]
    assert not line.transport.paused


def test_chunked_bodies_and_expectations(line: Line) -> None:
    line.send(CHUNKED + b"Expect: 100-continue\r\n\r\n")
    assert line.transport.sent == b"HTTP/1.1 100 Continue\r\n\r\n"
    line.send(b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")
    assert line.bodies == [b"abc"]


@pytest.mark.parametrize(
    "data", [request(b"x", b"Connection: close"), request(version=b"1.0"),
             request(b"x", b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c")],
)  # fmt: skip
def test_the_last_request_of_a_connection(line: Line, data: bytes) -> None:
    line.send(data)
    assert line.statuses == [200]
    assert line.transport.closed


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        request(b"x", b"Host: other"), request(b"x", b"Host:"),
        request().replace(b"Host: localhost", b"Host:\r\nHost: localhost"),
        request().replace(b"Host: localhost\r\n", b""),
        request(b"x", b"X-Amz-Target: a", b"X-Amz-Target: b"),
        request(b"x", b"Authorization: a", b"authorization: b"),
    ],
    ids=lambda data: repr(data[:60]),
)  # fmt: skip
def test_what_is_no_http_or_says_two_things_ends_the_connection(line: Line, data: bytes) -> None:
    line.send(data)
    assert line.statuses == [400]
    assert line.transport.closed
    assert line.hub.requests == []
    line.send(request())
    assert line.statuses == [400]


def test_heads_have_a_greatest_length(line: Line) -> None:
    line.send(b"POST / HTTP/1.1\r\n")
    while not line.transport.closed:
        line.send(b"X-Filler: " + b"x" * 1000 + b"\r\n")
        assert len(line.transport.sent) < MAX_HEAD
    assert line.statuses == [431]


@pytest.mark.parametrize(
    "data",
    [
        request(b"", b"X-Filler: " + b"x" * MAX_HEAD),
        request(b"", *[b"X-%d: " % i + b"x" * 100 for i in range(MAX_HEAD // 100)]),
        b"POST /" + b"x" * MAX_HEAD + request()[6:],
    ],
    ids=["value", "many", "target"],
)
def test_heads_that_come_whole_have_the_same_greatest_length(line: Line, data: bytes) -> None:
    line.send(request() + data + request())
    assert line.statuses == [200, 431]
    assert len(line.hub.requests) == 1
    assert line.transport.closed


def test_trailers_are_not_headers(line: Line) -> None:
    trailers = b"X-Amz-Target: t\r\nHost: other\r\nAuthorization: a\r\nX-Amz-Target: u\r\n\r\n"
    line.send(CHUNKED + b"\r\n1\r\nx\r\n0\r\n" + trailers + request(b"2"))
    assert line.statuses == [200]
    (made,) = line.hub.requests
    assert (made.target, made.host, made.authorization) == (b"", b"localhost", b"")
    assert line.transport.closed


def test_a_trailer_is_not_a_header_of_a_request_that_waits_behind_it(line: Line) -> None:
    line.send(CHUNKED + b"X-Amz-Target: slow\r\n\r\n0\r\nX-Amz-Target: t\r\n\r\n")
    line.send(request(b"2"))
    line.hub.finish()
    assert [made.target for made in line.hub.requests] == [b"slow"]
    assert line.transport.closed


@pytest.mark.parametrize(
    "begin", [b"0\r\n", b"0\r\nX: ", b"1;"], ids=["name", "value", "extension"]
)
def test_what_is_in_a_body_and_not_of_it_has_a_greatest_length(line: Line, begin: bytes) -> None:
    line.send(CHUNKED + b"\r\n" + begin)
    for _ in range(MAX_HEAD // 1000 + 2):
        line.send(b"x" * 1000)
    assert line.statuses == [431]
    assert line.transport.closed


def test_a_body_of_small_chunks_is_not_too_long(line: Line) -> None:
    line.send(CHUNKED + b"\r\n")
    for _ in range(MAX_HEAD // 100):
        line.send(b"1\r\nx\r\n" * 100)
    line.send(b"0\r\n\r\n")
    assert line.statuses == [200]
    assert len(line.hub.requests[0].body) == MAX_HEAD // 100 * 100


def test_bodies_have_a_greatest_length_and_the_connection_lives(line: Line) -> None:
    line.send(request(b"y" * MAX_BODY))
    line.send(request(b"y" * (MAX_BODY + 1)))
    line.send(request())
    assert line.statuses == [200, 413, 200]
    assert [len(made.body) for made in line.hub.requests] == [MAX_BODY, 0, 1]


def test_bodies_without_end_are_cut_off(line: Line) -> None:
    line.send(CHUNKED + b"\r\n")
    chunk = b"10000\r\n" + b"z" * 0x10000 + b"\r\n"
    for _ in range(300):
        line.send(chunk)
    assert line.statuses == [413]
    assert line.transport.closed
    assert sum(map(len, line.connection._chunks)) <= MAX_BODY


def test_a_client_that_sends_slowly_is_cut_off(line: Line) -> None:
    line.send(request())
    line.hub.now += 50
    line.send(b"POST / HT")
    deadline = line.connection.deadline
    assert line.hub.now < deadline < line.hub.now + IDLE
    line.hub.now += 10
    line.send(b"TP/1.1\r\n")
    assert line.connection.deadline == deadline
    line.connection.expire()
    assert line.statuses == [200, 408]
    assert line.transport.closed


def test_a_silent_client_is_cut_off(line: Line) -> None:
    assert line.connection.deadline < line.hub.now + IDLE
    line.connection.expire()
    assert line.transport.aborted
    assert line.statuses == []


def test_a_client_that_does_not_read_is_not_read_from(line: Line) -> None:
    line.connection.pause_writing()
    assert line.transport.paused
    assert line.connection.deadline < line.hub.now + IDLE
    line.connection.resume_writing()
    assert not line.transport.paused
    line.send(SLOW + request(b"2"))
    line.connection.pause_writing()
    deadline = line.connection.deadline
    line.hub.now += 10
    line.hub.finish()
    assert line.bodies == [b"slow", b"2"]
    assert line.transport.paused
    assert line.connection.deadline == deadline
    line.connection.expire()
    assert line.transport.aborted


def test_a_client_that_does_not_read_is_cut_off_whatever_it_sent_ahead(line: Line) -> None:
    line.send(SLOW + SLOW)
    line.connection.pause_writing()
    deadline = line.connection.deadline
    line.hub.finish()
    assert line.connection.deadline == deadline
    line.connection.expire()
    assert not line.transport.closed  # the second is in work
    line.hub.finish()
    assert line.bodies == [b"slow", b"slow"]
    assert line.connection.deadline == deadline
    line.connection.expire()
    assert line.transport.aborted


def test_a_request_without_host_is_one_of_http_1_0(line: Line) -> None:
    line.send(b"GET / HTTP/1.0\r\n\r\n")
    assert line.statuses == [200]


def test_a_client_that_ends_its_side_gets_what_it_asked_for(line: Line) -> None:
    line.send(SLOW + request(b"2"))
    assert line.connection.eof_received()
    line.hub.finish()
    assert line.bodies == [b"slow", b"2"]
    assert line.transport.closed
    assert not Line(line.hub.loop).connection.eof_received()


def test_a_client_that_left_meanwhile(line: Line) -> None:
    line.send(SLOW)
    line.transport.closed = True
    line.connection.connection_lost(None)
    line.hub.finish()
    assert line.transport.sent == b""
    assert line.hub.connections == set()


def test_a_connection_that_ended_leaves_nothing_behind(line: Line) -> None:
    line.send(request())
    line.connection.connection_lost(None)
    name = id(line.connection)
    gc.disable()  # nothing may have to wait for it
    del line.connection
    left = [each for each in gc.get_objects() if isinstance(each, Connection)]
    gc.enable()
    assert name not in map(id, left)


def test_stopping(line: Line) -> None:
    line.hub.stopping = True
    line.send(SLOW)
    line.connection.stop()
    assert not line.transport.closed
    line.hub.finish()
    assert line.statuses == [200]
    assert b"Connection: close" in line.transport.sent
    assert line.transport.closed
    idle = Line(line.hub.loop)
    idle.connection.stop()
    assert idle.transport.closed


def test_too_many_connections(line: Line) -> None:
    line.hub.full = True
    another = Transport()
    Connection(line.hub).connection_made(another)  # type: ignore[arg-type]
    assert another.aborted


# ---- replies that are held ------------------------------------------------------------------

HELD = request(b"held", b"X-Amz-Target: held")


def test_nothing_overtakes_a_reply_that_is_held(line: Line) -> None:
    line.send(HELD + request(b"2") + SLOW + request(b"4") + HELD)
    assert line.transport.sent == b""
    line.hub.finish()
    assert line.transport.sent == b""
    assert len(line.hub.held) == 5
    line.hub.release()
    assert line.bodies == [b"held", b"2", b"slow", b"4", b"held"]
    assert not line.transport.paused
    assert not line.transport.closed
    line.send(request(b"6"))
    assert line.bodies[-1] == b"6"


@pytest.mark.parametrize("ahead", [b"", request(b"more")])
def test_a_last_request_is_answered_before_the_connection_ends(line: Line, ahead: bytes) -> None:
    line.send(HELD + request(b"last", b"X-Amz-Target: held", b"Connection: close") + ahead)
    assert not line.transport.closed
    line.hub.release()
    assert line.bodies == [b"held", b"last"]
    assert line.transport.sent.count(b"Connection: close") == 1
    assert line.transport.closed


def test_a_client_that_has_sent_all_gets_what_is_held(line: Line) -> None:
    line.send(HELD + HELD)
    assert line.connection.eof_received()
    assert not line.transport.closed
    line.hub.release()
    assert line.bodies == [b"held", b"held"]
    assert line.transport.sent.count(b"Connection: close") == 1
    assert line.transport.closed


def test_what_cannot_be_read_is_refused_behind_what_is_held(line: Line) -> None:
    line.send(HELD + b"nothing\r\n\r\n")
    assert line.transport.sent == b""
    line.connection.expire()
    assert not line.transport.closed
    line.hub.release()
    assert line.statuses == [200, 400]
    assert line.transport.closed


def test_a_server_that_stops_lets_go_what_is_held(line: Line) -> None:
    line.send(HELD)
    line.hub.stopping = True
    line.connection.stop()
    assert not line.transport.closed
    line.hub.release()
    assert line.bodies == [b"held"]
    assert line.transport.closed


def test_what_is_held_for_a_client_that_is_gone_goes_nowhere(line: Line) -> None:
    line.send(HELD)
    line.transport.abort()
    line.connection.connection_lost(None)
    line.hub.release()
    assert line.transport.sent == b""
