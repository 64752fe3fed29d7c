"""An HTTP client that costs little: a few requests, sent in turn on kept connections."""

import select
import socket
import time
from collections.abc import Sequence
from itertools import cycle
from types import TracebackType
from typing import Self

HEAD = (
    "POST / HTTP/1.1\r\n"
    "Host: 127.0.0.1:{port}\r\n"
    "Accept-Encoding: identity\r\n"
    "X-Amz-Target: TrentService.{operation}\r\n"
    "Content-Type: application/x-amz-json-1.1\r\n"
    "User-Agent: Boto3/1.44.8 md/Botocore#1.44.8 ua/2.1 os/linux lang/python#3.11\r\n"
    "X-Amz-Date: 20261128T100000Z\r\n"
    "Authorization: AWS4-HMAC-SHA256 "
    "Credential=AKIAIOSFODNN7EXAMPLE/20261128/us-east-1/kms/aws4_request, "
    "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature={signature}\r\n"
    "Content-Length: {length}\r\n\r\n"
)


def kms_requests(port: int, operation: str, bodies: Sequence[bytes]) -> list[bytes]:
    """Requests as boto3 sends them."""
    head = HEAD.format(port=port, operation=operation, signature="0" * 64, length="{length}")
    return [head.format(length=len(body)).encode() + body for body in bodies]


class Load:
    """Connections to one server, each with at most one request under way.

    Args:
        requests: made one after the other, and from the start again.
    """

    def __init__(self, port: int, requests: Sequence[bytes], connections: int) -> None:
        self._port, self._requests = port, cycle(requests)
        self._epoll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._read: dict[int, bytes] = {}
        for _ in range(connections):
            self._connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for each in self._sockets.values():
            each.close()
        self._epoll.close()

    def run(self, num: int) -> list[float]:
        """Makes ``num`` requests; returns the seconds that each took.

        Raises:
            RuntimeError: an answer that is not 200.
        """
        started: dict[int, float] = {}
        taken: list[float] = []
        left = num - len(self._sockets)
        for number in list(self._sockets):
            self._send(number, started)
        while len(taken) < num:
            for number, _ in self._epoll.poll(30):
                following = self._receive(number)
                if following is None:
                    continue
                taken.append(time.perf_counter() - started.pop(number))
                if left > 0:
                    left -= 1
                    self._send(following, started)
        return taken

    def _send(self, number: int, started: dict[int, float]) -> None:
        started[number] = time.perf_counter()
        self._sockets[number].sendall(next(self._requests))

    def _receive(self, number: int) -> int | None:
        """The connection for the next request when this answer is complete, else None."""
        data = self._read.pop(number, b"") + self._sockets[number].recv(65_536)
        head, found, body = data.partition(b"\r\n\r\n")
        if not data.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the server answered {data!r}")
        lowered = head.lower()
        length = int(lowered.partition(b"content-length:")[2].partition(b"\r")[0] or 0)
        if not found or len(body) < length:
            self._read[number] = data
            return None
        if b"connection: close" not in lowered:
            return number
        self._epoll.unregister(number)
        self._sockets.pop(number).close()
        return self._connect()

    def _connect(self) -> int:
        made = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets[made.fileno()] = made
        self._epoll.register(made.fileno(), select.EPOLLIN)
        return made.fileno()
