"""The socket's server as a process: started, killed, stopped, reloaded; beside HTTP."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from serving import WAIT
from socket_line import Line
from socket_processes import begun, server

import kmsfast


@pytest.fixture
def store(tmp_path: Path) -> Path:
    with kmsfast.open(tmp_path / "store", create=True) as kms:
        kms.principals.create_administrator()
        kms.principals.map_uid(os.getuid(), "administrator")
        kms.create_key(alias="alias/a")
    return tmp_path / "store"


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="reads /proc")
def test_it_leaves_no_core_dump_and_takes_the_descriptors_that_it_may(
    store: Path, tmp_path: Path
) -> None:
    with server(store, tmp_path / "s") as process:
        limits = Path(f"/proc/{process.pid}/limits").read_text(encoding="ascii")
        rows = {line[:25].strip(): line[25:].split() for line in limits.splitlines()}
        assert rows["Max core file size"][:2] == ["0", "0"]
        soft, hard, _ = rows["Max open files"]
        assert hard == "unlimited" or int(soft) >= min(int(hard), 32_768)


def test_killed_servers_leave_nothing_that_matters(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    blobs = []
    for _ in range(2):
        process = begun(store, path)
        with Line(path) as line:
            for i in range(200):
                line.send(i, 1, "alias/a", None, b"x")
            blobs.append(line.recv()[2])
            process.kill()
            process.communicate()
            with pytest.raises((EOFError, ConnectionError)):
                for _ in range(200):
                    line.recv()
        assert path.exists()
    with server(store, path), Line(path) as line:
        for blob in blobs:
            assert line.ask(1, 2, None, None, blob) == [1, 0, b"x"]
    assert not path.exists()
    assert not Path(f"{path}.lock").exists()
    with kmsfast.open(store) as kms:
        report = kms._app.deployment.trail.verify()
        assert not report.findings


def _promised(path: Path, blobs: list[bytes], arns: list[str]) -> None:
    """Asks for keys and blobs until the server is gone; notes those that were answered."""
    with suppress(EOFError, ConnectionError), Line(path) as line:
        while True:
            if len(blobs) % 50 == 0:
                arns.append(line.ask(1, "CreateKey", {})[2]["KeyMetadata"]["Arn"])
            key = arns[-1] if arns else "alias/a"
            blobs += line.ask(2, 33, key, None, [b"x"] * 5)[2][0]


@pytest.mark.slow
def test_servers_killed_at_any_moment_keep_what_they_have_answered(
    store: Path, tmp_path: Path
) -> None:
    path, drawn = tmp_path / "socket", random.Random(20261128)
    blobs, arns = list[bytes](), list[str]()
    for _ in range(25):
        process = begun(store, path)
        clients = [threading.Thread(target=_promised, args=(path, blobs, arns)) for _ in range(3)]
        for each in clients:
            each.start()
        time.sleep(drawn.uniform(0.02, 1.0))
        process.kill()
        process.communicate()
        for each in clients:
            each.join(WAIT)
    assert len(arns) > 25
    with kmsfast.open(store) as kms:
        assert set(arns) <= {each.arn for each in kms.keys()}
        assert kms.decrypt_batch(blobs) == [b"x"] * len(blobs)
        assert not kms._app.deployment.trail.verify().findings


def test_two_servers_do_not_share_a_place(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with server(store, path), Line(path) as line:
        second = subprocess.run(
            [sys.executable, "-m", "kmsfast.cli.main", "--store", str(store), "serve", "--socket",
             str(path)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert second.returncode == 2
        assert "another server listens" in second.stderr
        assert line.ask(1, 1, "alias/a", None, b"x")[1] == 0


def test_a_hangup_ends_nothing(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with server(store, path, "--log-level", "info") as process, Line(path) as line:
        process.send_signal(signal.SIGHUP)
        for i in range(20):
            assert line.ask(i, 1, "alias/a", None, b"x")[1] == 0
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=WAIT)
        assert "reloaded" in errors
        assert "opened uid=" in errors
        assert "alias/a" not in errors


def test_both_doors_in_one_process(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with server(store, path, "--http", "127.0.0.1:0", "--insecure-no-auth"), Line(path) as line:
        assert line.server[2]["principal"].endswith(":root")
        assert line.ask(1, 1, "alias/a", None, b"x")[1] == 0
        assert (path.stat().st_mode & 0o777) == 0o600


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--http", "127.0.0.1:0", "--socket-mode", "0660"], "need --socket"),
        ([], "give --http ADDRESS, --socket PATH, or both"),
        (["--socket", "s", "--insecure-no-auth", "--socket-mode", "0660"], "its mode is 0600"),
        (["--socket", "s", "--socket-mode", "9"], "no mode"),
        (["--socket", "systemd"], "none at all"),
    ],
)
def test_options_that_do_not_go_together(
    store: Path, options: list[str], says: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kmsfast.cli.main", "--store", str(store), "serve", *options],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert says in done.stderr


def test_a_store_that_knows_no_peer_is_not_served(tmp_path: Path) -> None:
    kmsfast.open(tmp_path / "store", create=True).close()
    done = subprocess.run(
        [sys.executable, "-m", "kmsfast.cli.main", "--store", str(tmp_path / "store"), "serve",
         "--socket", str(tmp_path / "s")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "principal map-uid" in done.stderr
    assert not (tmp_path / "s").exists()


def test_init_maps_its_user(tmp_path: Path) -> None:
    store, path = tmp_path / "store", tmp_path / "socket"
    program = [sys.executable, "-m", "kmsfast.cli.main", "--store", str(store)]
    done = subprocess.run([*program, "init"], capture_output=True, text=True, check=True)
    assert f"on a socket, uid {os.getuid()} is the administrator" in done.stdout
    with server(store, path), Line(path) as line:
        assert line.server[2]["principal"].endswith(":user/administrator")
        assert line.ask(1, "CreateKey", {})[1] == 0


def test_load_ends_with_the_server(store: Path, tmp_path: Path) -> None:
    """Whoever asks while the server stops gets an answer or the end, and never half of one."""
    path = tmp_path / "socket"
    ends: list[bool] = []

    def client() -> None:
        with Line(path) as line:
            try:
                while True:
                    assert line.ask(1, 1, "alias/a", None, b"x")[:2] == [1, 0]
            except (EOFError, ConnectionError):
                ends.append(True)

    with server(store, path):
        clients = [threading.Thread(target=client) for _ in range(4)]
        for each in clients:
            each.start()
        time.sleep(0.5)
    for each in clients:
        each.join(30)
    assert ends == [True] * 4
