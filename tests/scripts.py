"""Runs a piece of Python in a process of its own, for tests that kill, fork or limit it."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent
from typing import Any

__all__ = ["finish", "run", "start"]


def start(script: str, *arguments: object) -> subprocess.Popen[str]:
    """Starts the script; ``sys.argv[1:]`` are the arguments, warnings are errors."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", dedent(script), *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], timeout: float = 60) -> str:
    """The output of a script that must succeed."""
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, err
    return out


def run(script: str, *arguments: object, **options: Any) -> str:
    """Runs the script to its end."""
    return finish(start(script, *arguments), **options)
