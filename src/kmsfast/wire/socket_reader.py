"""A stream of bytes as frames, for servers and clients; it reads from nowhere itself.

Rules:
- memory grows with the bytes that have come, not with the length that a frame declares;
- a large frame is received in pieces where they stay, and put together once.
"""

from __future__ import annotations

from typing import Final

from kmsfast.wire.socket_frames import HEADER, length_of

__all__ = ["FrameReader"]

_ROOM: Final = 1 << 16
_MOST_ROOM: Final = 4 << 20


class FrameReader:
    """Frames of one direction of a connection.

    Args:
        limit: bytes of the longest frame; may be raised when the hello is over.

    Attributes:
        pending: whether a frame has begun and is not there yet.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._room = bytearray(_ROOM)
        self._have = 0
        self._parts: list[bytes | memoryview] = []
        self._missing = 0
        self._piece = memoryview(b"")

    @property
    def pending(self) -> bool:
        """See the class."""
        return self._have > 0 or self._missing > 0

    def room(self) -> memoryview:
        """Where the next bytes shall be put; never empty."""
        if not self._missing:
            return memoryview(self._room)[self._have :]
        # As much again as is there already.
        grown = max(_ROOM, min(_MOST_ROOM, sum(map(len, self._parts))))
        self._piece = memoryview(bytearray(min(self._missing, grown)))
        return self._piece

    def filled(self, size: int) -> list[bytes]:
        """The bodies of the frames that are complete, now that so many bytes were put there.

        Raises:
            MalformedFrame: a length that no frame has; frames before it are lost with it.
        """
        if self._missing:
            self._parts.append(self._piece[:size])
            self._missing -= size
            if self._missing:
                return []
            whole = b"".join(self._parts)
            self._parts, self._piece = [], memoryview(b"")
            return [whole]
        self._have += size
        return self._split()

    def _split(self) -> list[bytes]:
        found: list[bytes] = []
        at, have = 0, self._have
        with memoryview(self._room) as room:
            while have - at >= HEADER:
                length = length_of(room[at : at + HEADER], self.limit)
                end = at + HEADER + length
                if end > have:
                    if end - at > _ROOM:
                        self._parts = [bytes(room[at + HEADER : have])]
                        self._missing = end - have
                        at = have
                    break
                found.append(bytes(room[at + HEADER : end]))
                at = end
            self._have = have - at
            if at and self._have:
                room[: self._have] = bytes(room[at:have])
        return found
