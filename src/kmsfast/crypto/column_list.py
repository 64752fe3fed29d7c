"""Lists of ``bytes | None``: records are read, and results written, where the objects have them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kmsfast.crypto.column_base import Column, Sink, i64, u8
from kmsfast.crypto.native import check, ffi, lib
from kmsfast.errors import ValidationError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    U8 = npt.NDArray[np.uint8]
    I64 = npt.NDArray[np.int64]
else:
    from kmsfast.crypto.lazy_numpy import np

__all__ = ["ListColumn"]


class ListSink(Sink):
    """New objects of ``lens[i] + delta`` bytes."""

    def __init__(self, column: ListColumn, lens: I64, delta: int) -> None:
        self._list: list[bytes | None] = [None] * column.num
        self._ptrs = np.empty(column.num, np.uintp)
        self.ptrs = ffi.cast("uint8_t **", ffi.from_buffer(self._ptrs))
        check(
            lib.kf_py_alloc(
                self.ptrs, id(self._list), i64(lens), u8(column.mask), column.num, delta
            )
        )

    def finish(self, failed: Iterable[int]) -> list[bytes | None]:
        """The results, as the kind they came as."""
        for i in failed:
            self._list[i] = None
        return self._list


class ListColumn(Column):
    """A list. Holds its objects itself: the list may change meanwhile."""

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
        self._lens_ptr = i64(self.lens)
        status: int = lib.kf_py_view(
            self._owners_ptr, self._ptrs_ptr, self._lens_ptr, u8(self.mask), bad, id(values), num
        )
        return status

    def __del__(self) -> None:
        if self._held != ffi.NULL:
            lib.kf_py_release(self._held, self.num)

    def plan(self, delta: int) -> Sink:
        """Room of the same kind."""
        return ListSink(self, self.lens, delta)

    def plan_fixed(self, width: int) -> Sink:
        """A list."""
        return ListSink(self, np.full(self.num, width, np.int64), 0)

    def peek(self, i: int, size: int) -> bytes:
        """The start of record i."""
        size = min(size, int(self.lens[i]))
        return bytes(ffi.buffer(self.struct.ptrs[i], size)) if size else b""
