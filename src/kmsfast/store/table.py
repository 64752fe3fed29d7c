"""Tables as the store uses them: rows are dicts, conditions are equalities, pages go by the key.

Rules:
- every value goes in as a parameter; the only text of a statement is the names that stand here;
- what comes out is whatever SQLite holds, of any type: :mod:`.rows` authenticates it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
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


@dataclass(frozen=True, slots=True, eq=False)
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
        return self._fetch(connection, f"{condition} ORDER BY rowid", values)

    def page(
        self,
        connection: Connection,
        where: Mapping[str, Any],
        after: Sequence[Any] | None,
        most: int,
    ) -> list[Row]:
        """The first rows of these, in the order of the primary key.

        Args:
            after: a primary key; only rows behind it. None: from the beginning.
            most: rows.
        """
        condition, values = _where(where)
        key = ", ".join(self.key)
        if after is not None:
            marks = ", ".join("?" for _ in self.key)
            condition += f"{' AND' if condition else ' WHERE'} ({key}) > ({marks})"
            values += tuple(after)
        return self._fetch(connection, f"{condition} ORDER BY {key} LIMIT {int(most)}", values)

    def some(
        self, connection: Connection, names: Sequence[str], where: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        """Some columns of the rows whose columns have these values."""
        condition, values = _where(where)
        statement = f"SELECT {', '.join(names)} FROM {self.name}{condition}"  # noqa: S608
        return self._execute(connection, statement, values)

    def _fetch(self, connection: Connection, rest: str, values: tuple[Any, ...]) -> list[Row]:
        statement = f"SELECT {', '.join(self.columns)} FROM {self.name}{rest}"  # noqa: S608
        found = self._execute(connection, statement, values)
        return [dict(zip(self.columns, row, strict=True)) for row in found]

    def _execute(
        self, connection: Connection, statement: str, values: tuple[Any, ...]
    ) -> list[tuple[Any, ...]]:
        try:
            return connection.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            # It names the column and shows the text; an error of SQLite itself has a name.
            if getattr(error, "sqlite_errorname", None) is None:
                raise StoreIntegrity(
                    f"table {self.name!r} holds text that is not UTF-8: {CHANGED}"
                ) from error
            raise

    def insert(self, connection: Connection, row: Row) -> None:
        """One new row, with a value for every column."""
        marks = ", ".join("?" for _ in row)
        connection.execute(
            f"INSERT INTO {self.name} ({', '.join(row)}) VALUES ({marks})",  # noqa: S608
            tuple(row.values()),
        )

    def update(self, connection: Connection, row: Row) -> None:
        """Other values in the row of the same primary key.

        The key is not set again to what it is: SQLite would look through all rows that refer to it,
        which are all keys of a scope, and all grants of a key.
        """
        changed = {name: value for name, value in row.items() if name not in self.key}
        changes = ", ".join(f"{name} = ?" for name in changed)
        condition, values = _where({name: row[name] for name in self.key})
        connection.execute(
            f"UPDATE {self.name} SET {changes}{condition}",  # noqa: S608
            (*changed.values(), *values),
        )

    def delete(self, connection: Connection, where: Mapping[str, Any]) -> None:
        """Removes the rows whose columns have these values."""
        condition, values = _where(where)
        connection.execute(f"DELETE FROM {self.name}{condition}", values)  # noqa: S608


def _where(values: Mapping[str, Any]) -> tuple[str, tuple[Any, ...]]:
    condition = " AND ".join(f"{name} = ?" for name in values)
    return f" WHERE {condition}" if condition else "", tuple(values.values())
