"""Results as JSON: what every command here writes, and what charts, history and docs are made of.

README.md has the format. Rules: a reader accepts the versions that it knows and says which one it
found; members are added within a version, and none changes its meaning or goes.
"""

import json
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import environment
from rows import Result

HERE = Path(__file__).resolve().parent
BUILD = HERE.parent / "build"
KEPT = HERE / "results"  # what docs/performance.md and its charts are made of
FORMAT, VERSION = "kmsfast-bench", 1


@dataclass(frozen=True, slots=True)
class Line:
    """One party's figures of a curve.

    values: one for each x of the curve; None where nothing was measured.
    """

    name: str
    values: list[float | None]


@dataclass(frozen=True, slots=True)
class Curve:
    """Figures that depend on something: sizes, threads, shares of requests.

    id: by which charts and docs find it; x, y: what the axes say, with units; points: the x.
    """

    id: str
    title: str
    x: str
    y: str
    points: list[float]
    lines: list[Line]


class UnknownFormat(ValueError):
    """A file is not of a format that is known here."""


def write(
    path: Path,
    start: float,
    *,
    rows: Iterable[Result] = (),
    curves: Iterable[Curve] = (),
    **more: Any,
) -> None:
    """Writes what was measured here, with what it was measured on.

    start: of the measurement, by ``time.monotonic()``; more: further members.
    """
    document = {
        "format": FORMAT,
        "version": VERSION,
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "seconds": round(time.monotonic() - start, 1),
        **environment.describe(),
        "rows": [row.as_json() for row in rows],
        "curves": [asdict(curve) for curve in curves],
        **more,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_short(document), indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """A document.

    Raises:
        UnknownFormat: it is none, or of another version.
    """
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise UnknownFormat(f"{path} is no results of kmsfast's benchmarks")
    if found["version"] != VERSION:
        raise UnknownFormat(f"{path} has version {found['version']!r}, not {VERSION}")
    return found


def curves_of(document: dict[str, Any]) -> dict[str, Curve]:
    """The curves of a document by their ids."""
    return {
        curve["id"]: Curve(**curve | {"lines": [Line(**line) for line in curve["lines"]]})
        for curve in document["curves"]
    }


def rows_of(document: dict[str, Any]) -> list[Result]:
    """The rows of a document."""
    names = Result.__dataclass_fields__
    return [Result(**{name: row[name] for name in names}) for row in document["rows"]]


def _short(value: Any) -> Any:
    """The same with numbers of five digits: nothing here is more precise."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, dict):
        return {name: _short(each) for name, each in value.items()}
    return [_short(each) for each in value] if isinstance(value, list) else value
