"""Answers to batches, read where they lie, and any other message.

Rules:
- what is no answer to a batch in its usual form is for MessagePack's own reader, which also says
  what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgpack

from kmsfast.errors import ProtocolError

__all__ = ["BatchHead", "batch", "batch_head", "single", "unpacked"]

_OK: Final = 0


def unpacked(frame: memoryview) -> Any:
    """A message.

    Raises:
        ProtocolError: it is none.
    """
    try:
        return msgpack.unpackb(frame, strict_map_key=False)
    except (TypeError, ValueError, RecursionError) as error:  # the first: a key that is an array
        reason = type(error).__name__  # not its words, which may have what was sent
        raise ProtocolError(f"the server sent what is no MessagePack: {reason}") from None


class BatchHead(NamedTuple):
    """What precedes the records of an answer to a batch, all of one width.

    Attributes:
        number: id of the request.
        at, length: of the records in the frame, in bytes.
    """

    number: int
    num: int
    width: int
    at: int
    length: int


def batch_head(frame: memoryview) -> BatchHead | None:
    """Of a frame that has begun; None: it is something else, or there is too little of it."""
    try:
        reader = _Reader(frame)
        number = reader.batch()
        num, width, length = reader.number(), reader.number(), reader.bin_length()
    except (LookupError, ValueError):
        return None
    return BatchHead(number, num, width, reader.at, length)


def batch(frame: memoryview) -> list[Any] | None:
    """The answer to a batch, its columns as views; None: the frame is something else."""
    try:
        reader = _Reader(frame)
        number = reader.batch()
        values = [reader.number(), reader.number_or_bin(), reader.bin()]
        return [number, _OK, [values, unpacked(reader.rest())]]
    except (LookupError, ValueError):
        return None


def single(frame: memoryview) -> list[Any] | None:
    """An answer of bytes, or a part of one, as a view; None: the frame is something else."""
    try:
        reader = _Reader(frame)
        if reader.array() != 3:
            return None
        number, status, data = reader.number(), reader.number(), reader.bin()
    except (LookupError, ValueError):
        return None
    return None if reader.rest() else [number, status, data]


class _Reader:
    """Reads the few forms of MessagePack that an answer to a batch begins with."""

    def __init__(self, view: memoryview) -> None:
        self._view, self.at = view, 0

    def _byte(self) -> int:
        self.at += 1
        return self._view[self.at - 1]

    def _be(self, size: int) -> int:
        self.at += size
        if self.at > len(self._view):
            raise ValueError
        return int.from_bytes(self._view[self.at - size : self.at], "big")

    def batch(self) -> int:
        """The id of an answer with a packed column, to where that begins."""
        if self.array() != 3:
            raise ValueError
        number = self.number()
        if self.number() != _OK or self.array() != 2 or self.array() != 3:
            raise ValueError
        return number

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

    def bin_length(self) -> int:
        """How many bytes follow."""
        return self._be(_BINS[self._byte()])

    def bin(self) -> memoryview:
        """Bytes."""
        size = self.bin_length()
        self.at += size
        if self.at > len(self._view):
            raise ValueError
        return self._view[self.at - size : self.at]

    def number_or_bin(self) -> int | memoryview:
        """One of both."""
        return self.bin() if self._view[self.at] in _BINS else self.number()

    def rest(self) -> memoryview:
        """What was not read."""
        return self._view[self.at :]


_UINTS: Final[Mapping[int, int]] = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
_BINS: Final[Mapping[int, int]] = {0xC4: 1, 0xC5: 2, 0xC6: 4}
