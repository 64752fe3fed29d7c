"""What a batch of any kind is for the C core: a column that it reads, a sink that it writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kmsfast.crypto.native import ffi

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    U8 = npt.NDArray[np.uint8]

__all__ = ["Column", "Sink", "i32", "i64", "new_struct", "u8"]


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
    def plan_fixed(self, width: int) -> Sink:
        """Room for results of ``width`` bytes each, whatever the records have.

        Lists give lists, numpy arrays and Packed uint8 of (n, width), Arrow fixed_size_binary.
        """

    @abstractmethod
    def peek(self, i: int, size: int) -> bytes:
        """The first ``size`` bytes of record i (fewer when it is shorter)."""

    @property
    def skip_ptr(self) -> Any:
        """The mask of records to leave out as C takes it: uint8, or NULL."""
        return ffi.NULL if self.skip is None else u8(self.skip)


def u8(array: Any) -> Any:
    """A uint8 array as C takes it."""
    return ffi.from_buffer("uint8_t[]", array)


def i64(array: Any) -> Any:
    """An int64 array as C takes it."""
    return ffi.from_buffer("int64_t[]", array)


def i32(array: Any) -> Any:
    """An int32 array as C takes it."""
    return ffi.from_buffer("int32_t[]", array)


def new_struct(*, data: Any = ffi.NULL, size: int = 0, width: int = 0) -> Any:
    """A ``struct kf_column``, to which offsets or pointers may be added."""
    struct = ffi.new("struct kf_column *")
    struct.data, struct.data_len, struct.width = data, size, width
    return struct
