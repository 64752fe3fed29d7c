"""Single uses of keys by what an earlier use needed: counted, and told by windows.

Rules:
- the first use in a window, of an operation by a key under a context, has an event of its own,
  which was written before the use was handed out. Of those that follow in the window there is one
  more event, with their number and the same request id;
- windows are those of :mod:`kmsfast.service.usage`, a second: who remembers forgets at their end;
- a count is one atomic step: of C for blobs, of the interpreter for the rest. What was counted
  after a window had ended, by a thread that had begun before, is told with the next one;
- an event that could not be written is owed: nothing more is handed out until it is written.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable
from itertools import count
from typing import Any, Final

from kmsfast.audit.event import Event
from kmsfast.crypto import blob
from kmsfast.errors import KmsError
from kmsfast.service.ports import Clock
from kmsfast.service.usage import UsageRecorder

__all__ = ["Entry", "Tally"]

_MOST: Final = 4096  # of a window; what is more has events of its own
_LOG: Final = logging.getLogger(__name__)


class Entry:
    """Uses of one kind.

    Attributes:
        event: of the first of them.
        tick: counts one more.
    """

    __slots__ = ("_bindings", "_reads", "_told", "event", "tick")

    def __init__(self, event: Event | None) -> None:
        self.event = event
        self.tick: Callable[[], int] = count().__next__
        self._reads = self._told = 0
        self._bindings: list[tuple[Any, Any]] = []

    def counting(self, binding: Any) -> Any:
        """A binding like this one, whose uses are counted here, by C."""
        if self.event is None:
            return binding
        for source, made in list(self._bindings):
            if source is binding:
                return made
        made = blob.own(binding)
        self._bindings.append((binding, made))
        return made

    def untold(self) -> int:
        """How many were counted since this was last asked."""
        ticks = self.tick() - self._reads  # this reading ticks as well
        self._reads += 1
        ticks += sum(blob.uses(made) for _, made in self._bindings)
        found, self._told = ticks - self._told, ticks
        return found


class Tally:
    """The uses of one region and account by one door.

    Args:
        write: writes an event; raises AuditUnusable.
    """

    def __init__(self, usage: UsageRecorder, write: Callable[[Event], None], clock: Clock) -> None:
        self._usage, self._write, self._clock = usage, write, clock
        self._lock = threading.RLock()
        self._entries: dict[Hashable, Entry] = {}
        self._ended: list[Entry] = []
        self._owed: list[Event] = []

    def find(self, name: Hashable) -> Entry | None:
        """The uses of this kind, if one of them was told in this window."""
        try:
            return self._entries.get(name)
        except TypeError:  # what cannot be hashed is told each time
            return None

    def begin(self, name: Hashable, event: Event) -> Entry | None:
        """Counts uses of a kind from now on, whose first event was written; None: it cannot."""
        entry = Entry(event)
        with self._lock:
            if len(self._entries) >= _MOST:
                return None
            try:
                entry = self._entries.setdefault(name, entry)
            except TypeError:
                return None
            self._usage.watch(self)
        return entry

    def settle(self) -> None:
        """Writes what is owed.

        Raises:
            AuditUnusable: it still cannot be written.
        """
        if self._owed:
            with self._lock:
                while self._owed:
                    self._write(self._owed[0])
                    del self._owed[0]

    def forget_remembered(self) -> None:
        """The window is over."""
        with self._lock:
            just, self._entries = list(self._entries.values()), {}
            counted = [(entry, entry.untold()) for entry in (*just, *self._ended)]
            moment = int(self._clock() * 1_000_000)
            self._owed += [
                entry.event._replace(time=moment, records=number)
                for entry, number in counted
                if number and entry.event is not None
            ]
            late = [entry for entry, number in counted[len(just) :] if number]
            self._ended = just + late
            if self._ended:
                self._usage.watch(self)
            try:
                self.settle()
            except (KmsError, OSError) as error:
                _LOG.warning("the number of uses of keys could not be recorded: %s", error)
