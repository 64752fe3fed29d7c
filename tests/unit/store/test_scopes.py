"""One store, several regions and accounts: each sees its own rows, and misses any that is taken."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

import kmsfast
from kmsfast import app
from kmsfast.errors import KeyNotFound, StoreIntegrity
from kmsfast.model.arn import Home

HOMES = [
    Home("us-east-1", "000000000000"),
    Home("eu-west-1", "000000000000"),
    Home("us-east-1", "111111111111"),
]


@pytest.fixture
def closed(path: Path) -> Path:
    """A store with a key of the same alias in each of three scopes."""
    kmsfast.open(path, create=True).close()
    for home in HOMES:
        with kmsfast.open(path, region=home.region, account=home.account) as kms:
            kms.create_key(alias="alias/same", tags={"home": home.region}, description=str(home))
    return path


@contextlib.contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path / "store.db")
    with contextlib.closing(connection), connection:
        yield connection


def open_at(path: Path, home: Home) -> kmsfast.Kms:
    return kmsfast.open(path, region=home.region, account=home.account)


def test_keys_of_one_scope_are_not_seen_in_another(closed: Path) -> None:
    blobs = {}
    for home in HOMES:
        with open_at(closed, home) as kms:
            (key,) = kms.keys()
            assert [alias.arn for alias in kms.aliases()] == [home.arn("alias/same")]
            assert kms.key("alias/same") == key
            assert (key.description, kms.describe()["keys"]) == (str(home), 1)
            blobs[home] = key.id, key.encrypt(b"of " + home.region.encode())
    for home in HOMES:
        with open_at(closed, home) as kms:
            for other, (key_id, blob) in blobs.items():
                if other == home:
                    assert kms.decrypt(blob) == b"of " + home.region.encode()
                    continue
                with pytest.raises(KeyNotFound):
                    kms.key(key_id)
                with pytest.raises(KeyNotFound):
                    kms.decrypt(blob)


def test_a_scope_has_no_row_before_it_has_a_key(path: Path) -> None:
    kmsfast.open(path, create=True).close()
    with kmsfast.open(path, region="eu-west-1") as kms:
        assert (kms.keys(), kms.aliases(), kms.describe()["keys"]) == ([], [], 0)
        with pytest.raises(KeyNotFound):
            kms.key("alias/none")
        with database(path) as db:
            assert db.execute("SELECT scope, region FROM scopes").fetchall() == [(1, "us-east-1")]
        kms.create_key()
        with database(path) as db:
            assert db.execute("SELECT scope, num_keys FROM scopes").fetchall() == [(1, 0), (2, 1)]


def test_services_of_one_deployment_share_its_store(closed: Path) -> None:
    home = app.start(closed)
    deployment = home.deployment
    assert deployment.homes() == HOMES
    assert deployment.at(HOMES[0]) is home
    other = deployment.at(HOMES[1])
    key = other.management.all_keys()[0]
    before = other.ring.ready(key.raw_id)
    home.management.disable(home.management.all_keys()[0].raw_id)
    assert other.ring.epoch[0] != before.epoch  # what is remembered is given up everywhere
    assert other.ring.key(key.raw_id).state == "Enabled"
    home.close()
    for use in (other.management.all_keys, lambda: deployment.at(HOMES[2])):
        with pytest.raises(kmsfast.KmsError, match="was closed"):
            use()


def test_time_ends_keys_of_every_scope(path: Path, clock) -> None:
    with kmsfast.open(path, create=True, region="eu-west-1", clock=clock) as kms:
        kms.create_key()
    with kmsfast.open(path, region="us-east-1", clock=clock) as kms:
        kms.create_key().schedule_deletion(7)
    clock.forward(days=8)
    kmsfast.open(path, clock=clock).close()
    with database(path) as db:
        rows = db.execute("SELECT scope, state FROM keys ORDER BY scope").fetchall()
        assert rows == [(1, "Enabled"), (2, "Deleted")]
        assert db.execute("SELECT scope FROM key_versions").fetchall() == [(1,)]


CHANGES = {
    "a scope removed with all that belongs to it": [
        *(f"DELETE FROM {t} WHERE scope = 2" for t in ("aliases", "tags", "key_versions", "keys")),
        "DELETE FROM scopes WHERE scope = 2",
    ],
    "two scopes exchanged": [
        "UPDATE scopes SET region = 'x' WHERE scope = 2",
        "UPDATE scopes SET region = 'eu-west-1', account = '000000000000' WHERE scope = 3",
        "UPDATE scopes SET region = 'us-east-1', account = '111111111111' WHERE scope = 2",
    ],
    "keys moved to another scope": [
        *(f"UPDATE {t} SET scope = 1 WHERE scope = 2" for t in ("key_versions", "keys", "tags")),
        "UPDATE aliases SET scope = 1, name = 'alias/moved' WHERE scope = 2",
    ],
    "a key removed": [
        *(f"DELETE FROM {t} WHERE scope = 3" for t in ("aliases", "tags", "key_versions", "keys"))
    ],
    "a scope added": [
        "INSERT INTO scopes SELECT 4, one, account, 'x', 0, rows_sum, mac FROM scopes LIMIT 1"
    ],
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_what_is_changed_in_one_scope_is_noticed_by_whoever_opens_the_store(
    closed: Path, change: str
) -> None:
    with database(closed) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        for statement in CHANGES[change]:
            db.execute(statement)
    for home in HOMES:
        with pytest.raises(StoreIntegrity, match="changed from outside"):
            open_at(closed, home)


def test_a_scope_removed_while_the_store_is_open_is_not_just_empty(closed: Path) -> None:
    with open_at(closed, HOMES[1]) as kms:
        with database(closed) as db:
            db.execute("PRAGMA foreign_keys = OFF")
            for statement in CHANGES["a scope removed with all that belongs to it"]:
                db.execute(statement)
        for use in (kms.keys, kms.aliases, lambda: kms.key("alias/same"), kms.create_key):
            with pytest.raises(StoreIntegrity, match="changed from outside"):
                use()


def test_a_scope_put_back_is_noticed(closed: Path) -> None:
    """With all its keys; each row was valid once, and they fit each other."""
    with database(closed) as db:
        rows = {
            table: db.execute(f"SELECT * FROM {table} WHERE scope = 2").fetchall()
            for table in ("scopes", "keys", "key_versions", "aliases", "tags")
        }
    with open_at(closed, HOMES[1]) as kms:
        kms.key("alias/same").disable()
        with database(closed) as db:
            db.execute("PRAGMA foreign_keys = OFF")
            for table, old in rows.items():
                db.execute(f"DELETE FROM {table} WHERE scope = 2")
                marks = ", ".join("?" * len(old[0]))
                db.executemany(f"INSERT INTO {table} VALUES ({marks})", old)
        with pytest.raises(StoreIntegrity, match="put back"):
            kms.keys()
    with pytest.raises(StoreIntegrity, match="put back"):
        kmsfast.open(closed)
