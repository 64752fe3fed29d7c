"""Batches of any kind as columns of the protocol, and answers as the kind that was asked with.

Rules:
- every kind goes as packed columns (docs/socket.md), cut into pieces that a server works on while
  the next is on its way;
- what says where records begin and end is read and checked by the code that does it in-process
  (:mod:`kmsfast.crypto.column`), so that errors are the same;
- no loop over records but for lists, which are objects one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum, auto
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kmsfast.crypto.column import Packed, as_column, chunks_of
from kmsfast.crypto.column_base import Column
from kmsfast.crypto.column_list import ListColumn
from kmsfast.crypto.column_numpy import FixedColumn, PackedColumn
from kmsfast.errors import ProtocolError, ValidationError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    U8 = npt.NDArray[np.uint8]
    I64 = npt.NDArray[np.int64]
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = [
    "IN_PLACE",
    "NULL",
    "Batch",
    "Kind",
    "Piece",
    "Rebuild",
    "Results",
    "as_list",
    "as_rows",
    "like",
    "of_one_width",
    "zip_pieces",
]

NULL: Final = 0xFFFFFFFF
"""The length of a record that is not there."""

IN_PLACE: Final = object()
"""In an answer: its records were received where they stay. No server can say that."""

_PIECE: Final = 192 << 10  # bytes: what a server works on while the next piece is on its way
_EACH: Final = 96  # that a record may grow by, counted as well
_MOST: Final = 1 << 16  # records of a piece
_U32: Final = "<u4"


class Piece(NamedTuple):
    """Some records of a batch, packed.

    Attributes:
        first: index of its first record.
        lengths: of each record, or of all of them.
    """

    first: int
    num: int
    lengths: int | npt.NDArray[np.uint32]
    data: memoryview


class Batch:
    """The records of a batch in any kind that :mod:`kmsfast.crypto.column` reads.

    Attributes:
        num: of records.
        kind: of the batch.
        width: of its records, where they have one by its type.
        is_chunked: whether it is an Arrow ChunkedArray.

    Raises:
        ValidationError: another type, dtype or shape; bad offsets; longer records than 4 GiB.
    """

    def __init__(self, values: Any, what: str = "values") -> None:
        chunks = chunks_of(values)
        whole = values if chunks is None else _combined(values)
        if isinstance(whole, list):
            whole = list(whole)  # ours: it may change meanwhile
        column = as_column(whole, what)
        self.num, self._skip = column.num, column.skip
        self._list: list[bytes | None] | None = None
        self._offsets: I64 | None = None
        self.width: int | None = None
        if isinstance(column, ListColumn):
            self._list = whole
            self._ends = np.cumsum(column.lens)
        elif isinstance(column, PackedColumn):
            column.plan(0)  # checks the offsets
            self._offsets, self._data = column.offsets.astype(np.int64), column.data
            self._ends = self._offsets[1:] - self._offsets[0]
        elif isinstance(column, FixedColumn):
            self.width, self._data = column.width, column.data.reshape(-1)
        self.kind, self.is_chunked = _kind_of(whole, column), chunks is not None

    def pieces(self) -> list[Piece]:
        """All records in order; one piece without records where there are none."""
        cuts = [0, *self._cuts(), self.num]
        return [self._piece(first, last) for first, last in pairwise(cuts)]

    def _cuts(self) -> Sequence[int]:
        """Where pieces end, but for the last."""
        if self.width is not None:
            each = min(_MOST, max(1, _PIECE // (self.width + _EACH)))
            return range(each, self.num, each)
        sizes = self._ends + _EACH * np.arange(1, self.num + 1)
        if self.num == 0:
            return ()
        marks = np.arange(_PIECE, int(sizes[-1]), _PIECE)
        found = np.unique(np.searchsorted(sizes, marks, side="left") + 1)
        return [int(cut) for cut in found if cut < self.num]

    def _piece(self, first: int, last: int) -> Piece:
        num = last - first
        if self._list is not None:
            return _of_list(self._list[first:last], first)
        skip = None if self._skip is None else self._skip[first:last] != 0
        if self.width is not None:
            data = self._data[first * self.width : last * self.width]
            if skip is None or not skip.any():
                return Piece(first, num, self.width, data.data)
            lengths = np.full(num, self.width, _U32)
            data = data.reshape(num, self.width)[~skip].reshape(-1)
        else:
            assert self._offsets is not None  # noqa: S101 - of the third kind
            ends = self._offsets[first : last + 1]
            lengths = np.diff(ends).astype(_U32)
            data = self._data[ends[0] : ends[-1]]
            if skip is not None and lengths[skip].any():
                data = data[np.repeat(~skip, lengths)]
        if skip is not None:
            lengths[skip] = NULL
        return Piece(first, num, lengths, data.data)


def zip_pieces(one: Batch, other: Batch) -> Iterator[tuple[Piece, Piece]]:
    """Pieces of two batches of as many records each, of the same records."""
    cuts = sorted({0, one.num, *one._cuts(), *other._cuts()})
    for first, last in pairwise(cuts if len(cuts) > 1 else [0, 0]):
        yield one._piece(first, last), other._piece(first, last)


def _of_list(values: list[bytes | None], first: int) -> Piece:
    lengths = np.fromiter(
        (NULL if value is None else len(value) for value in values), _U32, len(values)
    )
    data = b"".join(value for value in values if value is not None)
    return Piece(first, len(values), lengths, memoryview(data))


def _combined(values: Any) -> Any:
    """A chunked array as one array."""
    import pyarrow as pa

    chunks = values.chunks
    if not chunks:
        return pa.array([], type=values.type)
    return chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)


# ---- answers --------------------------------------------------------------------------------


class Results:
    """The records that came back for the pieces of a batch, put together.

    Records that all have one width, which is usual, are put where they stay as they come in; others
    are kept and joined at the end.
    """

    def __init__(self, num: int) -> None:
        self._num = num
        self._rows: U8 | None = None
        self._placed: dict[int, int] = {}  # numbers of records, by the first
        self._ragged: dict[int, tuple[npt.NDArray[np.uint32], U8]] = {}

    def room(self, piece: Piece, num: int, width: int) -> memoryview | None:
        """Where the records that answer a piece stay, so that they can be received there.

        Returns:
            None: they are other records, or have another width than those before; place them.
        """
        if num != piece.num or not width:
            return None
        if self._rows is None:
            self._rows = np.empty((self._num, width), np.uint8)
        if width != self._rows.shape[1]:
            return None
        return self._rows[piece.first : piece.first + num].reshape(-1).data

    def place(self, first: int, num: int, column: Any, parts: Sequence[Any] = ()) -> None:
        """Takes a packed column of the records from ``first`` on; it may be gone afterwards.

        Args:
            num: of them.
            column: with IN_PLACE as its data, when these were received in their :meth:`room`.
            parts: of its data, which came before it.

        Raises:
            ProtocolError: it is no column of so many records.
        """
        # Of an answer before a retry nothing stays.
        self._ragged.pop(first, None)
        self._placed.pop(first, None)
        if isinstance(column, list) and column[-1:] == [IN_PLACE]:
            self._placed[first] = num
            return
        lengths, records = _column(num, column, parts)
        if not isinstance(lengths, int):
            self._ragged[first] = lengths.copy(), records.copy()
            return
        if self._rows is None:
            self._rows = np.empty((self._num, lengths), np.uint8)
        if self._rows.shape[1] != lengths:
            self._ragged[first] = np.full(num, lengths, _U32), records.copy()
            return
        self._rows.reshape(-1)[first * lengths : (first + num) * lengths] = records
        self._placed[first] = num

    def rows(self) -> U8 | None:
        """All records as an array of (n, width), or None when they have no common width."""
        return None if self._ragged else self._rows

    def joined(self) -> tuple[npt.NDArray[np.uint32], U8]:
        """Lengths and data of all records."""
        pieces = dict(self._ragged)
        rows = np.empty((0, 0), np.uint8) if self._rows is None else self._rows
        for first, num in self._placed.items():
            placed = rows[first : first + num].reshape(-1)
            pieces[first] = np.full(num, rows.shape[1], _U32), placed
        if not pieces:
            return np.empty(0, _U32), np.empty(0, np.uint8)
        lengths, data = zip(*(pieces[first] for first in sorted(pieces)), strict=True)
        return np.concatenate(lengths), np.concatenate(data)


def _column(num: int, column: Any, parts: Sequence[Any]) -> tuple[int | npt.NDArray[np.uint32], U8]:
    """Lengths and data of a packed column, which fit together.

    Raises:
        ProtocolError: they do not.
    """
    match column:
        case [said, int(lengths), bytes() | memoryview() as data] if said == num:
            of_each: int | npt.NDArray[np.uint32] = lengths
            total = lengths * num
        case [said, bytes() | memoryview() as lengths, bytes() | memoryview() as data] if (
            said == num and len(lengths) == 4 * num
        ):
            of_each = np.frombuffer(lengths, _U32)
            total = int(of_each[of_each != NULL].sum(dtype=np.int64))
        case _:
            raise ProtocolError(f"the server's answer has no column of {num} records")
    size = len(data) + sum(map(len, parts))
    if total != size:
        raise ProtocolError(
            f"the server's answer has a column of {size} bytes whose lengths are {total} in all"
        )
    return of_each, np.frombuffer(b"".join([*parts, data]) if parts else data, np.uint8)


Rebuild = Callable[[Results], Any]
"""Makes the kind of a batch of its results."""


def like(batch: Batch, delta: int) -> Rebuild:
    """Results of the kind of the batch, as encrypting and decrypting give them.

    Args:
        delta: by how many bytes each is longer.

    Raises:
        ValidationError: the records have one width, and are shorter than what is taken from them.
    """
    made: Rebuild = _REBUILD[batch.kind]
    if batch.width is not None:
        width = batch.width + delta
        if width < 0 and batch.num:
            raise ValidationError(
                f"records of {batch.width} bytes are too short: this operation takes {-delta} "
                "bytes from each"
            )
        made = partial(_OF_WIDTH[batch.kind], width=max(0, width))
    return made if not batch.is_chunked else lambda results: _chunked(made(results))


def of_one_width(batch: Batch) -> Rebuild:
    """Results of one width, as MACs are: lists of lists, Arrow of Arrow, arrays of all others."""
    return _REBUILD[_OF_ONE_WIDTH[batch.kind]]


def as_list(results: Results) -> list[bytes | None]:
    """Objects one by one; None where there is none."""
    lengths, data = results.joined()
    present = np.where(lengths == NULL, 0, lengths)
    ends = np.cumsum(present, dtype=np.int64).tolist()
    whole = data.data
    return [
        None if size == NULL else bytes(whole[end - size : end])
        for size, end in zip(lengths.tolist(), ends, strict=True)
    ]


def as_rows(results: Results, width: int = 0) -> U8:
    """An array of (n, width); zeros where there is no record.

    Args:
        width: where there is no record at all.
    """
    rows = results.rows()
    if rows is not None:
        return rows
    lengths, data = results.joined()
    there = lengths != NULL
    if there.any():
        width = int(lengths[there].max())
    if data.size != int(there.sum()) * width:
        raise ProtocolError("the server's answer has records of several lengths; all are of one")
    made = np.zeros((len(lengths), width), np.uint8)
    made[there] = data.reshape(int(there.sum()), width)
    return made


def _as_flat(results: Results, width: int = 0) -> npt.NDArray[Any]:
    """An array of (n,) of dtype V."""
    rows = as_rows(results, width)
    return rows.view(np.dtype((np.void, rows.shape[1]))).reshape(-1)


def _as_packed(results: Results) -> Packed:
    """Records of any length; empty where there is none."""
    lengths, data = _offsets(results)
    return Packed(data, lengths)


def _offsets(results: Results) -> tuple[I64, U8]:
    lengths, data = results.joined()
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(np.where(lengths == NULL, 0, lengths), out=offsets[1:])
    return offsets, data


def _as_arrow(results: Results) -> Any:
    """A binary array, or large_binary when it is over 2 GiB."""
    return _arrow(results, wide=False)


def _as_wide_arrow(results: Results) -> Any:
    """A large_binary array."""
    return _arrow(results, wide=True)


def _arrow(results: Results, *, wide: bool) -> Any:
    import pyarrow as pa

    lengths, _ = results.joined()
    offsets, data = _offsets(results)
    wide = wide or int(offsets[-1]) > np.iinfo(np.int32).max
    ends = offsets if wide else offsets.astype(np.int32)
    buffers = [_validity(lengths != NULL), pa.py_buffer(ends), pa.py_buffer(data)]
    kind = pa.large_binary() if wide else pa.binary()
    return pa.Array.from_buffers(kind, len(lengths), buffers)


def _as_fixed_arrow(results: Results, width: int = 0) -> Any:
    """A fixed_size_binary array."""
    import pyarrow as pa

    rows = as_rows(results, width)
    there = np.ones(len(rows), np.bool_) if results.rows() is not None else (
        results.joined()[0] != NULL
    )  # fmt: skip
    buffers = [_validity(there), pa.py_buffer(np.ascontiguousarray(rows).reshape(-1))]
    return pa.Array.from_buffers(pa.binary(rows.shape[1]), len(rows), buffers)


def _validity(there: npt.NDArray[np.bool_]) -> Any:
    """Arrow's validity bitmap, or None when all records are there."""
    import pyarrow as pa

    return None if there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))


def _chunked(array: Any) -> Any:
    import pyarrow as pa

    return pa.chunked_array([array])


class Kind(Enum):
    """Of a batch, where that decides what its results are."""

    LIST = auto()
    ROWS = auto()
    FLAT = auto()
    PACKED = auto()
    ARROW = auto()
    WIDE_ARROW = auto()
    FIXED_ARROW = auto()


_REBUILD: Final[Mapping[Kind, Rebuild]] = {
    Kind.LIST: as_list,
    Kind.ROWS: as_rows,
    Kind.FLAT: _as_flat,
    Kind.PACKED: _as_packed,
    Kind.ARROW: _as_arrow,
    Kind.WIDE_ARROW: _as_wide_arrow,
    Kind.FIXED_ARROW: _as_fixed_arrow,
}
_OF_WIDTH: Final[Mapping[Kind, Callable[..., Any]]] = {
    Kind.ROWS: as_rows,
    Kind.FLAT: _as_flat,
    Kind.FIXED_ARROW: _as_fixed_arrow,
}
_OF_ONE_WIDTH: Final[Mapping[Kind, Kind]] = {
    Kind.LIST: Kind.LIST,
    Kind.ROWS: Kind.ROWS,
    Kind.FLAT: Kind.ROWS,
    Kind.PACKED: Kind.ROWS,
    Kind.ARROW: Kind.FIXED_ARROW,
    Kind.WIDE_ARROW: Kind.FIXED_ARROW,
    Kind.FIXED_ARROW: Kind.FIXED_ARROW,
}


def _kind_of(values: Any, column: Column) -> Kind:
    if isinstance(values, list):
        return Kind.LIST
    if isinstance(values, tuple):
        return Kind.PACKED
    if isinstance(values, np.ndarray):
        return Kind.FLAT if values.ndim == 1 else Kind.ROWS
    if isinstance(column, FixedColumn):
        return Kind.FIXED_ARROW
    return Kind.ARROW if column.narrow else Kind.WIDE_ARROW  # type: ignore[attr-defined]
