"""Places of sockets: whose they are, what is replaced, and what is never touched."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kmsfast.errors import ValidationError
from kmsfast.server.activation import activated
from kmsfast.server.doors import LocalSocket
from kmsfast.server.peers import peer_of, peer_of_xucred
from kmsfast.server.unix_place import UnixPlace, claim


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "s")


def mode_of(path: str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_the_mode_is_the_one_that_was_asked_for(path: str, mode: int, mask: int) -> None:
    before = os.umask(mask)
    try:
        place = claim(UnixPlace(path, mode))
        assert os.umask(mask) == mask
    finally:
        os.umask(before)
    assert mode_of(path) == mode
    place.close()
    assert list(Path(path).parent.iterdir()) == []


def test_a_group(path: str) -> None:
    import grp

    name = grp.getgrgid(os.getgid()).gr_name
    place = claim(UnixPlace(path, 0o660, name))
    assert os.lstat(path).st_gid == os.getgid()
    place.close()
    with pytest.raises(ValidationError, match="no group 'nobody-has-this-name'"):
        claim(UnixPlace(path, 0o660, "nobody-has-this-name"))


def test_a_live_socket_is_never_replaced(path: str) -> None:
    place = claim(UnixPlace(path))
    with pytest.raises(ValidationError, match="another server listens"):
        claim(UnixPlace(path))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    place.close()
    claim(UnixPlace(path)).close()


def test_one_without_our_lock_is_not_replaced_either(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen(0)
        clients = []
        try:
            for _ in range(8):  # its queue is full, so that nobody can connect
                client = socket.socket(socket.AF_UNIX)
                client.setblocking(False)
                clients.append(client)
                client.connect_ex(path)
            with pytest.raises(ValidationError, match="another server listens"):
                claim(UnixPlace(path))
        finally:
            for client in clients:
                client.close()
        assert Path(path).exists()
    assert not Path(f"{path}.lock").exists()


def test_the_socket_of_a_dead_server_is_replaced(path: str) -> None:
    code = (
        "import os, signal, sys; from kmsfast.server.unix_place import UnixPlace, claim; "
        "claim(UnixPlace(sys.argv[1])); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, path], check=False)
    assert Path(path).exists()
    assert Path(f"{path}.lock").exists()
    place = claim(UnixPlace(path))
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)
    place.close()


@pytest.mark.parametrize("what", ["file", "directory", "link", "dangling"])
def test_what_is_no_socket_is_left_alone(path: str, what: str, tmp_path: Path) -> None:
    real = tmp_path / "real"
    listening = claim(UnixPlace(str(real)))
    match what:
        case "file":
            Path(path).write_bytes(b"precious")
        case "directory":
            Path(path).mkdir()
        case "link":
            Path(path).symlink_to(real)
        case _:
            Path(path).symlink_to(tmp_path / "nowhere")
    before = os.lstat(path)
    with pytest.raises(ValidationError, match="is no socket"):
        claim(UnixPlace(path))
    after = os.lstat(path)
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert not (tmp_path / "nowhere").exists()
    listening.close()


def test_a_lock_that_is_a_link_is_not_followed(path: str, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    Path(f"{path}.lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic link"):
        claim(UnixPlace(path))
    assert not victim.exists()


def test_another_socket_in_our_place_is_not_removed(path: str) -> None:
    place = claim(UnixPlace(path))
    Path(path).unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        place.close()
        assert Path(path).exists()


def test_the_directory_is_made_for_us_alone(tmp_path: Path) -> None:
    place = claim(UnixPlace(str(tmp_path / "run" / "s")))
    assert mode_of(str(tmp_path / "run")) == 0o700
    place.close()


def test_a_directory_of_everybody_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ValidationError, match="everybody can write"):
        claim(UnixPlace(str(tmp_path / "s")))
    tmp_path.chmod(0o1777)  # as /tmp: others cannot remove what is ours
    claim(UnixPlace(str(tmp_path / "s"))).close()


@pytest.mark.parametrize("path", ["", "a\0b", "/" + "x" * 107])
def test_no_path_of_a_socket(path: str) -> None:
    with pytest.raises(ValidationError, match="no path of a socket"):
        UnixPlace(path)


@pytest.mark.parametrize("mode", [0o060, 0o1600, 0o400])
def test_no_mode_of_a_socket(mode: int) -> None:
    with pytest.raises(ValidationError, match="no mode of a socket"):
        UnixPlace("s", mode)


@pytest.mark.parametrize("mode", [0o660, 0o606])
def test_without_authentication_it_is_the_owners(path: str, mode: int) -> None:
    with pytest.raises(ValidationError, match="its mode is 0600"):
        LocalSocket(path, mode).open(open_to_all=True)
    place = LocalSocket(path).open(open_to_all=True)
    assert mode_of(path) == 0o600
    place.close()


# ---- systemd ------------------------------------------------------------------------------------

ACTIVATION = """
import os, socket, sys
from kmsfast.errors import ValidationError
from kmsfast.server.doors import LocalSocket
os.environ["LISTEN_PID"] = str(os.getpid() + int(sys.argv[1]))
try:
    place = LocalSocket(sys.argv[2]).open(open_to_all=len(sys.argv) > 3)
except ValidationError as error:
    print(error)
else:
    client = socket.socket(socket.AF_UNIX)
    client.connect(place.path)
    assert os.get_inheritable(place.listening.fileno()) is False
    assert "LISTEN_FDS" not in os.environ
    place.close()
    assert os.path.exists(place.path)
    print("served", place.path)
"""


def activation(path: str, names: str, *arguments: str, kind: int = socket.SOCK_STREAM) -> str:
    """What a process says to which descriptors were handed over."""
    made = []
    for i, _ in enumerate(names.split(":")):
        each = socket.socket(socket.AF_UNIX, kind)
        each.bind(f"{path}{i}")
        if kind == socket.SOCK_STREAM:
            each.listen()
        made.append(each)
    moves = " ".join(f"{3 + i}<&{each.fileno()}" for i, each in enumerate(made))
    done = subprocess.run(
        ["bash", "-c", f'exec "$@" {moves}', "-", sys.executable, "-c", ACTIVATION, *arguments],
        env=os.environ | {"LISTEN_FDS": str(len(made)), "LISTEN_FDNAMES": names},
        pass_fds=[each.fileno() for each in made], capture_output=True, text=True, check=False,
    )  # fmt: skip
    for each in made:
        each.close()
    assert not done.stderr, done.stderr
    return done.stdout.strip()


def test_a_socket_of_systemd(path: str) -> None:
    assert activation(path, "kmsfast", "0", "systemd") == f"served {path}0"


def test_one_of_several_by_its_name(path: str) -> None:
    assert activation(path, "http:local", "0", "systemd:local") == f"served {path}1"


@pytest.mark.parametrize(
    ("names", "arguments", "says"),
    [
        ("a", ["1", "systemd"], "handed over none at all"),  # another process's
        ("a:b", ["0", "systemd"], "handed over a, b"),
        ("a", ["0", "systemd:b"], "a socket 'b', and has handed over a"),
        ("a", ["0", "systemd", "to all"], "SocketMode=0600"),
    ],
)
def test_other_sockets_of_systemd(path: str, names: str, arguments: list[str], says: str) -> None:
    assert says in activation(path, names, *arguments)


def test_a_datagram_socket_of_systemd(path: str) -> None:
    found = activation(path, "a", "0", "systemd", kind=socket.SOCK_DGRAM)
    assert "no Unix stream socket" in found


def test_nothing_of_systemd() -> None:
    with pytest.raises(ValidationError, match="none at all"):
        activated(None, {})


def test_modes_are_those_of_the_unit() -> None:
    with pytest.raises(ValidationError, match="SocketMode="):
        LocalSocket("systemd", 0o660).open(open_to_all=False)


# ---- peers --------------------------------------------------------------------------------------


def test_the_kernel_says_who_a_peer_is() -> None:
    one, other = socket.socketpair()
    with one, other:
        peer = peer_of(one)
    assert peer.uid == os.getuid()
    assert set(peer.gids) == {os.getgid(), *os.getgroups()}


def test_a_peer_of_macos() -> None:
    groups = [20, 12, 61] + [0] * 13
    raw = b"".join(each.to_bytes(4, sys.byteorder) for each in (0, 501))
    raw += (3).to_bytes(2, sys.byteorder) + bytes(2)
    raw += b"".join(each.to_bytes(4, sys.byteorder) for each in groups)
    assert peer_of_xucred(raw) == (501, (20, 12, 61))
