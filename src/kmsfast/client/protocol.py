"""A client's side of the protocol (docs/socket.md), without I/O: bytes to send, bytes received.

Rules:
- what is large is never copied into a frame: it is sent from where it lies;
- records of one width are received where they stay, and frames that are longer than the buffer
  where their answers are read from;
- whatever a server sends, it is an answer, or the connection is at its end (ProtocolError).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgpack

from kmsfast.client.calls import Answer, Request
from kmsfast.client.columns import IN_PLACE, Piece
from kmsfast.client.faults import of_code
from kmsfast.client.reading import BatchHead, batch, batch_head, single, unpacked
from kmsfast.errors import ProtocolError

if TYPE_CHECKING:
    import numpy as np
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = ["CHUNK", "Hello", "Protocol"]

CHUNK: Final = 1 << 20
"""Bytes of a payload that go into one frame; of longer ones the rest comes in chunks."""

_MAGIC: Final = "kmsfast"
_VERSION: Final = 1
_MORE: Final = 0  # the operation of a chunk
_LEN: Final = 4  # bytes in front of a frame
_BEFORE_HELLO: Final = 1 << 16  # bytes of what the server says first
_MAX_FRAME: Final = 16 << 20
_BUFFER: Final = 256 << 10
_APART: Final = 4096  # bytes of a value that is not copied into its frame
_BATCH: Final = 16 << 10  # bytes of an answer that is looked at without being copied
_HEAD: Final = 512  # bytes that tell where the rest of an answer is to be received
_PLAIN: Final = frozenset({int, str, type(None), bool, bytes})


@dataclass(frozen=True, slots=True)
class Hello:
    """What the server said of itself and of the caller.

    Attributes:
        principal: ARN of whom the server takes us for.
        max_frame: bytes of the longest frame.
        max_inflight: requests that may be unanswered.
    """

    version: int
    server: str
    region: str
    account: str
    principal: str | None
    max_frame: int
    max_inflight: int
    features: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Begun:
    """An answer whose records are received where they stay.

    Attributes:
        rest: bytes of its frame behind them.
    """

    head: BatchHead
    rest: int


class Protocol:
    """Requests to frames and frames to answers.

    Args:
        region: whose keys; None: the server's default.
        name: of the program, for the server's log.

    Attributes:
        hello: what the server answered first; None until then.
    """

    def __init__(self, region: str | None = None, name: str = "kmsfast") -> None:
        self.hello: Hello | None = None
        self._options = {"client": name} | ({} if region is None else {"region": region})
        self._next, self._limit = 0, _BEFORE_HELLO
        self._pack = msgpack.Packer(autoreset=False)
        self._buffer = memoryview(bytearray(_BUFFER))
        self._filled = 0
        self._needed = 0  # bytes of the frame that has begun in the buffer
        self._large: memoryview | None = None  # a frame that does not fit into the buffer
        self._got = 0  # bytes of it that are there
        self._rooms: dict[int, Callable[[int, int], memoryview | None]] = {}
        self._begun: _Begun | None = None  # an answer whose records are received where they stay
        self._parts: dict[int, list[memoryview]] = {}

    # ---- to the server ----------------------------------------------------------------------

    def greeting(self) -> list[Any]:
        """The first frame."""
        return self._frame([_MAGIC, _VERSION, _VERSION, self._options])

    def frames(self, request: Request) -> tuple[int, Iterator[list[Any]]]:
        """The id of a request, and its frames, each as buffers to send."""
        number, self._next = self._next, self._next + 1
        if request.room is not None:
            self._rooms[number] = request.room
        return number, self._frames(number, request)

    def _frames(self, number: int, request: Request) -> Iterator[list[Any]]:
        yield self._frame([number, request.operation, *request.members])
        rest = request.chunks
        while rest:
            yield self._frame([number, _MORE, rest[:CHUNK]])
            rest = rest[CHUNK:]

    def _frame(self, value: Any) -> list[Any]:
        out: list[Any] = []
        self._write(value, out)
        if rest := self._packed():
            out.append(rest)
        size = sum(map(len, out)).to_bytes(4, "big")
        out[0] = size + out[0]
        return out

    def _write(self, value: Any, out: list[Any]) -> None:
        """Packs a value, and what is large in it into buffers of its own."""
        kind, pack = type(value), self._pack.pack
        if kind in _PLAIN:
            pack(value)
        elif isinstance(value, list | tuple):  # a Piece as well, whose first member is not sent
            members = value[1:] if kind is Piece else value
            self._pack.pack_array_header(len(members))
            for each in members:
                self._write(each, out)
        elif kind is dict:
            self._pack.pack_map_header(len(value))
            for name, each in value.items():
                pack(name)
                self._write(each, out)
        elif hasattr(value, "__array_interface__"):
            self._write(value.data.cast("B"), out)
        elif kind is memoryview and len(value) >= _APART:
            out += [self._packed() + _bin_header(len(value)), value]
        else:
            pack(value)

    def _packed(self) -> bytes:
        made: bytes = self._pack.bytes()
        self._pack.reset()
        return made

    # ---- from the server --------------------------------------------------------------------

    def room(self) -> memoryview:
        """Where the next bytes are to be received; there is always some."""
        if self._large is not None:
            return self._large[self._got :]
        if self._rooms:  # no more than tells where the rest belongs
            return self._buffer[self._filled : max(self._filled + _HEAD, self._needed)]
        return self._buffer[self._filled :]

    def received(self, size: int) -> Iterator[tuple[int, Answer]]:
        """Takes so many bytes that were written to :meth:`room`; the answers that are whole now.

        The columns of a batch's answer are views of what was received, good until the next step.

        Raises:
            ProtocolError: no answer. KmsError: why the server closes the connection.
        """
        if self._large is not None:
            self._got += size
            if self._got < len(self._large):
                return
            large, self._large = self._large, None
            if self._begun is None:
                yield from self._answers(large, is_own=True)
            return
        self._filled += size
        at = 0
        while (end := self._end(at)) <= self._filled:
            if self._begun is None:
                yield from self._answers(self._buffer[at + _LEN : end])
            else:
                yield self._ended(self._begun, self._buffer[at:end])
            at = end
        at = self._set_apart(at, end)
        if at:
            self._buffer[: self._filled - at] = bytes(self._buffer[at : self._filled])
            self._filled -= at
        self._needed = self._end(0)

    def _end(self, at: int) -> int:
        """Where what begins at a place of the buffer ends: a frame, or the rest of an answer."""
        if self._begun is not None:
            return at + self._begun.rest
        if self._filled - at < _LEN:
            return at + _LEN
        length = int.from_bytes(self._buffer[at : at + _LEN], "big")
        if length > self._limit:
            if self.hello is None:
                raise ProtocolError("who answers is no kmsfast server: it sends no hello")
            raise ProtocolError(f"the server sent a frame of {length} bytes, which no kmsfast does")
        return at + _LEN + length

    def _set_apart(self, at: int, end: int) -> int:
        """Has what is missing of a frame be received elsewhere, where that is better.

        Returns:
            Where what stays in the buffer begins.
        """
        frame = self._buffer[at + _LEN : self._filled]
        if self._begun is not None or not frame:
            return at
        head = batch_head(frame) if self._rooms else None
        room = None if head is None else self._room_of(head, end - at - _LEN)
        if head is not None and room is not None:
            got = min(len(room), len(frame) - head.at)
            room[:got] = frame[head.at : head.at + got]
            self._begun = _Begun(head, end - at - _LEN - head.at - len(room))
            if got < len(room):
                self._large, self._got = room, got
            return at + _LEN + head.at + got
        if end - at > len(self._buffer):
            self._large, self._got = np.empty(end - at - _LEN, np.uint8).data, len(frame)
            self._large[: self._got] = frame
            return self._filled
        return at

    def _room_of(self, head: BatchHead, length: int) -> memoryview | None:
        """Where the records of an answer shall go, if its frame has all of them and little else."""
        make = self._rooms.get(head.number)
        if make is None or not 0 < length - head.at - head.length <= _HEAD:
            return None
        room = make(head.num, head.width) if head.num * head.width == head.length else None
        if room is None:
            del self._rooms[head.number]  # it is not asked again
        return room

    def _ended(self, begun: _Begun, rest: memoryview) -> tuple[int, Answer]:
        """The answer whose records were received where they stay, with what follows them."""
        self._begun, head = None, begun.head
        self._rooms.pop(head.number, None)
        return head.number, Answer([[head.num, head.width, IN_PLACE], unpacked(rest)])

    def _answers(self, frame: memoryview, *, is_own: bool = False) -> Iterator[tuple[int, Answer]]:
        """The answer in a frame, unless it is a part of one, or the hello.

        Args:
            is_own: the frame's memory is not used again, so parts may stay there.
        """
        found = batch(frame) if len(frame) > _BATCH else None
        if found is None and is_own:
            found = single(frame)
        if found is None:
            found = unpacked(frame)
        if self.hello is None:
            self.hello = _hello(found)
            self._limit = self.hello.max_frame
            return
        match found:
            case [int(number), 0, body]:
                self._rooms.pop(number, None)
                parts = tuple(self._parts.pop(number, ()))
                if isinstance(body, memoryview) and not parts:
                    body = bytes(body)
                yield number, Answer(body, None, parts)
            case [int(number), 1, [str(code), _, str(message), *_]]:
                self._parts.pop(number, None)
                self._rooms.pop(number, None)
                yield number, Answer(None, of_code(code, message))
            case [int(number), 2, bytes() | memoryview() as part]:
                self._parts.setdefault(number, []).append(memoryview(part))
            case [None, 1, [str(code), _, str(message), *_]]:
                raise of_code(code, message)
            case _:
                raise ProtocolError(f"the server sent no answer but {_shape(found)}")


def _bin_header(size: int) -> bytes:
    return b"\xc6" + size.to_bytes(4, "big")


def _hello(found: Any) -> Hello:
    """The server's hello.

    Raises:
        KmsError: it refuses us. ProtocolError: it speaks something else.
    """
    match found:
        case ["kmsfast", int(version), dict(said)] if version == _VERSION:
            return _facts(version, said)
        case [None, 1, [str(code), _, str(message), *_]]:
            raise of_code(code, message)
        case ["kmsfast", int(version), *_] if version != _VERSION:
            raise ProtocolError(
                f"the server speaks version {version} of the protocol, this program {_VERSION}"
            )
        case _:
            raise ProtocolError(f"who answers is no kmsfast server: {_shape(found)}")


def _facts(version: int, said: Mapping[str, Any]) -> Hello:
    facts = {}
    for name, (kind, usual) in _FACTS.items():
        facts[name] = said.get(name, usual)
        if not isinstance(facts[name], kind):
            raise ProtocolError(f"the server says of its {name} what is no {kind.__name__}")
    features = frozenset(each for each in facts.pop("features") if isinstance(each, str))
    return Hello(version, principal=said.get("principal") or None, features=features, **facts)


_FACTS: Final[Mapping[str, tuple[type, Any]]] = {
    "server": (str, ""),
    "region": (str, ""),
    "account": (str, ""),
    "max_frame": (int, _MAX_FRAME),
    "max_inflight": (int, 1),
    "features": (list, []),
}
"""What a hello says: of which type, and what is so where it says nothing."""


def _shape(found: Any) -> str:
    """What something is, without its values."""
    if isinstance(found, list):
        return f"[{', '.join(type(each).__name__ for each in found[:8])}]"
    return type(found).__name__
