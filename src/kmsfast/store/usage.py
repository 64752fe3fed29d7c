"""The table of the keys' last uses.

Rules:
- it is written by a way of its own: the epoch stands still, since nobody may use what is cached any
  less, and the commit is not synced by itself: it survives the process, and a crash of the machine
  once anything else was committed or the log was moved;
- each row has a MAC, but no sum says which rows there are: who can write the files can take a row
  away, and then its key looks unused;
- keys are named by their ARN, so that a row tells by itself whose it is;
- the row of the empty name says since when uses are recorded, in a store that is older than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from kmsfast.model.usage import KeyUse
from kmsfast.store.database import Database
from kmsfast.store.rows import Macs, sealed, verified
from kmsfast.store.table import Connection, Row, Table

__all__ = ["STORE", "TABLE", "Usages"]

TABLE: Final = Table(
    "key_usage",
    {
        "key_arn": "TEXT NOT NULL",
        "operation": "TEXT NOT NULL",
        "used_at": "INTEGER NOT NULL",
        "request_id": "TEXT",
        "event_id": "TEXT NOT NULL",
        "mac": "BLOB NOT NULL",
    },
    ("key_arn",),
)
STORE: Final = ""
_ORIGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Usages:
    """The last uses of the keys of one store."""

    def __init__(self, database: Database, macs: Macs) -> None:
        self._database, self._macs = database, macs

    def write(self, uses: Mapping[str, KeyUse], patience: float | None) -> None:
        """Records uses, unless the store knows later ones.

        Args:
            uses: by the ARN of their keys.
            patience: seconds to wait for another process; None: as long as for any other write.

        Raises:
            StoreBusy: it was in vain.
        """
        with self._database.write_aside(patience) as connection:
            for arn, use in uses.items():
                before = self._row(connection, arn)
                after = {
                    "key_arn": arn,
                    "operation": use.operation,
                    "used_at": (use.used_at - _ORIGIN) // _MICROSECOND,
                    "request_id": use.request_id,
                    "event_id": use.event_id,
                }
                _put(connection, self._macs, before, after)

    def of(self, key_arn: str) -> KeyUse | None:
        """The last use of a key; None: it has none."""
        with self._database.read() as connection:
            row = self._row(connection, key_arn)
        if row is None:
            return None
        when = _ORIGIN + row["used_at"] * _MICROSECOND
        return KeyUse(row["operation"], when, row["request_id"], row["event_id"])

    def tracked_since(self) -> datetime | None:
        """Since when uses are recorded; None: since the store was made."""
        with self._database.read() as connection:
            row = self._row(connection, STORE)
        return None if row is None else _ORIGIN + row["used_at"] * _MICROSECOND

    def _row(self, connection: Connection, arn: str) -> Row | None:
        rows = TABLE.select(connection, {"key_arn": arn})
        return verified(self._macs, TABLE, rows[0]) if rows else None


def _put(connection: Connection, macs: Macs, before: Row | None, after: Row) -> None:
    row = sealed(macs, TABLE, after)
    if before is None:
        TABLE.insert(connection, row)
    elif before["used_at"] <= after["used_at"]:
        TABLE.update(connection, row)
