"""Tables as the store uses them: rows are dicts, conditions are equalities.

Rules:
- every value goes in as a parameter; the only text of a statement is the names that stand here;
- what comes out is whatever SQLite holds, of any type: :mod:`.rows` authenticates it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from kmsfast.errors import StoreIntegrity

__all__ = ["CHANGED", "Connection", "Row", "Table"]

#: Why a store is damaged where no program of ours did it, and what to do.
CHANGED: Final = (
    "the store was changed from outside; restore it from a backup, then run 'kmsfast doctor'"
)

Connection = sqlite3.Connection
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Table:
    """One table.

    Attributes:
        name: of the table.
        columns: their names, in the order in which they are authenticated, each with its type in
            SQL; last ``mac``.
        key: columns of the primary key.
        above: the table that the rows belong to: they have the columns of its primary key.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    above: Table | None = None

    def create(self, connection: Connection) -> None:
        """Makes the table."""
        lines = [f"{name} {kind}" for name, kind in self.columns.items()]
        lines.append(f"PRIMARY KEY ({', '.join(self.key)})")
        if self.above is not None:
            names = ", ".join(self.above.key)
            lines.append(f"FOREIGN KEY({names}) REFERENCES {self.above.name} ({names})")
        body = ",\n    ".join(lines)
        connection.execute(f"CREATE TABLE {self.name} (\n    {body}\n)")

    def select(self, connection: Connection, where: Mapping[str, Any] | None = None) -> list[Row]:
        """The rows whose columns have these values, in the order in which they were added."""
        condition, values = _where(where or {})
        names = ", ".join(self.columns)
        statement = f"SELECT {names} FROM {self.name}{condition} ORDER BY rowid"  # noqa: S608
        try:
            found = connection.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            # It names the column and shows the text; an error of SQLite itself has a name.
            if getattr(error, "sqlite_errorname", None) is None:
                raise StoreIntegrity(
                    f"table {self.name!r} holds text that is not UTF-8: {CHANGED}"
                ) from error
            raise
        return [dict(zip(self.columns, row, strict=True)) for row in found]

    def insert(self, connection: Connection, row: Row) -> None:
        """One new row, with a value for every column."""
        marks = ", ".join("?" for _ in row)
        connection.execute(
            f"INSERT INTO {self.name} ({', '.join(row)}) VALUES ({marks})",  # noqa: S608
            tuple(row.values()),
        )

    def update(self, connection: Connection, row: Row) -> None:
        """Other values in the row of the same primary key."""
        changes = ", ".join(f"{name} = ?" for name in row)
        condition, values = _where({name: row[name] for name in self.key})
        connection.execute(
            f"UPDATE {self.name} SET {changes}{condition}",  # noqa: S608
            (*row.values(), *values),
        )

    def delete(self, connection: Connection, where: Mapping[str, Any]) -> None:
        """Removes the rows whose columns have these values."""
        condition, values = _where(where)
        connection.execute(f"DELETE FROM {self.name}{condition}", values)  # noqa: S608


def _where(values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    condition = " AND ".join(f"{name} = ?" for name in values)
    return f" WHERE {condition}" if condition else "", tuple(values.values())
