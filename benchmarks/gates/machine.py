"""What figures depend on: compiler, C library, processor."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path

COMPILER = os.environ.get("CC", "cc")


@dataclass(frozen=True, slots=True)
class Toolchain:
    """What counts of instructions hold for.

    valgrind: noted only; it runs the instructions that the compiler made.
    """

    compiler: str
    libc: str
    machine: str
    valgrind: str

    def differences(self, other: Toolchain) -> list[str]:
        """In words; none: counts of both can be compared."""
        pairs = (
            (name, asdict(self)[name], asdict(other)[name])
            for name in ("compiler", "libc", "machine")
        )
        return [f"{name} {ours}, not {theirs}" for name, ours, theirs in pairs if ours != theirs]


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "none"
    return done.stdout.splitlines()[0].strip()


def _compiler() -> str:
    """Its name and version without the path that it was called by."""
    line = _first_line(COMPILER, "--version")
    return line if "clang" in line else f"gcc {line.partition('(')[2].replace(')', '', 1)}"


def toolchain() -> Toolchain:
    """Of this machine."""
    libc = " ".join(platform.libc_ver())
    valgrind = _first_line("valgrind", "--version").removeprefix("valgrind-")
    return Toolchain(_compiler(), libc, platform.machine(), valgrind)


def cpu() -> str:
    """The processor's name, as the kernel gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")


def describe() -> dict[str, str | int | None]:
    """For the JSON files of results."""
    more = {"cpu": cpu(), "cores": os.cpu_count(), "python": platform.python_version()}
    return {**asdict(toolchain()), **more, "system": platform.platform()}
