"""Root keys: files, passphrases, and the change from one to another."""

from __future__ import annotations

import copy
import pickle
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import pytest

import kmsfast
from kmsfast import Passphrase, RootKeyFile
from kmsfast.errors import (
    RootKeyMissing,
    RootKeyWrong,
    StoreUnusable,
    ValidationError,
)


@pytest.fixture(autouse=True)
def _cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Little memory, so that the tests are fast; the parameters are read from the store."""
    monkeypatch.setattr("kmsfast.store.roots._MEMORY_KIB", 64)


def roundtrip(path: Path, root: RootKeyFile | Passphrase | None) -> None:
    with kmsfast.open(path, root=root) as kms:
        assert kms.decrypt(kms.key("alias/a").encrypt(b"x")) == b"x"


def make(path: Path, root: RootKeyFile | Passphrase | None = None) -> bytes:
    with kmsfast.open(path, create=True, root=root) as kms:
        return kms.create_key(alias="alias/a").encrypt(b"before")


def test_a_passphrase_opens_and_leaves_no_file(path: Path) -> None:
    make(path, Passphrase("correct horse"))
    assert not (path / "root.key").exists()
    roundtrip(path, Passphrase("correct horse"))


@pytest.mark.parametrize("text", ["Correct horse", "correct horse ", "x"])
def test_a_wrong_passphrase(path: Path, text: str) -> None:
    make(path, Passphrase("correct horse"))
    with pytest.raises(RootKeyWrong, match="root key or passphrase does not open") as raised:
        kmsfast.open(path, root=Passphrase(text))
    assert text not in str(raised.value) or text == "x"


def test_the_kinds_are_told_apart(path: Path, tmp_path: Path) -> None:
    make(path, Passphrase("p"))
    with pytest.raises(RootKeyMissing, match="Passphrase"):
        kmsfast.open(path)
    with pytest.raises(RootKeyWrong, match="by a passphrase, not by a root key file"):
        kmsfast.open(path, root=RootKeyFile(tmp_path / "x"))
    make(tmp_path / "other")
    with pytest.raises(RootKeyWrong, match="by a root key file, not by a passphrase"):
        kmsfast.open(tmp_path / "other", root=Passphrase("p"))


def test_a_key_file_elsewhere_is_found_again(path: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "keys" / "k"
    elsewhere.parent.mkdir()
    make(path, RootKeyFile(elsewhere))
    assert elsewhere.stat().st_mode & 0o777 == 0o600
    assert not (path / "root.key").exists()
    roundtrip(path, None)
    moved = elsewhere.rename(tmp_path / "moved")
    with pytest.raises(RootKeyMissing):
        kmsfast.open(path)
    roundtrip(path, RootKeyFile(moved))


def test_a_missing_key_file_elsewhere_is_not_made(path: Path, tmp_path: Path) -> None:
    make(path)
    with pytest.raises(RootKeyMissing):
        kmsfast.open(path, root=RootKeyFile(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_a_directory_can_be_moved_with_its_key(path: Path, tmp_path: Path) -> None:
    make(path)
    path.rename(tmp_path / "moved")
    roundtrip(tmp_path / "moved", None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, Passphrase("new")),
        (Passphrase("old"), Passphrase("new")),
        (Passphrase("old"), RootKeyFile("second.key")),
        (None, RootKeyFile("second.key")),
    ],
)
def test_changing_the_root(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    old: Passphrase | None, new: Passphrase | RootKeyFile,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    blob = make(path, old)
    before = _wrapped_material(path)
    with kmsfast.open(path, root=old) as kms:
        kms.change_root(new)
        assert kms.decrypt(blob) == b"before"
        kms.create_key()
        kms.change_root(new)  # from the new one, which this object now knows
    assert _wrapped_material(path)[:1] == before
    with pytest.raises((RootKeyWrong, RootKeyMissing)):
        kmsfast.open(path, root=old or RootKeyFile(path / "root.key"))
    with kmsfast.open(path, root=new) as kms:
        assert kms.decrypt(blob) == b"before"


def test_a_failed_change_changes_nothing(path: Path, tmp_path: Path) -> None:
    make(path)
    (tmp_path / "bad").write_bytes(b"x")
    with kmsfast.open(path) as kms, pytest.raises(RootKeyWrong):
        kms.change_root(RootKeyFile(tmp_path / "bad"))
    roundtrip(path, None)


@pytest.mark.parametrize(
    ("column", "value"),
    [("kdf_memory_kib", 2**40), ("kdf_iterations", 10**9), ("kdf_lanes", 0), ("kdf_lanes", "x")],
)
def test_absurd_parameters_are_refused_before_they_cost(
    path: Path, column: str, value: object
) -> None:
    make(path, Passphrase("p"))
    database = sqlite3.connect(path / "store.db")
    database.execute(f"UPDATE store SET {column} = ?", (value,))
    database.commit()
    database.close()
    with pytest.raises(StoreUnusable, match="Argon2id parameters"):
        kmsfast.open(path, root=Passphrase("p"))


def test_other_parameters_lead_to_another_key(path: Path) -> None:
    make(path, Passphrase("p"))
    database = sqlite3.connect(path / "store.db")
    database.execute("UPDATE store SET kdf_iterations = kdf_iterations - 1")
    database.commit()
    database.close()
    with pytest.raises(RootKeyWrong):
        kmsfast.open(path, root=Passphrase("p"))


def test_a_passphrase_does_not_show(path: Path) -> None:
    secret = Passphrase("hunter2")
    assert "hunter2" not in f"{secret!r} {secret}"
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(secret)
    for bad in ("", None, b"bytes"):
        with pytest.raises(ValidationError):
            Passphrase(bad)  # type: ignore[arg-type]


def _wrapped_material(path: Path) -> list[bytes]:
    database = sqlite3.connect(path / "store.db")
    rows = database.execute("SELECT wrapped FROM key_versions ORDER BY created_at").fetchall()
    database.close()
    return [row[0] for row in rows]


# ---- kill -9 --------------------------------------------------------------------------------

CREATE = """
    import sys
    import kmsfast
    kmsfast.open(sys.argv[1], create=True).close()
    print("made")
"""
CHANGE = """
    import sys
    import kmsfast
    with kmsfast.open(sys.argv[1], root=kmsfast.RootKeyFile(sys.argv[2])) as kms:
        kms.change_root(kmsfast.RootKeyFile(sys.argv[3]))
    print("made")
"""
STEPS = ["write", "pwrite64", "fsync", "fdatasync", "renameat2", "unlink", "ftruncate", "openat"]


def killed_at(call: str, number: int, script: str, *arguments: object) -> bool:
    """Whether the script died at that system call; if not, it ran to its end."""
    run = [
        "strace", "-f", "-o", "/dev/null", "-e", f"trace={call}",
        "-e", f"inject={call}:signal=SIGKILL:when={number}",
        sys.executable, "-c", dedent(script), *map(str, arguments),
    ]  # fmt: skip
    done = subprocess.run(run, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode in (0, 137, -9), done.stderr
    return done.stdout != "made\n"


def crash_points(script: str, *arguments: object) -> Iterator[tuple[str, int]]:
    """The last calls of each kind that a run of the script makes; those before only load Python."""
    counted = subprocess.run(
        ["strace", "-f", "-e", f"trace={','.join(STEPS)}", sys.executable, "-c", dedent(script),
         *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    for call in STEPS:
        total = counted.stderr.count(f"{call}(")
        yield from ((call, number) for number in range(max(1, total - 11), total + 1))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_creation_killed_anywhere_can_be_repeated(tmp_path: Path) -> None:
    deaths = 0
    for call, number in crash_points(CREATE, tmp_path / "count"):
        path = tmp_path / f"{call}-{number}"
        deaths += killed_at(call, number, CREATE, path)
        with suppress(kmsfast.StoreExists):
            kmsfast.open(path, create=True).close()
        with kmsfast.open(path) as kms:
            assert kms.decrypt(kms.create_key().encrypt(b"x")) == b"x"
    assert deaths > 20


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace")
def test_a_change_of_root_killed_anywhere_leaves_one_that_opens(tmp_path: Path) -> None:
    def store(name: str) -> tuple[Path, Path, Path]:
        made = tmp_path / name, tmp_path / f"{name}.old", tmp_path / f"{name}.new"
        kmsfast.open(made[0], create=True, root=RootKeyFile(made[1])).close()
        return made

    deaths = 0
    for call, number in crash_points(CHANGE, *store("count")):
        path, old, new = store(f"{call}-{number}")
        deaths += killed_at(call, number, CHANGE, path, old, new)
        opened = 0
        for root in (old, new):
            with suppress(RootKeyMissing, RootKeyWrong):
                kmsfast.open(path, root=RootKeyFile(root)).close()
                opened += 1
        assert opened == 1
    assert deaths > 20


def test_what_a_killed_creation_leaves_is_no_root_key(path: Path) -> None:
    path.mkdir(mode=0o700)
    (path / "root.key.0123456789abcdef.new").write_bytes(b"kmsfast-root-v1\n")
    with kmsfast.open(path, create=True) as kms:
        kms.create_key()
    assert (path / "root.key").stat().st_size == 48
    assert [file.name for file in path.glob("*.new")] == ["root.key.0123456789abcdef.new"]
