"""Requests whose payloads come in chunks, until they are whole.

Rules:
- what is held is what has come, never what was announced; small chunks are put together at once,
  so that they take no more memory than their bytes;
- what a uid's connections have announced in all is bounded: a request over that is refused, and may
  be made again when others are done;
- what a connection has begun is bounded well below what it may have in work: beyond that it is not
  read, and the chunks that would end its requests would not be either;
- a chunk of a request that is not waited for belongs to one that was refused: it is dropped. More
  than a request announced is malformed.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from kmsfast.wire.refusals import Throttled
from kmsfast.wire.socket_frames import MAX_INFLIGHT, MAX_MESSAGE, MalformedFrame
from kmsfast.wire.socket_operations import Payload
from kmsfast.wire.socket_requests import ByNumber, Chunk

__all__ = ["Announced", "Chunks", "Whole", "continued"]

_PIECE: Final = 1 << 20
_MOST: Final = MAX_INFLIGHT // 4  # requests of a connection that are not whole
_MOST_BEGUN: Final = 32 << 20  # bytes of payload in their first frames


class Announced:
    """Bytes of payloads in chunks that have begun, by uid."""

    def __init__(self, limit: int = MAX_MESSAGE) -> None:
        self._limit, self._of = limit, dict[int, int]()
        self._lock = threading.Lock()  # requests are done in threads

    def take(self, uid: int, size: int) -> None:
        """Counts a payload in.

        Raises:
            Throttled: there are too many.
        """
        with self._lock:
            total = self._of.get(uid, 0) + size
            if total <= self._limit:
                self._of[uid] = total
                return
        raise Throttled(
            f"Payloads that come in chunks would have {total} bytes for uid {uid}; at most "
            f"{self._limit} are held at a time"
        )

    def give(self, uid: int, size: int) -> None:
        """Counts it out."""
        with self._lock:
            left = self._of.get(uid, 0) - size
            if left > 0:
                self._of[uid] = left
            else:
                self._of.pop(uid, None)


@dataclass(slots=True)
class _Growing:
    request: ByNumber
    arrived: float
    size: int
    begun: int
    missing: int
    parts: list[bytes | bytearray] = field(repr=False)


class Whole(NamedTuple):
    """A request all of whose chunks are there.

    Attributes:
        arrived: when its first frame came.
        size: bytes that are counted until it is done.
    """

    request: ByNumber
    arrived: float
    size: int


class Chunks:
    """The requests of one connection that are not whole."""

    def __init__(self, announced: Announced, uid: int) -> None:
        self._announced, self._uid = announced, uid
        self._growing: dict[int, _Growing] = {}
        self._begun = 0  # bytes in first frames of these

    def __len__(self) -> int:
        return len(self._growing)

    def give_up(self) -> int:
        """No more chunks come: how many requests were not whole."""
        number = len(self._growing)
        self.clear()
        return number

    def begin(self, request: ByNumber, arrived: float) -> None:
        """Waits for the rest of a request.

        Raises:
            MalformedFrame: one of this id is waited for already. Throttled: too much is.
        """
        if request.id in self._growing:
            raise MalformedFrame(f"The request {request.id} is not complete yet")
        first, more = _data(request), request.options.more
        size, begun = len(first) + more, len(first)
        if len(self._growing) >= _MOST or self._begun + begun > _MOST_BEGUN:
            raise Throttled(
                f"At most {_MOST} requests of a connection, with {_MOST_BEGUN} bytes in their "
                "first frames, may wait for their chunks; send those before other requests"
            )
        self._announced.take(self._uid, size)
        self._begun += begun
        self._growing[request.id] = _Growing(request, arrived, size, begun, more, [first])

    def add(self, chunk: Chunk) -> Whole | None:
        """The request that a chunk completes, and when it came; None: it is not whole.

        Raises:
            MalformedFrame: an empty chunk, or more than was announced.
        """
        if not chunk.data:
            raise MalformedFrame("A chunk has at least one byte")
        growing = self._growing.get(chunk.id)
        if growing is None:
            return None
        growing.missing -= len(chunk.data)
        if growing.missing < 0:
            raise MalformedFrame(f"The chunks of the request {chunk.id} are longer than it said")
        last = growing.parts[-1]
        if len(chunk.data) >= _PIECE:
            growing.parts.append(chunk.data)
        elif isinstance(last, bytearray) and len(last) < _PIECE:
            last += chunk.data
        else:
            growing.parts.append(bytearray(chunk.data))
        if growing.missing:
            return None
        del self._growing[chunk.id]
        self._begun -= growing.begun
        whole = b"".join(growing.parts)
        return Whole(_with_data(growing.request, whole), growing.arrived, growing.size)

    def done(self, whole: Whole) -> None:
        """Counts a request out."""
        self._announced.give(self._uid, whole.size)

    def clear(self) -> None:
        """Forgets all of them."""
        for each in self._growing.values():
            self._announced.give(self._uid, each.size)
        self._growing.clear()
        self._begun = 0


def continued(request: ByNumber, rest: bytes) -> ByNumber:
    """A request with what its chunks brought, where somebody else has received them.

    Raises:
        MalformedFrame: not as much as it announced.
    """
    if len(rest) != request.options.more:
        raise MalformedFrame(f"The chunks of the request {request.id} are not what it announced")
    return _with_data(request, _data(request) + rest)


def _data(request: ByNumber) -> bytes:
    is_column = request.operation.payload is Payload.COLUMN
    data: bytes = request.payload[2] if is_column else request.payload
    return data


def _with_data(request: ByNumber, data: bytes) -> ByNumber:
    if request.operation.payload is not Payload.COLUMN:
        return replace(request, payload=data)
    return replace(request, payload=[*request.payload[:2], data])
