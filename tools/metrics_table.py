"""Prints the table of metrics of docs/metrics.md, or writes it there with --write."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from kmsfast.metrics.table import TABLE, Described

PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"
HEAD = "| metric | kind | labels | what it says |\n|---|---|---|---|\n"


def line(each: Described) -> str:
    """The line of a metric, by the name that its samples have."""
    name = f"{each.name}_total" if each.kind == "counter" else each.name
    labels = ", ".join(f"`{label}`" for label in each.labels)
    return f"| `{name}` | {each.kind} | {labels} | {each.help} |\n"


def main() -> None:
    """Prints or writes the table."""
    made = HEAD + "".join(map(line, TABLE.values()))
    if sys.argv[1:] != ["--write"]:
        sys.stdout.write(made)
        return
    parts = re.split(r"(<!-- metrics -->\n|<!-- end -->)", PAGE.read_text())
    PAGE.write_text("".join([*parts[:2], made, *parts[3:]]))


if __name__ == "__main__":
    main()
