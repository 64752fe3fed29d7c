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

POLICY = (
    '{"Statement": {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, '
    '"Action": "kms:*", "Resource": "*"}}'
)
TABLES = ["store", "scopes", "keys", "key_versions", "aliases", "tags", "policies"]
CELLS = [(table, column) for table in TABLES for column in getattr(schema, table).columns]


@pytest.fixture
def closed(path: Path) -> Path:
    """A store with a row of everything."""
    with kmsfast.open(path, create=True) as kms:
        for name in ("one", "two"):
            key = kms.create_key(
                alias=f"alias/{name}", tags={"name": name}, policy=POLICY, description=name,
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


@pytest.mark.parametrize(
    "change",
    ["DELETE FROM store", "INSERT INTO store SELECT 2, " + ", ".join(list(schema.store.columns)[1:])
     + " FROM store"],
)  # fmt: skip
def test_the_store_has_one_row(closed: Path, change: str) -> None:
    with database(closed) as db:
        db.execute(change)
    with pytest.raises(StoreIntegrity, match=r"'store' has [02] rows.* restore it from a backup"):
        kmsfast.open(closed)


# What SQLite or Python would say in its own words, and what must be said instead.
DAMAGE = {
    "DROP TABLE tags": "no such table: tags",
    "DROP TABLE store": "no such table: store",
    "ALTER TABLE aliases RENAME COLUMN created_at TO made_at": "no such column: created_at",
    "ALTER TABLE store RENAME COLUMN wrapped_key TO w": "no such column: wrapped_key",
    "UPDATE tags SET tag_value = CAST(x'ff41' AS TEXT)": "table 'tags' holds text that is not UTF",
    "UPDATE store SET region = CAST(x'ff' AS TEXT)": "table 'store' holds text that is not UTF-8",
    "UPDATE keys SET created_at = 1.5": "column 'created_at' of table 'keys' holds a float",
    "UPDATE tags SET tag_value = x'ff'": "table 'tags' does not authenticate",
}


@pytest.mark.parametrize("damage", list(DAMAGE))
def test_damage_that_sqlite_notices_first(closed: Path, damage: str) -> None:
    with database(closed) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute(damage)
    with pytest.raises(StoreIntegrity) as raised:
        read_everything(closed)
    assert DAMAGE[damage] in str(raised.value)
    assert "restore it from a backup" in str(raised.value)


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
        "INSERT INTO aliases SELECT scope, 'alias/three', key_id, created_at, updated_at, mac "
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


def test_a_changed_key_does_not_stop_the_others_of_an_open_store(closed: Path) -> None:
    with kmsfast.open(closed) as kms:
        with database(closed) as db:
            db.execute("UPDATE keys SET description = 'changed' WHERE description = 'one'")
        assert kms.decrypt(kms.key("alias/two").encrypt(b"x")) == b"x"
        with pytest.raises(StoreIntegrity, match="table 'keys' does not authenticate"):
            kms.key("alias/one")
        with pytest.raises(StoreIntegrity):
            kms.keys()
    with pytest.raises(StoreIntegrity):
        kmsfast.open(closed)


@pytest.mark.parametrize("change", ["DELETE FROM aliases", "UPDATE aliases SET name = name || 'x'"])
def test_an_alias_that_was_taken_away_is_not_just_not_found(closed: Path, change: str) -> None:
    with database(closed) as db:
        db.execute(change)
    with kmsfast.open(closed) as kms:
        two = kms.create_key()
        for use in (
            lambda: kms.key("alias/one"),
            lambda: kms.update_alias("alias/one", two),
            lambda: kms.delete_alias("alias/one"),
        ):
            with pytest.raises(StoreIntegrity, match="restore it from a backup"):
                use()


def test_a_key_that_was_swapped_for_another_is_not_just_not_found(closed: Path) -> None:
    """There are as many keys as before."""
    with kmsfast.open(closed) as kms:
        key_id = kms.key("alias/one").id
    with kmsfast.open(closed) as kms:
        with database(closed) as db:
            db.execute("PRAGMA foreign_keys = OFF")
            db.execute("UPDATE keys SET key_id = x'00' WHERE description = 'one'")
        with pytest.raises(StoreIntegrity, match="restore it from a backup"):
            kms.key(key_id)


def test_what_was_never_there_is_not_found_once_all_rows_were_read(
    closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kmsfast.open(closed) as kms:
        for _ in range(2):
            with pytest.raises(kmsfast.KeyNotFound):
                kms.key("alias/three")
            with pytest.raises(kmsfast.KeyNotFound):
                kms.key("00000000-0000-4000-8000-000000000000")
            # Until the store changes, all rows are not read again.
            monkeypatch.setattr("kmsfast.store.repository.Repository.check_complete", None)


# ---- rows put back as they once were --------------------------------------------------------


def put_back(path: Path, before: Path, tables: dict[str, str]) -> None:
    """Rows of the tables as they were in a copy of the database, with their MACs of then."""
    with database(path) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("ATTACH ? AS old", (str(before),))
        for table, where in tables.items():
            db.execute(f"DELETE FROM main.{table} WHERE {where}")
            db.execute(f"INSERT INTO main.{table} SELECT * FROM old.{table} WHERE {where}")


def copy_of(path: Path) -> Path:
    with database(path) as db, sqlite3.connect(path.parent / "before.db") as old:
        db.backup(old)
    old.close()
    return path.parent / "before.db"


def test_one_row_of_a_key_put_back_is_noticed(closed: Path) -> None:
    before = copy_of(closed)
    with kmsfast.open(closed) as kms:
        kms.key("alias/one").tag({"name": "other"})
    put_back(closed, before, {"tags": "tag_value IN ('other', 'one')"})
    with kmsfast.open(closed) as kms:
        kms.key("alias/two").encrypt(b"x")
        with pytest.raises(StoreIntegrity, match="put back"):
            kms.key("alias/one")


def test_aliases_put_back_to_the_keys_they_had_are_noticed(closed: Path) -> None:
    """Each key has as many aliases as before, and each row was once valid."""
    before = copy_of(closed)
    with kmsfast.open(closed) as kms:
        one, two = kms.key("alias/one"), kms.key("alias/two")
        kms.update_alias("alias/one", two)
        kms.update_alias("alias/two", one)
    put_back(closed, before, {"aliases": "TRUE"})
    with kmsfast.open(closed) as kms:
        for name in ("alias/one", "alias/two", one.id, two.id):
            with pytest.raises(StoreIntegrity, match="put back"):
                kms.key(name)
        with pytest.raises(StoreIntegrity, match="put back"):
            kms.aliases()


def test_the_newest_version_taken_away_is_noticed(closed: Path) -> None:
    """With the key's row of then as well, it would encrypt under an old version again."""
    before = copy_of(closed)
    with kmsfast.open(closed) as kms:
        key = kms.key("alias/one")
        key.rotate()
        whole = f"key_id = x'{key._raw_id.hex()}'"
    put_back(closed, before, {"key_versions": whole})
    with kmsfast.open(closed) as kms, pytest.raises(StoreIntegrity, match="put back"):
        kms.key("alias/one")


@pytest.mark.parametrize("change", ["disable", "schedule_deletion", "rotate"])
def test_a_whole_key_put_back_is_noticed(closed: Path, change: str) -> None:
    before = copy_of(closed)
    with kmsfast.open(closed) as kms:
        key = kms.key("alias/one")
        getattr(key, change)()
        whole = f"key_id = x'{key._raw_id.hex()}'"
        put_back(closed, before, dict.fromkeys([*TABLES[2:], "grants"], whole))
        with pytest.raises(StoreIntegrity, match="put back"):
            kms.keys()
        kms.create_key()  # and no change of another key covers it up
    with pytest.raises(StoreIntegrity, match="put back"):
        kmsfast.open(closed)


def test_an_old_row_of_the_store_is_noticed(closed: Path) -> None:
    before = copy_of(closed)
    with kmsfast.open(closed) as kms:
        kms.key("alias/one").disable()
    put_back(closed, before, {"store": "TRUE"})
    with pytest.raises(StoreIntegrity, match="put back"):
        kmsfast.open(closed)


@pytest.mark.parametrize("value", [7, "text", b"", b"x" * 71])
@pytest.mark.parametrize(
    "column", ["wrapped_key", "store_id", "kdf_salt", "root_kind", "root_path"]
)
def test_values_of_other_types_in_the_row_that_is_read_first(
    path: Path, column: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kmsfast.store.roots._MEMORY_KIB", 64)
    root = kmsfast.Passphrase("correct horse")
    kmsfast.open(path, create=True, root=root).close()
    with database(path) as db:
        try:
            db.execute(f"UPDATE store SET {column} = ?", (value,))
        except sqlite3.IntegrityError:
            return  # not null, says SQLite
    with pytest.raises((StoreIntegrity, StoreUnusable, RootKeyWrong)):
        kmsfast.open(path, root=root)
