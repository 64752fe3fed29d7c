"""encrypt, decrypt, rewrap and inspect: what comes back, what is refused, what is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_runner import Cli, obeys_modes

KEY = ("-k", "alias/orders")
CONTEXT = ("-c", "table=people")


@pytest.mark.parametrize("sealed", [(), ("--sealed",)])
@pytest.mark.parametrize("threads", ["1", "2"])
def test_parquet_comes_back_exactly(
    cli: Cli, people: pa.Table, sealed: tuple[str, ...], threads: str
) -> None:
    more = (*CONTEXT, "--threads", threads)
    cli.ok("encrypt", "people.parquet", "-o", "s.parquet", "--columns", "email,age", *KEY, *more,
           *sealed)  # fmt: skip
    hidden = pq.read_table(cli.directory / "s.parquet")
    assert hidden["id"].equals(people["id"])
    assert pa.types.is_binary(hidden.schema.field("age").type)
    assert b"@example.com" not in (cli.directory / "s.parquet").read_bytes()
    cli.ok("decrypt", "s.parquet", "-o", "back.parquet", *more)
    assert pq.read_table(cli.directory / "back.parquet").equals(people)


def test_csv_comes_back_to_the_byte_and_finds_its_columns(cli: Cli, people: pa.Table) -> None:
    cli.ok("encrypt", "people.csv", "-o", "s.csv", "--columns", "email,name", *KEY)
    assert "@" not in (cli.directory / "s.csv").read_text()
    done = json.loads(cli.ok("decrypt", "s.csv", "-o", "back.csv", "--json"))
    assert (done["rows"], done["columns"]) == (200, ["email", "name"])
    same = (cli.directory / "back.csv").read_bytes()
    assert same == (cli.directory / "people.csv").read_bytes()


@pytest.mark.parametrize("size", [0, 1, 65_536, 4 << 20, (4 << 20) + 1])
def test_any_file_comes_back(cli: Cli, size: int) -> None:
    (cli.directory / "f").write_bytes(os.urandom(size))
    cli.ok("encrypt", "f", "-o", "f.kms", *KEY, *CONTEXT)
    cli.ok("decrypt", "f.kms", "-o", "back", *CONTEXT)
    assert (cli.directory / "back").read_bytes() == (cli.directory / "f").read_bytes()


def test_pipes(cli: Cli) -> None:
    sealed = subprocess.run(
        cli.command("encrypt", "-", "-o", "-", *KEY), env=cli.environment(), input=b"secret",
        capture_output=True, check=True,
    ).stdout  # fmt: skip
    opened = subprocess.run(
        cli.command("decrypt", "-", "-o", "-"), env=cli.environment(), input=sealed,
        capture_output=True, check=True,
    )  # fmt: skip
    assert opened.stdout == b"secret"


@pytest.mark.parametrize("name", ["people.parquet", "people.csv"])
def test_rewrap_brings_columns_to_the_newest_version(cli: Cli, people: pa.Table, name: str) -> None:
    cli.ok("encrypt", name, "-o", f"1-{name}", "--columns", "email", *KEY)
    cli.ok("key", "rotate", "alias/orders")
    cli.ok("rewrap", f"1-{name}", "-o", f"2-{name}")
    versions = [_versions(cli, f"{number}-{name}") for number in (1, 2)]
    assert versions == [{1}, {2}]
    cli.ok("decrypt", f"2-{name}", "-o", f"back-{name}")
    if name.endswith("csv"):
        same = (cli.directory / f"back-{name}").read_bytes()
        assert same == (cli.directory / name).read_bytes()
    else:
        assert pq.read_table(cli.directory / f"back-{name}").equals(people)


@pytest.mark.parametrize("sealed", [("--columns", "email", "--sealed"), ()])
def test_rewrap_of_sealed_data(cli: Cli, people: pa.Table, sealed: tuple[str, ...]) -> None:
    cli.ok("encrypt", "people.parquet", "-o", "1", *sealed, *KEY)
    cli.ok("key", "rotate", "alias/orders")
    cli.ok("rewrap", "1", "-o", "2")
    cli.ok("decrypt", "2", "-o", "back")
    assert pq.read_table(cli.directory / "back").equals(people)
    if not sealed:
        assert json.loads(cli.ok("inspect", "2", "--json"))["key_version"] == 2


def test_inspect_needs_no_store(cli: Cli, people: pa.Table) -> None:
    cli.ok("encrypt", "people.parquet", "-o", "s.parquet", "--columns", "email", *KEY)
    (cli.directory / "store").rename(cli.directory / "away")
    shown = json.loads(cli.ok("inspect", "s.parquet", "--json"))
    assert shown[0]["column"] == "email"
    assert shown[0]["nulls"] == people["email"].null_count


def _versions(cli: Cli, name: str) -> set[int]:
    shown = json.loads(cli.ok("inspect", name, "--json"))
    return {part["key_version"] for column in shown for part in column["records"]}


# ---- what is refused ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["people.parquet", "people.csv"])
def test_a_missing_column(cli: Cli, people: pa.Table, name: str) -> None:
    before = cli.names()
    said = cli.refused(2, "encrypt", name, "-o", "out", "--columns", "email,iban", *KEY)
    assert "'iban'" in said
    assert "email" in said
    assert cli.names() == before


def test_a_wrong_flag(cli: Cli, people: pa.Table) -> None:
    said = cli.refused(2, "encrypt", "people.csv", "-o", "x", "--colums", "email", *KEY)
    assert "--columns" in said


def test_an_unknown_key(cli: Cli, people: pa.Table) -> None:
    said = cli.refused(4, "encrypt", "people.csv", "-o", "x", "-k", "alias/nobody")
    assert "alias/nobody" in said
    assert "x" not in cli.names()


def test_columns_of_a_file_that_says_not_what_it_is(cli: Cli) -> None:
    (cli.directory / "f.dat").write_text("a\n1\n")
    said = cli.refused(2, "encrypt", "f.dat", "-o", "x", "--columns", "a", *KEY)
    assert "--format" in said
    cli.ok("encrypt", "f.dat", "-o", "x", "--columns", "a", "--format", "csv", *KEY)


def test_sealed_csv(cli: Cli, people: pa.Table) -> None:
    said = cli.refused(
        2, "encrypt", "people.csv", "-o", "x", "--columns", "email", "--sealed", *KEY
    )
    assert "Parquet" in said


def test_an_output_that_exists_is_kept_unless_forced(cli: Cli, people: pa.Table) -> None:
    (cli.directory / "out").write_text("mine")
    said = cli.refused(6, "encrypt", "people.csv", "-o", "out", *KEY)
    assert "--force" in said
    assert (cli.directory / "out").read_text() == "mine"
    cli.ok("encrypt", "people.csv", "-o", "out", "--force", *KEY)
    assert (cli.directory / "out").read_bytes()[:1] == b"\xf5"


def test_a_file_can_be_replaced_by_its_own_encryption(cli: Cli, people: pa.Table) -> None:
    cli.ok("encrypt", "people.parquet", "-fo", "people.parquet", "--columns", "email", *KEY)
    cli.ok("decrypt", "people.parquet", "-fo", "people.parquet")
    assert pq.read_table(cli.directory / "people.parquet").equals(people)


def test_a_directory_that_is_missing(cli: Cli, people: pa.Table) -> None:
    said = cli.refused(6, "encrypt", "people.csv", "-o", "nowhere/out", *KEY)
    assert "nowhere/out" in said


@obeys_modes
def test_a_read_only_directory(cli: Cli, people: pa.Table) -> None:
    closed = cli.directory / "closed"
    closed.mkdir(mode=0o500)
    said = cli.obeying_modes().refused(6, "encrypt", "people.csv", "-o", "closed/out", *KEY)
    assert "permission" in said.lower()
    assert not list(closed.iterdir())


def test_a_directory_where_nothing_can_be_made(cli: Cli, people: pa.Table) -> None:
    """As a read-only directory, for root as well."""
    said = cli.refused(6, "encrypt", "people.csv", "-o", "/proc/self/out", *KEY)
    assert "/proc/" in said


def test_an_input_that_is_missing(cli: Cli) -> None:
    assert "none.csv" in cli.refused(6, "encrypt", "none.csv", "-o", "x", *KEY)


def test_a_full_device(cli: Cli, people: pa.Table) -> None:
    said = cli.refused(6, "encrypt", "people.parquet", "-o", "/dev/full", *KEY)
    assert "No space" in said


@pytest.mark.parametrize("name", ["people.parquet", "people.csv"])
@pytest.mark.parametrize("columns", [("--columns", "email"), ()])
def test_another_context_opens_nothing(
    cli: Cli, people: pa.Table, name: str, columns: tuple[str, ...]
) -> None:
    cli.ok("encrypt", name, "-o", f"s-{name}", *columns, *KEY, *CONTEXT)
    before = cli.names()
    cli.refused(3, "decrypt", f"s-{name}", "-o", "out", "-c", "table=orders")
    cli.refused(3, "decrypt", f"s-{name}", "-o", "out")
    assert cli.names() == before


def test_a_changed_file_leaves_nothing(cli: Cli) -> None:
    (cli.directory / "f").write_bytes(os.urandom(3_000_000))
    cli.ok("encrypt", "f", "-o", "f.kms", *KEY)
    data = bytearray((cli.directory / "f.kms").read_bytes())
    for damaged in (data[:-1], data[:136], data[:1_000_000] + b"x" + data[1_000_001:]):
        (cli.directory / "bad").write_bytes(damaged)
        before = cli.names()
        cli.refused(3, "decrypt", "bad", "-o", "out")
        cli.refused(3, "rewrap", "bad", "-o", "out")
        assert cli.names() == before


def test_one_bad_cell_stops_or_is_left_empty(cli: Cli, people: pa.Table) -> None:
    cli.ok("encrypt", "people.csv", "-o", "s.csv", "--columns", "email", *KEY)
    lines = (cli.directory / "s.csv").read_text().splitlines(keepends=True)
    lines[5] = lines[5].replace("=,", "A,").replace(",9", ",8")
    (cli.directory / "s.csv").write_text("".join(lines))
    said = cli.refused(3, "decrypt", "s.csv", "-o", "out.csv")
    assert "row 5, column 'email'" in said
    assert "out.csv" not in cli.names()
    result = cli("decrypt", "s.csv", "-o", "out.csv", "--on-error", "null")
    assert result.code == 3
    assert "1 values left empty" in result.err
    plain = (cli.directory / "people.csv").read_text().splitlines()
    back = (cli.directory / "out.csv").read_text().splitlines()
    assert back[:5] + back[6:] == plain[:5] + plain[6:]
    assert back[5].startswith("4,,")


def test_a_plain_file_is_not_decrypted(cli: Cli, people: pa.Table) -> None:
    (cli.directory / "f").write_text("plain")
    assert "not encrypted" in cli.refused(2, "decrypt", "f", "-o", "out")
    assert "no encrypted columns" in cli.refused(2, "decrypt", "people.parquet", "-o", "out")
    assert "--columns" in cli.refused(2, "decrypt", "people.csv", "-o", "out")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_ended_while_writing_leaves_nothing(cli: Cli, number: signal.Signals) -> None:
    """The input is a pipe that stays open: the program has written and waits for more."""
    before = cli.names()
    with subprocess.Popen(
        cli.command("encrypt", "-", "-o", "out", *KEY), env=cli.environment(), cwd=cli.directory,
        stdin=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        process.stdin.write(os.urandom(24 << 20))
        process.stdin.flush()
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(number)
        process.wait(30)
        assert process.stderr is not None
        said = process.stderr.read().decode()
    assert cli.names() == before
    if number != signal.SIGKILL:
        assert process.returncode == 128 + number
        assert said.count("\n") == 1
