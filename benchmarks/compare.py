"""`make bench-compare BASE=COMMIT`: this commit's speed beside another's, on this machine, now.

Builds both in build/gates, times them in turns, session after session (gates/sessions.py), and
fails when a row is slower than the limit beyond its noise (gates/noise.py). Rows that look slower,
or that say nothing yet, are timed again, as often as before, before the verdict.
build/bench-compare.json has the same.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from gates import commits, parties
from gates.commits import ROOT, Unusable
from gates.machine import describe
from gates.noise import SLOWER, UNCLEAR, Estimate, estimate
from gates.parties import KINDS, PYTHON, Party
from gates.sessions import Row, hold, rows_of

OUTPUT = ROOT / "build" / "bench-compare.json"
LIMIT = 0.05
LACKING = "new"


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    kinds: tuple[str, ...]
    sessions: int
    rounds: int
    limit: float
    choice: str


@dataclass(frozen=True, slots=True)
class Result:
    """A row with its verdict; times are the shortest of all sessions, in nanoseconds of a call."""

    kind: str
    name: str
    verdict: str
    sessions: int
    base: float | None = None
    head: float | None = None
    estimate: Estimate | None = None
    why: str = ""


def _result(row: Row, limit: float) -> Result:
    if row.lacking:
        return Result(row.kind, row.name, LACKING, 0, why=row.lacking)
    found = estimate(row.sessions)
    base = min(min(one.base, one.again) for one in row.sessions)
    head = min(one.head for one in row.sessions)
    return Result(row.kind, row.name, found.verdict(limit), len(row.sessions), base, head, found)


def _is_open(row: Row, limit: float) -> bool:
    return not row.lacking and estimate(row.sessions).verdict(limit) in {SLOWER, UNCLEAR}


def measured(base: Party, head: Party, plan: Plan) -> list[Result]:
    """All rows; those that are not clear twice as long."""
    rows: list[Row] = []
    for kind in plan.kinds:
        found = [row for row in rows_of(kind, base, head) if plan.choice in f"{kind}: {row.name}"]
        start = time.monotonic()
        for number in range(plan.sessions):
            if found:
                hold(found, base, head, rounds=plan.rounds, number=number)
        again = [row for row in found if _is_open(row, plan.limit)]
        for number in range(plan.sessions):
            if again:
                hold(again, base, head, rounds=plan.rounds, number=number)
        print(
            f"{kind}: {len(found)} rows, {len(again)} of them twice, "
            f"{time.monotonic() - start:.0f} s", file=sys.stderr, flush=True,
        )  # fmt: skip
        rows += found
    return [_result(row, plan.limit) for row in rows]


def table(results: list[Result]) -> str:
    """One line per row: times, ratio with its interval, noise, verdict."""
    width = max((len(f"{one.kind}: {one.name}") for one in results), default=0)
    columns = ["base", "this", "ratio", "interval", "noise"]
    widths = [10, 10, 6, 15, 6]
    named = "  ".join(f"{one:>{size}}" for one, size in zip(columns, widths, strict=True))
    head = f"{'row':{width}}  {named}  verdict"
    return "\n".join([head, *(_line(one, width) for one in results)])


def _line(one: Result, width: int) -> str:
    name = f"{one.kind}: {one.name}"
    if one.estimate is None:
        return f"{name:{width}}  {one.verdict}: {one.why}"
    found = one.estimate
    return (
        f"{name:{width}}  {_time(one.base):>10}  {_time(one.head):>10}  {found.ratio:>6.3f}  "
        f"{f'{found.low:.3f} to {found.high:.3f}':>15}  {found.noise:>6.1%}  {one.verdict}"
    )


def _time(nanoseconds: float | None) -> str:
    if nanoseconds is None:
        return "-"
    for size, unit in ((1e6, "ms"), (1e3, "us")):
        if nanoseconds >= size:
            return f"{nanoseconds / size:.2f} {unit}"
    return f"{nanoseconds:.0f} ns"


def write(base: str, head: str, plan: Plan, results: list[Result]) -> None:
    """build/bench-compare.json."""
    document: dict[str, Any] = {"machine": describe(), "base": base, "head": head}
    document |= {"plan": asdict(plan), "rows": [asdict(one) for one in results]}
    OUTPUT.write_text(json.dumps(document, indent=2) + "\n")


def _plan() -> tuple[str, Plan]:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", required=True, help="the commit to compare with")
    parser.add_argument("--quick", action="store_true", help="fewer sessions, native kernels only")
    parser.add_argument("-k", dest="choice", default="", help="only rows with this in their name")
    parser.add_argument("--kind", action="append", choices=sorted(KINDS), help="only these kinds")
    parser.add_argument("--limit", type=float, default=LIMIT, help=f"default {LIMIT}")
    options = parser.parse_args()
    kinds = ("native", PYTHON) if options.quick else tuple(KINDS)
    sessions, rounds = (8, 6) if options.quick else (12, 9)
    chosen = tuple(options.kind) if options.kind else kinds
    return options.base, Plan(chosen, sessions, rounds, options.limit, options.choice)


def main() -> int:
    """Builds, measures, prints, writes; 1 when a row is slower."""
    name, plan = _plan()
    base, head = commits.resolve(name), commits.resolve("HEAD")
    commits.require_clean()
    start = time.monotonic()
    before, now = parties.make(base, head, plan.kinds)
    print(f"both are built after {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    results = measured(before, now, plan)
    write(base, head, plan, results)
    slower = [one for one in results if one.verdict == SLOWER]
    unclear = sum(one.verdict == UNCLEAR for one in results)
    print(table(results))
    print(
        f"\n{len(results)} rows in {time.monotonic() - start:.0f} s, {len(slower)} slower than "
        f"{plan.limit:.0%} beyond the noise, {unclear} unclear; {OUTPUT}"
    )
    clear = sum(one.verdict not in {UNCLEAR, LACKING} for one in results)
    if not clear:
        raise Unusable("no row says anything: the machine is too busy, or no row was chosen")
    for one in slower:
        print(f"slower than {name}: {one.kind}: {one.name}")
    return 1 if slower else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unusable as error:
        sys.exit(f"bench-compare: {error}")
