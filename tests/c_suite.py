"""The C suite (tests/c), which reaches the primitives that Python does not."""

from __future__ import annotations

import functools
import os
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
    return _run(["--only", test, "--impl", implementation, *more])


def run_library(test: str, *more: str, cpu_mask: str = "") -> subprocess.CompletedProcess[str]:
    """Runs one test of the library, without the CPU features that ``cpu_mask`` lists."""
    return _run(["--only", test, *more], KMSFAST_CPU_MASK=cpu_mask)


def _run(arguments: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    build()
    return subprocess.run(
        [PROGRAM, *arguments],
        cwd=ROOT,
        env=os.environ | environment,
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
