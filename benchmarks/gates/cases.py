"""The program of the cases (benchmarks/c/cases): built, counted and timed."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from gates.commits import ROOT, Unusable
from gates.machine import COMPILER, toolchain

CASES = Path("benchmarks", "c", "cases")
CHOICES = ("KMSFAST_IMPL", "KMSFAST_P256_IMPL", "KMSFAST_CPU_MASK")
ALL_FEATURES = "aesni,pclmul,avx,avx2,vaes,vpclmul,shani,bmi2_adx,fma,avx512_ifma"


@dataclass(frozen=True, slots=True)
class Counted:
    """Implementations that are counted: how they are chosen, the program, and what it is asked."""

    choices: dict[str, str]
    program: str = "cases"
    more: tuple[str, ...] = ()


# What valgrind can run, on any x86-64 CPU with AVX2. It has no VAES: these kernels are rewritten
# for it (cases.mk). It has no SHA-NI or AVX-512 either, and does not round FMA as MXCSR says: these
# are timed (compare.py), not counted.
NO_MORE = "vaes,vpclmul,shani,fma,avx512_ifma"
COUNTED = {
    "aesni": Counted(
        {"KMSFAST_IMPL": "aesni", "KMSFAST_P256_IMPL": "mulx", "KMSFAST_CPU_MASK": NO_MORE}
    ),
    "halved-vaes": Counted(
        {"KMSFAST_IMPL": "vaes", "KMSFAST_CPU_MASK": NO_MORE, "CASES_HALVED": "1"},
        "halved",
        ("kernels",),
    ),
    "portable": Counted(
        {
            "KMSFAST_IMPL": "portable",
            "KMSFAST_P256_IMPL": "portable",
            "KMSFAST_CPU_MASK": ALL_FEATURES,
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Count:
    """Instructions of one call of a case, and how many records it has."""

    instructions: int
    records: int


def environment(choices: dict[str, str]) -> dict[str, str]:
    """This process's, with these implementations and no others."""
    return {key: value for key, value in os.environ.items() if key not in CHOICES} | choices


def build(tree: Path, out: Path, *, sources: Path = ROOT / CASES) -> Path:
    """Builds the program from the core of a tree; returns its path, beside which `halved` is.

    Args:
        tree: has csrc.
        out: where the objects and the programs go.
        sources: of the cases; where they do not compile with that core, the tree's own are used.

    Raises:
        Unusable: neither does.
    """
    # A directory for each compiler: what another one made must not be taken for its work.
    out /= re.sub(r"[^\w.]+", "-", toolchain().compiler)
    failure = ""
    for each in dict.fromkeys((sources, tree / CASES)):
        makefile = each / "cases.mk"
        command = ["make", "--silent", "-j2", "-f", str(makefile), f"CC={COMPILER}"]
        command += [f"CORE={tree / 'csrc'}", f"OUT={out}"]
        if makefile.is_file():
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return out / "cases"
            failure = failure or done.stderr
    raise Unusable(f"the cases do not compile with the core of {tree}:\n{failure[-3000:]}")


def _count_path(folder_of: Path, path: Counted) -> dict[str, Count]:
    program = str(folder_of / path.program)
    with tempfile.TemporaryDirectory(prefix="kmsfast-count-") as folder:
        command = ["valgrind", "--tool=callgrind", "--instr-atstart=no"]
        command += [f"--callgrind-out-file={folder}/counts", program, "count", *path.more]
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            env=environment(path.choices),
            timeout=900,
        )
        if done.returncode:
            raise Unusable(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
        dumps = [path.read_text() for path in Path(folder).glob("counts.*")]
    listed = subprocess.run(
        [program, "list", *path.more], capture_output=True, text=True, check=True
    )
    records = {
        name: int(num) for num, name in (line.split("\t") for line in listed.stdout.splitlines())
    }
    counts = dict(map(_read_dump, dumps))
    if missing := [name for name in records if not counts.get(name)]:
        raise Unusable(f"callgrind has counted nothing of {', '.join(missing)}")
    return {name: Count(counts[name], num) for name, num in records.items()}


def _read_dump(text: str) -> tuple[str, int]:
    """The name and the total of what callgrind has written for one case."""
    name = re.search(r"^desc: Trigger: Client Request: (.+)$", text, re.MULTILINE)
    total = re.search(r"^totals: (\d+)$", text, re.MULTILINE)
    return (name[1] if name else "", int(total[1]) if total else 0)


def count(program: Path) -> dict[str, dict[str, Count]]:
    """The counts of all cases, by path (COUNTED) and name.

    Raises:
        Unusable: they cannot be taken here.
    """
    return {name: _count_path(program.parent, path) for name, path in COUNTED.items()}
