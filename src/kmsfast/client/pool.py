"""The connections of the client that waits.

Rules:
- each call takes a connection of its own, so threads never wait for each other;
- one on which a call failed is closed, and with it those that nobody uses: the server has gone;
- a child of a fork leaves its parent's connections alone and makes its own.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterable

from kmsfast.client.calls import Answer, Request
from kmsfast.client.connection import Connection
from kmsfast.client.driving import PROGRAM, Attempts, Deadline, closed
from kmsfast.client.protocol import Hello, Protocol

__all__ = ["Pool"]


class Pool:
    """Connections to one server that nobody uses now.

    Args:
        timeout: seconds after which an answer that is not whole fails its call.
    """

    def __init__(self, path: str, region: str | None, timeout: float, size: int) -> None:
        self.path, self.region, self.timeout, self._size = path, region, timeout, size
        self._idle: deque[Connection] = deque()
        self._turn, self._pid, self._closed = threading.Lock(), os.getpid(), False
        self.hello: Hello | None = None

    def of_region(self, region: str | None) -> Pool:
        """Connections to the same server for another region."""
        return Pool(self.path, region, self.timeout, self._size)

    def exchange(self, requests: Iterable[Request]) -> list[Answer]:
        """The answers to requests, on some connection.

        Args:
            requests: can be gone through again.

        Raises:
            ServerUnreachable: no server, or it went away. DependencyTimeout: it is silent.
            KmsError: it refuses us.
        """
        attempts, deadline = Attempts(self.path, requests), Deadline(self.timeout)
        while True:
            connection = None
            try:
                connection = self._take(deadline)
                return self._exchange(connection, requests, deadline)
            except OSError as error:
                was_asked = connection is not None and connection.is_asked
                pause = attempts.failed(error, was_asked=was_asked)
            time.sleep(pause)

    def close(self) -> None:
        """Closes the connections; those that are used now are closed when they come back."""
        self._closed = True
        self._drop_idle()

    def _exchange(
        self, connection: Connection, requests: Iterable[Request], deadline: Deadline
    ) -> list[Answer]:
        try:
            answers = connection.exchange(requests, deadline)
        except BaseException:
            connection.close()
            self._drop_idle()
            raise
        self._give(connection)
        return answers

    def _take(self, deadline: Deadline) -> Connection:
        if self._closed:
            raise closed()
        if os.getpid() != self._pid:
            with self._turn:
                self._idle, self._pid = deque(), os.getpid()  # the parent's are not closed here
        try:
            return self._idle.pop()
        except IndexError:
            protocol = Protocol(self.region, PROGRAM)
            made = Connection(self.path, protocol, deadline)
            self.hello = protocol.hello
            return made

    def _give(self, connection: Connection) -> None:
        if self._closed or len(self._idle) >= self._size:
            connection.close()
        else:
            self._idle.append(connection)

    def _drop_idle(self) -> None:
        while self._idle:
            try:
                self._idle.pop().close()
            except IndexError:  # another thread took the last one
                return
