"""The table of operations in docs/http.md: prints it, or with --write puts it into the page."""

import re
import sys
from pathlib import Path

from kmsfast.operations import DEVIATIONS, MISSING, OPERATIONS

PAGE = Path(__file__).resolve().parent.parent / "docs" / "http.md"


def table() -> str:
    """One row for each operation of AWS KMS."""
    rows = ["| operation | state | what differs from AWS |", "|---|---|---|"]
    for name in sorted({*OPERATIONS, *MISSING}):
        state = "yes" if name in OPERATIONS else "no"
        rows.append(f"| {name} | {state} | {DEVIATIONS.get(name) or MISSING.get(name, '')} |")
    return "\n".join([*rows, ""])


def main() -> None:
    """Prints or writes."""
    if sys.argv[1:] != ["--write"]:
        sys.stdout.write(table())
        return
    page = PAGE.read_text()
    block = re.compile(r"(<!-- operations -->\n).*?(<!-- end -->)", re.DOTALL)
    PAGE.write_text(block.sub(lambda found: found[1] + table() + found[2], page))


if __name__ == "__main__":
    main()
