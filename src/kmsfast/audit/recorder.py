"""Events of a door, written to the log of its store.

The log is opened by the first event, so that who only reads the store makes none.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from kmsfast.audit.event import Event
from kmsfast.audit.lent import Lend, LentLog
from kmsfast.audit.log import AuditLog
from kmsfast.audit.trail import Trail
from kmsfast.crypto.counters import AUDIT_FAILURES, add, counter

__all__ = ["Recorder"]

# What operations that change something begin with; their records are synced before the answer.
_CHANGES: Final = (
    "Add", "Cancel", "Change", "Connect", "Create", "Delete", "Disable", "Disconnect", "Enable",
    "Import", "Put", "Remove", "Replicate", "Retire", "Revoke", "Rotate", "Schedule", "Tag",
    "Untag", "Update",
)  # fmt: skip
# As CloudTrail has it (user guide, "CloudTrail record contents"): longer messages are cut, and
# parameters that make a record longer are left out, so that nobody can fill the disk with refusals.
_LONGEST: Final = 100 << 10  # bytes
_LONGEST_MESSAGE: Final = 1024
_DAY: Final = 86_400_000_000  # µs
_FAILURES: Final = counter(AUDIT_FAILURES)
_OMITTED: Final = {"Omitted": "they are longer than 100 KiB"}


class Recorder:
    """Writes events.

    Args:
        strict: sync every record before its answer leaves, not only those of changes.
    """

    def __init__(self, trail: Trail, *, strict: bool = False) -> None:
        self._trail, self._strict = trail, strict
        self._lock = threading.Lock()
        self._log: AuditLog | None = None

    @staticmethod
    def is_change(operation: str) -> bool:
        """Whether an operation changes keys, by its name."""
        return operation.startswith(_CHANGES)

    def record(self, event: Event) -> None:
        """Writes an event; it is with the kernel, or on the disk if it is of a change.

        Raises:
            AuditUnusable: it could not be written; then its answer must not leave.
        """
        try:
            self._record(event)
        except BaseException:
            add(_FAILURES, 1)
            raise

    def _record(self, event: Event) -> None:
        log = self._log or self._opened()
        if len(event.message) > _LONGEST_MESSAGE:
            event = event._replace(message=event.message[:_LONGEST_MESSAGE])
        body = event.pack()
        if len(body) > _LONGEST:
            body = event._replace(request=_OMITTED, response=_OMITTED).pack()
        log.append(body, sync=self.waits_for(event.name))

    def record_packed(self, body: bytes) -> bool:
        """Writes the packed event of an operation that waits for nothing.

        Returns:
            Whether it did; it is too long otherwise.

        Raises:
            As :meth:`record`.
        """
        if len(body) > _LONGEST:
            return False
        try:
            (self._log or self._opened()).append(body)
        except BaseException:
            add(_FAILURES, 1)
            raise
        return True

    def append(self, bodies: Sequence[bytes]) -> None:
        """The same with packed events of operations that wait for nothing, by one write.

        Raises:
            AuditUnusable: one could not be written; then the answer of none must leave.
        """
        try:
            (self._log or self._opened()).append_all(bodies)
        except BaseException:
            add(_FAILURES, len(bodies))
            raise

    def waits_for(self, operation: str) -> bool:
        """Whether recording an operation waits for the disk."""
        return self._strict or self.is_change(operation)

    def retain(self, days: float) -> list[int]:
        """Removes what is older; whole segments alone, which are of a day each from now on.

        Returns:
            The numbers of the removed segments.

        Raises:
            AuditUnusable: the log cannot be written.
        """
        log = self._log or self._opened()
        now = log.now
        log.begin_anew(now - _DAY)
        return log.remove_before(now - int(days * _DAY))

    def open(self) -> None:
        """Opens the log now, to learn whether it can be written.

        Raises:
            AuditUnusable: it cannot.
        """
        if self._log is None:
            self._opened()

    @property
    def is_strict(self) -> bool:
        """Whether every record is synced before its answer leaves."""
        return self._strict

    def lent(self, lend: Lend, take_back: Callable[[], object]) -> LentLog:
        """The log, for what appends to it in C; it is to be closed before this.

        Raises:
            AuditUnusable: it cannot be written.
        """
        return LentLog(self._opened(), lend, take_back)

    def close(self) -> None:
        """Signs and closes the log, if there was an event."""
        with self._lock:
            if self._log is not None:
                self._log.close()
                self._log = None

    def _opened(self) -> AuditLog:
        with self._lock:
            if self._log is None:
                self._log = self._trail.open()
            return self._log
