"""The last use of each key, recorded without a word on the paths that are taken most.

Rules:
- time is cut into windows of a second, which begin when somebody uses a key and none is open; of
  each key the last use is kept that took a way through the service, with operation, time, request;
- who remembers how to use a key without the service says so (:meth:`UsageRecorder.watch`), and is
  made to forget it when the window ends. So the first use after that comes here again, and what is
  recorded is never more than a second, and the time that the end of a window takes, before the last
  use; a call by what is remembered costs nothing more than before;
- the end of a window writes to the store by a way that wakes no cache (the epoch stands). So does
  closing; what a process that is killed has not written is lost: at most a second;
- the thread that ends windows is there while keys are used and some seconds more, since a server
  has a recorder for each account that it was asked for; without it, closing writes. No use fails
  because none can be started, as none can while the interpreter ends;
- a child of a fork touches no lock of its parent's, which may be held for ever;
- a batch is one use; a dry run is none.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol
from uuid import uuid4
from weakref import WeakSet, finalize, ref

from kmsfast.errors import KmsError
from kmsfast.model.key import KeyMetadata
from kmsfast.model.usage import KeyUse, LastUsage
from kmsfast.service.ports import Clock, UsageTable

__all__ = ["Remembers", "UsageRecorder", "Window", "request_of"]

WINDOW: Final = 1.0
"""Seconds after which a use is written."""

_IDLE: Final = 10.0  # seconds after which a thread ends that nothing has needed
_PATIENCE: Final = 1.0  # seconds that closing waits for another process that writes
_DRY_RUN: Final = "dry run"
_LOG: Final = logging.getLogger(__name__)
_request: ContextVar[str | None] = ContextVar("kmsfast_request", default=None)


class Remembers(Protocol):
    """Whoever uses keys by what an earlier use needed."""

    def forget_remembered(self) -> None:
        """Takes the way through the service next time."""


class Use(NamedTuple):
    """A use that is not written yet."""

    operation: str
    time: float
    request_id: str | None


class Window:
    """What happened since the last time that uses were written."""

    __slots__ = ("uses", "watched")

    def __init__(self) -> None:
        self.uses: dict[str, Use] = {}
        self.watched: dict[int, Remembers] = {}


class request_of:  # noqa: N801 - it is used as a function; a generator costs a microsecond more
    """Says of the uses in its block which request they are of."""

    __slots__ = ("_id", "_token")

    def __init__(self, request_id: str, *, dry_run: bool) -> None:
        self._id = _DRY_RUN if dry_run else request_id

    def __enter__(self) -> None:
        self._token = _request.set(self._id)

    def __exit__(self, *_error: object) -> None:
        _request.reset(self._token)


class UsageRecorder:
    """Records the uses of the keys of one store.

    Attributes:
        window: the present one; another object when it ends.

    Args:
        forget: drops what the keyring remembers for the short paths.
    """

    def __init__(self, table: UsageTable, clock: Clock, forget: Callable[[], None]) -> None:
        self._table, self._clock, self._forget = table, clock, forget
        self.window = Window()
        self._swap, self._turn, self._life = (threading.Lock() for _ in range(3))
        self._begun, self._closed = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        _open.add(self)
        end = finalize(self, _end, self._begun, self._closed, self._pid)
        end.atexit = False  # there, uses are written

    # ---- for those who use keys -------------------------------------------------------------

    def used(self, key_arn: str, operation: str) -> None:
        """Records a use that has succeeded."""
        self.note(key_arn, operation, _request.get())

    def note(self, key_arn: str, operation: str, request_id: str | None) -> None:
        """The same, where the request is known."""
        if request_id == _DRY_RUN:
            return
        with self._swap:
            self.window.uses[key_arn] = Use(operation, self._clock(), request_id)
        if not self._begun.is_set():
            self._begin()

    def watch(self, who: Remembers) -> Window:
        """To be asked before a use that will be remembered; it is only while the window stands."""
        window = self.window
        window.watched[id(who)] = who
        return window

    # ---- for those who ask ------------------------------------------------------------------

    def last(self, key: KeyMetadata) -> LastUsage:
        """What is known of the key's uses, those of other processes up to a second ago.

        Raises:
            StoreBusy: another process kept the store from being written.
        """
        self._write(None)
        since = self._table.tracked_since()
        start = key.created_at if since is None else max(key.created_at, since)
        use = self._table.of(key.arn)
        if use is not None and use.used_at < key.created_at:
            use = None  # of a key that had the id before the store was emptied
        return LastUsage(key.arn, key.created_at, start, use)

    # ---- its life ---------------------------------------------------------------------------

    def close(self) -> None:
        """Writes what there is, and records no more."""
        if self._closed.is_set():
            return
        _open.discard(self)
        if os.getpid() == self._pid:
            _end(self._begun, self._closed, self._pid)
            self._try(_PATIENCE)
        self.window = Window()

    def _begin(self) -> None:
        """Opens a window: its end is a second away."""
        with self._life:
            if not self._begun.is_set() and (self._thread is not None or self._started()):
                self._begun.set()

    def _started(self) -> bool:
        """Starts the thread; False: that cannot be done now, and the next use tries again."""
        thread = threading.Thread(
            target=_run, args=(ref(self), self._begun, self._closed), name="kmsfast-usage",
            daemon=True,
        )  # fmt: skip
        try:
            thread.start()
        except RuntimeError:
            return False
        self._thread = thread
        return True

    def retire(self) -> bool:
        """Lets the thread end, unless a window has just begun."""
        with self._life:
            if self._begun.is_set():
                return False
            self._thread = None
            return True

    def end_window(self, patience: float = 0) -> None:
        """Writes the uses; if the store cannot be written, the next window does.

        Args:
            patience: seconds to wait for another process that writes.
        """
        self._begun.clear()
        self._try(patience)

    def _try(self, patience: float) -> None:
        """Writes; if the store cannot be written, another window does."""
        try:
            self._write(patience)
        except (KmsError, OSError) as error:
            if not self._closed.is_set():
                self._begun.set()
            _LOG.info("the last uses of keys could not be written: %s", error)

    def _write(self, patience: float | None) -> None:
        with self._turn:
            with self._swap:
                window, self.window = self.window, Window()
            for each in list(window.watched.values()):
                each.forget_remembered()
            self._forget()
            if not window.uses:
                return
            try:
                told = {arn: _told(use) for arn, use in window.uses.items()}
                self._table.write(told, patience)
            except BaseException:
                with self._swap:
                    self.window.uses = window.uses | self.window.uses
                raise


def _run(recorder: ref[UsageRecorder], begun: threading.Event, closed: threading.Event) -> None:
    """Ends the windows of a recorder, and keeps nothing of it alive meanwhile."""
    while True:
        used = begun.wait(_IDLE)
        if used and closed.wait(WINDOW):
            return
        found = recorder()
        if found is None:
            return
        if used:
            found.end_window()
        elif found.retire():
            return
        del found


def _end(begun: threading.Event, closed: threading.Event, pid: int) -> None:
    """Ends the thread, and keeps another one from beginning."""
    if os.getpid() == pid:
        closed.set()
        begun.set()


def _told(use: Use) -> KeyUse:
    moment = datetime.fromtimestamp(use.time, UTC)
    return KeyUse(use.operation, moment, use.request_id, str(uuid4()))


_open: WeakSet[UsageRecorder] = WeakSet()


@atexit.register
def _close_all() -> None:
    """Writes the last second of a process that ends with its stores open."""
    for each in list(_open):
        each.close()
