"""The socket's server as a process, which a test may kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving import WAIT

__all__ = ["begun", "server"]


def begun(store: Path, path: Path, *options: str) -> subprocess.Popen[str]:
    """A server that says that it serves."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kmsfast.cli.main", "--store", str(store), "serve", "--socket",
         str(path), *options],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    if f"socket {path}" not in line:
        process.kill()
        raise AssertionError(f"the server did not start: {line}{process.communicate()[1]}")
    return process


@contextmanager
def server(store: Path, path: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    process = begun(store, path, *options)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=WAIT)
        assert process.returncode == 0
        assert "Traceback" not in errors, errors
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
