"""Exit codes and one-line errors where the system, the terminal or the store gets in the way."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from cli_runner import Cli, obeys_modes

from kmsfast.cli import progress

KEY = ("-k", "alias/orders")


def shell(cli: Cli, script: str) -> subprocess.CompletedProcess[str]:
    """A bash script in which $K is kmsfast."""
    program = " ".join(cli.command())
    return subprocess.run(
        ["bash", "-c", script], cwd=cli.directory, env=cli.environment(K=program),
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def on_terminal(cli: Cli, *arguments: str) -> tuple[int, str]:
    """Exit code and what a terminal shows."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cli.directory)
        os.execvpe(cli.command()[0], cli.command(*arguments), cli.environment())
    shown = b""
    try:
        while data := os.read(terminal, 65536):
            shown += data
    except OSError:  # how Linux tells that the other side was closed
        pass
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), shown.decode()


def test_a_group_without_a_command_shows_its_commands(empty: Cli) -> None:
    for group in ((), ("key",), ("key", "alias")):
        result = empty(*group)
        shown = result.out + result.err
        assert "\nCommands:\n" in shown
        assert "..." not in shown.partition("Commands:")[2]
    said = empty.refused(2, "frobnicate")
    assert "frobnicate" in said


def test_a_reader_that_leaves(cli: Cli) -> None:
    (cli.directory / "f").write_bytes(bytes(8 << 20))
    for script in (
        "$K encrypt f -o - -k alias/orders | head -c 100 >/dev/null; echo ${PIPESTATUS[0]}",
        "$K key list --json | true; echo ${PIPESTATUS[0]}",
    ):
        done = shell(cli, script)
        assert (done.stdout, done.stderr) == ("141\n", "")


def test_limits_and_full_devices(cli: Cli, people: pa.Table) -> None:
    before = cli.names()
    (cli.directory / "f").write_bytes(bytes(4 << 20))
    for script in (
        "ulimit -f 100; $K encrypt f -o out -k alias/orders",
        "$K encrypt f -o - -k alias/orders >/dev/full",
        "$K key list >/dev/full",
        "$K key list >&-",
        "$K encrypt - -o out -k alias/orders <&-",
    ):
        done = shell(cli, script)
        assert done.returncode == 6, script
        assert done.stderr.startswith("kmsfast: "), script
        assert done.stderr.count("\n") == 1, script
    assert cli.names() == before | {"f"}


def test_a_record_of_a_disabled_or_foreign_key(cli: Cli, people: pa.Table) -> None:
    """The exit code is that of the key's error, for tables as for files."""
    for name, columns in (("people.csv", ("--columns", "email")), ("people.parquet", ())):
        cli.ok("encrypt", name, "-o", f"s-{name}", *columns, *KEY)
    cli.ok("key", "disable", "alias/orders")
    for name in ("s-people.csv", "s-people.parquet"):
        assert "key enable" in cli.refused(5, "decrypt", name, "-o", "out")
    (cli.directory / "store").rename(cli.directory / "other")
    cli.ok("init")
    for name in ("s-people.csv", "s-people.parquet"):
        assert "does not exist" in cli.refused(4, "decrypt", name, "-o", "out")


def test_parquet_without_pyarrow(cli: Cli, people: pa.Table, tmp_path: Path) -> None:
    cli.ok("encrypt", "people.parquet", "-o", "sealed.parquet", "--columns", "email", *KEY)
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "sitecustomize.py").write_text(
        "import sys; sys.modules['pyarrow'] = None"
    )
    before = cli.names()
    for arguments in (
        ("encrypt", "people.parquet", "-o", "out", "--columns", "email", *KEY),
        ("decrypt", "sealed.parquet", "-o", "out"),
        ("rewrap", "sealed.parquet", "-o", "out"),
        ("inspect", "sealed.parquet"),
    ):
        said = cli.refused(2, *arguments, PYTHONPATH=str(tmp_path / "without"))
        assert f"{arguments[1]}: Parquet files need pyarrow" in said
        assert "pip install 'kmsfast[arrow]'" in said
    assert cli.names() == before
    # What is no Parquet file needs none.
    encrypt = ("encrypt", "people.csv", "-o", "out.csv", "--columns", "email", *KEY)
    cli.ok(*encrypt, PYTHONPATH=str(tmp_path / "without"))


def test_a_file_that_is_one_blob(cli: Cli) -> None:
    import kmsfast

    with kmsfast.open(cli.directory / "store") as kms:
        key = kms.key("alias/orders")
        blob = key.encrypt(b"secret", {"a": "b"})
        key.rotate()
    (cli.directory / "1.blob").write_bytes(blob)
    cli.ok("rewrap", "1.blob", "-o", "2.blob", "-c", "a=b")
    assert json.loads(cli.ok("inspect", "2.blob", "--json"))["key_version"] == 2
    assert cli.ok("decrypt", "2.blob", "-o", "-", "-c", "a=b") == "secret"
    cli.refused(3, "rewrap", "1.blob", "-o", "3.blob", "-c", "a=c")
    for at, value, said in ((1, 9, "(found 0x09)"), (2, 9, "(found 0x09)"), (3, 2, "(found 0x02)")):
        bad = bytearray(blob)
        bad[at] = value
        (cli.directory / "bad").write_bytes(bad)
        assert said in cli.refused(3, "inspect", "bad")
    (cli.directory / "bad").write_bytes(b"\xf5\x01\x02\x00" + bytes(50))
    assert "54 of the 136 bytes" in cli.refused(3, "decrypt", "bad", "-o", "out")
    (cli.directory / "bad").write_bytes(b"")
    assert "empty" in cli.refused(2, "inspect", "bad")


def test_an_output_that_names_a_directory(cli: Cli, people: pa.Table) -> None:
    (cli.directory / "there").mkdir()
    for name in ("there", "there/", "not-there/"):
        assert "directory" in cli.refused(2, "encrypt", "people.csv", "-fo", name, *KEY)
    assert list((cli.directory / "there").iterdir()) == []


def test_an_implementation_that_does_not_exist(cli: Cli) -> None:
    said = cli.refused(2, "key", "list", KMSFAST_IMPL="abacus")
    assert "KMSFAST_IMPL='abacus'" in said
    assert "portable" in said


def test_a_terminal(cli: Cli, people: pa.Table) -> None:
    """No binary on it, but a line on what was done."""
    code, shown = on_terminal(cli, "encrypt", "people.csv", "-o", "-", *KEY)
    assert (code, shown.count("\n")) == (2, 1)
    assert "terminal" in shown
    with (cli.directory / "big").open("wb") as file:
        file.truncate(100 << 20)
    code, shown = on_terminal(cli, "encrypt", "big", "-o", "big.kms", *KEY)
    assert code == 0
    assert shown.rpartition("\x1b[K")[2].startswith("encrypted big in ")


def test_a_bar_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_FIRST", 0)
    for on_it in (True, False):
        screen = io.StringIO()
        monkeypatch.setattr(screen, "isatty", lambda on_it=on_it: on_it)
        monkeypatch.setattr(sys, "stderr", screen)
        with progress.Progress("bytes") as bar:
            bar(50_000_000, 100_000_000)
        shown = screen.getvalue()
        if on_it:
            assert "[###############...............]  50%" in shown
            assert "MB/s" in shown
            assert shown.endswith("\r\x1b[K")
        else:
            assert shown == ""


def test_completion_of_file_names(cli: Cli) -> None:
    for words in ("kmsfast encrypt x", "kmsfast encrypt x -o x"):
        done = cli.ok(
            _KMSFAST_COMPLETE="bash_complete",
            COMP_WORDS=words,
            COMP_CWORD=str(len(words.split()) - 1),
        )
        assert done == "file,x\n"


@obeys_modes
def test_a_store_of_somebody_else(cli: Cli) -> None:
    (cli.directory / "store").chmod(0)
    try:
        assert "Permission denied" in cli.obeying_modes().refused(7, "key", "list")
    finally:
        (cli.directory / "store").chmod(0o700)


def test_a_store_on_a_path_through_a_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    said = cli.refused(7, "--store", "file/store", "init")
    assert "file/store" in said
