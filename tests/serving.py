"""The server as a process on a free port of this machine, ended by its process id."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WAIT = 60


@dataclass
class Served:
    """A running server."""

    process: subprocess.Popen[str]
    url: str
    announcement: str

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ends it; returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(WAIT)


def command(store: Path, *options: str, signed: bool = False) -> list[str]:
    program = [sys.executable, "-m", "kmsfast.cli.main", "serve", "--store", str(store)]
    return [*program, *([] if signed else ["--insecure-no-auth"]), *options]


@contextmanager
def served_at_socket(store: Path, *options: str, signed: bool = False) -> Iterator[Path]:
    """A server on a store at a Unix socket beside it; nothing of it is left afterwards."""
    path = store.parent / f"{store.name}.sock"
    with _running(command(store, "--socket", str(path), *options, signed=signed)) as process:
        _line(process)
        yield path


@contextmanager
def served(
    store: Path, *options: str, address: str = "127.0.0.1:0", signed: bool = False
) -> Iterator[Served]:
    """A server on a store, which is made if need be; nothing of it is left afterwards.

    signed: requests are authenticated.
    """
    with _running(command(store, "--http", address, *options, signed=signed)) as process:
        yield _started(process)


@contextmanager
def _running(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    kept = {name: value for name, value in os.environ.items() if "KMSFAST" not in name}
    process = subprocess.Popen(
        arguments, env=kept | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
        process.terminate()
        _, errors = process.communicate(timeout=WAIT)
        assert "Traceback" not in errors, errors
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    """What a server says when it serves."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], WAIT)
    line = process.stdout.readline() if ready else ""
    if not line:
        process.kill()
        raise AssertionError(f"the server did not start: {process.communicate()[1]}")
    return line


def _started(process: subprocess.Popen[str]) -> Served:
    line = _line(process)
    found = re.search(r" at (\S+?)(?: and socket \S+)?, region ", line)
    if found is None:
        process.kill()
        raise AssertionError(f"the server did not start: {line}{process.communicate()[1]}")
    return Served(process, found[1], line)


def resident_kib(pid: int) -> int:
    """Memory of a process, as Linux says it."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1])
