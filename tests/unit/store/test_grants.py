"""Grants in the store: what is changed from outside is noticed, and others' keys do not pay."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import kmsfast
from kmsfast.errors import StoreIntegrity
from kmsfast.store import grants as rows_of_grants
from kmsfast.store import repository, schema

ADA = "arn:aws:iam::000000000000:user/ada"
BOB = "arn:aws:iam::000000000000:user/bob"
GRANT_ID = list(schema.grants.columns).index("grant_id")


@pytest.fixture
def key(kms: kmsfast.Kms) -> kmsfast.Key:
    """A key with five grants."""
    made = kms.create_key(alias="alias/one")
    for i in range(5):
        make(made, name=f"{i}")
    return made


def make(key: kmsfast.Key, **more: Any) -> str:
    return key.create_grant(
        ["Decrypt"], grantee_principal=ADA, retiring_principal=BOB, **more
    ).grant_id


@contextlib.contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path / "store.db")
    with contextlib.closing(connection), connection:
        yield connection


def rows_in(path: Path) -> list[tuple[Any, ...]]:
    with database(path) as db:
        return db.execute("SELECT * FROM grants ORDER BY grant_id").fetchall()


def changed(value: Any) -> Any:
    if value is None:
        return "x"
    if isinstance(value, int):
        return value + 7
    return value + ("x" if isinstance(value, str) else b"x")


READS = {
    "of the key": lambda kms: kms.key("alias/one").grants(),
    "of a grantee": lambda kms: kms.key("alias/one").grants(ADA),
    "retirable": lambda kms: kms.retirable_grants(BOB),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize("column", [name for name in schema.grants.columns if name != "retiring"])
def test_every_cell_is_authenticated(
    path: Path, kms: kmsfast.Kms, key: kmsfast.Key, read: str, warm: bool, column: str
) -> None:
    if warm:
        key.grants()
    with database(path) as db:
        rowid, value = db.execute(f"SELECT rowid, {column} FROM grants LIMIT 1").fetchone()
        db.execute(f"UPDATE grants SET {column} = ? WHERE rowid = ?", (changed(value), rowid))
    if warm:
        kms.create_key()  # which ends the epoch in which the row was last seen to be there
    with pytest.raises(StoreIntegrity):
        READS[read](kms)


@pytest.mark.parametrize("read", READS)
def test_a_row_that_was_taken_away_is_noticed_after_the_next_change(
    path: Path, kms: kmsfast.Kms, key: kmsfast.Key, read: str
) -> None:
    key.grants()
    with database(path) as db:
        db.execute("DELETE FROM grants WHERE grant_id = (SELECT min(grant_id) FROM grants)")
    assert len(READS[read](kms)) == 4  # nothing was written since it was last seen to be whole
    kms.create_key()
    with pytest.raises(StoreIntegrity, match="grants of a key are missing"):
        READS[read](kms)


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("warm", [False, True])
def test_a_revoked_grant_that_was_put_back_is_noticed(
    path: Path, kms: kmsfast.Kms, key: kmsfast.Key, read: str, warm: bool
) -> None:
    before = rows_in(path)
    for row in before[1:3]:
        key.revoke_grant(row[GRANT_ID])
    if warm:
        key.grants()
    with database(path) as db:
        marks = ", ".join("?" for _ in before[1])
        db.execute(f"INSERT INTO grants VALUES ({marks})", before[1])
    with pytest.raises(StoreIntegrity, match="added or put back"):
        READS[read](kms)
    make(key)  # and no change covers it up
    key.revoke_grant(before[1][GRANT_ID])
    with pytest.raises(StoreIntegrity):
        key.grants()


def test_a_grant_of_another_key_is_none_of_this_one(
    path: Path, kms: kmsfast.Kms, key: kmsfast.Key
) -> None:
    other = kms.create_key(alias="alias/two")
    make(other)
    with database(path) as db:
        for name in ("one", "two"):
            whole = kms.key(f"alias/{name}")._raw_id
            db.execute("UPDATE grants SET key_id = ? WHERE key_id = ?", (whole[::-1], whole))
        db.execute("UPDATE grants SET key_id = ? WHERE key_id = ?",
                   (key._raw_id, other._raw_id[::-1]))  # fmt: skip
    with pytest.raises(StoreIntegrity):
        key.grants()


def test_counts_and_sums_in_the_key_are_authenticated(
    path: Path, kms: kmsfast.Kms, key: kmsfast.Key
) -> None:
    for column, value in (("num_grants", 4), ("grants_sum", bytes(32))):
        with database(path) as db:
            old = db.execute(f"SELECT {column} FROM keys").fetchone()[0]
            db.execute(f"UPDATE keys SET {column} = ?", (value,))
        with pytest.raises(StoreIntegrity):
            kms.key(key.id).create_grant(["Decrypt"], grantee_principal=ADA)
        with database(path) as db:
            db.execute(f"UPDATE keys SET {column} = ?", (old,))
    assert len(key.grants()) == 5


def test_only_what_is_new_is_verified_again(
    kms: kmsfast.Kms, key: kmsfast.Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    for i in range(11):
        make(key, name=f"more-{i}")
    assert len(key.grants()) == 16
    seen: list[str] = []
    original = rows_of_grants.verified

    def counting(macs: Any, table: Any, row: Any) -> Any:
        if table is schema.grants:
            seen.append(row["grant_id"])
        return original(macs, table, row)

    def page() -> list[str]:
        with kms._app.store.read() as rows:
            return [grant.id for grant in rows.grants(key._raw_id, None, 2)]

    monkeypatch.setattr(repository, "verified", counting)  # where sums are checked
    monkeypatch.setattr(rows_of_grants, "verified", counting)  # where rows are shown
    assert page() == seen
    seen.clear()
    made = make(key)
    seen.clear()
    shown = page()
    assert sorted(seen) == sorted([*shown, made])
    seen.clear()
    with kms._app.store.read() as rows:
        assert rows.key(key._raw_id) is not None
    assert seen == []  # a key is read without its grants


def test_what_is_known_of_grants_is_bounded(
    kms: kmsfast.Kms, key: kmsfast.Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows_of_grants, "_MOST_KNOWN", 7)
    other = kms.create_key()
    for _ in range(3):
        make(other)
    for _ in range(2):
        assert (len(key.grants()), len(other.grants())) == (5, 3)
    known = kms._app.store.directory._known
    kept = [known.of((1, each._raw_id)) != frozenset() for each in (key, other)]
    assert kept == [False, True]


def test_a_purged_key_leaves_no_grants(
    path: Path, kms: kmsfast.Kms, key: kmsfast.Key, clock: Any
) -> None:
    other = kms.create_key()
    kept = make(other)
    key.schedule_deletion(7)
    clock.forward(days=7)
    assert [grant.id for grant in kms.retirable_grants(BOB)] == [kept]
    assert [row[GRANT_ID] for row in rows_in(path)] == [kept]
    with pytest.raises(kmsfast.KeyNotFound):
        key.grants()
    kms.keys()


def test_another_process_is_heard(path: Path, kms: kmsfast.Kms, key: kmsfast.Key) -> None:
    assert len(key.grants()) == 5
    with kmsfast.open(path, clock=kms._ring.clock) as there:
        made = make(there.key("alias/one"))
        assert made in {grant.id for grant in key.grants()}
        key.revoke_grant(made)
        assert made not in {grant.id for grant in there.key("alias/one").grants()}
