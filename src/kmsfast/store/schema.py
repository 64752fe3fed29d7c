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

from kmsfast.errors import StoreUnusable
from kmsfast.store.migrations import STEPS
from kmsfast.store.rows import Macs
from kmsfast.store.table import Connection, Table

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

_CREATE = (
    """CREATE TABLE store (
    one INTEGER NOT NULL,
    store_id BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    region TEXT NOT NULL,
    account TEXT NOT NULL,
    root_kind TEXT NOT NULL,
    root_path TEXT,
    kdf_salt BLOB,
    kdf_iterations INTEGER,
    kdf_lanes INTEGER,
    kdf_memory_kib INTEGER,
    wrapped_key BLOB NOT NULL,
    num_keys INTEGER NOT NULL,
    rows_sum BLOB NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (one)
)""",
    """CREATE TABLE keys (
    key_id BLOB NOT NULL,
    flags INTEGER NOT NULL,
    state TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    rotation_days INTEGER,
    next_rotation INTEGER,
    deletion_date INTEGER,
    num_versions INTEGER NOT NULL,
    rows_sum BLOB NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (key_id)
)""",
    """CREATE TABLE key_versions (
    key_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    origin TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (key_id, number),
    FOREIGN KEY(key_id) REFERENCES keys (key_id)
)""",
    """CREATE TABLE aliases (
    name TEXT NOT NULL,
    key_id BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (name),
    FOREIGN KEY(key_id) REFERENCES keys (key_id)
)""",
    "CREATE INDEX ix_aliases_key_id ON aliases (key_id)",
    """CREATE TABLE tags (
    key_id BLOB NOT NULL,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (key_id, tag_key),
    FOREIGN KEY(key_id) REFERENCES keys (key_id)
)""",
    """CREATE TABLE policies (
    key_id BLOB NOT NULL,
    document TEXT NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (key_id),
    FOREIGN KEY(key_id) REFERENCES keys (key_id)
)""",
    # Each grant is a JSON document.
    """CREATE TABLE grants (
    key_id BLOB NOT NULL,
    grant_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    document TEXT NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (key_id, grant_id),
    FOREIGN KEY(key_id) REFERENCES keys (key_id)
)""",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
)


def _table(statement: str) -> Table:
    """The table that the statement makes: a line for each column, then the primary key."""
    first, *lines = statement.splitlines()
    key = next(line for line in lines if "PRIMARY KEY" in line).partition("(")[2]
    columns = tuple(line.split()[0] for line in lines if line[4:5].islower())
    return Table(first.split()[2], columns, tuple(key.rstrip("),").split(", ")))


_tables = {
    table.name: table for table in map(_table, (text for text in _CREATE if "TABLE" in text))
}
store, keys, key_versions, aliases, tags, policies, grants = _tables.values()


def schema_version(connection: Connection) -> int:
    """The schema's version; 0: the database is empty.

    Raises:
        StoreUnusable: a database of another application, or a store of a newer release.
    """
    version = _one(connection, "PRAGMA user_version")
    application = _one(connection, "PRAGMA application_id")
    if application != APPLICATION_ID:
        things = _one(connection, "SELECT count(*) FROM sqlite_master")
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
    for statement in _CREATE:
        connection.execute(statement)


def migrate(connection: Connection, macs: Macs) -> None:
    """Brings an older store to this release, within the caller's transaction.

    The version is read in it, since another process may have migrated the store meanwhile.
    """
    for older in range(schema_version(connection), SCHEMA_VERSION):
        STEPS[older](connection, macs)


def _one(connection: Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])
