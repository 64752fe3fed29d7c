"""Budgets of instructions: what grows or shrinks by more than 3 % is found, and nothing else."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import instructions
import pytest
from gates import budgets
from gates.cases import COUNTED, Count, _read_dump
from gates.commits import Unusable
from gates.machine import Toolchain

pytestmark = pytest.mark.sources
CASES = Path(__file__).parents[2] / "benchmarks" / "c" / "cases"
TOOLS = Toolchain("gcc 12.2.0", "glibc 2.36", "x86_64", "3.19.0")


def counts(**numbers: int) -> budgets.Counts:
    return {"aesni": {name: Count(number, 4) for name, number in numbers.items()}}


def verdicts(lines: list[budgets.Line]) -> dict[str, tuple[str, bool]]:
    return {line.name: (line.verdict.split(":")[0], line.is_fault) for line in lines}


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        (1000, ("ok", False)),
        (1030, ("ok", False)),
        (1031, ("GREW", True)),
        (970, ("ok", False)),
        (969, ("SHRANK", True)),
    ],
)
def test_a_count_is_judged_by_its_budget(number: int, verdict: tuple[str, bool]) -> None:
    lines = budgets.judge(counts(seal=number), {"aesni": {"seal": 1000}})
    assert verdicts(lines) == {"seal": verdict}


def test_cases_and_budgets_are_the_same_ones() -> None:
    lines = budgets.judge(counts(fresh=5), {"aesni": {"gone": 7}})
    assert verdicts(lines) == {"fresh": ("NO BUDGET", True), "gone": ("NO SUCH CASE", True)}
    assert verdicts(budgets.judge(counts(seal=5), {})) == {"seal": ("NO BUDGET", True)}


@pytest.mark.parametrize(
    ("now", "new_budget", "verdict"),
    [
        (2000, 1000, ("ok", False)),
        (2100, 1000, ("GREW", True)),
        (1900, 1000, ("SHRANK", True)),
        # The budget has moved in the same change, by another compiler's count.
        (2100, 1060, ("ok", False)),
        (2300, 1060, ("GREW", True)),
        (1700, 860, ("ok", False)),
        (1800, 860, ("ok", False)),
        (1600, 860, ("SHRANK", True)),
    ],
)
def test_commits_are_compared_by_what_their_budgets_announce(
    now: int, new_budget: int, verdict: tuple[str, bool]
) -> None:
    lines = budgets.judge_commits(
        counts(seal=now),
        counts(seal=2000),
        {"aesni": {"seal": new_budget}},
        {"aesni": {"seal": 1000}},
    )
    assert verdicts(lines) == {"seal": verdict}


def test_a_case_that_the_base_has_not_is_new() -> None:
    lines = budgets.judge_commits(counts(seal=5, fresh=6), counts(seal=5), {}, {})
    assert verdicts(lines) == {"seal": ("ok", False), "fresh": ("new", False)}
    assert "fresh" in budgets.table(lines, "base")


def test_a_case_that_is_left_out_is_missed_without_budgets_that_hold() -> None:
    """Both commits are counted by this one's cases, so the base has not got it either."""
    budget = {"aesni": {"seal": 5, "gone": 7}}
    lines = budgets.judge_commits(counts(seal=5), counts(seal=5), budget, budget)
    assert verdicts(lines) == {"seal": ("ok", False), "gone": ("NO SUCH CASE", True)}


def test_the_file_says_what_was_written(tmp_path: Path) -> None:
    budgets.write(TOOLS, counts(seal=123, open=45), tmp_path / "budgets.toml")
    kept = budgets.read((tmp_path / "budgets.toml").read_text())
    assert kept.toolchain == TOOLS
    assert kept.numbers == {"aesni": {"seal": 123, "open": 45}}


@pytest.mark.parametrize("member", ["compiler", "libc", "machine"])
def test_budgets_hold_for_one_toolchain(member: str) -> None:
    other = replace(TOOLS, **{member: "another"})
    (said,) = TOOLS.differences(other)
    assert said.startswith(member)
    assert "another" in said
    assert TOOLS.differences(replace(TOOLS, valgrind="9")) == []


def test_where_nobody_can_judge_nothing_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instructions, "toolchain", lambda: replace(TOOLS, compiler="cc 1.0"))
    with pytest.raises(Unusable, match="BASE=COMMIT"):
        instructions.judge("")
    with pytest.raises(Unusable, match="'nowhere' is no commit"):
        instructions.judge("nowhere")


def test_every_case_has_a_budget_on_every_path() -> None:
    """As `make instructions` would find, without valgrind."""
    found = {
        path.stem: re.findall(r'^    \{"([^"]+)", ', path.read_text(), re.MULTILINE)
        for path in CASES.glob("*.c")
    }
    every = {name for names in found.values() for name in names}
    kernels = {*found["cases_aead"], *found["cases_blobs"]}
    kept = budgets.read(budgets.FILE.read_text()).numbers
    assert len(every) > 40
    assert {path: set(cases) for path, cases in kept.items()} == {
        name: kernels if path.more else every for name, path in COUNTED.items()
    }


def test_what_callgrind_writes_is_read() -> None:
    text = "version: 1\ndesc: Trigger: Client Request: GCM seal 64 B\nevents: Ir\n\ntotals: 61562\n"
    assert _read_dump(text) == ("GCM seal 64 B", 61562)
    assert _read_dump("desc: Trigger: Program termination\ntotals: 5\n") == ("", 5)
