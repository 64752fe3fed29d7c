"""Programs of others, unchanged: ``aws`` from our own environment, the rest from build/clients.

Rules:
- nothing but the environment (endpoint, region, credentials) tells them where the server is;
- what cannot be had is skipped with its name and the command that installs it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ENVIRONMENT = ROOT / "build" / "clients"
PROGRAMS = ROOT / "tests" / "clients" / "programs"
WAIT = 120


def installed(path: str) -> Path:
    """A file of build/clients; skips the test when it is not there."""
    found = ENVIRONMENT / path
    if not found.exists():
        pytest.skip(f"{found.name} is not installed: run `make clients`")
    return found


def installed_module(name: str) -> None:
    """Skips the test when the Python of build/clients has no such module."""
    done = subprocess.run(
        [installed("bin/python"), "-c", f"import {name}"], capture_output=True, check=False,
        timeout=WAIT,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"{name} is not installed: run `make clients`")


def system(name: str) -> str:
    """A program of the machine; skips the test when it is not there."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"this machine has no {name}")
    return found


def environment(kms: str, home: Path, **more: str) -> dict[str, str]:
    """What an AWS client needs to find the server at an address, and nothing of the user's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ENDPOINT_URL_KMS": kms,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "000000000000",
        "AWS_SECRET_ACCESS_KEY": "unused",
        "AWS_EC2_METADATA_DISABLED": "true",
        "HOME": str(home),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONWARNINGS": "ignore",
        **more,
    }


def run(command: list[str | Path], env: dict[str, str], cwd: Path) -> str:
    """What the program printed; fails with all that it said when it did not end well."""
    done = subprocess.run(
        command, env=env, cwd=cwd, capture_output=True, text=True, timeout=WAIT, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
