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
from gates.budgets import Budgets, Counts, Line
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


def by_base(counts: Counts, commit: str, kept: Budgets) -> list[Line]:
    """Judged by another commit's counts, and by what the budgets of both say is meant."""
    tree = commits.lay_out(commit)
    before = counted(tree, tree.with_name("cases"))
    text = commits.show(commit, str(budgets.FILE.relative_to(ROOT)))
    old = budgets.read(text) if text else None
    # Budgets for another toolchain have changed for that alone: no change is announced by them.
    is_said = old is not None and not old.toolchain.differences(kept.toolchain)
    said = old.numbers if old and is_said else {}
    return budgets.judge_commits(counts, before, kept.numbers, said)


def update(counts: Counts) -> int:
    """Makes the counts the budgets."""
    before = budgets.read(budgets.FILE.read_text()) if budgets.FILE.exists() else None
    budgets.write(toolchain(), counts)
    print(f"{budgets.FILE.relative_to(ROOT)} is written: see `git diff`")
    if before and (differences := toolchain().differences(before.toolchain)):
        print(f"all of it is new, for another toolchain than before: {'; '.join(differences)}")
    return 0


def write(lines: list[Line]) -> int:
    """Writes build/bench-instructions.json and sums up; 1 when a case fails."""
    document = {"machine": describe(), "lines": [asdict(line) for line in lines]}
    OUTPUT.write_text(json.dumps(document, indent=2) + "\n")
    faults = [f"{line.path}: {line.name}" for line in lines if line.is_fault]
    print(f"\n{len(lines)} lines, {len(faults)} faults; {OUTPUT}")
    if faults:
        print(f"{', '.join(faults)}\n{RAISE}")
    return 1 if faults else 0


def judge(base: str) -> int:
    """Counts and judges; what would be judged by nobody is not counted."""
    commit = commits.resolve(base) if base else ""
    kept = budgets.read(budgets.FILE.read_text())
    if differences := toolchain().differences(kept.toolchain):
        print(f"the budgets do not hold here: this is {'; '.join(differences)}")
        if not commit:
            raise Unusable("nothing can be judged but beside a commit: BASE=COMMIT")
    counts = counted(ROOT, GATES / "here")
    lines = [] if differences else budgets.judge(counts, kept.numbers)
    if lines:
        print(budgets.table(lines, "budget"))
    if commit:
        more = by_base(counts, commit, kept)
        print(f"\nbeside {base}, built by the same compiler:\n{budgets.table(more, 'base')}")
        lines += more
    return write(lines)


def main() -> int:
    """Parses the arguments; 1 when a case fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", default="", help="a commit whose counts are the second judge")
    parser.add_argument("--update", action="store_true", help="make these counts the budgets")
    options = parser.parse_args()
    if platform.machine() != "x86_64":
        raise Unusable(f"what is counted are kernels for x86-64; this is {platform.machine()}")
    if shutil.which("valgrind") is None:
        raise Unusable("valgrind is missing; on Debian: sudo apt-get install -y valgrind")
    return update(counted(ROOT, GATES / "here")) if options.update else judge(options.base)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unusable as error:
        sys.exit(f"instructions: {error}")
