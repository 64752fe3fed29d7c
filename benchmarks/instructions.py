"""`make instructions`: counts the instructions of hot functions and judges them.

Two judges: the budgets of instructions.toml, where they hold for this compiler, C library and
machine; and, with --base, the counts of another commit built by the same compiler here. At least
one of them must be had, else nothing was judged and the gate fails.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from gates import budgets, commits
from gates.budgets import Counts, Line
from gates.cases import build, count
from gates.commits import GATES, ROOT, Unusable
from gates.machine import describe, toolchain

OUTPUT = ROOT / "build" / "bench-instructions.json"
RAISE = (
    "GREW: make it cheaper, or, when it is meant, `make instructions-update` and say why in the "
    "commit. "
    "SHRANK: `make instructions-update` lowers the budget in the same change."
)


def counted(tree: Path, out: Path) -> Counts:
    """The counts of a tree's core."""
    return count(build(tree, out))


def by_budgets(counts: Counts) -> list[Line] | None:
    """Judged by the file; None: it holds for another toolchain, which is said."""
    kept = budgets.read(budgets.FILE.read_text())
    if differences := toolchain().differences(kept.toolchain):
        print(f"the budgets do not hold here: this is {'; '.join(differences)}")
        return None
    return budgets.judge(counts, kept.numbers)


def by_base(counts: Counts, base: str) -> list[Line]:
    """Judged by another commit's counts."""
    hash_of = commits.resolve(base)
    tree = commits.lay_out(hash_of)
    before = counted(tree, tree.with_name("cases"))
    old = commits.show(hash_of, str(budgets.FILE.relative_to(ROOT)))
    meant = budgets.read(budgets.FILE.read_text()).numbers
    return budgets.judge_commits(counts, before, meant, budgets.read(old).numbers if old else {})


def judged(counts: Counts, base: str) -> list[Line]:
    """All lines, printed; those of the base only when it is given.

    Raises:
        Unusable: nothing could be judged.
    """
    lines = by_budgets(counts) or []
    if lines:
        print(budgets.table(lines, "budget"))
    if base:
        more = by_base(counts, base)
        print(f"\nbeside {base}, built by the same compiler:\n{budgets.table(more, 'base')}")
        lines += more
    if not lines:
        raise Unusable("nothing was judged: name a commit to compare with, BASE=COMMIT")
    return lines


def main() -> int:
    """Counts, judges, writes; 1 when a case fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="", help="a commit whose counts are the second judge")
    parser.add_argument("--update", action="store_true", help="make these counts the budgets")
    options = parser.parse_args()
    if platform.machine() != "x86_64":
        raise Unusable(f"what is counted are kernels for x86-64; this is {platform.machine()}")
    if shutil.which("valgrind") is None:
        raise Unusable("valgrind is missing; on Debian: sudo apt-get install -y valgrind")
    if options.base:
        commits.resolve(options.base)
    counts = counted(ROOT, GATES / "here")
    if options.update:
        budgets.write(toolchain(), counts)
        print(f"{budgets.FILE.relative_to(ROOT)} is written: see `git diff`")
        return 0
    lines = judged(counts, options.base)
    OUTPUT.write_text(
        json.dumps({"machine": describe(), "lines": [asdict(line) for line in lines]}, indent=2)
        + "\n"
    )
    faults = [f"{line.path}: {line.name}" for line in lines if line.is_fault]
    print(f"\n{len(lines)} lines, {len(faults)} faults; {OUTPUT}")
    if faults:
        print(f"{', '.join(faults)}\n{RAISE}")
    return 1 if faults else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unusable as error:
        sys.exit(f"instructions: {error}")
