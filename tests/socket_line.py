"""A client of the socket that knows nothing but docs/socket.md, and sends whatever a test wants."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Self

import msgpack

WAIT = 30.0
HELLO = ["kmsfast", 1, 1, {"client": "tests/1"}]


def frame(*values: Any) -> bytes:
    body = msgpack.packb(values)
    return len(body).to_bytes(4, "big") + body


def frames_of(data: bytes) -> list[Any]:
    """The arrays of whole frames."""
    found = []
    while data:
        size = int.from_bytes(data[:4], "big")
        assert len(data) >= 4 + size, "a frame was cut off"
        found.append(msgpack.unpackb(data[4 : 4 + size]))
        data = data[4 + size :]
    return found


class Line:
    """A connection."""

    def __init__(self, path: Path | str, *, hello: bool = True) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT)
        self.socket.connect(str(path))
        self.server: Any = None
        if hello:
            self.server = self.ask(*HELLO)

    @classmethod
    def of(cls, connected: socket.socket) -> Self:
        """The other side of one that is connected already."""
        made = cls.__new__(cls)
        made.socket, made.server = connected, None
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *values: Any) -> None:
        self.socket.sendall(frame(*values))

    def recv(self) -> Any:
        """The next frame; EOFError when there is none."""
        size = int.from_bytes(self._exactly(4), "big")
        return msgpack.unpackb(self._exactly(size))

    def ask(self, *values: Any) -> Any:
        self.send(*values)
        return self.recv()

    def is_closed(self) -> bool:
        """Whether the server has ended the connection, and says nothing more."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _exactly(self, size: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            more = self.socket.recv(min(size - len(found), 1 << 20))
            if not more:
                raise EOFError
            found += more
        return bytes(found)
