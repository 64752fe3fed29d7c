"""What was compiled for every CPU of the architecture has no instruction that some of them lack.

Rules:
- the objects of the build are disassembled, one by one; those of files that run only after the
  dispatch has asked the CPU are left out, by their names;
- an object that is neither is an error, and so is a disassembly without functions: a check of
  nothing is no check.
Usage: baseline.py DIRECTORY, below which the objects of csrc lie.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

# Reached through kf_dispatch.c and kf_p256_dispatch.c, or after asking kf_cpu().
DISPATCHED = re.compile(r"_(aesni|vaes|shani|mulx|fma|ifma)\.o$|^kf_(aead_x86|xaes_short)\.o$")
# Not in x86-64 as such (psABI 1.0, table 3.1, its first row): VEX and EVEX, AES, SHA, SSE3 and
# later, BMI, ADX.
FOREIGN = re.compile(
    r"^(v[a-z0-9]+|aes\w+|pclmul\w*|sha(1|256)\w+|gf2p8\w+|mulx|ad[co]x|rorx|s[ah]rx|shlx|andn|bextr|bls\w+|bzhi"
    r"|pdep|pext|popcnt|lzcnt|movbe|crc32\w*|pshufb|palignr|pinsr[bdq]|pextr[bdq]|pmulld|pmaxu[dw]|pminu[dw]|ptest"
    r"|pblend\w+|blendv?p[sd]|pmov[sz]x\w+|round[sp][sd]|pcmp(eqq|gtq|[ei]str[im])|hadd\w+|phadd\w+|pabs[bwd]"
    r"|lddqu|movddup|movs[hl]dup|dpp[sd]|insertps|xsave\w*|kmov\w)$"
)
_LINE = re.compile(
    r"^\s+[0-9a-f]+:\t(?:[0-9a-f]{2} )+\s*\t(?:(?:rep|repz|repnz|lock|notrack|bnd|data16) )*(\w+)"
)
_FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")


def foreign(text: str) -> tuple[set[str], int]:
    """What a disassembly has that the baseline lacks, and how many functions it shows."""
    found, function, functions = set(), "?", 0
    for line in text.splitlines():
        if named := _FUNCTION.match(line):
            function, functions = named[1], functions + 1
        elif (instruction := _LINE.match(line)) and FOREIGN.match(instruction[1]):
            found.add(f"{instruction[1]} in {function}")
    return found, functions


def disassembly(path: Path) -> str:
    """What objdump says of an object, every instruction on a line."""
    command = ["objdump", "-d", "--insn-width=16", str(path)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def is_x86(path: Path) -> bool:
    """Whether an object is one of x86-64: ELF64, e_machine 62."""
    head = path.read_bytes()[:20]
    return head[:5] == b"\x7fELF\x02" and int.from_bytes(head[18:20], "little") == 62


def check(directory: Path) -> None:
    """Raises SystemExit when an object has what it must not have."""
    objects = sorted(directory.rglob("csrc/*.o"))
    if not objects:
        raise SystemExit(f"{directory} has no objects of csrc")
    if not is_x86(objects[0]) or shutil.which("objdump") is None:
        print("baseline: not checked: objects of x86-64 and objdump are needed")
        return
    checked, functions, wrong = 0, 0, []
    for path in objects:
        if not DISPATCHED.search(path.name):
            found, there = foreign(disassembly(path))
            functions, checked = functions + there, checked + 1
            wrong += [f"{path.name}: {one}" for one in sorted(found)]
    if wrong:
        raise SystemExit(
            "not in every x86-64 CPU, and not dispatched:\n  " + "\n  ".join(wrong[:40])
        )
    if functions < checked:
        raise SystemExit(
            f"{functions} functions in {checked} objects: the disassembly was not understood"
        )
    print(
        f"baseline: {checked} objects, {functions} functions, x86-64 alone; "
        f"{len(objects) - checked} dispatched"
    )


if __name__ == "__main__":
    check(Path(sys.argv[1]))
