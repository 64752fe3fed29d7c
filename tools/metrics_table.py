"""Writes the table of metrics in docs/metrics.md anew, from kmsfast.metrics.table."""

from __future__ import annotations

import re
from pathlib import Path

from kmsfast.metrics.table import TABLE, Described

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"
_BETWEEN = re.compile(r"(?<=\n\| metric \| kind \| labels \| what it says \|\n)(\|.*\n)+")
_SHOWN = {"counter": "_total"}


def table() -> str:
    """The lines of the table, with those under its head."""
    return "|---|---|---|---|\n" + "".join(map(_line, TABLE.values()))


def _line(each: Described) -> str:
    name = each.name + _SHOWN.get(each.kind, "")
    labels = ", ".join(f"`{label}`" for label in each.labels) or "–"
    return f"| `{name}` | {each.kind} | {labels} | {each.help} |\n"


if __name__ == "__main__":
    page, number = _BETWEEN.subn(lambda _: table(), PAGE.read_text())
    if number != 1:
        raise SystemExit(f"{PAGE} has no table of metrics")
    PAGE.write_text(page)
