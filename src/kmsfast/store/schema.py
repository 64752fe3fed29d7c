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


def _mac() -> Column[bytes]:
    return Column("mac", LargeBinary(32), nullable=False)


def _rows_sum() -> Column[bytes]:
    return Column("rows_sum", LargeBinary(32), nullable=False)


def _key() -> Column[bytes]:
    return Column("key_id", LargeBinary(16), ForeignKey("keys.key_id"), primary_key=True)


store = Table(
    "store",
    _metadata,
    Column("one", Integer, primary_key=True),
    Column("store_id", LargeBinary(16), nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("region", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("root_kind", Text, nullable=False),
    Column("root_path", Text),
    Column("kdf_salt", LargeBinary),
    Column("kdf_iterations", Integer),
    Column("kdf_lanes", Integer),
    Column("kdf_memory_kib", Integer),
    Column("wrapped_key", LargeBinary(72), nullable=False),
    Column("num_keys", Integer, nullable=False),
    _rows_sum(),
    _mac(),
)

keys = Table(
    "keys",
    _metadata,
    Column("key_id", LargeBinary(16), primary_key=True),
    Column("flags", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_at", Integer, nullable=False),
    Column("rotation_days", Integer),
    Column("next_rotation", Integer),
    Column("deletion_date", Integer),
    Column("num_versions", Integer, nullable=False),
    _rows_sum(),
    _mac(),
)

key_versions = Table(
    "key_versions",
    _metadata,
    _key(),
    Column("number", Integer, primary_key=True),
    Column("created_at", Integer, nullable=False),
    Column("origin", Text, nullable=False),
    Column("wrapped", LargeBinary(72), nullable=False),
    _mac(),
)

aliases = Table(
    "aliases",
    _metadata,
    Column("name", Text, primary_key=True),
    Column("key_id", LargeBinary(16), ForeignKey("keys.key_id"), nullable=False, index=True),
    Column("created_at", Integer, nullable=False),
    Column("updated_at", Integer, nullable=False),
    _mac(),
)

tags = Table(
    "tags",
    _metadata,
    _key(),
    Column("tag_key", Text, primary_key=True),
    Column("tag_value", Text, nullable=False),
    _mac(),
)

policies = Table(
    "policies",
    _metadata,
    _key(),
    Column("document", Text, nullable=False),
    _mac(),
)


# The grants of a key, each a JSON document.
grants = Table(
    "grants",
    _metadata,
    _key(),
    Column("grant_id", Text, primary_key=True),
    Column("created_at", Integer, nullable=False),
    Column("document", Text, nullable=False),
    _mac(),
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
