"""Linux for which wheels are cross-compiled: zig's clang with the libc of the target.

The headers of Python are those of the machine that builds: the limited API is the same on every
64-bit Linux. What is made is for proof that the sources build and run there (``make wheel-cross``);
released wheels are built in the manylinux and musllinux images (``[tool.cibuildwheel]``).
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Target:
    """A machine and its libc, by zig's name, Python's and the wheel's."""

    zig: str
    machine: str
    tag: str

    @property
    def musl(self) -> bool:
        """Whether its libc is musl."""
        return self.tag.startswith("musllinux")

    def environment(self) -> dict[str, str]:
        """What setuptools takes for a compiler and a platform of this target."""
        compiler = shlex.join([sys.executable, str(HERE / "zig_cc.py"), self.zig])
        return {
            "CC": compiler,
            "LDSHARED": f"{compiler} -shared",
            "_PYTHON_HOST_PLATFORM": f"linux-{self.machine}",
        }


TARGETS = {
    target.tag: target
    for target in (
        Target("x86_64-linux-gnu.2.28", "x86_64", "manylinux_2_28_x86_64"),
        Target("aarch64-linux-gnu.2.28", "aarch64", "manylinux_2_28_aarch64"),
        Target("x86_64-linux-musl", "x86_64", "musllinux_1_2_x86_64"),
        Target("aarch64-linux-musl", "aarch64", "musllinux_1_2_aarch64"),
    )
}
