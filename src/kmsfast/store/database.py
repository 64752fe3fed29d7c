"""SQLite as the store uses it: one connection, durable commits, one writer at a time.

Rules:
- WAL with ``synchronous=FULL`` (and on macOS F_FULLFSYNC), set and read back: what was acknowledged
  survives kill -9 and power loss (with NORMAL, acknowledged rows are lost); ``secure_delete``:
  deleted rows are overwritten;
- a write takes the epoch file's lock, then ``BEGIN IMMEDIATE``, and commits while the epoch moves;
  only the last uses of keys go another way (:meth:`Database.write_aside`);
- the database file is never opened but through SQLite: closing any other descriptor of it would
  drop this process's locks;
- before a fork the connection is closed, since SQLite's knowledge of its locks would be wrong in
  the child; the parent opens another one when it needs it, the child is refused.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from weakref import WeakSet

from kmsfast.errors import KmsError, StoreBusy, StoreForked, StoreIntegrity, StoreUnusable
from kmsfast.store.epoch import Epoch
from kmsfast.store.table import CHANGED, Connection

__all__ = ["Database"]

_MESSAGES: dict[str, tuple[type[KmsError], str]] = {
    "SQLITE_BUSY": (StoreBusy, "another process holds the store; try again"),
    "SQLITE_LOCKED": (StoreBusy, "another process holds the store; try again"),
    "SQLITE_FULL": (StoreUnusable, "the disk is full; nothing was changed; free some space"),
    "SQLITE_IOERR": (
        StoreUnusable,
        "the disk failed or is full; no change was acknowledged; free space or check it",
    ),
    "SQLITE_READONLY": (
        StoreUnusable,
        "the store is read-only; kmsfast writes to its directory: make it writable",
    ),
    "SQLITE_CANTOPEN": (
        StoreUnusable,
        "store.db cannot be opened or its directory not written; check permissions",
    ),
    "SQLITE_PERM": (
        StoreUnusable,
        "store.db cannot be opened or its directory not written; check permissions",
    ),
    "SQLITE_NOTADB": (StoreUnusable, "store.db is not a SQLite database; restore it from a backup"),
    "SQLITE_CORRUPT": (StoreUnusable, "store.db is damaged; restore it from a backup"),
    "SQLITE_CONSTRAINT": (StoreIntegrity, "the store's rows contradict each other"),
}
_open: WeakSet[Database] = WeakSet()
_forking: list[Database] = []


class Database:
    """The database of one store directory.

    Args:
        path: of ``store.db``.
        epoch: moved around each commit.
        busy_timeout: seconds to wait for another process.
    """

    def __init__(self, path: Path, epoch: Epoch, busy_timeout: float) -> None:
        self._path, self._epoch, self._timeout = path, epoch, busy_timeout
        self._pid = os.getpid()
        self._lock = threading.RLock()
        self._connection: Connection | None = None
        _open.add(self)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view of the store."""
        with self._lock, self._errors():
            self._epoch.settle()
            connection = self._connected()
            with _transaction(connection, "BEGIN"):
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is durable, and known to all processes, when the block ends."""
        with self._lock, self._errors(), self._epoch.locked(self._timeout):
            connection = self._connected()
            with _transaction(connection, "BEGIN IMMEDIATE", self._epoch):
                yield connection

    @contextmanager
    def write_aside(self, patience: float | None) -> Iterator[Connection]:
        """A transaction of what nobody caches and a crash of the machine may take.

        The epoch stands still, and the commit is synced with the next one of the others.

        Args:
            patience: seconds to wait for another process; None: as long as for all that is written.
        """
        timeout = self._timeout if patience is None else patience
        with self._lock, self._errors(), self._epoch.locked(timeout):
            connection = self._connected()
            try:
                connection.execute("PRAGMA synchronous = NORMAL")
                with _transaction(connection, "BEGIN IMMEDIATE"):
                    yield connection
            finally:
                self._sync_again(connection)

    def forget_deleted(self) -> None:
        """Moves the log into the database and empties it, so that no deleted row stays in it.

        While another process reads for longer than the time limit, SQLite leaves the log: then what
        was deleted stays in it until the next call, or until the last process closes the store.
        """
        with self._lock, self._errors():
            self._connected().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def check_process(self) -> None:
        """Passes in the process that opened the store.

        Raises:
            StoreForked: in a child of it.
        """
        if os.getpid() != self._pid:
            raise StoreForked(
                "the key store was opened before a fork; call kmsfast.open() again in this process"
            )

    def close(self) -> None:
        """Closes the connection; in a child of a fork there is none."""
        _open.discard(self)
        if os.getpid() == self._pid:
            with self._lock:
                self._disconnect()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        self.check_process()
        try:
            yield
        except sqlite3.Error as error:
            raise self._explained(error) from error

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = _connect(self._path, self._timeout)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _sync_again(self, connection: Connection) -> None:
        """Every commit is synced from now on; a connection that will not is not used any more."""
        try:
            _configure(connection, _SYNCED)
        except BaseException:
            self._disconnect()
            raise

    def _explained(self, error: sqlite3.Error) -> KmsError:
        name = getattr(error, "sqlite_errorname", "")
        for start, (kind, text) in _MESSAGES.items():
            if name.startswith(start):
                return kind(f"{self._path}: {text} ({name})")
        if name == "SQLITE_ERROR":  # the statements are ours, so it is the tables that differ
            return StoreIntegrity(f"{self._path}: {error}: {CHANGED}")
        return StoreUnusable(
            f"{self._path}: {error} ({name}); 'kmsfast doctor' says whether the store is whole"
        )

    def _before_fork(self) -> None:
        self._lock.acquire()
        if os.getpid() == self._pid:
            self._disconnect()

    def _after_fork(self) -> None:
        self._lock.release()


def _connect(path: Path, busy_timeout: float) -> Connection:
    # mode=rw: SQLite must not make an empty database where the store has gone missing.
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        uri, uri=True, timeout=busy_timeout, isolation_level=None, check_same_thread=False
    )
    try:
        _configure(connection)
    except BaseException:
        connection.close()
        raise
    return connection


_SYNCED = (("synchronous", "FULL", 2),)
_SETTINGS = (
    ("journal_mode", "WAL", "wal"),
    *_SYNCED,
    ("fullfsync", "ON", 1),
    ("checkpoint_fullfsync", "ON", 1),
    ("secure_delete", "ON", 1),
    ("foreign_keys", "ON", 1),
    ("trusted_schema", "OFF", 0),
)


def _configure(
    connection: Connection, settings: Iterable[tuple[str, str, str | int]] = _SETTINGS
) -> None:
    for pragma, value, answer in settings:
        connection.execute(f"PRAGMA {pragma} = {value}")
        if connection.execute(f"PRAGMA {pragma}").fetchone()[0] != answer:
            raise StoreUnusable(f"SQLite refuses {pragma} = {value} for this store")


@contextmanager
def _transaction(connection: Connection, begin: str, epoch: Epoch | None = None) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        if epoch is None:
            connection.execute("COMMIT")
        else:
            with epoch.moving():
                connection.execute("COMMIT")
    except BaseException:
        # SQLite ends the transaction by itself on some errors (a full disk is one).
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _before_fork() -> None:
    _forking.extend(_open)
    for database in _forking:
        database._before_fork()


def _after_fork() -> None:
    while _forking:
        _forking.pop()._after_fork()


os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
