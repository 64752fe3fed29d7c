"""A store on disk: a directory of mode 0700 with ``store.db``, ``epoch`` and ``root.key``.

A key file elsewhere or a passphrase can take the place of ``root.key``. Creating and opening follow
one order: directory, epoch file, database, schema version, root key, store key, migration, MACs of
the rows of the store, its scopes and all keys. Whatever fails, fails with an error that says what
to do, and nothing is made in place of something that is missing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

from kmsfast.crypto.keys import StoreKey, open_arena, rewrap_store
from kmsfast.errors import (
    StoreExists,
    StoreIntegrity,
    StoreNotFound,
    StoreUnusable,
)
from kmsfast.model.arn import Home
from kmsfast.model.census import Census
from kmsfast.store import census, roots, schema
from kmsfast.store.database import Database
from kmsfast.store.epoch import Epoch
from kmsfast.store.grants import KnownGrants
from kmsfast.store.identities import IdentityRows
from kmsfast.store.repository import Repository
from kmsfast.store.roots import Root, RootRow
from kmsfast.store.rows import verified
from kmsfast.store.table import Row, Table
from kmsfast.store.usage import Usages

__all__ = ["StoreDirectory", "StoreScope", "create_store", "open_store"]

_DATABASE = "store.db"
_EPOCH = "epoch"
# What is read before the store key is there, and so before a migration.
_UNLOCKING = Table(
    "store", dict.fromkeys((*RootRow.__slots__, "wrapped_key", "store_id"), ""), ("one",)
)


class Unlocked(NamedTuple):
    """What the root key gives access to."""

    store_key: StoreKey
    home: Home
    store_id: bytes


class StoreDirectory:
    """An open store. Made by :func:`create_store` and :func:`open_store`.

    Its keys are in scopes, one for each region and account (:meth:`at`).

    Args:
        root: where its root key was found; None: where the store says.

    Attributes:
        home: the region and account that it was created with, which are the default.
    """

    def __init__(
        self, path: Path, root: Root | None, epoch: Epoch, database: Database, unlocked: Unlocked
    ) -> None:
        self.path, self._root = path, root
        self.store_key, self.home, self.store_id = unlocked
        self._epoch, self._database = epoch, database
        self.epoch, self._known = epoch.word, KnownGrants()
        self.usage = Usages(database, self.store_key)

    def at(self, home: Home) -> StoreScope:
        """The store as a region and account see it."""
        return StoreScope(self, home)

    def homes(self) -> list[Home]:
        """The regions and accounts that have had keys, and the store's own home."""
        with self.read(self.home) as rows:
            return rows.homes()

    @contextmanager
    def read(self, home: Home) -> Iterator[Repository]:
        """A consistent view of a scope of the store."""
        epoch = self.epoch[0]
        with self._database.read() as connection:
            yield Repository(connection, self.store_key, home, self._known, epoch)

    @contextmanager
    def write(self, home: Home) -> Iterator[Repository]:
        """A transaction: durable and known to all processes when its block ends."""
        with self._database.write() as connection:
            yield Repository(connection, self.store_key, home, self._known)

    @contextmanager
    def read_identities(self) -> Iterator[IdentityRows]:
        """A consistent view of whom the store knows."""
        with self._database.read() as connection:
            yield IdentityRows(connection, self.store_key)

    @contextmanager
    def write_identities(self) -> Iterator[IdentityRows]:
        """A transaction on whom the store knows, like :meth:`write`."""
        with self._database.write() as connection:
            yield IdentityRows(connection, self.store_key)

    def census(self, most: int) -> Census:
        """How many keys of what kind there are, in all regions and accounts.

        Args:
            most: how many keys are named of those that end.
        """
        with self._database.read() as connection:
            return census.take(connection, most)

    def forget_deleted(self) -> None:
        """Makes sure that removed rows are gone from the disk."""
        self._database.forget_deleted()

    def check_process(self) -> None:
        """Raises StoreForked in a child of the process that opened the store."""
        self._database.check_process()

    def change_root(self, new: Root) -> None:
        """Wraps the store key by another root key, in one transaction.

        Raises:
            RootKeyMissing: the old root key is gone. RootKeyWrong: it is not that of this store.
        """
        with self.write(self.home) as rows:
            before = rows.store_row()
            with roots.load(self._root, _root_row(before), self.path) as old_key:
                new_key, row = roots.make(new, self.path)
                with new_key:
                    wrapped = rewrap_store(
                        new_key, old_key, before["wrapped_key"], before["store_id"]
                    )
            rows.change_root(row, wrapped)
        self._root = new
        self.forget_deleted()  # the log holds the store key under the old root

    def describe(self, home: Home) -> dict[str, Any]:
        """Facts for a diagnosis, as a scope sees it."""
        with self.read(home) as rows:
            row, num_keys, homes = rows.store_row(), rows.num_keys(), rows.homes()
        return {
            "path": str(self.path.absolute()),
            "schema_version": schema.SCHEMA_VERSION,
            "store_id": row["store_id"].hex(),
            "region": home.region,
            "account": home.account,
            "regions": sorted({each.region for each in homes if each.account == home.account}),
            "keys": num_keys,
            "root": row["root_kind"],
            "root_path": row["root_path"] and str(self.path.absolute() / row["root_path"]),
            "directory_mode": f"{self.path.stat().st_mode & 0o777:04o}",
        }

    def close(self) -> None:
        """Wipes the store key and closes the database."""
        self._database.close()
        self.store_key.close()
        self._epoch.close()


class StoreScope:
    """One region and account of a store, as the service asks for it.

    Attributes:
        home: the region and account.
    """

    def __init__(self, directory: StoreDirectory, home: Home) -> None:
        self.directory, self.home = directory, home
        self.store_key, self.epoch = directory.store_key, directory.epoch
        self.usage = directory.usage
        self.forget_deleted, self.check_process = directory.forget_deleted, directory.check_process

    def read(self) -> AbstractContextManager[Repository]:
        """A consistent view of the scope."""
        return self.directory.read(self.home)

    def write(self) -> AbstractContextManager[Repository]:
        """A transaction: durable and known to all processes when its block ends."""
        return self.directory.write(self.home)

    def describe(self) -> dict[str, Any]:
        """Facts for a diagnosis."""
        return self.directory.describe(self.home)


def create_store(
    path: Path, root: Root | None, home: Home, now_micros: int, *, busy_timeout: float
) -> StoreDirectory:
    """Makes an empty store, and its root key when that is not there yet.

    Raises:
        StoreExists: there is a store already. StoreUnusable: the directory cannot be written.
    """
    open_arena()
    _make_directory(path)
    epoch = Epoch(path / _EPOCH)
    try:
        with epoch.locked(busy_timeout):
            _refuse_lost_database(path)
            _make_file(path / _DATABASE)
        database = Database(path / _DATABASE, epoch, busy_timeout)
        try:
            unlocked = _fill(path, database, root, home, now_micros)
        except BaseException:
            database.close()
            raise
    except BaseException:
        epoch.close()
        raise
    return StoreDirectory(path, root, epoch, database, unlocked)


def open_store(path: Path, root: Root | None, *, busy_timeout: float) -> StoreDirectory:
    """Opens an existing store.

    Raises:
        StoreNotFound: there is none. RootKeyMissing, RootKeyWrong: see :mod:`.roots`.
        StoreIntegrity: its row was changed. StoreUnusable: it is read-only, damaged or newer.
    """
    _refuse_lost_database(path)
    if not _exists(path / _DATABASE):
        raise StoreNotFound(
            f"there is no key store at {str(path)!r}; make one with create=True or 'kmsfast init'"
        )
    open_arena()
    epoch = Epoch(path / _EPOCH)
    database = Database(path / _DATABASE, epoch, busy_timeout)
    try:
        unlocked = _unlock(path, database, root)
    except BaseException:
        database.close()
        epoch.close()
        raise
    return StoreDirectory(path, root, epoch, database, unlocked)


def _fill(
    path: Path, database: Database, root: Root | None, home: Home, now_micros: int
) -> Unlocked:
    with database.write() as connection:
        if schema.schema_version(connection):
            raise StoreExists(
                f"there is a key store at {str(path)!r} already; open it as it is, "
                "or make the new one in another directory (--store)"
            )
        store_id = os.urandom(16)
        root_key, root_row = roots.make(root, path)
        with root_key:
            store_key, wrapped = StoreKey.create(root_key, store_id)
        schema.create(connection)
        row = {
            "one": 1,
            "store_id": store_id,
            "created_at": now_micros,
            "region": home.region,
            "account": home.account,
            **asdict(root_row),
            "wrapped_key": wrapped,
            "rows_sum": bytes(32),
            "identities_sum": bytes(32),
        }
        rows = Repository(connection, store_key, home)
        rows.add_store_row(row)
        rows.add_scope()
        _sync_directory(path)
    return Unlocked(store_key, home, store_id)


def _unlock(path: Path, database: Database, root: Root | None) -> Unlocked:
    with database.read() as connection:
        version = schema.schema_version(connection)
        if version == 0:
            raise StoreNotFound(
                f"the key store at {str(path)!r} was never finished; "
                "make it with create=True or 'kmsfast init'"
            )
        row = _only(_UNLOCKING.select(connection))
        with roots.load(root, _root_row(row), path) as root_key:
            store_key = StoreKey.load(root_key, row["wrapped_key"], row["store_id"])
    if version != schema.SCHEMA_VERSION:
        with database.write() as connection:
            schema.migrate(connection, store_key)
    with database.read() as connection:
        values = verified(store_key, schema.store, _only(schema.store.select(connection)))
        home = Home(values["region"], values["account"])
        for each in Repository(connection, store_key, home).homes():
            Repository(connection, store_key, each).check_keys()
    return Unlocked(store_key, home, row["store_id"])


def _only(rows: list[Row]) -> Row:
    """The row of the store; without its root key nobody can say which of several it is."""
    if len(rows) != 1:
        raise StoreIntegrity(
            f"table 'store' has {len(rows)} rows where one belongs: the store was changed from "
            "outside; restore it from a backup"
        )
    return rows[0]


def _root_row(row: Row) -> RootRow:
    return RootRow(**{name: row[name] for name in RootRow.__slots__})


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:
        raise StoreUnusable(f"cannot read {str(path)!r}: {error.strerror}") from error


def _refuse_lost_database(path: Path) -> None:
    """Raises where a store has lost its database: its root key lies there, store.db does not.

    What a creation that never ended leaves is different: it makes the root key last, when SQLite
    has written the first page of the database, so that is not missing and not empty.
    """
    database = path / _DATABASE
    if not _exists(path / roots.DEFAULT_NAME):
        return
    missing = not _exists(database)
    if missing or database.stat().st_size == 0:
        raise StoreUnusable(
            f"{str(path)!r} has a root key but no store: store.db is "
            f"{'missing' if missing else 'empty'}; restore store.db from a backup, or, if nothing "
            f"needs it any more, move {roots.DEFAULT_NAME} away and make a new store"
        )


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.stat().st_mode & 0o077:
            if any(path.iterdir()):
                raise StoreUnusable(
                    f"the directory {str(path)!r} holds files and can be read by others; "
                    f"choose a new directory, or run: chmod 700 {str(path)!r}"
                )
            path.chmod(0o700)
    except OSError as error:
        in_the_way = isinstance(error, FileExistsError | NotADirectoryError)
        raise StoreUnusable(
            f"cannot make the directory {str(path)!r}: {error.strerror}; "
            f"{'a file is in the way: ' if in_the_way else 'check its permissions and space, or '}"
            "choose another directory for the store (--store)"
        ) from error
    _sync_directory(path.absolute().parent)


def _make_file(path: Path) -> None:
    """An empty file of mode 0600, which SQLite takes as an empty database, unless one is there."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StoreUnusable(f"cannot write {str(path)!r}: {error.strerror}") from error


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
