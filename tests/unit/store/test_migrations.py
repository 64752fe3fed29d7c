"""Stores of older schema versions become this release's; newer ones are refused."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
import threading
from pathlib import Path

import golden
import pytest
from clocks import Clock

import kmsfast
from kmsfast.errors import StoreIntegrity, StoreUnusable
from kmsfast.store import migrations, schema

DUMP = (Path(__file__).parent / "schema-1.sql").read_text()


def noted(name: str) -> bytes:
    found = re.search(f"^-- {name}: ([0-9a-f]+)$", DUMP, re.MULTILINE)
    assert found
    return bytes.fromhex(found[1])


@pytest.fixture
def old(path: Path) -> Path:
    """A store of schema version 1: two keys with all kinds of rows, a deleted and a waiting one."""
    path.mkdir(mode=0o700)
    (path / "root.key").touch(0o600)
    (path / "root.key").write_bytes(noted("root.key"))
    with contextlib.closing(sqlite3.connect(path / "store.db")) as db:
        db.executescript(DUMP)
    return path


def tables(path: Path) -> dict[str, list[str]]:
    with contextlib.closing(sqlite3.connect(path / "store.db")) as db:
        names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE sql NOTNULL")]
        return {n: sorted(row[1] for row in db.execute(f"PRAGMA table_info({n})")) for n in names}


def version(path: Path) -> int:
    with contextlib.closing(sqlite3.connect(path / "store.db")) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def test_there_is_a_step_from_every_version() -> None:
    assert sorted(migrations.STEPS) == list(range(1, schema.SCHEMA_VERSION))


def test_a_store_of_version_1_is_migrated(old: Path, tmp_path: Path, clock: Clock) -> None:
    for _ in range(2):
        with kmsfast.open(old, clock=clock) as kms:
            key = kms.key("alias/one")
            assert kms.decrypt(noted("blob"), {"a": "b"}) == b"before the migration"
            assert (key.tags, key.policy, key.current_version) == (
                {"name": "one", "kind": "test"}, "{}", 2
            )  # fmt: skip
            assert [k.description for k in kms.keys()] == ["one", "two", "waits"]
            assert [alias.name for alias in kms.aliases()] == ["alias/one", "alias/two"]
    with kmsfast.open(old, clock=clock) as kms:
        kms.key("alias/one").rotate()
        kms.create_key(alias="alias/new")
    assert version(old) == schema.SCHEMA_VERSION
    kmsfast.open(tmp_path / "fresh", create=True).close()
    assert tables(old) == tables(tmp_path / "fresh")


@pytest.mark.parametrize(
    "change",
    ["UPDATE tags SET tag_value = 'x'", "DELETE FROM aliases WHERE name = 'alias/two'",
     "DELETE FROM keys WHERE state = 'PendingDeletion'", "UPDATE store SET num_keys = 3"],
)  # fmt: skip
def test_what_was_changed_is_not_made_valid(old: Path, change: str) -> None:
    with contextlib.closing(sqlite3.connect(old / "store.db")) as db, db:
        db.execute(change)
    with pytest.raises(StoreIntegrity, match="changed from outside"):
        kmsfast.open(old)
    assert version(old) == 1


def golden_store(tmp_path: Path, number: int) -> Path:
    """A store of an older schema version, of the golden ones."""
    store = tmp_path / "older"
    shutil.copytree(golden.DIRECTORY / f"0.1.0-schema-{number}" / "store", store)
    store.chmod(0o700)
    (store / "root.key").chmod(0o600)
    (store / "store.db").chmod(0o600)
    return store


@pytest.fixture
def second(tmp_path: Path) -> Path:
    return golden_store(tmp_path, 2)


@pytest.fixture
def third(tmp_path: Path) -> Path:
    return golden_store(tmp_path, 3)


def test_keys_of_version_2_are_symmetric(second: Path, clock: Clock) -> None:
    with kmsfast.open(second, clock=clock) as kms:
        kinds = {(key.spec, key.usage, key.origin) for key in kms.keys()}
        assert kinds == {("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "AWS_KMS")}
        assert all(v.public_key is None for key in kms.keys() for v in key.versions())
        made = kms.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY")
        kms.key("alias/golden/several").rotate()
    with kmsfast.open(second, clock=clock) as kms:
        made = kms.key(made.id)
        made.verify(b"message", made.sign(b"message"))
        assert kms.key("alias/golden/several").current_version == 4
    assert version(second) == schema.SCHEMA_VERSION


@pytest.mark.parametrize("number", [2, 3])
@pytest.mark.parametrize(
    "change",
    ["UPDATE tags SET tag_value = 'x'", "DELETE FROM tags WHERE tag_key = 'team'",
     "DELETE FROM aliases WHERE name = 'alias/disabled'", "UPDATE store SET num_keys = 3",
     "DELETE FROM keys WHERE state = 'Disabled'", "DELETE FROM policies",
     "DELETE FROM key_versions WHERE number = 2", "UPDATE key_versions SET number = 9 - number",
     "UPDATE keys SET rows_sum = zeroblob(32)", "UPDATE store SET rows_sum = zeroblob(32)",
     "INSERT INTO grants SELECT key_id, 'g', 1, '{}', mac FROM keys",
     "UPDATE tags SET key_id = zeroblob(16)"],
)  # fmt: skip
def test_what_was_changed_in_a_later_version_is_not_made_valid(
    tmp_path: Path, number: int, change: str
) -> None:
    store = golden_store(tmp_path, number)
    with contextlib.closing(sqlite3.connect(store / "store.db")) as db, db:
        db.execute(change)
    with pytest.raises(StoreIntegrity, match="changed from outside"):
        kmsfast.open(store)
    assert version(store) == number


def test_what_there_is_in_version_3_belongs_to_the_home(tmp_path: Path, clock: Clock) -> None:
    store = golden_store(tmp_path, 3)
    with kmsfast.open(store, clock=clock) as kms:
        homes = kms._app.deployment.homes()
        assert [(home.region, home.account) for home in homes] == [("eu-central-1", "123456789012")]
        multi = next(key for key in kms.keys() if key.multi_region)
        assert multi.regions == ("eu-central-1",)
        assert multi.replicate("eu-west-1").decrypt(multi.encrypt(b"x")) == b"x"
        assert {key.manager for key in kms.keys()} == {"CUSTOMER"}


def test_keys_of_version_3_have_no_grants_and_take_some(third: Path, clock: Clock) -> None:
    with kmsfast.open(third, clock=clock) as kms:
        assert [grant for key in kms.keys() for grant in key.grants()] == []
        ada = "arn:aws:iam::000000000000:user/ada"
        made = kms.key("alias/golden/several").create_grant(["Decrypt"], grantee_principal=ada)
    with kmsfast.open(third, clock=clock) as kms:
        assert [g.id for g in kms.key("alias/golden/several").grants()] == [made.grant_id]
    assert version(third) == schema.SCHEMA_VERSION


@pytest.mark.parametrize(
    "change",
    ["DELETE FROM keys WHERE state = 'Disabled'", "UPDATE store SET num_keys = 3",
     "UPDATE keys SET rows_sum = zeroblob(32)", "UPDATE store SET rows_sum = zeroblob(32)",
     "INSERT INTO grants SELECT key_id, 'g', 1, '{}', mac FROM keys"],
)  # fmt: skip
def test_what_was_changed_in_version_3_is_not_made_valid(third: Path, change: str) -> None:
    with contextlib.closing(sqlite3.connect(third / "store.db")) as db, db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute(change)
    with pytest.raises(StoreIntegrity, match="changed from outside"):
        kmsfast.open(third)
    assert version(third) == 3


def test_a_failed_step_changes_nothing(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tables(old)
    monkeypatch.setattr(migrations, "_write", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        kmsfast.open(old)
    assert (tables(old), version(old)) == (before, 1)
    monkeypatch.undo()
    kmsfast.open(old).close()


def test_two_that_open_at_once(old: Path) -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            kmsfast.open(old).close()
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert failures == []


@pytest.mark.parametrize("number", [-1, 0, schema.SCHEMA_VERSION + 1, 2**31 - 1])
def test_versions_that_are_not_known(path: Path, number: int) -> None:
    kmsfast.open(path, create=True).close()
    with contextlib.closing(sqlite3.connect(path / "store.db")) as db, db:
        db.execute("ALTER TABLE store RENAME COLUMN region TO realm")  # which a newer one may do
        db.execute(f"PRAGMA user_version = {number}")
    for create in (False, True):
        with pytest.raises(StoreUnusable, match=f"schema version {number}, this release knows"):
            kmsfast.open(path, create=create)


@pytest.mark.parametrize("column", ["spec", "usage", "origin"])
def test_keys_of_kinds_that_are_not_known(path: Path, column: str) -> None:
    with kmsfast.open(path, create=True) as kms:
        key = kms.create_key()
        with kms._app.store.write() as rows:
            rows._replace(schema.keys, rows._owner(key._raw_id), {column: "OF_TOMORROW"})
    with kmsfast.open(path) as kms:
        for use in (lambda: kms.key(key.id), kms.keys):
            with pytest.raises(StoreUnusable, match=r"'OF_TOMORROW', .* upgrade kmsfast"):
                use()


def test_the_database_of_somebody_else_is_left_alone(path: Path) -> None:
    path.mkdir(mode=0o700)
    with contextlib.closing(sqlite3.connect(path / "store.db")) as db, db:
        db.execute("CREATE TABLE theirs (a)")
    for create in (False, True):
        with pytest.raises(StoreUnusable, match="another application"):
            kmsfast.open(path, create=create)
    assert list(tables(path)) == ["theirs"]
    assert not (path / "root.key").exists()
