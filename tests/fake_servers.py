"""Servers of the socket that do as they are told, for clients that must bear it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from socket_line import Line, frame

WAIT = 60.0
HELLO = ["kmsfast", 1, {"server": "fake", "max_inflight": 16}]


@contextmanager
def fake(path: Path, answer: Callable[[socket.socket], None]) -> Iterator[None]:
    """A server that takes connections one by one and does as it is told with each."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        ended = threading.Event()

        def serve() -> None:
            while not ended.is_set():
                connection, _ = listener.accept()
                with connection:
                    answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            with socket.socket(socket.AF_UNIX) as last:
                last.connect(str(path))
            thread.join(WAIT)


def says(connection: socket.socket, said: bytes) -> None:
    """Says one thing, whatever is asked first."""
    if connection.recv(4096):
        connection.sendall(said)


def greeted(connection: socket.socket) -> bool:
    """Answers the hello; whether there was one."""
    if not connection.recv(4096):
        return False
    connection.sendall(frame(*HELLO))
    return True


def answers(reply: Callable[[list[Any]], Any]) -> Callable[[socket.socket], None]:
    """What answers each request by what a function makes of it: a frame, as values or as bytes."""

    def answer(connection: socket.socket) -> None:
        if not greeted(connection):
            return
        line = Line.of(connection)
        while True:
            try:
                said = reply(line.recv())
                connection.sendall(said if isinstance(said, bytes) else frame(*said))
            except (EOFError, OSError):
                return

    return answer
