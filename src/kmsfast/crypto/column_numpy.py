"""Records in numpy's memory: of one width, or back to back with offsets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from kmsfast.crypto.column_base import Column, Sink, i32, i64, new_struct, u8
from kmsfast.crypto.native import check, ffi, lib
from kmsfast.errors import ValidationError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    U8 = npt.NDArray[np.uint8]
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = ["FixedColumn", "FixedSink", "Packed", "PackedColumn", "PackedSink"]


class Packed(NamedTuple):
    """Records of any length, back to back: record i is ``data[offsets[i]:offsets[i + 1]]``.

    Attributes:
        data: uint8, one-dimensional.
        offsets: int64, one more than there are records, never decreasing.
    """

    data: npt.NDArray[np.uint8]
    offsets: npt.NDArray[np.int64]


# ---- memory for results ---------------------------------------------------------------------

_ROOM_MIN = 4 << 20  # bytes; what is smaller comes from malloc's own memory


def new_results(size: int, *, ciphertext: bool) -> U8:
    """A new array for results, of any contents.

    Large ones of ciphertext take the memory of earlier ones that are gone (kf_room.c).
    """
    if not ciphertext or size < _ROOM_MIN:
        return np.empty(size, np.uint8)
    room = lib.kf_room_take(size)
    if room == ffi.NULL:
        raise MemoryError(f"no memory for {size} bytes of results")
    return np.frombuffer(ffi.buffer(ffi.gc(room, lib.kf_room_give), size), np.uint8)


# ---- of one width ---------------------------------------------------------------------------


class FixedSink(Sink):
    """A new array of (n, width), flat: of dtype V."""

    def __init__(self, num: int, width: int, *, flat: bool, ciphertext: bool = False) -> None:
        self._data: U8 = new_results(num * width, ciphertext=ciphertext).reshape(num, width)
        self._flat = flat
        self.out, self.out_len = u8(self._data), self._data.size

    def finish(self, failed: Iterable[int]) -> npt.NDArray[Any]:
        """The results, as the kind they came as."""
        for i in failed:
            self._data[i] = 0
        if self._flat:
            return self._data.view(np.dtype((np.void, self._data.shape[1]))).reshape(-1)
        return self._data


class FixedColumn(Column):
    """An array of (n, width), or of dtype S or V: records of one width.

    Attributes:
        width: of each record.
        data: all of them, uint8 of (n, width).
    """

    def __init__(self, values: npt.NDArray[Any], what: str) -> None:
        values = plain(values, what)
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
        self.width: int = values.dtype.itemsize if self._flat else values.shape[1]
        self.data: U8 = values.view(np.uint8).reshape(self.num, self.width)
        self._ptr = u8(self.data)
        self.struct = new_struct(data=self._ptr, size=self.data.size, width=self.width)

    def plan(self, delta: int) -> Sink:
        """Room of the same kind."""
        width = self.width + delta
        if self.num == 0:
            width = max(width, int(self._flat))
        if width < 0 or (width == 0 and self._flat):
            raise ValidationError(
                f"records of {self.width} bytes are too short: this operation takes "
                f"{-delta} bytes from each, and dtype V cannot be empty"
            )
        return FixedSink(self.num, width, flat=self._flat, ciphertext=delta > 0)

    def plan_fixed(self, width: int) -> Sink:
        """An array of (n, width)."""
        return FixedSink(self.num, width, flat=False)

    def peek(self, i: int, size: int) -> bytes:
        """The start of record i."""
        return self.data[i, :size].tobytes()


def plain(values: npt.NDArray[Any], what: str) -> npt.NDArray[Any]:
    """The array as numpy's own class, whose methods say what is in memory."""
    if type(values) is np.ndarray:
        return values  # before numpy.ma is asked for, which takes 30 ms to import
    if isinstance(values, np.ma.MaskedArray):
        raise ValidationError(
            f"{what} is a masked array; use its filled(), or a list or an Arrow array, which have "
            "nulls"
        )
    return np.asarray(values)


# ---- back to back ---------------------------------------------------------------------------


class PackedSink(Sink):
    """Offsets as wide as the column's, which grow to int64 if the results need it."""

    def __init__(self, column: PackedColumn, delta: int) -> None:
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
        self.data: U8 = new_results(int(self.plan[-1]), ciphertext=delta > 0)
        self.out, self.out_len = u8(self.data), self.data.size

    def _plan(self, column: PackedColumn, delta: int, bad: Any) -> int:
        self.plan: npt.NDArray[Any] = np.empty(column.num + 1, column.offsets.dtype)
        plan, pointer = (
            (lib.kf_offsets_plan32, i32) if column.narrow else (lib.kf_offsets_plan, i64)
        )
        self.offsets = pointer(self.plan)
        status: int = plan(
            self.offsets, bad, pointer(column.offsets), column.num, column.size, delta,
            column.skip_ptr,
        )  # fmt: skip
        return status

    def finish(self, failed: Iterable[int]) -> Any:
        """The results, as the kind they came as."""
        zero(self.data, ((int(self.plan[i]), int(self.plan[i + 1])) for i in failed))
        return Packed(self.data, self.plan)


def vector(values: Any, dtype: type[np.generic], what: str) -> npt.NDArray[Any]:
    """A one-dimensional numpy array of the dtype, in this machine's byte order."""
    wanted = np.dtype(dtype)
    if not isinstance(values, np.ndarray):
        raise ValidationError(
            f"{what} must be a one-dimensional {wanted} numpy array, not {type(values).__name__}"
        )
    vector = plain(values, what)
    if vector.dtype != wanted or vector.ndim != 1:
        raise ValidationError(
            f"{what} must be a one-dimensional {wanted} numpy array, not {vector.dtype.str} of "
            f"shape {vector.shape}"
        )
    return vector


class PackedColumn(Column):
    """Data and a copy of its offsets."""

    def __init__(self, values: Packed, what: str) -> None:
        data = vector(values.data, np.uint8, f"{what}.data")
        offsets = vector(values.offsets, np.int64, f"{what}.offsets")
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
        self._data_ptr = u8(data)
        self.struct = new_struct(data=self._data_ptr, size=self.size)
        self._point()

    def _point(self) -> None:
        self.narrow = self.offsets.dtype == np.int32
        self._offsets_ptr = (i32 if self.narrow else i64)(self.offsets)
        if self.narrow:
            self.struct.offsets32 = self._offsets_ptr
        else:
            self.struct.offsets, self.struct.offsets32 = self._offsets_ptr, ffi.NULL

    def widen(self) -> None:
        """Makes the offsets int64."""
        self.offsets = self.offsets.astype(np.int64)
        self._point()

    def plan(self, delta: int) -> Sink:
        """Room of the same kind."""
        return PackedSink(self, delta)

    def plan_fixed(self, width: int) -> Sink:
        """An array of (n, width)."""
        return FixedSink(self.num, width, flat=False)

    def peek(self, i: int, size: int) -> bytes:
        """The start of record i."""
        begin, end = int(self.offsets[i]), int(self.offsets[i + 1])
        return self.data[begin : min(end, begin + size)].tobytes() if 0 <= begin <= end else b""


def zero(data: U8, spans: Iterable[tuple[int, int]]) -> None:
    for begin, end in spans:
        data[begin:end] = 0
