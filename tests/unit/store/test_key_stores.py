"""Custom key stores in the database: every cell authenticated, none removed or put back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from external_stores import configure, create_xks, create_xks_key
from xks_proxy import Key, running

import kmsfast
from kmsfast.store import schema

CELLS = [
    (table.name, column)
    for table in (schema.key_stores, schema.backings)
    for column in table.columns
]


@pytest.fixture
def closed(path: Path) -> Path:
    """A store with a connected external key store and a key in it."""
    path.mkdir(mode=0o700)
    with running() as proxy:
        proxy.keys["external-1"] = Key()
        configure(path / "key-stores.toml", proxy)
        with kmsfast.open(path, create=True) as kms:
            store = kms.connect_custom_key_store(create_xks(kms).id)
            create_xks_key(kms, store)
    return path


def read_everything(path: Path) -> None:
    with kmsfast.open(path) as kms:
        for key in kms.keys():
            assert key.backing is not None
        assert kms.custom_key_stores()


def execute(path: Path, *statements: str) -> list[Any]:
    with closing(sqlite3.connect(path / "store.db")) as db, db:
        db.execute("PRAGMA foreign_keys = OFF")
        return [db.execute(statement).fetchall() for statement in statements]


def test_an_untouched_store_reads(closed: Path) -> None:
    read_everything(closed)


@pytest.mark.parametrize(("table", "column"), CELLS)
def test_every_cell_is_authenticated(closed: Path, table: str, column: str) -> None:
    other = (
        f"CASE typeof({column}) WHEN 'integer' THEN {column} + 1 WHEN 'text' THEN {column} || 'x' "
        f"WHEN 'blob' THEN zeroblob(length({column})) ELSE 'x' END"
    )
    execute(closed, f"UPDATE {table} SET {column} = {other}")
    with pytest.raises((kmsfast.StoreIntegrity, kmsfast.StoreUnusable)):
        read_everything(closed)


@pytest.mark.parametrize("table", ["key_stores", "backings"])
def test_removing_a_row_is_noticed(closed: Path, table: str) -> None:
    execute(closed, f"DELETE FROM {table}")
    with pytest.raises(kmsfast.StoreIntegrity):
        read_everything(closed)


def test_an_old_row_put_back_is_noticed(closed: Path) -> None:
    [[old]] = execute(closed, "SELECT state, mac FROM key_stores")
    with kmsfast.open(closed) as kms:
        kms.disconnect_custom_key_store(kms.custom_key_stores()[0].id)
    read_everything(closed)
    with closing(sqlite3.connect(closed / "store.db")) as db, db:
        db.execute("UPDATE key_stores SET state = ?, mac = ?", old)
    with pytest.raises(kmsfast.StoreIntegrity):
        read_everything(closed)


def test_regions_have_key_stores_of_their_own(closed: Path) -> None:
    with kmsfast.open(closed, region="eu-west-1") as kms:
        assert kms.custom_key_stores() == []
    with kmsfast.open(closed) as kms:
        assert [each.name for each in kms.custom_key_stores()] == ["proxy"]


def test_what_is_done_in_one_process_is_seen_in_another(closed: Path) -> None:
    with kmsfast.open(closed) as one, kmsfast.open(closed) as other:
        key = other.keys()[0]
        assert key.state == "Enabled"
        one.disconnect_custom_key_store(one.custom_key_stores()[0].id)
        assert key.state == "Unavailable"
        with pytest.raises(kmsfast.InvalidState):
            key.encrypt(b"")
        one.update_custom_key_store(one.custom_key_stores()[0].id, new_name="renamed")
        assert other.custom_key_stores()[0].name == "renamed"


def test_a_change_meanwhile_is_not_overwritten(closed: Path) -> None:
    with kmsfast.open(closed) as one, kmsfast.open(closed) as other:
        store = one.custom_key_stores()[0]
        outside = one._app.outside.of(store.type)

        def connect(_place: object, _operation: str) -> None:
            other.disconnect_custom_key_store(store.id)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outside, "connect", connect)
            with pytest.raises(kmsfast.CustomKeyStoreInvalidState, match="changed meanwhile"):
                one.connect_custom_key_store(store.id)
        assert one.custom_key_store(store.id).state == "DISCONNECTED"
