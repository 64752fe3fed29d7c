"""Commands on the keys of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from cli_runner import Cli, Result
from serving import served_at_socket


@pytest.fixture(scope="module")
def socket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with served_at_socket(tmp_path_factory.mktemp("socket") / "store") as path:
        yield path


@pytest.fixture
def run(socket: Path, tmp_path: Path) -> Callable[..., Result]:
    """The program in an empty directory, told of the server by its environment."""
    return partial(Cli(tmp_path), KMSFAST_SOCKET=str(socket))


def test_a_key_and_a_file(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"hello")
    made = run("key", "create", "--alias", "alias/files")
    assert made.code == 0, made.err
    assert run("encrypt", "--key", "alias/files", "plain", "-o", "sealed").code == 0
    assert run("decrypt", "sealed", "-o", "back").code == 0
    assert (tmp_path / "back").read_bytes() == b"hello"
    assert made.out.strip() in run("key", "describe", "alias/files").out
    assert run("key", "list").out.count(made.out.strip()) == 1


@pytest.mark.parametrize("command", ["audit verify", "principal list", "doctor", "env"])
def test_commands_of_the_owner(run: Callable[..., Result], command: str) -> None:
    refused = run(*command.split())
    assert refused.code != 0
    assert "leave out --socket" in refused.err


def test_no_server(tmp_path: Path) -> None:
    refused = Cli(tmp_path)("key", "list", KMSFAST_SOCKET=str(tmp_path / "nothing"))
    assert refused.code != 0
    assert "no server answers" in refused.err
