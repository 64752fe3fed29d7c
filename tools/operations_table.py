"""The tables of operations in docs/http.md and docs/doors.md, printed or (--write) written."""

import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

from kmsfast.local import Key, Kms
from kmsfast.operations import DEVIATIONS, MISSING, OPERATIONS, WITHOUT_METHOD
from kmsfast.wire.socket_operations import NUMBERS

DOCS = Path(__file__).resolve().parent.parent / "docs"
_BEGIN, _END = "<!-- operations -->\n", "<!-- end -->"


def http() -> str:
    """One row for each operation of AWS KMS: whether it is offered, and how it differs."""
    rows = ["| operation | state | what differs from AWS |", "|---|---|---|"]
    for name in sorted({*OPERATIONS, *MISSING}):
        state = "yes" if name in OPERATIONS else "no"
        rows.append(f"| {name} | {state} | {DEVIATIONS.get(name) or MISSING.get(name, '')} |")
    return "\n".join([*rows, ""])


def doors() -> str:
    """One row for each operation: by which name each door has it."""
    columns = (
        "operation", "Python's objects, in this process and on the socket", "socket, by number",
        "HTTP, and socket by name",
    )  # fmt: skip
    rows = [f"| {' | '.join(columns)} |", "|---|---|---|---|"]
    methods = _methods()
    for name in sorted({*OPERATIONS, *MISSING}):
        numbers = ", ".join(str(number) for number, row in NUMBERS.items() if row.name == name)
        own = ", ".join(f"`{each}`" for each in sorted(methods[name]))
        state = "yes" if name in OPERATIONS else f"no: {MISSING[name]}"
        rows.append(f"| {name} | {own or 'none: ' + WITHOUT_METHOD[name]} | {numbers} | {state} |")
    return "\n".join([*rows, ""])


def _methods() -> dict[str, set[str]]:
    """Public methods and attributes of keys and key stores, by the operation that each does."""
    found = defaultdict(set)
    for kind in (Key, Kms):
        for name in dir(kind):
            for operation in _operations(getattr(kind, name)):
                found[operation].add(f"{kind.__name__}.{name.removeprefix('_')}")
    return found


def _operations(member: object) -> Iterator[str]:
    """What a method's row says (kmsfast.local.recorded), or an attribute's."""
    row = getattr(member, "row", None)
    if row is not None and row.service == "kms" and isinstance(row.name, str):
        yield row.name
    looks = getattr(getattr(member, "fget", None), "looks", None)
    if looks is not None:
        yield looks


TABLES: dict[str, Callable[[], str]] = {"http.md": http, "doors.md": doors}


def main() -> None:
    """Prints or writes."""
    for page, table in TABLES.items():
        if sys.argv[1:] != ["--write"]:
            sys.stdout.write(table())
            continue
        place = DOCS / page
        before, _, rest = place.read_text().partition(_BEGIN)
        _, _, after = rest.partition(_END)
        place.write_text(f"{before}{_BEGIN}{table()}{_END}{after}")


if __name__ == "__main__":
    main()
