"""A commit as files: what is built is what was committed, whatever lies in the work tree."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def git(*arguments: str) -> bytes:
    """The output of a git command in the repository."""
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


def time_of(commit: str) -> int:
    """When it was committed, in seconds since 1970."""
    return int(git("log", "-1", "--format=%ct", commit))


def export(commit: str, directory: Path) -> None:
    """Writes its files into a directory."""
    with tarfile.open(fileobj=io.BytesIO(git("archive", "--format=tar", commit))) as files:
        files.extractall(directory, filter="data")


def uncommitted() -> list[str]:
    """Files of the work tree that differ from HEAD or are not in it."""
    return git("status", "--porcelain").decode().splitlines()
