"""Builds a commit twice, in different directories and environments, and compares every byte.

Usage: reproducible.py [COMMIT]; with KMSFAST_PLANT=1 the second build differs by one flag, and the
run must fail.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import archive
import commit

HERE = Path(__file__).resolve().parent
# What another machine may have otherwise: names, places, time zone, language, order of hashes.
OTHERWISE = {
    "HOME": "/nonexistent",
    "USER": "somebody",
    "TZ": "Asia/Kathmandu",
    "LANG": "tr_TR.UTF-8",
    "PYTHONHASHSEED": "7",
}


def built(name: str, at: Path, environment: dict[str, str], mask: int) -> dict[str, bytes]:
    """The files that one build makes."""
    command = [sys.executable, HERE / "build.py", "--commit", name, "--at", at / "work", at / "out"]
    subprocess.run(command, check=True, env=os.environ | environment, umask=mask)
    return {path.name: path.read_bytes() for path in sorted((at / "out").iterdir())}


def difference(first: Path, second: Path) -> str:
    """What is not the same in two wheels, by name."""
    ours, theirs = archive.read_wheel(first), archive.read_wheel(second)
    names = sorted(
        name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)
    )
    return ", ".join(names) or "the archive's own bytes"


def main() -> None:
    """Builds, compares, prints the hashes."""
    name = sys.argv[1] if len(sys.argv) > 1 else "HEAD"
    name = commit.git("rev-parse", name).decode().strip()
    planted = (
        {"KMSFAST_PLANT": "", "CC": "gcc -fno-inline"} if os.environ.get("KMSFAST_PLANT") else {}
    )
    with tempfile.TemporaryDirectory(prefix="kmsfast-") as directory:
        one, two = Path(directory, "one"), Path(directory, "two", "and", "deeper")
        first = built(name, one, {}, 0o022)
        time.sleep(2)  # the resolution of a zip archive's clock
        second = built(name, two, OTHERWISE | planted, 0o077)
        if first.keys() != second.keys():
            raise SystemExit(f"not the same files: {sorted(first)} and {sorted(second)}")
        for file in sorted(first):
            if first[file] != second[file]:
                wheel = file.endswith(".whl")
                where = (
                    difference(one / "out" / file, two / "out" / file) if wheel else "the archive"
                )
                raise SystemExit(f"{file} is not the same twice: {where}")
            print(f"{hashlib.sha256(first[file]).hexdigest()}  {file}")
    print(f"reproducible: commit {name[:12]} was built twice, with the same bytes")


if __name__ == "__main__":
    main()
