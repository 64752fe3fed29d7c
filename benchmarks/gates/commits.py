"""Commits to compare with: found by their names, and laid out in build/gates.

Rules:
- what is compared is what was committed: a dirty tree is refused where HEAD stands for it;
- a tree is laid out once and built once: its directory has the commit's hash as its name.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
GATES = ROOT / "build" / "gates"


class Unusable(Exception):
    """What was asked for cannot be compared; says why, and what to do."""


def git(*arguments: str, root: Path = ROOT) -> subprocess.CompletedProcess[bytes]:
    """A git command in the repository; its exit code is the caller's business."""
    return subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, check=False)


def resolve(name: str, *, root: Path = ROOT) -> str:
    """The full hash of a commit.

    Raises:
        Unusable: there is no such commit here.
    """
    if not name:
        raise Unusable("no commit to compare with was given: BASE=COMMIT, for example BASE=main")
    found = git(
        "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}", root=root
    )
    if found.returncode:
        raise Unusable(
            f"{name!r} is no commit of this repository: see `git log`; in a shallow clone, "
            "`git fetch --unshallow` first"
        )
    return found.stdout.decode().strip()


def require_clean(*, root: Path = ROOT) -> None:
    """Refuses changes that are not committed.

    Raises:
        Unusable: with the files.
    """
    changed = git("status", "--porcelain", root=root).stdout.decode().splitlines()
    if changed:
        names = ", ".join(line[3:] for line in changed[:5]) + (", ..." if len(changed) > 5 else "")
        raise Unusable(f"what is not committed would not be compared: commit or stash {names}")


def show(commit: str, path: str, *, root: Path = ROOT) -> str | None:
    """The text of a file in a commit, or None: it has none of that name."""
    found = git("show", f"{commit}:{path}", root=root)
    return None if found.returncode else found.stdout.decode()


def lay_out(commit: str, *, root: Path = ROOT) -> Path:
    """The directory of a commit's files.

    Returns:
        build/gates/HASH/tree; what is built of it goes beside that.
    """
    tree = root / "build" / "gates" / commit[:16] / "tree"
    if tree.is_dir():
        return tree
    archive = git("archive", "--format=tar", commit, root=root)
    archive.check_returncode()
    half = tree.with_name("tree.new")
    shutil.rmtree(half, ignore_errors=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(half, filter="data")
    half.rename(tree)
    return tree
