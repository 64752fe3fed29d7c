"""Read-only directories, full disks and busy stores: a clear error, and nothing half-done."""

from __future__ import annotations

from pathlib import Path

import pytest
import scripts

import kmsfast
from kmsfast.errors import StoreBusy, StoreUnusable
from kmsfast.store.epoch import Epoch

# Root may write everywhere, so the script becomes nobody, in a directory of its own.
READ_ONLY = """
    import os, pathlib, sys, tempfile
    import kmsfast
    with tempfile.TemporaryDirectory() as name, kmsfast.open(name, create=True) as kms:
        kms.create_key(alias="alias/a")  # imports whatever nobody could not
    if os.getuid() == 0:
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
    with tempfile.TemporaryDirectory() as name:
        path = pathlib.Path(name, "store")
        with kmsfast.open(path, create=True) as kms:
            kms.create_key(alias="alias/a")
        for mode in (0o600, 0o400):
            for file in path.rglob("*"):
                file.chmod(0o700 if file.is_dir() else mode)
            path.chmod(0o500)
            try:
                kmsfast.open(path)
            except kmsfast.StoreUnusable as error:
                print(error)
            path.chmod(0o700)
        path.chmod(0o500)
        try:
            kmsfast.open(path / "inner", create=True)
        except kmsfast.StoreUnusable as error:
            print(error)
        path.chmod(0o700)
        assert not (path / "inner").exists()
"""


def test_a_read_only_directory() -> None:
    database, epoch, inner = scripts.run(READ_ONLY).splitlines()
    assert "the store is read-only; kmsfast writes to its directory" in database
    assert "cannot write" in epoch
    assert "Permission denied; whoever uses a store writes to its directory" in epoch
    assert "cannot make the directory" in inner
    assert "check its permissions" in inner


FULL = """
    import resource, sys
    import kmsfast
    path = sys.argv[1]
    kms = kmsfast.open(path)
    done = [key.id for key in kms.keys()]
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
    try:
        for _ in range(1000):
            done.append(kms.create_key(description="x" * 4000).id)
    except kmsfast.StoreUnusable as error:
        print(error)
    assert sorted(key.id for key in kms.keys()) == sorted(done)
    assert kms.decrypt(kms.key(done[0]).encrypt(b"x")) == b"x"
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
    kms.close()
    print("\\n".join(done))
"""


def test_a_file_that_cannot_grow(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        kms.create_key()
    error, *done = scripts.run(FULL, path).splitlines()
    assert "the disk failed or is full; no change was acknowledged" in error
    with kmsfast.open(path) as kms:
        assert sorted(key.id for key in kms.keys()) == sorted(done)
        assert 2 < len(done) < 100
        kms.create_key()


def test_a_full_disk(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        key = kms.create_key(alias="alias/a")
        with kms._app.store.directory._database.read() as connection:
            pages = connection.execute("PRAGMA page_count").fetchone()[0]
            connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(
            StoreUnusable, match="the disk is full; nothing was changed; free some space"
        ):
            for number in range(100):
                key.tag({str(number % 50): "x" * 200})
                if number < 20:
                    key.rotate()
        versions = len(key.versions())
        with pytest.raises(StoreUnusable, match="full"):
            kms.create_key(description="x" * 8000)
        assert len(key.versions()) == key.current_version == versions
        assert kms.decrypt(key.encrypt(b"x")) == b"x"
    with kmsfast.open(path) as kms:
        kms.key("alias/a").rotate()
        assert kms.key("alias/a").current_version == versions + 1


def test_a_store_that_others_keep_busy(path: Path) -> None:
    with kmsfast.open(path, create=True, busy_timeout=0.05) as kms:
        key = kms.create_key()
        with Epoch(path / "epoch").locked(1):
            with pytest.raises(StoreBusy, match="another process has been writing"):
                key.rotate()
            assert kms.decrypt(key.encrypt(b"reading goes on")) == b"reading goes on"
        key.rotate()


def test_sqlite_itself_busy(path: Path) -> None:
    with kmsfast.open(path, create=True, busy_timeout=0.05) as kms:
        key = kms.create_key()
        with scripts.start(LOCKER, path / "store.db") as locker:
            assert locker.stdout is not None
            assert locker.stdout.readline() == "locked\n"
            with pytest.raises(StoreBusy, match="holds the store"):
                key.rotate()
            locker.communicate("\n")
        key.rotate()


LOCKER = """
    import sqlite3, sys
    database = sqlite3.connect(sys.argv[1], isolation_level=None)
    database.execute("BEGIN IMMEDIATE")
    print("locked", flush=True)
    sys.stdin.readline()
    database.execute("ROLLBACK")
    database.close()
"""


def test_an_error_inside_a_transaction_leaves_nothing(kms: kmsfast.Kms) -> None:
    kms.create_key(alias="alias/taken")
    before = len(kms.keys())
    with pytest.raises(kmsfast.AliasExists):
        kms.create_key(alias="alias/taken")
    assert len(kms.keys()) == before
