"""A client's side of the protocol (docs/socket.md), without I/O: bytes to send, bytes received.

Rules:
- what is large is never copied into a frame: it is sent from where it lies, and frames that are
  longer than the buffer are received where their answers are read from;
- whatever a server sends, it is an answer, or the connection is at its end (ProtocolError).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgpack

from kmsfast.client.calls import Answer, Request
from kmsfast.client.columns import Piece
from kmsfast.client.faults import of_code
from kmsfast.errors import ProtocolError

__all__ = ["CHUNK", "Hello", "Protocol"]

CHUNK: Final = 1 << 20
"""Bytes of a payload that go into one frame; of longer ones the rest comes in chunks."""

_MAGIC: Final = "kmsfast"
_VERSION: Final = 1
_OK, _ERROR, _PART = range(3)
_MORE: Final = 0  # the operation of a chunk
_BEFORE_HELLO: Final = 1 << 16  # bytes of what the server says first
_MAX_FRAME: Final = 16 << 20
_BUFFER: Final = 256 << 10
_APART: Final = 4096  # bytes of a value that is not copied into its frame
_BATCH: Final = 16 << 10  # bytes of an answer that is looked at without being copied


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
        self._large: memoryview | None = None  # a frame that does not fit into the buffer
        self._got = 0  # bytes of it that are there
        self._parts: dict[int, list[memoryview]] = {}

    # ---- to the server ----------------------------------------------------------------------

    def greeting(self) -> list[Any]:
        """The first frame."""
        return self._frame([_MAGIC, _VERSION, _VERSION, self._options])

    def frames(self, request: Request) -> tuple[int, Iterator[list[Any]]]:
        """The id of a request, and its frames, each as buffers to send."""
        number, self._next = self._next, self._next + 1
        return number, self._frames(number, request)

    def _frames(self, number: int, request: Request) -> Iterator[list[Any]]:
        yield self._frame([number, request.operation, *request.members])
        rest = request.chunks
        while rest:
            yield self._frame([number, _MORE, rest[:CHUNK]])
            rest = rest[CHUNK:]

    def _frame(self, value: Any) -> list[Any]:
        out: list[Any] = [b""]
        self._write(value, out)
        out.append(self._packed())
        out[0] = sum(map(len, out)).to_bytes(4, "big")
        if len(out) == 2:
            return [out[0] + out[1]]
        return out

    def _write(self, value: Any, out: list[Any]) -> None:
        if isinstance(value, Piece):
            value = [value.num, value.lengths, value.data]
        if isinstance(value, list | tuple):
            self._pack.pack_array_header(len(value))
            for each in value:
                self._write(each, out)
        elif isinstance(value, dict):
            self._pack.pack_map_header(len(value))
            for name, each in value.items():
                self._pack.pack(name)
                self._write(each, out)
        elif hasattr(value, "__array_interface__"):
            self._write(value.data.cast("B"), out)
        elif isinstance(value, memoryview) and len(value) >= _APART:
            out += [self._packed() + _bin_header(len(value)), value]
        else:
            self._pack.pack(value)

    def _packed(self) -> bytes:
        made: bytes = self._pack.bytes()
        self._pack.reset()
        return made

    # ---- from the server --------------------------------------------------------------------

    def room(self) -> memoryview:
        """Where the next bytes are to be received; there is always some."""
        if self._large is not None:
            return self._large[self._got :]
        return self._buffer[self._filled :]

    def received(self, size: int) -> Iterator[tuple[int, Answer]]:
        """Takes so many bytes that were written to :meth:`room`; the answers that are whole now.

        The columns of a batch's answer are views of what was received, good until the next step.

        Raises:
            ProtocolError: no answer. KmsError: why the server closes the connection.
        """
        if self._large is not None:
            self._got += size
            if self._got == len(self._large):
                frame, self._large = self._large, None
                yield from self._answers(frame)
            return
        self._filled += size
        at, end = 0, self._filled
        while end - at >= 4:
            length = int.from_bytes(self._buffer[at : at + 4], "big")
            if length > self._limit:
                raise ProtocolError(
                    f"the server sent a frame of {length} bytes, which no kmsfast does"
                )
            if length + 4 > len(self._buffer):
                self._large, self._got = memoryview(bytearray(length)), end - at - 4
                self._large[: self._got] = self._buffer[at + 4 : end]
                at = end
                break
            if end - at < length + 4:
                break
            yield from self._answers(self._buffer[at + 4 : at + 4 + length])
            at += 4 + length
        self._filled = end - at
        self._buffer[: self._filled] = bytes(self._buffer[at:end])

    def _answers(self, frame: memoryview) -> Iterator[tuple[int, Answer]]:
        """The answer in a frame, unless it is a part of one, or the hello."""
        found = _batch(frame) if len(frame) > _BATCH else None
        if found is None:
            found = _unpacked(frame)
        if self.hello is None:
            self.hello = _hello(found)
            self._limit = self.hello.max_frame
            return
        match found:
            case [int(number), 0, body]:
                yield number, Answer(body, None, tuple(self._parts.pop(number, ())))
            case [int(number), 1, [str(code), _, str(message), *_]]:
                self._parts.pop(number, None)
                yield number, Answer(None, of_code(code, message))
            case [int(number), 2, bytes(part)]:
                self._parts.setdefault(number, []).append(memoryview(part))
            case [None, 1, [str(code), _, str(message), *_]]:
                raise of_code(code, message)
            case _:
                raise ProtocolError(f"the server sent no answer but {_shape(found)}")


def _unpacked(frame: memoryview) -> Any:
    try:
        return msgpack.unpackb(frame, strict_map_key=False)
    except (TypeError, ValueError, RecursionError) as error:  # the first: a key that is an array
        reason = type(error).__name__  # not its words, which may have what was sent
        raise ProtocolError(f"the server sent what is no MessagePack: {reason}") from None


def _batch(frame: memoryview) -> list[Any] | None:
    """The answer to a batch, its columns as views; None: the frame is something else."""
    try:
        reader = _Reader(frame)
        if reader.array() != 3:
            return None
        number, status = reader.number(), reader.number()
        if status != _OK or reader.array() != 2 or reader.array() != 3:
            return None
        values = [reader.number(), reader.number_or_bin(), reader.bin()]
        return [number, status, [values, _unpacked(reader.rest())]]
    except (LookupError, ValueError):
        return None


class _Reader:
    """Reads the few forms of MessagePack that an answer to a batch begins with."""

    def __init__(self, view: memoryview) -> None:
        self._view, self._at = view, 0

    def _byte(self) -> int:
        self._at += 1
        return self._view[self._at - 1]

    def _be(self, size: int) -> int:
        self._at += size
        if self._at > len(self._view):
            raise ValueError
        return int.from_bytes(self._view[self._at - size : self._at], "big")

    def array(self) -> int:
        """The number of elements of an array of at most 15."""
        head = self._byte()
        if head & 0xF0 != 0x90:
            raise ValueError
        return head & 0x0F

    def number(self) -> int:
        """A number that is not negative."""
        head = self._byte()
        return head if head < 0x80 else self._be(_UINTS[head])

    def bin(self) -> memoryview:
        """Bytes."""
        size = self._be(_BINS[self._byte()])
        self._at += size
        if self._at > len(self._view):
            raise ValueError
        return self._view[self._at - size : self._at]

    def number_or_bin(self) -> int | memoryview:
        """One of both."""
        return self.bin() if self._view[self._at] in _BINS else self.number()

    def rest(self) -> memoryview:
        """What was not read."""
        return self._view[self._at :]


_UINTS: Final[Mapping[int, int]] = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_BINS: Final[Mapping[int, int]] = {0xC4: 1, 0xC5: 2, 0xC6: 4}


def _bin_header(size: int) -> bytes:
    return b"\xc6" + size.to_bytes(4, "big")


def _hello(found: Any) -> Hello:
    """The server's hello.

    Raises:
        KmsError: it refuses us. ProtocolError: it speaks something else.
    """
    match found:
        case ["kmsfast", int(version), dict(said)] if version == _VERSION:
            return Hello(
                version,
                str(said.get("server", "")),
                str(said.get("region", "")),
                str(said.get("account", "")),
                said.get("principal"),
                int(said.get("max_frame", _MAX_FRAME)),
                int(said.get("max_inflight", 1)),
                frozenset(said.get("features", ())),
            )
        case [None, 1, [str(code), _, str(message), *_]]:
            raise of_code(code, message)
        case _:
            raise ProtocolError(f"no kmsfast server of version {_VERSION}: {_shape(found)}")


def _shape(found: Any) -> str:
    """What something is, without its values."""
    if isinstance(found, list):
        return f"[{', '.join(type(each).__name__ for each in found[:8])}]"
    return type(found).__name__
