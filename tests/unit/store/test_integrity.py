"""Rows changed, added, removed or swapped from outside are noticed."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import kmsfast
from kmsfast.errors import KmsError, RootKeyWrong, StoreIntegrity, StoreUnusable
from kmsfast.store import schema

TABLES = ["store", "keys", "key_versions", "aliases", "tags", "policies"]
CELLS = [
    (table, column.name) for table in TABLES for column in schema._metadata.tables[table].columns
]


@pytest.fixture
def closed(path: Path) -> Path:
    """A store with a row of everything."""
    with kmsfast.open(path, create=True) as kms:
        for name in ("one", "two"):
            key = kms.create_key(
                alias=f"alias/{name}", tags={"name": name}, policy="{}", description=name,
                rotation_period_days=90,
            )  # fmt: skip
            key.rotate()
    return path


@contextlib.contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path / "store.db")
    with contextlib.closing(connection), connection:
        yield connection


def read_everything(path: Path) -> None:
    with kmsfast.open(path) as kms:
        for key in kms.keys():
            key.versions()
            key.encrypt(b"x")
        kms.aliases()
        kms.key("alias/one").encrypt(b"x")
        kms.describe()


def changed(value: Any) -> Any:
    if value is None:
        return 1
    if isinstance(value, int):
        return value + 7
    if isinstance(value, str):
        return value + "x"
    return bytes([value[0] ^ 1]) + value[1:]


def test_an_untouched_store_reads(closed: Path) -> None:
    read_everything(closed)


@pytest.mark.parametrize(("table", "column"), CELLS)
def test_every_cell_is_authenticated(closed: Path, table: str, column: str) -> None:
    with database(closed) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        rowid, value = db.execute(f"SELECT rowid, {column} FROM {table} LIMIT 1").fetchone()
        db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed(value), rowid))
    expected: tuple[type[KmsError], ...] = (StoreIntegrity,)
    if table == "store":  # before there is a key for MACs, the unwrapping fails
        expected = (StoreIntegrity, RootKeyWrong, StoreUnusable, kmsfast.RootKeyMissing)
    with pytest.raises(expected):
        read_everything(closed)


@pytest.mark.parametrize("table", TABLES)
def test_removing_a_row_is_noticed(closed: Path, table: str) -> None:
    with database(closed) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute(f"DELETE FROM {table} WHERE rowid = (SELECT max(rowid) FROM {table})")
    with pytest.raises((StoreIntegrity, StoreUnusable)):
        read_everything(closed)


SWAPS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "material of two keys": lambda db: db.execute(
        "UPDATE key_versions SET wrapped = (SELECT wrapped FROM key_versions AS other WHERE "
        "other.key_id != key_versions.key_id AND other.number = key_versions.number)"
    ),
    "material of two versions, with its MAC": lambda db: db.execute(
        "UPDATE key_versions SET (wrapped, mac) = (SELECT wrapped, mac FROM key_versions AS other "
        "WHERE other.key_id = key_versions.key_id AND other.number != key_versions.number)"
    ),
    "targets of two aliases": lambda db: db.execute(
        "UPDATE aliases SET key_id = (SELECT key_id FROM aliases AS other "
        "WHERE other.name != aliases.name)"
    ),
    "an alias of both": lambda db: db.execute(
        "INSERT INTO aliases SELECT 'alias/three', key_id, created_at, updated_at, mac "
        "FROM aliases LIMIT 1"
    ),
}


@pytest.mark.parametrize("swap", list(SWAPS))
def test_swaps_and_additions_are_noticed(closed: Path, swap: str) -> None:
    with database(closed) as db:
        SWAPS[swap](db)
    with pytest.raises(StoreIntegrity, match="restore it from a backup"):
        read_everything(closed)


def test_a_row_of_another_store_is_noticed(closed: Path, tmp_path: Path) -> None:
    with kmsfast.open(tmp_path / "other", create=True) as kms:
        kms.create_key(alias="alias/foreign")
    with database(closed) as db:
        db.execute("ATTACH ? AS other", (str(tmp_path / "other" / "store.db"),))
        db.execute("INSERT INTO keys SELECT * FROM other.keys")
    with pytest.raises(StoreIntegrity):
        read_everything(closed)


def test_a_changed_key_does_not_stop_the_others(closed: Path) -> None:
    with database(closed) as db:
        db.execute("UPDATE keys SET description = 'changed' WHERE description = 'one'")
    with kmsfast.open(closed) as kms:
        assert kms.decrypt(kms.key("alias/two").encrypt(b"x")) == b"x"
        with pytest.raises(StoreIntegrity, match="table 'keys' does not authenticate"):
            kms.key("alias/one")
