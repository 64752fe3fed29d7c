"""Results on stdout: tables for people, JSON for programs.

Rules:
- JSON is one document with stable names; times are RFC 3339, durations and sizes plain numbers;
- a table's columns are as wide as their contents, so that it can be cut with awk.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

__all__ = ["facts", "json_option", "moment", "print_json", "table"]

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(value: Any) -> None:
    """One JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))


def table(
    heads: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Collection[int] = ()
) -> None:
    """Rows under their heads; the columns of numbers, by their places from 0, end flush."""
    lines = [[str(cell) if cell not in (None, "") else "-" for cell in row] for row in rows]
    widths = [max(len(line[index]) for line in [heads, *lines]) for index in range(len(heads))]
    for line in [heads, *lines]:
        cells = (
            cell.rjust(width) if place in numbers else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        click.echo("  ".join(cells).rstrip())


def facts(values: Mapping[str, object]) -> None:
    """One fact per line, the names in a column of their own."""
    width = max(len(name) for name in values)
    for name, value in values.items():
        click.echo(f"{name.ljust(width)}  {'-' if value in (None, '', []) else value}")


def moment(value: datetime | None) -> str | None:
    """A time as RFC 3339 in UTC, to the second."""
    return None if value is None else value.strftime("%Y-%m-%dT%H:%M:%SZ")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return moment(value)
    return str(value)
