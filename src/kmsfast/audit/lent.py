"""The audit log, lent to what appends to it in C beside this process's own way (docs/audit.md).

Rules:
- descriptors that are lent are copies of their own, which are closed when others are in their
  place: no number may come to be that of another file while C writes to it;
- the lock is that of a file opened for C alone, since it does not tell threads apart;
- what C cannot append (the segment is full, or is another one now) this process does, and lends
  anew; a log that has failed is not lent any more.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress

from kmsfast.audit.log import END, AuditLog
from kmsfast.crypto.log import End, Segment
from kmsfast.errors import AuditUnusable

__all__ = ["Lend", "LentLog"]

Lend = Callable[[End, int, Segment], object]
"""Takes the end of the log, the lock's descriptor and the segment, in place of earlier ones."""


class LentLog:
    """An open log and what it is lent to.

    Args:
        lend: takes the log. take_back: after it nothing is appended until it is lent again.

    Raises:
        OSError: its files cannot be opened again.
    """

    def __init__(self, log: AuditLog, lend: Lend, take_back: Callable[[], object]) -> None:
        self._log, self._lend, self._take_back = log, lend, take_back
        self._lock = threading.Lock()
        self._lock_fd = os.open(log.directory / END, os.O_RDWR | os.O_CLOEXEC)
        self._file: Segment | None = None
        self.follow()

    def follow(self) -> None:
        """Lends the segment that takes records now, if it is another one."""
        with self._lock:
            if self._lock_fd < 0:
                return
            if self._file is not None and self._file.number == self._log.segment:
                return
            before = self._file
            try:
                self._file = self._log.copy_of_segment()
            except (AuditUnusable, OSError):
                self._let_go()
                return
            self._lend(self._log.end, self._lock_fd, self._file)
            if before is not None:
                os.close(before.fd)

    def appended(self) -> None:
        """C has appended: it is synced soon, as what this process appends."""
        with suppress(AuditUnusable):
            self._log.sync_soon()
        self.follow()

    def close(self) -> None:
        """Takes the log back."""
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        if self._lock_fd < 0:
            return
        self._take_back()
        os.close(self._lock_fd)
        self._lock_fd = -1
        if self._file is not None:
            os.close(self._file.fd)
            self._file = None
