"""`make bench-history FILES=…`: how the rows of a series of results went, oldest first.

A row is compared by its ratio: rates of different days, and of different machines, are not. Files
of other machines than that of the latest are left out, and said to be.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import document

BARS = "▁▂▃▄▅▆▇█"
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Trend:
    """The ratios of one row, oldest first; None where the row was not measured."""

    name: str
    ratios: list[float | None]

    @property
    def known(self) -> list[float]:
        """Those that were measured."""
        return [ratio for ratio in self.ratios if ratio is not None]

    @property
    def change(self) -> float | None:
        """Of the last one against the median of those before, as a share; None: nothing before."""
        *before, last = self.known or [0.0]
        return last / median(before) - 1 if before else None

    def bars(self) -> str:
        """The ratios as characters, from the least to the greatest."""
        low, high = min(self.known), max(self.known)
        span = (high - low) or 1.0
        return "".join(
            " " if ratio is None else BARS[int((ratio - low) / span * (len(BARS) - 1))]
            for ratio in self.ratios
        )


def trends(documents: list[dict[str, Any]]) -> Iterator[Trend]:
    """The trend of each row that has a ratio."""
    found: list[dict[Key, float]] = [
        {(row["profile"], row["name"]): row["ratio"] for row in each["rows"] if row["ratio"]}
        for each in documents
    ]
    names = {key: None for ratios in found for key in ratios}
    for key in names:
        yield Trend(key[1], [ratios.get(key) for ratios in found])


def series(paths: list[Path]) -> tuple[list[dict[str, Any]], list[Path]]:
    """The documents with rows, oldest first, and the files of other machines than the latest's."""
    read = sorted(((document.read(path), path) for path in paths), key=lambda each: each[0]["date"])
    whole = [(found, path) for found, path in read if found["rows"] and not found.get("quick")]
    if not whole:
        return [], []
    latest = _machine(whole[-1][0])
    other = [path for found, path in whole if _machine(found) != latest]
    return [found for found, path in whole if path not in other], other


def _machine(found: dict[str, Any]) -> tuple[Any, ...]:
    machine = found["machine"]
    return machine["cpu"], machine["architecture"], machine["cores"], str(machine["flags"])


def main() -> None:
    """Parses the arguments and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--below", type=float, metavar="PERCENT",
                        help="only rows whose change is below this, for example -5")  # fmt: skip
    options = parser.parse_args()
    documents, other = series(options.files)
    if not documents:
        raise SystemExit("none of these files has the rows of a whole `make bench`")
    for path in other:
        print(f"{path} is of another machine and left out")
    found = list(trends(documents))
    if options.below is not None:
        found = [each for each in found if (each.change or 0) * 100 < options.below]
    width = max((len(each.name) for each in found), default=0)
    print(f"{len(documents)} results, {documents[0]['date']} to {documents[-1]['date']}")
    print(f"{'row':{width}}  {'first':>7}  {'median':>7}  {'last':>7}  {'change':>7}  trend")
    for each in found:
        change = "-" if each.change is None else f"{each.change:+.1%}"
        print(
            f"{each.name:{width}}  {each.known[0]:7.2f}  {median(each.known):7.2f}  "
            f"{each.known[-1]:7.2f}  {change:>7}  {each.bars()}"
        )


if __name__ == "__main__":
    main()
