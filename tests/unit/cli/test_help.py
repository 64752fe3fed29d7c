"""Help that is quick, complete, and the same as the documentation."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_runner import Cli

from kmsfast.cli.exits import Code
from kmsfast.cli.main import cli as program

PAGE = Path(__file__).parents[3] / "docs" / "cli.md"


def commands(group: click.Group, name: str = "kmsfast") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for word in group.list_commands(context):
        command = group.get_command(context, word)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {word}")
        else:
            yield f"{name} {word}", command


@pytest.mark.sources
def test_every_command_and_option_is_documented() -> None:
    page = PAGE.read_text()
    for name, command in [("kmsfast", program), *commands(program)]:
        assert f"`{name}" in page, name
        for option in command.params:
            for flag in option.opts if isinstance(option, click.Option) else ():
                assert f"`{flag}" in page, f"{name} {flag}"


@pytest.mark.sources
def test_every_option_and_variable_of_the_page_exists() -> None:
    page = PAGE.read_text()
    flags = {
        flag
        for _, command in [("kmsfast", program), *commands(program)]
        for option in command.params
        for flag in option.opts
    }
    assert set(re.findall(r"`(--?[a-z][a-z-]*)`", page)) <= flags | {"-h", "--help"}
    sources = [*PAGE.parents[1].glob("src/**/*.py"), *PAGE.parents[1].glob("csrc/*.c")]
    code = "".join(path.read_text() for path in sources)
    variables = set(re.findall(r"KMSFAST_[A-Z0-9_]+", code)) - {"KMSFAST_COMPLETE"}
    assert set(re.findall(r"`(KMSFAST_[A-Z0-9_]+)`", page)) == variables


@pytest.mark.sources
def test_every_exit_code_is_documented() -> None:
    table = PAGE.read_text().partition("## Exit codes")[2]
    named = {
        int(n)
        for row in re.findall(r"^\| ([0-9, ]+) \|", table, re.MULTILINE)
        for n in row.split(",")
    }
    assert named == {int(code) for code in Code} | {129, 143}


def test_every_command_has_help(empty: Cli) -> None:
    for name, command in commands(program):
        assert command.help, name
    assert "Options" in empty.ok("key", "alias", "create", "--help")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from kmsfast.cli.main import cli; "
        "heavy = {'numpy', 'sqlite3', 'pyarrow', '_kmsfast'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


HEAVY = {"numpy", "pyarrow", "pyarrow.compute", "numpy.ma", "cryptography"}
NEEDED = {
    ("key", "list"): set(),
    ("encrypt", "people.csv", "--format", "file", "-o", "x", "-k", "alias/orders"): set(),
    ("encrypt", "plain.parquet", "-o", "x", "-k", "alias/orders", "--columns", "id,name"): {
        "numpy",
        "pyarrow",
    },
}


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize("command", NEEDED, ids=" ".join)
def test_a_command_imports_only_what_it_needs(cli: Cli, command: tuple[str, ...]) -> None:
    table = pa.table({"id": [1, 2, 3], "name": ["a", "b", "c"]})
    pq.write_table(table, cli.directory / "plain.parquet")
    code = (
        "import sys; from kmsfast.cli.main import cli; "
        "cli.main(standalone_mode=False); "
        f"print(*{HEAVY} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command],
        cwd=cli.directory, env=cli.environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(done.stderr.split()) == NEEDED[command]


def test_completion_knows_the_commands(empty: Cli) -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_KMSFAST_COMPLETE" in empty.ok("completion", shell)
    words = empty.ok(_KMSFAST_COMPLETE="bash_complete", COMP_WORDS="kmsfast key ro", COMP_CWORD="2")
    assert words.split() == ["plain,rotate"]
    for line, expected in (
        ("kmsfast key create --spec RSA_3", ["plain,RSA_3072"]),
        ("kmsfast key create --usage sign", ["plain,SIGN_VERIFY"]),
        ("kmsfast sign x --algorithm ML", ["plain,ML_DSA_SHAKE_256"]),
        ("kmsfast data-key-pair ECC_S", ["plain,ECC_SECG_P256K1"]),
    ):
        last = str(len(line.split()) - 1)
        words = empty.ok(_KMSFAST_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=last)
        assert words.split() == expected


def test_version(empty: Cli) -> None:
    assert empty.ok("--version").startswith("kmsfast ")
