"""Arrow arrays, by their buffers: binary and string of both widths, fixed_size_binary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from kmsfast.crypto.column_base import Column, Sink
from kmsfast.crypto.column_numpy import FixedColumn, FixedSink, PackedColumn, PackedSink
from kmsfast.errors import ValidationError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    U8 = npt.NDArray[np.uint8]
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = ["arrow_column"]


class ArrowSink(PackedSink):
    """Offsets and data as the buffers of a new Arrow array."""

    def __init__(self, column: ArrowColumn, delta: int) -> None:
        super().__init__(column, delta)
        self._skip = column.skip

    def finish(self, failed: Iterable[int]) -> pa.Array[Any]:
        """The results, as the kind they came as."""
        import pyarrow as pa

        data, offsets = super().finish(failed)
        return pa.Array.from_buffers(
            pa.binary() if offsets.dtype == np.int32 else pa.large_binary(),
            len(offsets) - 1,
            [_validity(len(offsets) - 1, self._skip, failed), pa.py_buffer(offsets),
             pa.py_buffer(data)],
        )  # fmt: skip


class ArrowColumn(PackedColumn):
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
        """Room of the same kind."""
        return ArrowSink(self, delta)

    def plan_fixed(self, width: int) -> Sink:
        """A fixed_size_binary array."""
        return FixedArrowSink(self.num, width, self.skip)


class FixedArrowSink(FixedSink):
    def __init__(self, num: int, width: int, skip: U8 | None, *, ciphertext: bool = False) -> None:
        super().__init__(num, width, flat=False, ciphertext=ciphertext)
        self._skip = skip
        if skip is not None:
            self._data[skip != 0] = 0

    def finish(self, failed: Iterable[int]) -> pa.Array[Any]:
        """The results, as the kind they came as."""
        import pyarrow as pa

        data = super().finish(failed)
        validity = _validity(data.shape[0], self._skip, failed)
        return pa.Array.from_buffers(
            pa.binary(data.shape[1]), data.shape[0], [validity, pa.py_buffer(data.reshape(-1))]
        )


class FixedArrowColumn(FixedColumn):
    def __init__(self, values: pa.FixedSizeBinaryArray, what: str) -> None:
        width = values.type.byte_width
        data = _bytes_of(values.buffers()[1])
        rows = data[: data.size // width * width].reshape(-1, width)
        end = values.offset + len(values)
        _refuse_short(len(rows), end, f"{what}, an Arrow array, has data for")
        super().__init__(rows[values.offset : end], what)
        self.skip = _null_mask(values)

    def plan(self, delta: int) -> Sink:
        """Room of the same kind."""
        if self.width + delta < 0:
            raise ValidationError(f"records of {self.width} bytes are shorter than {-delta}")
        width = self.width + delta
        return FixedArrowSink(self.num, width, self.skip, ciphertext=delta > 0)

    def plan_fixed(self, width: int) -> Sink:
        """A fixed_size_binary array."""
        return FixedArrowSink(self.num, width, self.skip)


def arrow_column(values: Any, what: str) -> Column:
    """The column of an Arrow array.

    Raises:
        ValidationError: another type, or buffers shorter than the array says.
    """
    import pyarrow as pa

    if isinstance(values, pa.Array):
        kind = values.type
        if kind in (pa.binary(), pa.string()):
            return ArrowColumn(values, what, large=False)
        if kind in (pa.large_binary(), pa.large_string()):
            return ArrowColumn(values, what, large=True)
        if pa.types.is_fixed_size_binary(kind) and kind.byte_width > 0:
            return FixedArrowColumn(cast("pa.FixedSizeBinaryArray", values), what)
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
