"""A C compiler for a target: ``zig cc``, with the flags that it would refuse taken out.

Usage: zig_cc.py TARGET FLAGS... (zig's name of the target, then what a compiler is told)
"""

from __future__ import annotations

import os
import sys

# gcc's own, of csrc/cflags.txt; and names of CPUs, which zig spells in its own way (-mcpu).
GCC_ONLY = {
    "-fno-tree-ter",
    "-fno-schedule-insns2",
    "-march=x86-64",
    "-mtune=generic",
    "-march=armv8-a",
}


def cpu(target: str) -> str:
    """The CPU that code is for: what the architecture has at least.

    zig turns every other feature off by name, evex512 among them, without which clang 18 to 21
    refuses 512-bit vectors even in functions that ask for AVX-512. It adds no instruction itself.
    """
    return "-mcpu=baseline" + ("+evex512" if target.startswith("x86_64") else "")


def main() -> None:
    """Becomes the compiler."""
    target, *flags = sys.argv[1:]
    kept = [flag for flag in flags if flag not in GCC_ONLY]
    command = [
        sys.executable,
        "-m",
        "ziglang",
        "cc",
        "-target",
        target,
        cpu(target),
        "-fno-sanitize=undefined",
    ]
    os.execv(sys.executable, command + kept)


if __name__ == "__main__":
    main()
