"""Creating and opening stores, and everything that can be wrong with one."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from store_files import files_of

import kmsfast
from kmsfast.errors import (
    FrameError,
    RootKeyMissing,
    RootKeyWrong,
    StoreExists,
    StoreNotFound,
    StoreUnusable,
    ValidationError,
)
from kmsfast.store import schema


@pytest.fixture
def closed(path: Path) -> Path:
    with kmsfast.open(path, create=True) as kms:
        kms.create_key(alias="alias/a")
    return path


def test_what_a_store_consists_of(closed: Path) -> None:
    assert [str(f.relative_to(closed)) for f in files_of(closed)] == [
        "audit/00000001.log", "audit/end", "audit/signer", "epoch", "root.key", "store.db",
    ]  # fmt: skip
    assert closed.stat().st_mode & 0o777 == 0o700
    assert {f.stat().st_mode & 0o777 for f in files_of(closed)} == {0o600}


def test_the_database_is_durable_and_says_what_it_is(closed: Path) -> None:
    with kmsfast.open(closed) as kms, kms._app.store.directory._database.read() as connection:
        for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("secure_delete", 1),
                              ("fullfsync", 1), ("foreign_keys", 1)):  # fmt: skip
            assert connection.execute(f"PRAGMA {pragma}").fetchone()[0] == value
        assert schema.schema_version(connection) == schema.SCHEMA_VERSION


def test_create_refuses_an_existing_store_and_leaves_it(closed: Path) -> None:
    root = (closed / "root.key").read_bytes()
    with pytest.raises(StoreExists, match=r"already; .*another directory"):
        kmsfast.open(closed, create=True)
    assert (closed / "root.key").read_bytes() == root
    with kmsfast.open(closed) as kms:
        kms.key("alias/a")


def test_a_missing_store_is_not_made(path: Path) -> None:
    with pytest.raises(StoreNotFound, match="create=True"):
        kmsfast.open(path)
    assert not path.exists()


def test_an_unfinished_store_can_be_made_again(path: Path) -> None:
    path.mkdir(mode=0o700)
    (path / "store.db").touch(0o600)
    with pytest.raises(StoreNotFound, match="never finished"):
        kmsfast.open(path)
    with kmsfast.open(path, create=True) as kms:
        kms.create_key()


@pytest.mark.parametrize("lost", ["missing", "empty"])
def test_a_store_that_lost_its_database_is_not_made_again(closed: Path, lost: str) -> None:
    root = (closed / "root.key").read_bytes()
    copy = (closed / "store.db").read_bytes()
    (closed / "store.db").unlink()
    if lost == "empty":
        (closed / "store.db").touch(0o600)
    for create in (True, False, True):  # opening must not make it look unfinished
        with pytest.raises(StoreUnusable, match=rf"store.db is {lost}; restore .* move root.key"):
            kmsfast.open(closed, create=create)
    assert (closed / "root.key").read_bytes() == root
    (closed / "store.db").write_bytes(copy)
    with kmsfast.open(closed) as kms:
        kms.key("alias/a")
    (closed / "store.db").unlink()
    (closed / "root.key").rename(closed / "old.key")
    kmsfast.open(closed, create=True).close()


def test_an_unfinished_store_with_a_root_key_can_be_made_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("kmsfast.store.schema.create", None)
        with pytest.raises(TypeError):
            kmsfast.open(path, create=True)
    root = (path / "root.key").read_bytes()
    with pytest.raises(StoreNotFound, match="never finished"):
        kmsfast.open(path)
    with kmsfast.open(path, create=True) as kms:
        kms.create_key()
    assert (path / "root.key").read_bytes() == root


def test_a_lost_root_key_is_never_replaced(closed: Path) -> None:
    (closed / "root.key").unlink()
    with pytest.raises(RootKeyMissing, match="restore it from your backup"):
        kmsfast.open(closed)
    with pytest.raises(StoreExists):
        kmsfast.open(closed, create=True)
    assert not (closed / "root.key").exists()


def test_another_root_key_does_not_open_it(closed: Path, tmp_path: Path) -> None:
    kmsfast.open(tmp_path / "other", create=True).close()
    shutil.copy(tmp_path / "other" / "root.key", closed / "root.key")
    with pytest.raises(RootKeyWrong, match="does not open this store"):
        kmsfast.open(closed)


def test_a_copied_database_is_useless(closed: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir(mode=0o700)
    shutil.copy(closed / "store.db", copy)
    with pytest.raises(RootKeyMissing):
        kmsfast.open(copy)


def test_a_root_key_that_others_may_read_is_refused(closed: Path) -> None:
    (closed / "root.key").chmod(0o644)
    with pytest.raises(StoreUnusable, match="chmod 600"):
        kmsfast.open(closed)


def test_something_else_as_root_key(closed: Path) -> None:
    (closed / "root.key").write_bytes(b"x" * 48)
    with pytest.raises(RootKeyWrong, match=r"not a kmsfast root key file.*--root-key.*backup"):
        kmsfast.open(closed)


def test_something_else_as_database(closed: Path) -> None:
    (closed / "store.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(StoreUnusable, match="not a SQLite database; restore it"):
        kmsfast.open(closed)


def test_the_database_of_another_application(closed: Path) -> None:
    (closed / "store.db").unlink()
    database = sqlite3.connect(closed / "store.db")
    database.execute("PRAGMA user_version = 3")
    database.close()
    with pytest.raises(StoreUnusable, match="another application"):
        kmsfast.open(closed)


def test_a_newer_store_is_refused(closed: Path) -> None:
    database = sqlite3.connect(closed / "store.db")
    database.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    database.close()
    with pytest.raises(StoreUnusable, match="upgrade kmsfast"):
        kmsfast.open(closed)


def test_a_directory_that_others_may_read(tmp_path: Path) -> None:
    shared, empty = tmp_path / "shared", tmp_path / "empty"
    for directory in (shared, empty):
        directory.mkdir(mode=0o755)
    (shared / "file").touch()
    with pytest.raises(StoreUnusable, match="chmod 700"):
        kmsfast.open(shared, create=True)
    assert [f.name for f in shared.iterdir()] == ["file"]
    kmsfast.open(empty, create=True).close()
    assert empty.stat().st_mode & 0o777 == 0o700


def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        StoreUnusable, match=r"cannot make the directory.*a file is in the way.*--store"
    ):
        kmsfast.open(tmp_path / "file", create=True)


def test_a_store_has_a_home_and_other_regions_and_accounts(path: Path) -> None:
    with kmsfast.open(path, create=True, region="eu-west-3", account="1" * 12) as kms:
        assert kms.create_key().arn.startswith("arn:aws:kms:eu-west-3:111111111111:key/")
    with kmsfast.open(path) as kms:
        assert kms.describe()["region"] == "eu-west-3"
    with kmsfast.open(path, region="us-east-1") as kms:
        assert kms.describe()["region"] == "us-east-1"
        assert (kms.describe()["account"], kms.describe()["regions"]) == ("1" * 12, ["eu-west-3"])
    with kmsfast.open(path, account="2" * 12) as kms:
        assert kms.create_key().arn.startswith("arn:aws:kms:eu-west-3:222222222222:key/")
    for wrong in ({"region": "moon-1"}, {"account": "12"}):
        with pytest.raises(ValidationError, match="is no"):
            kmsfast.open(path, **wrong)


def test_a_wrong_parameter_makes_nothing(path: Path) -> None:
    with pytest.raises(ValidationError):
        kmsfast.open(path, create=True, region="nowhere")
    with pytest.raises(ValidationError):
        kmsfast.open(path, create=True, root="secret")  # type: ignore[arg-type]
    for wrong in (-1, float("nan"), float("inf"), "10", None, True):
        with pytest.raises(ValidationError, match="busy_timeout"):
            kmsfast.open(path, create=True, busy_timeout=wrong)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="lone surrogate"):
        kmsfast.Passphrase("\udc80")
    assert not path.exists()


def test_a_closed_store_says_so(closed: Path) -> None:
    kms = kmsfast.open(closed)
    key, blob = kms.key("alias/a"), kms.key("alias/a").encrypt(b"x")
    kms.close()
    kms.close()
    for use in (
        lambda: key.encrypt(b"x"), lambda: kms.decrypt(blob), lambda: key.state,
        lambda: key.encrypt_batch([b"x"]), lambda: kms.decrypt_batch([blob]),
        kms.keys, kms.create_key, kms.describe, key.rotate, kms.aliases,
    ):  # fmt: skip
        with pytest.raises(kmsfast.KmsError, match=r"closed; call kmsfast.open\(\) again"):
            use()
    with pytest.raises(FrameError):
        kmsfast.inspect(b"")
