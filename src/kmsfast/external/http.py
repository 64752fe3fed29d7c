"""POST over HTTP/1.1 with one deadline for the whole exchange, and connections that are kept.

Rules:
- connecting, the TLS handshake, sending and receiving share the deadline: a server that sends a
  byte at a time does not stretch it;
- a connection that was kept and turns out to be closed is replaced once; nothing else is repeated;
- no redirects, no proxies of the environment, no more than 64 KiB of an answer;
- TLS 1.2 or newer, and the certificate must be that of the endpoint's name.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, NamedTuple

from kmsfast.external.configuration import Proxy
from kmsfast.model.key_store_faults import Fault, OutsideFailed

__all__ = ["Answer", "Poster"]

_MOST_IDLE: Final = 8
_MAX_ANSWER: Final = 1 << 16


class Answer(NamedTuple):
    """Status and body."""

    status: int
    body: bytes


class _Stale(Exception):
    """A kept connection was closed by the other side before it answered anything."""


class Poster:
    """Posts to one place. Safe to share between threads.

    Args:
        name: of the host, which the certificate must have.
    """

    def __init__(self, place: Proxy, name: str) -> None:
        self._place, self._name = place, name
        self._idle: list[socket.socket] = []
        self._lock = threading.Lock()
        self._tls = _context(place) if place.is_tls else None

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """The answer.

        Raises:
            OutsideFailed: no connection, no TLS, not in time, or no HTTP.
        """
        deadline = time.monotonic() + self._place.timeout
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        sent = f"POST {path} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        try:
            kept = self._kept()
            if kept is not None:
                with suppress(_Stale):
                    return self._exchange(kept, sent, deadline, is_kept=True)
            return self._exchange(self._connected(deadline), sent, deadline, is_kept=False)
        except TimeoutError:
            raise OutsideFailed(Fault.TIMED_OUT) from None
        except ssl.SSLError as error:
            raise OutsideFailed(Fault.TLS) from error
        except http.client.HTTPException as error:
            raise OutsideFailed(Fault.MALFORMED) from error
        except OSError as error:
            raise OutsideFailed(Fault.UNREACHABLE) from error

    def close(self) -> None:
        """Ends the connections that are kept."""
        with self._lock:
            idle, self._idle = self._idle, []
        for each in idle:
            each.close()

    def _kept(self) -> socket.socket | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _connected(self, deadline: float) -> socket.socket:
        made = socket.create_connection(
            (self._place.host, self._place.port), timeout=_remaining(deadline)
        )
        try:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is None:
                return made
            made.settimeout(_remaining(deadline))
            return self._tls.wrap_socket(made, server_hostname=self._name)
        except BaseException:
            made.close()
            raise

    def _exchange(
        self, connection: socket.socket, sent: bytes, deadline: float, *, is_kept: bool
    ) -> Answer:
        keep = False
        try:
            received = _Received(connection, deadline)
            response = http.client.HTTPResponse(received, method="POST")  # type: ignore[arg-type]
            try:
                connection.settimeout(_remaining(deadline))
                connection.sendall(sent)
                response.begin()
            except (ConnectionError, ssl.SSLEOFError) as error:
                if is_kept and not received.anything:
                    raise _Stale from error
                raise
            body = response.read(_MAX_ANSWER + 1)
            if len(body) > _MAX_ANSWER or (response.length or 0) > 0:
                raise OutsideFailed(Fault.MALFORMED)
            keep = not response.will_close
            return Answer(response.status, body)
        finally:
            self._done(connection, keep=keep)

    def _done(self, connection: socket.socket, *, keep: bool) -> None:
        with self._lock:
            if keep and len(self._idle) < _MOST_IDLE:
                self._idle.append(connection)
                return
        connection.close()


class _Received(io.RawIOBase):
    """What a connection receives before the deadline, as a file."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection, self._deadline = connection, deadline
        self.anything = False

    def makefile(self, _mode: str) -> io.BufferedReader:
        """As http.client wants a socket to offer it."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Some bytes, or 0 when there are no more."""
        self._connection.settimeout(_remaining(self._deadline))
        received = self._connection.recv_into(buffer)
        self.anything = self.anything or received > 0
        return received


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _context(place: Proxy) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=place.ca)
    except (OSError, ssl.SSLError) as error:
        raise OutsideFailed(
            Fault.TLS, hint=f"the certificates of {place.ca!r} cannot be read: {error}"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
