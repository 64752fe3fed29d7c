"""The file ``end`` of an audit log: where it ends, and how far it is known to be on the disk.

| bytes | |
|---|---|
| 0 to 7 | ``kfaudit1`` |
| 8 to 71 | the end, shared by all processes that append (:class:`kmsfast.crypto.log.End`) |
| 72 to 159 | the mark: segment, offset, number of records (u64, little-endian), last hash, MAC |

The mark is written after the records before it were synced, and authenticated by the store key, so
a log that is shorter was cut. It lags behind the end by at most what a crash of the machine may
lose. It is in the segment that takes records, and a segment is one of the log when the mark is in
it; of a log without a segment it is all zeros. The end is not authenticated: who finds that it does
not fit looks for it from the mark on.

A process may be killed at any point, so the file is there as a whole or not at all, and the mark is
written by one system call, which the kernel does not end halfway.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import Final, NamedTuple, Protocol
from weakref import WeakSet

from kmsfast.audit.frames import NO_CHAIN
from kmsfast.audit.segments import write_whole
from kmsfast.crypto.log import END_LEN, End
from kmsfast.errors import AuditUnusable

__all__ = ["EndFile", "Mark", "Sealer", "read_mark"]

_MAGIC: Final = b"kfaudit1"
_MARK: Final = struct.Struct("<QQQ32s")
_MAC_LEN: Final = 32
_MARK_AT: Final = len(_MAGIC) + END_LEN
_SIZE: Final = _MARK_AT + _MARK.size + _MAC_LEN


class Sealer(Protocol):
    """Whoever makes and checks MACs: the store key."""

    def mac(self, msg: bytes) -> bytes:
        """The MAC of ``msg``, 32 bytes."""

    def check_mac(self, mac: bytes, msg: bytes) -> bool:
        """Whether ``mac`` is that of ``msg``."""


class Mark(NamedTuple):
    """A place in the log before which everything is on the disk."""

    segment: int
    offset: int
    num: int
    chain: bytes


class EndFile:
    """The file, mapped.

    Attributes:
        end: where the log ends; its lock is this file's.

    Raises:
        OSError: it cannot be opened. AuditUnusable: it is cut, or something else.
    """

    def __init__(self, path: Path, sealer: Sealer) -> None:
        self.path, self._sealer = path, sealer
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            self._shared = _mapped(path)
        except BaseException:
            os.close(self._fd)
            raise
        _open.add(self)
        self.end = End(self._shared[len(_MAGIC) : _MARK_AT], self._fd)

    @classmethod
    def create(cls, path: Path, sealer: Sealer) -> EndFile:
        """Makes the file, for a log without a segment.

        Raises:
            OSError: it cannot be written.
        """
        mark = _sealed(sealer, Mark(0, 0, 0, NO_CHAIN))
        write_whole(path, _MAGIC + bytes(END_LEN) + mark)
        return cls(path, sealer)

    def mark(self) -> Mark:
        """The mark; under the lock.

        Raises:
            AuditUnusable: it is not authentic.
        """
        return _opened(self._sealer, bytes(self._shared[_MARK_AT:]), self.path)

    def move_mark(self, mark: Mark) -> None:
        """Writes a later mark; under the lock.

        Raises:
            OSError: the disk failed.
        """
        os.pwrite(self._fd, _sealed(self._sealer, mark), _MARK_AT)

    def sync(self) -> None:
        """Returns when the file is on the disk."""
        os.fsync(self._fd)

    def close(self) -> None:
        """Closes the file; what is mapped goes with this object."""
        descriptor, self._fd = self._fd, -1  # the number may soon be that of another file
        if descriptor >= 0:
            os.close(descriptor)


_open: WeakSet[EndFile] = WeakSet()


def _close_in_child() -> None:
    """Of a fork: a lock that the parent holds as it dies must not live on with the child."""
    for each in list(_open):
        each.close()


os.register_at_fork(after_in_child=_close_in_child)


def read_mark(path: Path, sealer: Sealer) -> Mark:
    """The mark of a log that is not open for appending.

    Raises:
        OSError: the file cannot be read. AuditUnusable: it is cut, or not authentic.
    """
    data = path.read_bytes()
    if len(data) != _SIZE or not data.startswith(_MAGIC):
        raise _damaged(path)
    return _opened(sealer, data[_MARK_AT:], path)


def _mapped(path: Path) -> memoryview:
    """The file's bytes. What is mapped keeps its own descriptor, which must not hold the lock."""
    with path.open("r+b", buffering=0) as file:
        if os.fstat(file.fileno()).st_size != _SIZE:
            raise _damaged(path)
        shared = memoryview(mmap.mmap(file.fileno(), _SIZE))
    if bytes(shared[: len(_MAGIC)]) != _MAGIC:
        raise _damaged(path)
    return shared


def _sealed(sealer: Sealer, mark: Mark) -> bytes:
    packed = _MARK.pack(*mark)
    return packed + sealer.mac(_message(packed))


def _opened(sealer: Sealer, data: bytes, path: Path) -> Mark:
    packed, mac = data[: _MARK.size], data[_MARK.size :]
    if not sealer.check_mac(mac, _message(packed)):
        raise _damaged(path)
    return Mark(*_MARK.unpack(packed))


def _message(packed: bytes) -> bytes:
    return b"kmsfast audit mark v1" + packed


def _damaged(path: Path) -> AuditUnusable:
    return AuditUnusable(
        f"{path} was changed from outside or is damaged, so nobody can say where the audit log "
        "ends; look with 'kmsfast audit verify', and begin a new log with 'kmsfast audit restart'"
    )
