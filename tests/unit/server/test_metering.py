"""Which requests of a connection are counted, and how often: once."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from typing import Any

import pytest
from api import service_model

import kmsfast
from kmsfast.crypto import counters
from kmsfast.errors import AuditUnusable
from kmsfast.server.connection import Connection
from kmsfast.server.endpoint import Endpoint, Later, Reply, Request
from kmsfast.server.metering import Metering
from kmsfast.server.recording import Recording


class Transport:
    """Takes replies."""

    def __init__(self) -> None:
        self.written, self.replied = b"", asyncio.Event()

    def write(self, data: bytes) -> None:
        self.written = data
        self.replied.set()

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        """Nothing is read here."""

    resume_reading = close = abort = pause_reading


class Hub:
    """Answers at once, on this thread."""

    now, date, stopping = 0.0, b"Thu, 01 Jan 2026 00:00:00 GMT", False

    def __init__(self, endpoint: Endpoint) -> None:
        self.answer = endpoint.answer
        self.count = Metering("http", service_model()).count

    def opened(self, _connection: Connection) -> bool:
        return True

    def closed(self, _connection: Connection) -> None:
        """One connection is there."""

    def next_id(self) -> str:
        return "id"

    def start(self, work: Later) -> asyncio.Future[Reply]:
        done: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        done.set_result(work())
        return done


class Client:
    """A connection to an endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.transport = Transport()
        self.connection = Connection(Hub(endpoint))
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]

    def send(self, operation: str, **members: Any) -> bytes:
        """The reply's bytes."""
        body = json.dumps(members).encode()
        head = (
            f"POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: TrentService.{operation}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )

        async def sent() -> bytes:
            self.transport.replied = asyncio.Event()
            self.connection.data_received(head.encode() + body)
            await self.transport.replied.wait()
            return self.transport.written

        return asyncio.run(sent())


class Broken:
    """A recorder that fails when it is told to."""

    fails = False

    def waits_for(self, _operation: str) -> bool:
        return False

    def record(self, _event: Any) -> None:
        if self.fails:
            raise AuditUnusable("the disk is full")


@pytest.fixture
def client(kms: kmsfast.Kms) -> tuple[Client, Broken]:
    recorder = Broken()
    recording = Recording(recorder, service_model().recordable(), kms._app.ring.clock)  # type: ignore[arg-type]
    return Client(Endpoint(kms._app, service_model(), recording=recording)), recorder


def counts() -> tuple[int, int, dict[str, int]]:
    """Requests to encrypt, how many were timed, and their errors."""
    found = counters.read(counters.timer("http", "Encrypt"))
    errors = {
        error.code: number
        for error, number in counters.errors().items()
        if (error.door, error.operation) == ("http", "Encrypt") and number
    }
    return found.calls, sum(found.times), errors


def test_each_request_is_counted_once(kms: kmsfast.Kms, client: tuple[Client, Broken]) -> None:
    sender, recorder = client
    key = kms.create_key().id
    plain = b64encode(b"x").decode()
    usual = counters.value(counters.USUAL)
    calls, timed, errors = counts()
    for number in range(1, 6):
        assert b" 200 OK" in sender.send("Encrypt", KeyId=key, Plaintext=plain)
        assert counts() == (calls + number, timed + number, errors)
    assert counters.value(counters.USUAL) >= usual + 3  # the first ones go the general way
    recorder.fails = True
    # It was answered, and counted, and then kept back: one request, one error.
    assert b" 500 Internal" in sender.send("Encrypt", KeyId=key, Plaintext=plain)
    code = "KMSInternalException"
    expected = errors | {code: errors.get(code, 0) + 1}
    assert counts() == (calls + 6, timed + 6, expected)
    recorder.fails = False
    kms.key(key).disable()
    assert b" 400 Bad" in sender.send("Encrypt", KeyId=key, Plaintext=plain)
    code = "DisabledException"
    expected |= {code: errors.get(code, 0) + 1}
    assert counts() == (calls + 7, timed + 7, expected)


def test_a_request_that_no_connection_has_begun_is_not_timed(kms: kmsfast.Kms) -> None:
    endpoint = Endpoint(kms._app, service_model())
    body = json.dumps({"KeyId": kms.create_key().id, "Plaintext": "eA=="}).encode()
    request = Request(
        method="POST", path="/", host=b"localhost", target=b"TrentService.Encrypt", body=body
    )
    made = endpoint.answer(request)
    while not isinstance(made, Reply):
        made()
        made = endpoint.answer(request)
    calls, timed, errors = counts()
    assert made.counted
    assert isinstance(endpoint.answer(request), Reply)
    assert counts() == (calls + 1, timed, errors)
