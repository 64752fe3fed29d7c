"""The epoch: a counter in shared memory that tells every process when the store has changed.

Rules:
- the file ``epoch`` holds one native 64-bit counter, mapped by every process on the store;
- a writer holds the file's lock, makes the counter odd before it commits and even after it;
- a reader notes the counter before it reads the database, and may use what it read while the
  counter is still the same and even. So an acknowledged change is seen by every later operation
  of every process, at the price of one memory read for each;
- a counter that stays odd while nobody holds the lock was left by a writer that died: whoever
  finds it so makes it even;
- a new file counts from 0. One that is found cut counts from a random number, which no process can
  take for one that it has seen: it would use what it remembers of then;
- the file is never removed, replaced or cut while a process has the store open. A process whose
  file is no longer the one at its path would not hear of changes, so it refuses to read or write
  the database; until it has to, it uses what it remembers. A file cut to nothing ends the process
  that reads the counter by SIGBUS, until another one opens the store and fills it. Reading it by
  pread(2) would not, but costs 0.4 us where the memory read costs 0.02 and a record 0.5 to 0.9.
  Only the store's owner can do these things.

The counter says nothing about contents; it need not survive a crash of the machine.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kmsfast.errors import StoreBusy, StoreUnusable

__all__ = ["Epoch"]

_SIZE = 8
_POLL = 0.002


class Epoch:
    """The counter of one store directory.

    Attributes:
        word: one-element view of the counter; ``word[0]`` is a single memory read.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._fd, start = _open(path)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            if os.fstat(self._fd).st_size < _SIZE:
                # Written, not truncated: a hole would fault when the disk is full.
                os.pwrite(self._fd, start, 0)
            shared = mmap.mmap(self._fd, _SIZE)
        except OSError as error:
            os.close(self._fd)
            raise _unwritable(path, error) from error
        self._path, self._own = path, _identity(os.fstat(self._fd))
        self.word = memoryview(shared).cast("Q")

    @contextmanager
    def locked(self, timeout: float) -> Iterator[None]:
        """Holds the store's one writer lock; the kernel frees it when the process dies.

        Raises:
            StoreBusy: another process held it for ``timeout`` seconds.
            StoreUnusable: the file was removed, replaced or cut.
        """
        self._check_in_place()
        until = time.monotonic() + timeout
        while not self._try_lock():
            if time.monotonic() >= until:
                raise StoreBusy(
                    f"another process has been writing to the store for {timeout:g} seconds; "
                    "try again, or open the store with a longer busy_timeout"
                )
            time.sleep(_POLL)
        try:
            yield
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    @contextmanager
    def moving(self) -> Iterator[None]:
        """Around a commit, under the lock: odd before, even after."""
        self.word[0] += 1 + self.word[0] % 2
        try:
            yield
        finally:
            self.word[0] += 1

    def settle(self) -> None:
        """Makes the counter even when the writer that made it odd has died.

        Raises:
            StoreUnusable: the file was removed, replaced or cut.
        """
        self._check_in_place()
        if self.word[0] % 2 and self._try_lock():
            self.word[0] += self.word[0] % 2
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def close(self) -> None:
        """Closes the file; ``word`` can be read as long as somebody holds it."""
        os.close(self._fd)
        self._fd = -1  # the number may soon be that of another file

    def _check_in_place(self) -> None:
        try:
            there = self._path.stat()
        except OSError:
            there = None
        if there is None or _identity(there) != self._own or there.st_size < _SIZE:
            raise StoreUnusable(
                f"{self._path} was removed, replaced or cut while the store was open, so changes "
                "of other processes would go unseen: open the store again in every process"
            )

    def _try_lock(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def _open(path: Path) -> tuple[int, bytes]:
    """The file's descriptor, and the count that it begins at if it has none."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
    try:
        return os.open(path, flags | os.O_EXCL, 0o600), bytes(_SIZE)
    except FileExistsError:
        number = int.from_bytes(os.urandom(_SIZE), sys.byteorder)
    # Even, and below 2^63: there is room for as many changes.
    return os.open(path, flags, 0o600), (number >> 2 << 1).to_bytes(_SIZE, sys.byteorder)


def _unwritable(path: Path, error: OSError) -> StoreUnusable:
    return StoreUnusable(
        f"cannot write {path}: {error.strerror}; whoever uses a store writes to its directory, to "
        "read as well: it must be this user's, on a writable local file system with free space"
    )


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
