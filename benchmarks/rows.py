"""Rows: what is compared, the target, and how samples become a ratio.

Every figure is a rate (work per second, more is better), except memory and latency, where the
figures are MiB and ms and the ratio is limit / ours. So a row meets its target when
``ratio >= target``, always.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

JUDGED, NATIVE = "aesni", "native"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the summary before it is measured.

    target: the ratio to reach, or None for a row that only informs; beyond: the hoped-for ratio.
    """

    name: str
    target: float | None = None
    beyond: float | None = None
    unit: str = "records/s"

    def info(self, units: float, peer_units: float) -> dict[str, Any]:
        """What pytest-benchmark's JSON keeps with the samples of ours."""
        return {
            "name": self.name,
            "target": self.target,
            "beyond": self.beyond,
            "unit": self.unit,
            "units": units,
            "peer_units": peer_units,
        }


@dataclass(frozen=True, slots=True)
class Result:
    """A measured row."""

    name: str
    unit: str
    ours: float
    peer: float | None
    ratio: float | None
    target: float | None
    beyond: float | None

    @property
    def verdict(self) -> str:
        """One word or two for the end of the line."""
        if self.ratio is None:
            return "peer missing"
        if self.target is None:
            return "info"
        if self.beyond is not None and self.ratio >= self.beyond:
            return "beyond"
        return "met" if self.ratio >= self.target else "SHORT"

    def as_json(self) -> dict[str, Any]:
        """The row of build/bench.json."""
        return {
            "name": self.name,
            "ours": self.ours,
            "peer": self.peer,
            "ratio": self.ratio,
            "target": self.target,
        }


def results(path: Path) -> Iterator[Result]:
    """The rows of one file that pytest-benchmark wrote: rates from the shortest sample of each."""
    for entry in json.loads(path.read_text())["benchmarks"]:
        info = entry["extra_info"]
        ours = info["units"] / entry["stats"]["min"]
        samples = info["peer_samples"]
        peer = info["peer_units"] / min(samples) if samples else None
        ratio = ours / peer if peer else None
        yield Result(info["name"], info["unit"], ours, peer, ratio, info["target"], info["beyond"])
        for extra in info.get("more", []):
            yield Result(**extra)


def table(rows: list[Result]) -> str:
    """The summary, one line per row."""
    width = max((len(row.name) for row in rows), default=0)
    head = f"{'row':{width}}  {'ours':>10}  {'peer':>10}  {'ratio':>7}  {'target':>7}  verdict"
    return "\n".join([head, *(_line(row, width) for row in rows)])


def _line(row: Result, width: int) -> str:
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
    target = "-" if row.target is None else f"{row.target:g}"
    return (
        f"{row.name:{width}}  {_rate(row.ours, row.unit):>10}  {_rate(row.peer, row.unit):>10}  "
        f"{ratio:>7}  {target:>7}  {row.verdict}"
    )


def _rate(figure: float | None, unit: str) -> str:
    if figure is None:
        return "-"
    if unit in {"MiB", "ms"}:
        return f"{figure:.3g} {unit}"
    short = "B/s" if unit == "bytes/s" else "/s"
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if figure >= limit:
            return f"{figure / limit:.2f} {letter}{short}"
    return f"{figure:.0f}{short}"
