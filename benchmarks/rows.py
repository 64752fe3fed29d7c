"""Rows: what is compared, the target, and how samples become a ratio.

Every figure is a rate (work per second, more is better), except memory and latency, where the
figures are MiB and ms and the ratio is limit / ours. So a row meets its target when
``ratio >= target``, always.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

JUDGED, NATIVE = "aesni", "native"

# What the files of benchmarks are about, in the order of the table.
AREAS = {
    "bench_kernels": "AES-256-GCM and XAES-256-GCM, from C",
    "bench_batches": "Batches and single records, from Python",
    "bench_signatures": "ECDSA P-256",
    "bench_macs": "HMAC-SHA-256",
    "bench_keys": "Signatures and MACs with keys of a store",
    "bench_frames": "Frames",
    "bench_policies": "Policies",
    "bench_sigv4": "Signed requests",
    "bench_http": "HTTP",
    "bench_openbao": "HTTP, beside OpenBao",
    "bench_audit": "The audit log",
    "bench_socket": "The socket",
    "bench_socket_batches": "The socket, from Python",
    "bench_commands": "The command line",
}
_SIZE = re.compile(r"[\d,-]+[KM]? x [\d-]+ (?:B|[KMG]iB)|[\d.-]+ (?:B|[KMG]iB)|\b1M rows")


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
    area: str = ""
    profile: str = JUDGED

    @property
    def size(self) -> str:
        """What the name says of it; empty: nothing."""
        found = _SIZE.search(self.name)
        return found[0] if found else ""

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
        return asdict(self) | {"size": self.size, "verdict": self.verdict}


def results(path: Path, profile: str = JUDGED) -> Iterator[Result]:
    """The rows of one file that pytest-benchmark wrote: rates from the shortest sample of each."""
    for entry in json.loads(path.read_text())["benchmarks"]:
        area = AREAS[Path(entry["fullname"].partition("::")[0]).stem]
        for row in _results(entry):
            yield replace(row, area=area, profile=profile)


def _results(entry: dict[str, Any]) -> Iterator[Result]:
    info = entry["extra_info"]
    ours = info["units"] / entry["stats"]["min"]
    samples = info["peer_samples"]
    peer = info["peer_units"] / min(samples) if samples else None
    ratio = ours / peer if peer else None
    yield Result(info["name"], info["unit"], ours, peer, ratio, info["target"], info["beyond"])
    for extra in info.get("more", []):
        yield Result(**extra)


def by_area(rows: list[Result]) -> Iterator[tuple[str, list[Result]]]:
    """The rows of each area, in the order of AREAS."""
    order = {area: number for number, area in enumerate(AREAS.values())}
    ordered = sorted(rows, key=lambda row: order[row.area])
    return ((area, list(found)) for area, found in groupby(ordered, lambda row: row.area))


def table(rows: list[Result]) -> str:
    """The summary: a paragraph for each area, one line per row."""
    width = max((len(row.name) for row in rows), default=0)
    columns = ("row", "size", "ours", "peer", "ratio", "target", "verdict")
    lines = [_aligned(columns, width)]
    for area, found in by_area(rows):
        lines += ["", area, *(_aligned(cells(row), width) for row in found)]
    return "\n".join(lines)


def cells(row: Result) -> tuple[str, ...]:
    """A line of a table: name, size, ours, peer, ratio, target, verdict."""
    return (
        row.name,
        row.size or "-",
        rate(row.ours, row.unit),
        rate(row.peer, row.unit),
        "-" if row.ratio is None else f"{row.ratio:.2f}",
        "-" if row.target is None else f"{row.target:.3g}",
        row.verdict,
    )


def _aligned(texts: tuple[str, ...], width: int) -> str:
    name, size, ours, peer, ratio, target, verdict = texts
    return f"{name:{width}}  {size:>14}  {ours:>10}  {peer:>10}  {ratio:>7}  {target:>7}  {verdict}"


def rate(figure: float | None, unit: str) -> str:
    """A figure with its unit, short."""
    if figure is None:
        return "-"
    if unit in {"MiB", "ms"}:
        return f"{figure:.3g} {unit}"
    short = "B/s" if unit == "bytes/s" else "/s"
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if figure >= limit:
            return f"{figure / limit:.2f} {letter}{short}"
    return f"{figure:.0f}{short}"
