"""Batches of records: lists, numpy and Arrow in, the same kind out, as the C core reads them.

Every kind becomes a :class:`Column` (what C reads) and plans a :class:`Sink` (what C writes):

=============================  ==============================================================
in                             out
=============================  ==============================================================
``list`` of ``bytes | None``   ``list`` of ``bytes | None``
numpy ``uint8`` of (n, w)      numpy ``uint8`` of (n, w + delta)
numpy ``S``/``V`` of (n,)      numpy ``V`` of (n,), w + delta bytes wide
:class:`Packed`                :class:`Packed`
Arrow binary, string           binary (large_binary when over 2 GiB); nulls stay null
Arrow large_binary/_string     large_binary
Arrow fixed_size_binary(w)     fixed_size_binary(w + delta)
=============================  ==============================================================

No record is copied: numpy and Arrow buffers are read where they lie, and results are written where
they will stay. What says where records begin and end is copied, since C runs without the GIL: a
thread of the caller that writes to its offsets meanwhile must not lead C out of a buffer. One that
writes to its records gets the result of some mixture of old and new bytes, and no bytes of others.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from kmsfast.crypto.native import check, ffi, lib
from kmsfast.errors import ValidationError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    U8 = npt.NDArray[np.uint8]
    I64 = npt.NDArray[np.int64]
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = ["Column", "Packed", "Sink", "as_column", "chunks_of", "concat_chunks"]


class Packed(NamedTuple):
    """Records of any length, back to back: record i is ``data[offsets[i]:offsets[i + 1]]``.

    Attributes:
        data: uint8, one-dimensional.
        offsets: int64, one more than there are records, never decreasing.
    """

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]


class Sink(ABC):
    """Where C writes the results of a batch, and the result as the user's kind."""

    out: Any = ffi.NULL
    out_len: int = 0
    offsets: Any = ffi.NULL
    ptrs: Any = ffi.NULL

    @abstractmethod
    def finish(self, failed: Iterable[int]) -> Any:
        """The batch's results; the records ``failed`` are null, None, or zeros."""


class Column(ABC):
    """Records as C reads them. ``struct`` points into buffers that the column keeps alive."""

    num: int
    struct: Any
    skip: U8 | None = None

    @abstractmethod
    def plan(self, delta: int) -> Sink:
        """Room for results that are ``delta`` bytes longer than the records."""

    @abstractmethod
    def peek(self, i: int, size: int) -> bytes:
        """The first ``size`` bytes of record i (fewer when it is shorter)."""

    @property
    def skip_ptr(self) -> Any:
        """The mask of records to leave out as C takes it: uint8, or NULL."""
        return ffi.NULL if self.skip is None else _u8(self.skip)


def as_column(values: Any, what: str = "values") -> Column:
    """The column of a batch in any supported kind.

    Raises:
        ValidationError: another type, dtype or shape; offsets that decrease or leave the buffer.
    """
    if isinstance(values, list):
        return _ListColumn(values, what)
    if isinstance(values, Packed) or (isinstance(values, tuple) and len(values) == 2):
        return _PackedColumn(Packed(*values), what)
    if isinstance(values, np.ndarray):
        return _FixedColumn(values, what)
    if _is_arrow(values):
        return _arrow_column(values, what)
    raise ValidationError(
        f"{what} must be a list of bytes, a numpy array, Packed(data, offsets) or an Arrow array, "
        f"not {type(values).__name__}"
    )


def chunks_of(values: Any) -> list[Any] | None:
    """The chunks of an Arrow ChunkedArray, else None."""
    if _is_arrow(values) and type(values).__name__ == "ChunkedArray":
        return cast("list[Any]", values.chunks)
    return None


def concat_chunks(chunks: list[Any], like: Any) -> Any:
    """Chunks as one ChunkedArray; all become large_binary when one of them had to.

    Args:
        like: what the chunks were made from; gives the type when there are none.
    """
    import pyarrow as pa

    if not chunks:
        large = like.type in (pa.large_binary(), pa.large_string())
        return pa.chunked_array([], type=pa.large_binary() if large else pa.binary())
    widest = pa.large_binary()
    if any(chunk.type == widest for chunk in chunks):
        chunks = [chunk.cast(widest) for chunk in chunks]
    return pa.chunked_array(chunks)


def _is_arrow(values: Any) -> bool:
    return type(values).__module__.partition(".")[0] == "pyarrow"


def _u8(array: Any) -> Any:
    return ffi.from_buffer("uint8_t[]", array)


def _i64(array: Any) -> Any:
    return ffi.from_buffer("int64_t[]", array)


def _i32(array: Any) -> Any:
    return ffi.from_buffer("int32_t[]", array)


def _struct(*, data: Any = ffi.NULL, size: int = 0, width: int = 0) -> Any:
    struct = ffi.new("struct kf_column *")
    struct.data, struct.data_len, struct.width = data, size, width
    return struct


def _zero(data: U8, spans: Iterable[tuple[int, int]]) -> None:
    for begin, end in spans:
        data[begin:end] = 0


# ---- lists ----------------------------------------------------------------------------------


class _ListSink(Sink):
    def __init__(self, column: _ListColumn, delta: int) -> None:
        self._list: list[bytes | None] = [None] * column.num
        self._ptrs = np.empty(column.num, np.uintp)
        self.ptrs = ffi.cast("uint8_t **", ffi.from_buffer(self._ptrs))
        check(
            lib.kf_py_alloc(
                self.ptrs, id(self._list), _i64(column.lens), _u8(column.mask), column.num, delta
            )
        )

    def finish(self, failed: Iterable[int]) -> list[bytes | None]:
        for i in failed:
            self._list[i] = None
        return self._list


class _ListColumn(Column):
    _held: Any = ffi.NULL

    def __init__(self, values: list[bytes | None], what: str) -> None:
        bad = ffi.new("int64_t *")
        # A thread of the caller may shorten the list after it was measured: then measure again.
        while (status := self._view(values, bad)) == lib.KF_ERR_OFFSETS:
            pass
        if status == lib.KF_ERR_TYPE:
            i = bad[0]
            found = [type(item).__name__ for item in list.__getitem__(values, slice(i, i + 1))]
            raise ValidationError(f"{what}[{i}] is {''.join(found)}; records must be bytes or None")
        check(status)
        self._held = self._owners_ptr
        self.skip = self.mask if self.mask.any() else None
        self.struct = ffi.new("struct kf_column *")
        self.struct.ptrs = ffi.cast("const uint8_t *const *", self._ptrs_ptr)
        self.struct.lens = self._lens_ptr

    def _view(self, values: list[bytes | None], bad: Any) -> int:
        self.num = num = list.__len__(values)  # what is in memory, whatever a subclass says
        self._owners, self._ptrs = np.empty(num, np.uintp), np.empty(num, np.uintp)
        self.lens: I64 = np.empty(num, np.int64)
        self.mask: U8 = np.empty(num, np.uint8)
        self._owners_ptr = ffi.from_buffer("uintptr_t[]", self._owners)
        self._ptrs_ptr = ffi.cast("const uint8_t **", ffi.from_buffer(self._ptrs))
        self._lens_ptr = _i64(self.lens)
        status: int = lib.kf_py_view(
            self._owners_ptr, self._ptrs_ptr, self._lens_ptr, _u8(self.mask), bad, id(values), num
        )
        return status

    def __del__(self) -> None:
        if self._held != ffi.NULL:
            lib.kf_py_release(self._held, self.num)

    def plan(self, delta: int) -> Sink:
        return _ListSink(self, delta)

    def peek(self, i: int, size: int) -> bytes:
        size = min(size, int(self.lens[i]))
        return bytes(ffi.buffer(self.struct.ptrs[i], size)) if size else b""


# ---- numpy, fixed width ---------------------------------------------------------------------


class _FixedSink(Sink):
    def __init__(self, num: int, width: int, flat: bool) -> None:
        self._data: U8 = np.empty((num, width), np.uint8)
        self._flat = flat
        self.out, self.out_len = _u8(self._data), self._data.size

    def finish(self, failed: Iterable[int]) -> npt.NDArray[Any]:
        for i in failed:
            self._data[i] = 0
        if self._flat:
            return self._data.view(np.dtype((np.void, self._data.shape[1]))).reshape(-1)
        return self._data


class _FixedColumn(Column):
    def __init__(self, values: npt.NDArray[Any], what: str) -> None:
        values = _plain(values, what)
        self._flat = values.ndim == 1 and values.dtype.kind in "SV"
        if not self._flat and not (values.ndim == 2 and values.dtype == np.uint8):
            raise ValidationError(
                f"{what} must be uint8 of shape (n, width) or of dtype S or V and shape (n,), not "
                f"{values.dtype} of shape {values.shape}; for records of several lengths use "
                "Packed(data, offsets)"
            )
        if self._flat and values.dtype.names is not None:
            raise ValidationError(f"{what} has named fields; view it as plain V bytes first")
        if not values.flags.c_contiguous:
            raise ValidationError(
                f"{what} is not contiguous; pass numpy.ascontiguousarray({what}) instead"
            )
        self.num = values.shape[0]
        self._width = values.dtype.itemsize if self._flat else values.shape[1]
        self._data: U8 = values.view(np.uint8).reshape(self.num, self._width)
        self._ptr = _u8(self._data)
        self.struct = _struct(data=self._ptr, size=self._data.size, width=self._width)

    def plan(self, delta: int) -> Sink:
        width = self._width + delta
        if self.num == 0:
            width = max(width, int(self._flat))
        if width < 0 or (width == 0 and self._flat):
            raise ValidationError(
                f"records of {self._width} bytes are too short: this operation takes "
                f"{-delta} bytes from each, and dtype V cannot be empty"
            )
        return _FixedSink(self.num, width, self._flat)

    def peek(self, i: int, size: int) -> bytes:
        return self._data[i, :size].tobytes()


def _plain(values: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    """The array as numpy's own class, whose methods say what is in memory."""
    if type(values) is np.ndarray:
        return values  # before numpy.ma is asked for, which takes 30 ms to import
    if isinstance(values, np.ma.MaskedArray):
        raise ValidationError(
            f"{what} is a masked array; use its filled(), or a list or an Arrow array, which have "
            "nulls"
        )
    return np.asarray(values)


# ---- numpy, ragged --------------------------------------------------------------------------


class _PackedSink(Sink):
    """Offsets as wide as the column's, which grow to int64 if the results need it."""

    def __init__(self, column: _PackedColumn, delta: int) -> None:
        bad = ffi.new("int64_t *")
        status = self._plan(column, delta, bad)
        if status == lib.KF_ERR_CAPACITY:
            column.widen()
            status = self._plan(column, delta, bad)
        if status == lib.KF_ERR_OFFSETS:
            i = bad[0]
            raise ValidationError(
                f"{column.what}.offsets[{i}:{i + 2}] = {column.offsets[i]}, "
                f"{column.offsets[i + 1]}: offsets must not decrease, start below 0, or run past "
                f"the {column.size} bytes of data"
            )
        check(status)
        self.data: U8 = np.empty(int(self.plan[-1]), np.uint8)
        self.out, self.out_len = _u8(self.data), self.data.size

    def _plan(self, column: _PackedColumn, delta: int, bad: Any) -> int:
        self.plan: npt.NDArray[Any] = np.empty(column.num + 1, column.offsets.dtype)
        plan, pointer = (
            (lib.kf_offsets_plan32, _i32) if column.narrow else (lib.kf_offsets_plan, _i64)
        )
        self.offsets = pointer(self.plan)
        status: int = plan(
            self.offsets, bad, pointer(column.offsets), column.num, column.size, delta,
            column.skip_ptr,
        )  # fmt: skip
        return status

    def finish(self, failed: Iterable[int]) -> Any:
        _zero(self.data, ((int(self.plan[i]), int(self.plan[i + 1])) for i in failed))
        return Packed(self.data, self.plan)


def _vector(values: Any, dtype: type[np.generic], what: str) -> npt.NDArray[Any]:
    """A one-dimensional numpy array of the dtype, in this machine's byte order."""
    wanted = np.dtype(dtype)
    if not isinstance(values, np.ndarray):
        raise ValidationError(
            f"{what} must be a one-dimensional {wanted} numpy array, not {type(values).__name__}"
        )
    vector = _plain(values, what)
    if vector.dtype != wanted or vector.ndim != 1:
        raise ValidationError(
            f"{what} must be a one-dimensional {wanted} numpy array, not {vector.dtype.str} of "
            f"shape {vector.shape}"
        )
    return vector


class _PackedColumn(Column):
    def __init__(self, values: Packed, what: str) -> None:
        data = _vector(values.data, np.uint8, f"{what}.data")
        offsets = _vector(values.offsets, np.int64, f"{what}.offsets")
        if not data.flags.c_contiguous:
            raise ValidationError(
                f"{what}.data is not contiguous; pass numpy.ascontiguousarray(data) instead"
            )
        if offsets.size == 0:
            raise ValidationError(f"{what}.offsets is empty; no records are offsets [0]")
        self._take(data, offsets, what)

    def _take(self, data: U8, offsets: npt.NDArray[Any], what: str, skip: U8 | None = None) -> None:
        """Offsets of int64 or int32."""
        self.what, self.data, self.skip = what, data, skip
        self.offsets = np.array(offsets, order="C")  # ours: see the module's docstring
        self.num, self.size = offsets.size - 1, data.size
        self._data_ptr = _u8(data)
        self.struct = _struct(data=self._data_ptr, size=self.size)
        self._point()

    def _point(self) -> None:
        self.narrow = self.offsets.dtype == np.int32
        self._offsets_ptr = (_i32 if self.narrow else _i64)(self.offsets)
        if self.narrow:
            self.struct.offsets32 = self._offsets_ptr
        else:
            self.struct.offsets, self.struct.offsets32 = self._offsets_ptr, ffi.NULL

    def widen(self) -> None:
        """Makes the offsets int64."""
        self.offsets = self.offsets.astype(np.int64)
        self._point()

    def plan(self, delta: int) -> Sink:
        return _PackedSink(self, delta)

    def peek(self, i: int, size: int) -> bytes:
        begin, end = int(self.offsets[i]), int(self.offsets[i + 1])
        return self.data[begin : min(end, begin + size)].tobytes() if 0 <= begin <= end else b""


# ---- Arrow ----------------------------------------------------------------------------------


class _ArrowSink(_PackedSink):
    """Offsets and data as the buffers of a new Arrow array."""

    def __init__(self, column: _ArrowColumn, delta: int) -> None:
        super().__init__(column, delta)
        self._skip = column.skip

    def finish(self, failed: Iterable[int]) -> pa.Array[Any]:
        import pyarrow as pa

        data, offsets = super().finish(failed)
        return pa.Array.from_buffers(
            pa.binary() if offsets.dtype == np.int32 else pa.large_binary(),
            len(offsets) - 1,
            [_validity(len(offsets) - 1, self._skip, failed), pa.py_buffer(offsets),
             pa.py_buffer(data)],
        )  # fmt: skip


class _ArrowColumn(_PackedColumn):
    def __init__(self, values: pa.Array[Any], what: str, large: bool) -> None:
        _, offsets, data = values.buffers()
        dtype: Any = np.int64 if large else np.int32
        begin, count = values.offset, len(values) + 1
        if offsets is None or len(values) == 0:
            ends: npt.NDArray[Any] = np.zeros(1, dtype)
        else:
            has = offsets.size // np.dtype(dtype).itemsize
            _refuse_short(has, begin + count, f"{what}, an Arrow array, has offsets for")
            ends = np.frombuffer(offsets, dtype, has)[begin : begin + count]
        self._take(_bytes_of(data), ends, what, _null_mask(values))

    def plan(self, delta: int) -> Sink:
        return _ArrowSink(self, delta)


class _FixedArrowSink(_FixedSink):
    def __init__(self, num: int, width: int, skip: U8 | None) -> None:
        super().__init__(num, width, flat=False)
        self._skip = skip
        if skip is not None:
            self._data[skip != 0] = 0

    def finish(self, failed: Iterable[int]) -> pa.Array[Any]:
        import pyarrow as pa

        data = super().finish(failed)
        validity = _validity(data.shape[0], self._skip, failed)
        return pa.Array.from_buffers(
            pa.binary(data.shape[1]), data.shape[0], [validity, pa.py_buffer(data.reshape(-1))]
        )


class _FixedArrowColumn(_FixedColumn):
    def __init__(self, values: pa.FixedSizeBinaryArray, what: str) -> None:
        width = values.type.byte_width
        data = _bytes_of(values.buffers()[1])
        rows = data[: data.size // width * width].reshape(-1, width)
        end = values.offset + len(values)
        _refuse_short(len(rows), end, f"{what}, an Arrow array, has data for")
        super().__init__(rows[values.offset : end], what)
        self.skip = _null_mask(values)

    def plan(self, delta: int) -> Sink:
        if self._width + delta < 0:
            raise ValidationError(f"records of {self._width} bytes are shorter than {-delta}")
        return _FixedArrowSink(self.num, self._width + delta, self.skip)


def _arrow_column(values: Any, what: str) -> Column:
    import pyarrow as pa

    if isinstance(values, pa.Array):
        kind = values.type
        if kind in (pa.binary(), pa.string()):
            return _ArrowColumn(values, what, large=False)
        if kind in (pa.large_binary(), pa.large_string()):
            return _ArrowColumn(values, what, large=True)
        if pa.types.is_fixed_size_binary(kind) and kind.byte_width > 0:
            return _FixedArrowColumn(cast("pa.FixedSizeBinaryArray", values), what)
    raise ValidationError(
        f"{what} is an Arrow {getattr(values, 'type', type(values).__name__)}; cast it to binary, "
        "large_binary, string, large_string or fixed_size_binary first"
    )


def _refuse_short(has: int, needs: int, what: str) -> None:
    if has < needs:
        raise ValidationError(
            f"{what} {has} records where it says {needs}; it was built wrong: "
            "check it with validate(full=True)"
        )


def _bytes_of(buffer: Any) -> U8:
    return np.empty(0, np.uint8) if buffer is None else np.frombuffer(buffer, np.uint8)


def _null_mask(values: Any) -> U8 | None:
    if values.null_count == 0:
        return None
    return cast("U8", values.is_null().to_numpy(zero_copy_only=False).astype(np.uint8))


def _validity(num: int, skip: U8 | None, failed: Iterable[int]) -> Any:
    """Arrow's validity bitmap, or None when all records are there."""
    import pyarrow as pa

    failed = list(failed)
    if skip is None and not failed:
        return None
    valid = np.ones(num, np.uint8) if skip is None else 1 - skip
    valid[failed] = 0
    return pa.py_buffer(np.packbits(valid, bitorder="little"))
