"""The audit log, lent to what appends to it in C beside this process's own way (docs/audit.md).

Rules:
- C has copies of the descriptors that are lent, so that no number comes to be that of another file
  while it writes;
- the lock is that of a file opened for C alone, since it does not tell threads apart;
- what C cannot append (the segment is full, or is another one now) this process does, and lends
  anew; that takes the long way for all that is asked meanwhile, so a segment is ended before it is
  full. A log that has failed is not lent any more.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from kmsfast.audit.log import END, AuditLog
from kmsfast.crypto.log import End, Segment
from kmsfast.errors import AuditUnusable, KmsError

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
        self._lent: Segment | None = None
        self.follow()

    def follow(self) -> None:
        """Lends the segment that takes records now, if it is another one, or was repaired."""
        with self._lock:
            if self._lock_fd < 0:
                return
            now = self._log.segment
            if self._lent == now:
                return
            try:
                file = self._log.copy_of_segment()
            except (AuditUnusable, OSError):
                self._let_go()
                return
            try:
                self._lend(self._log.end, self._lock_fd, file)
                self._lent = now
            except KmsError:
                self._let_go()
            finally:
                os.close(file.fd)

    def appended(self) -> None:
        """C has appended: it is synced soon, as what this process appends."""
        try:
            self._log.sync_soon()
            self._log.begin_ahead()
        except AuditUnusable:
            self.close()
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
