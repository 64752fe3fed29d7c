"""The tables of the store, and how an older store becomes one of this release.

Rules:
- ``PRAGMA user_version`` is the schema's version; a newer store is refused, an older one is
  brought up in one transaction by the steps that lie between (:mod:`.migrations`);
- every row has a ``mac`` over its table's name and all its other columns, and ``rows_sum`` says
  which rows there are (:mod:`.rows`), so that one that was removed or put back is noticed as well;
- how the root key is found stands in the same columns of ``store`` in every version, since it is
  read before anything can be migrated.

Times are whole microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, ForeignKey, Integer, LargeBinary, MetaData, Table, Text

from kmsfast.errors import StoreUnusable
from kmsfast.store.migrations import STEPS
from kmsfast.store.rows import Macs

__all__ = [
    "APPLICATION_ID",
    "SCHEMA_VERSION",
    "aliases",
    "create",
    "grants",
    "key_versions",
    "keys",
    "migrate",
    "policies",
    "schema_version",
    "store",
    "tags",
]

APPLICATION_ID = 0x6B6D7366  # "kmsf", tells file(1) and us what the database is
SCHEMA_VERSION = 2

_metadata = MetaData()


def _table(name: str, *columns: Column[Any]) -> Table:
    """A table whose rows carry a MAC."""
    return Table(name, _metadata, *columns, Column("mac", LargeBinary(32), nullable=False))


def _of_key(name: str, *columns: Column[Any]) -> Table:
    """A table whose rows belong to a key: one, or several that the next column tells apart."""
    key_id = Column("key_id", LargeBinary(16), ForeignKey("keys.key_id"), primary_key=True)
    return _table(name, key_id, *columns)


def _time(name: str) -> Column[int]:
    return Column(name, Integer, nullable=False)


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


def _rows_sum() -> Column[bytes]:
    return Column("rows_sum", LargeBinary(32), nullable=False)


store = _table(
    "store",
    Column("one", Integer, primary_key=True),
    Column("store_id", LargeBinary(16), nullable=False),
    _time("created_at"),
    _text("region"),
    _text("account"),
    _text("root_kind"),
    Column("root_path", Text),
    Column("kdf_salt", LargeBinary),
    Column("kdf_iterations", Integer),
    Column("kdf_lanes", Integer),
    Column("kdf_memory_kib", Integer),
    Column("wrapped_key", LargeBinary(72), nullable=False),
    Column("num_keys", Integer, nullable=False),
    _rows_sum(),
)

keys = _table(
    "keys",
    Column("key_id", LargeBinary(16), primary_key=True),
    Column("flags", Integer, nullable=False),
    _text("state"),
    _text("description"),
    _time("created_at"),
    Column("rotation_days", Integer),
    Column("next_rotation", Integer),
    Column("deletion_date", Integer),
    Column("num_versions", Integer, nullable=False),
    _rows_sum(),
)

key_versions = _of_key(
    "key_versions",
    Column("number", Integer, primary_key=True),
    _time("created_at"),
    _text("origin"),
    Column("wrapped", LargeBinary(72), nullable=False),
)

aliases = _table(
    "aliases",
    Column("name", Text, primary_key=True),
    Column("key_id", LargeBinary(16), ForeignKey("keys.key_id"), nullable=False, index=True),
    _time("created_at"),
    _time("updated_at"),
)

tags = _of_key("tags", Column("tag_key", Text, primary_key=True), _text("tag_value"))

policies = _of_key("policies", _text("document"))

# The grants of a key, each a JSON document.
grants = _of_key(
    "grants",
    Column("grant_id", Text, primary_key=True),
    _time("created_at"),
    _text("document"),
)


def schema_version(connection: Connection) -> int:
    """The schema's version; 0: the database is empty.

    Raises:
        StoreUnusable: a database of another application, or a store of a newer release.
    """
    version = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    if application != APPLICATION_ID:
        things = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        if version or application or things:
            raise StoreUnusable("store.db is a database of another application")
    elif not 1 <= version <= SCHEMA_VERSION:
        raise StoreUnusable(
            f"the store has schema version {version}, this release knows 1 to {SCHEMA_VERSION}; "
            "upgrade kmsfast"
        )
    return version


def create(connection: Connection) -> None:
    """Makes the tables of this release in an empty database, within the caller's transaction."""
    _metadata.create_all(connection)
    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


def migrate(connection: Connection, macs: Macs) -> None:
    """Brings an older store to this release, within the caller's transaction.

    The version is read in it, since another process may have migrated the store meanwhile.
    """
    for older in range(schema_version(connection), SCHEMA_VERSION):
        STEPS[older](connection, macs)
