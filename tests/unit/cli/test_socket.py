"""Commands on the keys of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from socket import AF_UNIX
from socket import socket as stream_socket

import pytest
from cli_runner import Cli, Result, obeys_modes
from fake_servers import fake, greeted, says
from serving import served_at_socket
from socket_line import Line, frame


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


# ---- servers that are none, or go ---------------------------------------------------------------


def test_no_server(empty: Cli, tmp_path: Path) -> None:
    for command in ("key list", "bench --seconds 0.1"):
        said = empty.refused(6, *command.split(), KMSFAST_SOCKET=str(tmp_path / "nothing"))
        assert "no server answers" in said
        assert "No such file" in said
        assert "kmsfast serve --socket" in said


def test_a_socket_that_a_dead_server_has_left(empty: Cli, tmp_path: Path) -> None:
    with stream_socket(AF_UNIX) as left:
        left.bind(str(tmp_path / "s"))
    said = empty.refused(6, "--socket", tmp_path / "s", "key", "list")
    assert "Connection refused" in said
    assert "kmsfast serve --socket" in said


@obeys_modes
def test_a_socket_of_somebody_else(empty: Cli, tmp_path: Path) -> None:
    with stream_socket(AF_UNIX) as other:
        other.bind(str(tmp_path / "s"))
        other.listen()
        (tmp_path / "s").chmod(0)
        said = empty.obeying_modes().refused(6, "--socket", tmp_path / "s", "key", "list")
    assert "Permission denied" in said
    assert "who may open it" in said


OTHERS = {
    "newer": (frame("kmsfast", 2, {}), 6, "speaks version 2 of the protocol, this program 1"),
    "http": (b"HTTP/1.1 400 Bad Request\r\n\r\n", 6, "is no kmsfast server"),
    "text": (b"\0\0\0\5hello", 6, "no MessagePack"),
    "silent": (b"", 6, "closed the connection"),
    "refusal": (
        frame(None, 1, ["ValidationException", False, "speak 2 to 3, the server version 9"]),
        2, "speak 2 to 3, the server version 9",
    ),
}  # fmt: skip


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("command", ["key list", "bench --seconds 0.1"])
def test_another_server(empty: Cli, tmp_path: Path, other: str, command: str) -> None:
    said, code, words = OTHERS[other]
    with fake(tmp_path / "s", lambda connection: says(connection, said)):
        line = empty.refused(code, "--socket", tmp_path / "s", *command.split())
    assert words in line
    assert ("--socket (or KMSFAST_SOCKET)" in line) == (other in {"newer", "http", "text"})


def test_a_server_that_goes_in_the_middle_of_a_batch(empty: Cli, tmp_path: Path) -> None:
    """Nothing is left of the output, and what went wrong is said."""
    key = {
        "KeyId": "k",
        "Arn": "arn:aws:kms:us-east-1:000000000000:key/k",
        "KeySpec": "SYMMETRIC_DEFAULT",
    }
    asked: list[object] = []

    def answer(connection: stream_socket) -> None:
        if not greeted(connection):
            return
        line = Line.of(connection)
        while (request := line.recv())[1] == "DescribeKey":
            line.send(request[0], 0, {"KeyMetadata": key})
        asked.append(request[1])

    def until_it_goes(connection: stream_socket) -> None:
        with suppress(EOFError, OSError):
            answer(connection)

    (empty.directory / "rows.csv").write_text("name\n" + "ada\n" * 5)
    before = empty.names()
    with fake(tmp_path / "s", until_it_goes):
        said = empty.refused(
            6, "--socket", tmp_path / "s", "encrypt", "rows.csv", "-o", "sealed.csv",
            "--columns", "name", "-k", "alias/a",
        )  # fmt: skip
    assert "went away before it answered" in said
    assert asked == [asked[0]] * 3
    assert empty.names() - {"s"} == before - {"s"}
