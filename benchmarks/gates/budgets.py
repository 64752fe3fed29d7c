"""Budgets of instructions: the file, and what is judged by it.

Rules:
- a case fails when its count has grown by more than TOLERANCE; also when it has shrunk by more,
  until its budget is lowered: what was gained is not lost again unseen;
- budgets hold for one toolchain. With another one the counts of two commits are compared, and the
  budgets say what change between them is meant: the ratio of their budgets.
"""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass
from pathlib import Path

from gates.cases import Count
from gates.commits import ROOT
from gates.machine import Toolchain

FILE = ROOT / "benchmarks" / "instructions.toml"
TOLERANCE = 0.03
HEAD = """\
# Instructions of one call of each case (benchmarks/c/cases), counted by callgrind, and for what
# they hold. Written by `make instructions-update`, checked by `make instructions`: a case may not
# grow by more than 3 %, nor shrink by more before its budget is lowered in the same change.
"""

Counts = dict[str, dict[str, Count]]
Numbers = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class Budgets:
    """The file: what it holds for, and instructions by path and case."""

    toolchain: Toolchain
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class Line:
    """A case that was judged. before: its budget, or its count in the base."""

    path: str
    name: str
    count: int
    records: int
    before: int | None
    verdict: str
    is_fault: bool

    @property
    def change(self) -> float | None:
        """Relative to what was before."""
        return self.count / self.before - 1 if self.before else None


def read(text: str) -> Budgets:
    """The file's contents."""
    document = tomllib.loads(text)
    return Budgets(Toolchain(**document.pop("toolchain")), document)


def write(toolchain: Toolchain, counts: Counts, path: Path = FILE) -> None:
    """Makes the counts the budgets."""
    parts = [HEAD, "[toolchain]"]
    parts += [f'{name} = "{value}"' for name, value in asdict(toolchain).items()]
    for group, cases in counts.items():
        parts += [
            "",
            f"[{group}]",
            *(f'"{name}" = {one.instructions}' for name, one in cases.items()),
        ]
    path.write_text("\n".join(parts) + "\n")


def _verdict(ratio: float, meant: float = 1.0) -> tuple[str, bool]:
    """Of a count against what it was, where `meant` is the change that the budgets announce."""
    if ratio > max(1.0, meant) * (1 + TOLERANCE):
        return "GREW", True
    if ratio < min(1.0, meant) * (1 - TOLERANCE):
        return "SHRANK: lower the budget", True
    return "ok", False


def judge(counts: Counts, numbers: Numbers) -> list[Line]:
    """The counts against budgets of the same toolchain."""
    lines = []
    for path, cases in counts.items():
        budgets = numbers.get(path, {})
        for name, one in cases.items():
            budget = budgets.get(name)
            verdict, fault = (
                ("NO BUDGET", True) if budget is None else _verdict(one.instructions / budget)
            )
            lines.append(Line(path, name, one.instructions, one.records, budget, verdict, fault))
        lines += _gone(path, cases, budgets)
    return lines


def _gone(path: str, cases: dict[str, Count], budgets: dict[str, int]) -> list[Line]:
    """Budgets without a case: what was hot once is not left out unseen, on any toolchain."""
    gone = [name for name in budgets if name not in cases]
    return [Line(path, name, 0, 1, budgets[name], "NO SUCH CASE", True) for name in gone]


def judge_commits(counts: Counts, base: Counts, new: Numbers, old: Numbers) -> list[Line]:
    """The counts against those of another commit, both by one toolchain.

    Args:
        new: this commit's budgets.
        old: the other's; of cases that it has none for no change is meant.
    """
    lines = []
    for path, cases in counts.items():
        for name, one in cases.items():
            before = base.get(path, {}).get(name)
            if before is None:
                lines.append(Line(path, name, one.instructions, one.records, None, "new", False))
                continue
            was, announced = old.get(path, {}).get(name), new.get(path, {}).get(name)
            meant = announced / was if announced and was else 1.0
            verdict, fault = _verdict(one.instructions / before.instructions, meant)
            lines.append(
                Line(path, name, one.instructions, one.records, before.instructions, verdict, fault)
            )
        lines += _gone(path, cases, new.get(path, {}))
    return lines


def table(lines: list[Line], before: str) -> str:
    """One line per case; `before` heads the column of what it is compared with."""
    width = max((len(f"{line.path}: {line.name}") for line in lines), default=0)
    columns = f"{'instructions':>13}  {'per record':>11}  {before:>13}  {'change':>8}  verdict"
    head = f"{'case':{width}}  {columns}"
    return "\n".join([head, *(_row(line, width) for line in lines)])


def _row(line: Line, width: int) -> str:
    change = "-" if line.change is None else f"{line.change:+.2%}"
    earlier = "-" if line.before is None else f"{line.before:,}"
    return (
        f"{f'{line.path}: {line.name}':{width}}  {line.count:>13,}  "
        f"{line.count / line.records:>11,.1f}  {earlier:>13}  {change:>8}  {line.verdict}"
    )
