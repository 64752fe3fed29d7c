"""Columns of records as the socket has them (docs/socket.md), to what the service takes and back.

Rules:
- a list stays a list; a packed column becomes numpy uint8 of (n, width), or Packed(data, offsets):
  its data is read where it lies, no record is copied;
- nil records are taken out before the service sees the others, and put back into the answer; so no
  operation knows of them;
- an answer has the form of its request; a record that failed is nil in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from kmsfast.crypto.column import Packed
from kmsfast.wire.refusals import SerializationError
from kmsfast.wire.socket_frames import MAX_ITEMS, MAX_LIST

if TYPE_CHECKING:
    import numpy.typing as npt

    U8 = npt.NDArray[np.uint8]
    Mask = npt.NDArray[np.bool_]

__all__ = ["NIL", "Column", "packed", "read_column", "write_column"]

NIL: Final = (1 << 32) - 1
"""The length of a record that is not there."""

_U32: Final = np.dtype("<u4")


class Column(NamedTuple):
    """A column that was sent.

    Attributes:
        num: records, with those that are nil.
        values: the others: a list of bytes, numpy uint8 of (n, width), or Packed.
        absent: which are nil; None: none is.
        is_list: the form that the answer has too.
    """

    num: int
    values: Any
    absent: Mask | None
    is_list: bool

    def without(self, absent: Mask | None) -> Column:
        """The column without records that are absent elsewhere too.

        Args:
            absent: a mask of ``num``; covers this column's own.
        """
        if absent is None or (self.absent is not None and np.array_equal(absent, self.absent)):
            return self
        here = np.ones(self.num, np.bool_) if self.absent is None else ~self.absent
        return self._replace(values=_chosen(self.values, ~absent[here]), absent=absent)


def read_column(value: Any, what: str) -> Column:
    """The column of a request or an answer.

    Raises:
        SerializationError: it is none, or one with more than MAX_ITEMS records.
    """
    if type(value) is not list:
        raise SerializationError(f"{what} is no column: an array is expected")
    if value and type(value[0]) is int:
        return _packed_column(value, what)
    if len(value) > MAX_LIST:
        raise SerializationError(f"{what} has more than {MAX_LIST} elements; use the packed form")
    kinds = set(map(type, value))
    if not kinds <= {bytes, type(None)}:
        raise SerializationError(f"{what} is no column: its elements are bin or nil")
    if type(None) not in kinds:
        return Column(len(value), value, None, is_list=True)
    absent = np.fromiter((each is None for each in value), np.bool_, len(value))
    return Column(len(value), [each for each in value if each is not None], absent, is_list=True)


def packed(num: int, width: int, data: Any) -> list[Any]:
    """A packed column of records of one width."""
    return [num, width, data]


def write_column(values: Any, like: Column, failed: Iterable[int] = ()) -> Any:
    """A column of results in the form of a request's.

    Args:
        values: a result for each record that is there, of any kind that the service gives.
        failed: indices of results that are none, among those that are there.
    """
    lost = np.zeros(len_of(values), np.bool_)
    lost[list(failed)] = True
    if like.is_list:
        return _list_of(values, like, lost)
    return _packed_of(values, like, lost)


def len_of(values: Any) -> int:
    """How many records a result has."""
    return len(values.offsets) - 1 if isinstance(values, Packed) else len(values)


def _packed_column(value: list[Any], what: str) -> Column:
    if len(value) != 3 or type(value[2]) is not bytes:
        raise SerializationError(f"{what} is no packed column: [number, lengths, data] is expected")
    num, lengths, data = value
    if not 0 <= num <= MAX_ITEMS:
        raise SerializationError(f"{what} has {num} records; a column has at most {MAX_ITEMS}")
    room = np.frombuffer(data, np.uint8)
    if type(lengths) is int:
        if lengths < 0 or num * lengths != len(data):
            raise SerializationError(
                f"{what} has {len(data)} bytes of data, not {num} times {lengths}"
            )
        return Column(num, room.reshape(num, lengths), None, is_list=False)
    if type(lengths) is not bytes or len(lengths) != 4 * num:
        raise SerializationError(f"{what}: the lengths are an integer, or a bin of {4 * num} bytes")
    sizes = np.frombuffer(lengths, _U32)
    absent = sizes == NIL
    some = bool(absent.any())
    sizes = sizes[~absent] if some else sizes
    offsets = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(sizes, out=offsets[1:])
    if offsets[-1] != len(data):
        raise SerializationError(
            f"{what} has {len(data)} bytes of data, but lengths of {int(offsets[-1])} in all"
        )
    return Column(num, Packed(room, offsets), absent if some else None, is_list=False)


def _chosen(values: Any, keep: Mask) -> Any:
    if isinstance(values, list):
        return [each for each, wanted in zip(values, keep, strict=True) if wanted]
    if isinstance(values, np.ndarray):
        return values[keep]
    sizes = np.diff(values.offsets)
    offsets = np.zeros(int(keep.sum()) + 1, np.int64)
    np.cumsum(sizes[keep], out=offsets[1:])
    return Packed(values.data[np.repeat(keep, sizes)], offsets)


def _list_of(values: Any, like: Column, lost: Mask) -> list[bytes | None]:
    found = _as_list(values)
    if lost.any():
        found = [None if gone else each for each, gone in zip(found, lost, strict=True)]
    if like.absent is None:
        return found
    left = iter(found)
    return [None if gone else next(left) for gone in like.absent]


def _as_list(values: Any) -> list[Any]:
    if isinstance(values, list):
        return values
    if isinstance(values, np.ndarray):
        return [row.tobytes() for row in values]
    ends = values.offsets.tolist()
    return [values.data[a:b].tobytes() for a, b in pairwise(ends)]


def _packed_of(values: Any, like: Column, lost: Mask) -> list[Any]:
    """Packed: of one width where all records are there, else with a length for each."""
    if isinstance(values, list):
        data, sizes = _joined(values)
    elif isinstance(values, np.ndarray):
        if like.absent is None and not lost.any():
            return packed(len(values), values.shape[1], _flat(values))
        data, sizes = values.reshape(-1), np.full(len(values), values.shape[1], np.int64)
    else:
        first, last = int(values.offsets[0]), int(values.offsets[-1])
        data, sizes = values.data[first:last], np.diff(values.offsets)
    if lost.any():
        data = data[np.repeat(~lost, sizes)]
        sizes = np.where(lost, NIL, sizes)
    if like.absent is not None:
        every = np.full(like.num, NIL, np.int64)
        every[~like.absent] = sizes
        sizes = every
    return [like.num, sizes.astype(_U32).tobytes(), _flat(data)]


def _joined(values: Sequence[bytes | None]) -> tuple[U8, npt.NDArray[np.int64]]:
    sizes = np.fromiter((len(each or b"") for each in values), np.int64, len(values))
    return np.frombuffer(b"".join(each or b"" for each in values), np.uint8), sizes


def _flat(data: Any) -> memoryview:
    """An array's bytes where they lie."""
    whole: Any = np.ascontiguousarray(data).reshape(-1)
    return memoryview(whole) if whole.size else memoryview(b"")
