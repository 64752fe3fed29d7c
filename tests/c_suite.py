"""The C suite (tests/c), which reaches the primitives that Python does not."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = "build/c/test/run"


@functools.cache
def build() -> None:
    """Brings the program up to date, once."""
    subprocess.run(["make", "-s", "-f", "tests/c/tests.mk", PROGRAM], cwd=ROOT, check=True)


def run(test: str, implementation: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Runs one test under one implementation."""
    build()
    return subprocess.run(
        [PROGRAM, "--only", test, "--impl", implementation, *more],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def passes(test: str, implementation: str, *more: str) -> str:
    """What the program says of a test that must pass."""
    done = run(test, implementation, *more)
    assert done.returncode == 0, done.stdout
    assert f"C tests: passed, 1 of 1 tests; implementations: {implementation}\n" in done.stdout
    return done.stdout
