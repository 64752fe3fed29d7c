"""Appending to the audit log in C: one lock, one write for all that comes together (docs/audit.md).

The end of the log is a struct in a page that all processes have mapped. It is read and written
under the log's lock only, which is that of an open file: a child of a fork must open it anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import Any, Final, NamedTuple

from kmsfast.crypto import native
from kmsfast.crypto.native import check, ffi, lib

__all__ = [
    "CHAIN_LEN",
    "END_LEN",
    "MAX_BODY",
    "MAX_RECORDS",
    "Append",
    "End",
    "Segment",
    "append",
]

MAX_BODY: Final[int] = lib.KF_LOG_MAX_BODY
MAX_RECORDS: Final[int] = lib.KF_LOG_MAX_RECORDS
CHAIN_LEN: Final = 32
END_LEN: Final[int] = ffi.sizeof("struct kf_log_end")

_append: Final = lib.kf_log_append
_new: Final = ffi.new
_LENS: Final = ffi.typeof("uint32_t[]")


class Append(IntEnum):
    """What became of an append."""

    DONE = lib.KF_OK
    MOVED = lib.KF_ERR_STALE  # another process began the next segment
    FULL = lib.KF_ERR_CAPACITY
    BROKEN = lib.KF_ERR_FORMAT  # a writer died within a record
    FAILED = lib.KF_ERR_SYSTEM  # nothing was appended; :attr:`End.errno` says why


class Segment(NamedTuple):
    """A file that takes records.

    Attributes:
        fd: open for writing.
        number: of the segment.
        max_offset: a record must end before it, in bytes of the file.
    """

    fd: int
    number: int
    max_offset: int


class End:
    """The end of the log.

    Args:
        shared: ``END_LEN`` writable bytes that all processes have mapped.
        lock_fd: the file whose lock goes with it.
    """

    def __init__(self, shared: memoryview, lock_fd: int) -> None:
        self._shared, self._mapped = native.shared("struct kf_log_end *", shared)
        self._lock_fd = lock_fd
        self._num = ffi.new("uint64_t *")

    @property
    def struct(self) -> Any:
        """``struct kf_log_end *``, for what appends in C."""
        return self._shared

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the lock. The kernel frees it when the process dies."""
        check(lib.kf_log_lock(self._lock_fd), "the audit log cannot be locked")
        try:
            yield
        finally:
            check(lib.kf_log_unlock(self._lock_fd), "the audit log cannot be unlocked")

    @property
    def segment(self) -> int:
        """The segment that takes records."""
        return int(self._shared.segment)

    @property
    def offset(self) -> int:
        """Where its next record begins."""
        return int(self._shared.offset)

    @property
    def num(self) -> int:
        """Records in the whole log."""
        return int(self._shared.num)

    @property
    def busy(self) -> bool:
        """Whether a record is being written, or its writer died."""
        return bool(self._shared.busy)

    @property
    def chain(self) -> bytes:
        """The hash of the last record."""
        return bytes(ffi.buffer(self._shared.chain))

    @property
    def appended(self) -> int:
        """Records in the log with the last one that this process appended."""
        return int(self._num[0])

    @property
    def errno(self) -> int:
        """Why the last append failed."""
        return int(ffi.errno)

    def begin(self) -> None:
        """Says that the log is being changed, until :meth:`move`; under the lock."""
        self._shared.busy = 1

    def move(self, segment: int, offset: int, num: int, chain: bytes) -> None:
        """Says where the log ends; under the lock."""
        end = self._shared
        end.busy = 1
        end.segment, end.offset, end.num = segment, offset, num
        ffi.memmove(end.chain, chain, CHAIN_LEN)
        end.busy = 0

    def append_locked(self, fd: int, kind: int, body: bytes) -> int:
        """Appends a record to the segment's file, under the lock: a value of :class:`Append`."""
        status: int = lib.kf_log_append_locked(self._shared, fd, kind, body, len(body))
        return status


def append(end: End, file: Segment, kind: int, bodies: Sequence[bytes]) -> int:
    """Appends 1 to MAX_RECORDS records to the segment, all or none: a value of :class:`Append`."""
    lens = _new(_LENS, list(map(len, bodies)))
    body = bodies[0] if len(bodies) == 1 else b"".join(bodies)
    status: int = _append(end._shared, end._num, end._lock_fd, *file, kind, body, lens, len(bodies))
    return status
