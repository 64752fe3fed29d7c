"""Addresses as text, and Unix sockets that are there already."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from kmsfast.errors import ValidationError
from kmsfast.server.addresses import Address, listening_socket, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:4599", Address("127.0.0.1", 4599)), ("[::1]:0", Address("::1", 0)),
        ("localhost:65535", Address("localhost", 65_535)), ("fd:3", Address(descriptor=3)),
        ("unix:/run/kms.sock", Address(path="/run/kms.sock")),
    ],
)  # fmt: skip
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "localhost", "localhost:", ":1", "::1:1", "localhost:65536", "localhost:-1",
             "localhost:\u00b2", "localhost:\u0663", "fd:\u00b2", "fd:" + "9" * 20,
             "localhost:" + "1" * 5000, "localhost:1\n", "unix:"],
    ids=lambda text: ascii(text)[:24],
)  # fmt: skip
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValidationError, match=r"is no address; it looks like"):
        parse_address(text)


def test_a_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    for _ in range(2):
        with listening_socket(Address(path=str(path))) as made:
            assert made.getsockname() == str(path)
            assert path.stat().st_mode & 0o777 == 0o600


def test_a_socket_that_somebody_listens_on_stays(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen(0)
        waiting = []
        for _ in range(3):  # the last ones find its queue full
            with pytest.raises(ValidationError, match="another server listens on"):
                listening_socket(Address(path=path))
            client = socket.socket(socket.AF_UNIX)
            client.setblocking(False)
            client.connect_ex(path)
            waiting.append(client)
        for client in waiting:
            client.close()
        assert Path(path).is_socket()


def test_a_socket_of_another_kind_stays(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(path)
        with pytest.raises(OSError, match=r"s'$") as caught:
            listening_socket(Address(path=path))
    assert caught.value.errno == errno.EPROTOTYPE
    assert Path(path).is_socket()


def test_a_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(ValidationError, match="is no socket"):
        listening_socket(Address(path=str(path)))
    assert path.read_text() == "mine"
