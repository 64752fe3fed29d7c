"""What a statement costs does not depend on what it does not name."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from kmsfast.store.table import Table

ABOVE = Table("above", {"id": "INTEGER", "value": "INTEGER", "mac": "BLOB"}, ("id",))
BELOW = Table("below", {"id": "INTEGER", "name": "TEXT", "mac": "BLOB"}, ("id", "name"), ABOVE)


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.execute("PRAGMA foreign_keys = ON")
    for table in (ABOVE, BELOW):
        table.create(made)
    ABOVE.insert(made, {"id": 1, "value": 0, "mac": b""})
    yield made
    made.close()


def _steps(connection: sqlite3.Connection, value: int) -> int:
    """How many steps SQLite takes to change the row that others refer to."""
    taken = 0

    def count() -> None:
        nonlocal taken
        taken += 1

    connection.set_progress_handler(count, 1)
    ABOVE.update(connection, {"id": 1, "value": value, "mac": b""})
    connection.set_progress_handler(None, 1)
    return taken


def test_an_update_does_not_look_at_the_rows_that_refer_to_it(
    connection: sqlite3.Connection,
) -> None:
    few = _steps(connection, 1)
    for number in range(500):
        BELOW.insert(connection, {"id": 1, "name": f"{number}", "mac": b""})
    assert _steps(connection, 2) == few
    assert ABOVE.select(connection) == [{"id": 1, "value": 2, "mac": b""}]
