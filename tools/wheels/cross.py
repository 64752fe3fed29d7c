"""Builds wheels for other Linuxes with zig's C compiler and checks each as a native one.

Usage: cross.py OUTPUT (`make c-test-musl` runs the C suite on musl).
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from targets import TARGETS

HERE = Path(__file__).resolve().parent
_TAG = re.compile(r"(manylinux_2|musllinux_1)_(\d+)_(\w+?)(?:\.|$)")


def fits(made: str, asked: str) -> bool:
    """Whether a wheel runs where its target asks: same libc and machine, no newer libc."""
    libc, version, machine = _TAG.search(made).groups()  # type: ignore[union-attr]
    wanted, most, where = _TAG.search(asked).groups()  # type: ignore[union-attr]
    return (libc, machine) == (wanted, where) and int(version) <= int(most)


def main() -> None:
    """Every target; the first that fails ends the run."""
    output = Path(sys.argv[1])
    for name in TARGETS:
        at = output / name
        for old in at.glob("*"):
            old.unlink()
        subprocess.run([sys.executable, HERE / "build.py", "--target", name, at], check=True)
        wheels = sorted(at.glob("*.whl"))
        if len(wheels) != 1 or not fits(wheels[0].name, name):
            raise SystemExit(f"{name}: made {[wheel.name for wheel in wheels]}")
        subprocess.run([sys.executable, HERE / "check.py", *wheels], check=True)


if __name__ == "__main__":
    main()
