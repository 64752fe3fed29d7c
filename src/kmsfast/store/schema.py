"""The tables of the store, and how an older store becomes one of this release.

Rules:
- ``PRAGMA user_version`` is the schema's version; a newer store is refused, an older one is
  brought up in one transaction by the steps that lie between (:mod:`.migrations`);
- every row has a ``mac`` over its table's name and all its other columns, and ``rows_sum`` says
  which rows there are (:mod:`.rows`), so that one that was removed or put back is noticed as well:
  that of a key of the rows that belong to it, that of a scope of its keys, that of the store of its
  scopes;
- a scope is one account in one region; whatever belongs to one begins with its number;
- how the root key is found stands in the same columns of ``store`` in every version, since it is
  read before anything can be migrated.

Times are whole microseconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from kmsfast.errors import StoreUnusable
from kmsfast.store import usage
from kmsfast.store.migrations import STEPS
from kmsfast.store.rows import Macs
from kmsfast.store.table import Connection, Table

__all__ = [
    "APPLICATION_ID",
    "IDENTITIES",
    "SCHEMA_VERSION",
    "access_keys",
    "aliases",
    "backings",
    "create",
    "grants",
    "identity_policies",
    "key_stores",
    "key_usage",
    "key_versions",
    "keys",
    "memberships",
    "migrate",
    "peers",
    "policies",
    "principals",
    "schema_version",
    "scopes",
    "store",
    "tags",
]

APPLICATION_ID = 0x6B6D7366  # "kmsf", tells file(1) and us what the database is
SCHEMA_VERSION = 4

_BYTES, _NUMBER, _TEXT = "BLOB NOT NULL", "INTEGER NOT NULL", "TEXT NOT NULL"
_BYTES_OR_NULL, _NUMBER_OR_NULL, _TEXT_OR_NULL = "BLOB", "INTEGER", "TEXT"


def _table(name: str, key: str, /, **columns: str) -> Table:
    """A table whose rows carry a MAC."""
    return Table(name, {**columns, "mac": _BYTES}, (key,))


def _of_scope(name: str, /, *key: str, **columns: str) -> Table:
    """A table whose rows belong to a scope, told apart in it by the columns ``key``."""
    return Table(name, {"scope": _NUMBER, **columns, "mac": _BYTES}, ("scope", *key), scopes)


def _of_key(name: str, /, *also: str, **columns: str) -> Table:
    """A table whose rows belong to a key: one, or several that the columns ``also`` tell apart."""
    whose = {"scope": _NUMBER, "key_id": _BYTES}
    return Table(name, {**whose, **columns, "mac": _BYTES}, (*whose, *also), keys)


store = _table(
    "store",
    "one",
    one=_NUMBER,
    store_id=_BYTES,
    created_at=_NUMBER,
    region=_TEXT,
    account=_TEXT,
    root_kind=_TEXT,
    root_path=_TEXT_OR_NULL,
    kdf_salt=_BYTES_OR_NULL,
    kdf_iterations=_NUMBER_OR_NULL,
    kdf_lanes=_NUMBER_OR_NULL,
    kdf_memory_kib=_NUMBER_OR_NULL,
    wrapped_key=_BYTES,
    rows_sum=_BYTES,
    identities_sum=_BYTES,
)

# The row of a scope is made with its first key, that of the store's home with the store; it stays.
scopes = Table(
    "scopes",
    {
        "scope": _NUMBER, "one": _NUMBER, "account": _TEXT, "region": _TEXT, "num_keys": _NUMBER,
        "rows_sum": _BYTES, "mac": _BYTES,
    },
    ("scope",),
    store,
)  # fmt: skip

# Of a multi-Region key, regions names those of all related keys, the primary's first. A key that
# waits for its replicas to be deleted has deletion_days and no date. The manager is CUSTOMER or
# AWS.
keys = _of_scope(
    "keys",
    "key_id",
    key_id=_BYTES,
    flags=_NUMBER,
    spec=_TEXT,
    usage=_TEXT,
    origin=_TEXT,
    state=_TEXT,
    description=_TEXT,
    created_at=_NUMBER,
    rotation_days=_NUMBER_OR_NULL,
    next_rotation=_NUMBER_OR_NULL,
    deletion_date=_NUMBER_OR_NULL,
    deletion_days=_NUMBER_OR_NULL,
    manager=_TEXT,
    regions=_TEXT,
    num_versions=_NUMBER,
    rows_sum=_BYTES,
    num_grants=_NUMBER,
    grants_sum=_BYTES,
)

# The public key of a pair is a DER SubjectPublicKeyInfo. Of imported material: what names it, what
# was said of it, and when it expires; wrapped is empty when it was deleted or has expired. A
# version that is newer than its key's num_versions waits for its rotation.
key_versions = _of_key(
    "key_versions",
    "number",
    number=_NUMBER,
    created_at=_NUMBER,
    origin=_TEXT,
    wrapped=_BYTES,
    public_key=_BYTES_OR_NULL,
    material_name=_BYTES_OR_NULL,
    description=_TEXT,
    valid_to=_NUMBER_OR_NULL,
)

aliases = Table(
    "aliases",
    {
        "scope": _NUMBER, "name": _TEXT, "key_id": _BYTES, "created_at": _NUMBER,
        "updated_at": _NUMBER, "mac": _BYTES,
    },
    ("scope", "name"),
    keys,
)  # fmt: skip

tags = _of_key("tags", "tag_key", tag_key=_TEXT, tag_value=_TEXT)

policies = _of_key("policies", document=_TEXT)

# The grants of a key; what they are looked up by, and the rest as a JSON document. A key can have
# 50,000, so its row counts and sums them up apart from what is read with every use of the key.
grants = _of_key(
    "grants",
    "grant_id",
    grant_id=_TEXT,
    created_at=_NUMBER,
    name=_TEXT_OR_NULL,
    grantee=_TEXT,
    retiring=_TEXT_OR_NULL,
    document=_TEXT,
)

# Whom the store knows (kmsfast.model.principal); tags are a JSON object.
principals = _table("principals", "arn", arn=_TEXT, unique_id=_TEXT, created_at=_NUMBER, tags=_TEXT)


def _of_principal(name: str, /, *key: str, **columns: str) -> Table:
    """A table whose rows belong to a principal."""
    return Table(name, {"arn": _TEXT, **columns, "mac": _BYTES}, key, principals)


# The secret is wrapped; a session has a name when the key is that of a role.
access_keys = _of_principal(
    "access_keys", "access_key_id",
    access_key_id=_TEXT, created_at=_NUMBER, active=_NUMBER, session=_TEXT_OR_NULL, wrapped=_BYTES,
)  # fmt: skip

identity_policies = _of_principal("identity_policies", "arn", "name", name=_TEXT, document=_TEXT)

# The group is a principal, too.
memberships = _of_principal("memberships", "arn", "group_arn", group_arn=_TEXT)

# Users and groups of the operating system (kind: uid or gid).
peers = _of_principal("peers", "kind", "number", kind=_TEXT, number=_NUMBER)

#: The tables whose rows ``identities_sum`` of the store sums up.
IDENTITIES = (principals, access_keys, identity_policies, memberships, peers)

# A custom key store; its secret, the user's PIN or the secret access key, is wrapped.
key_stores = _of_scope(
    "key_stores",
    "key_store_id",
    key_store_id=_TEXT,
    name=_TEXT,
    type=_TEXT,
    created_at=_NUMBER,
    state=_TEXT,
    error=_TEXT_OR_NULL,
    cluster_id=_TEXT_OR_NULL,
    trust_anchor=_TEXT_OR_NULL,
    uri_endpoint=_TEXT_OR_NULL,
    uri_path=_TEXT_OR_NULL,
    access_key_id=_TEXT_OR_NULL,
    wrapped=_BYTES,
)

# In which custom key store the material of a key is, and its name there.
backings = _of_key("backings", key_store_id=_TEXT, name=_TEXT)

key_usage = usage.TABLE

_TABLES = (
    store, scopes, keys, key_versions, aliases, tags, policies, grants, key_stores, backings,
    key_usage, *IDENTITIES,
)  # fmt: skip
_INDICES = (
    "CREATE INDEX ix_aliases_key_id ON aliases (scope, key_id)",
    "CREATE INDEX ix_grants_name ON grants (scope, key_id, name)",
    "CREATE INDEX ix_grants_grantee ON grants (scope, key_id, grantee, grant_id)",
    "CREATE INDEX ix_grants_retiring ON grants (scope, retiring, key_id, grant_id)",
)


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
    for table in _TABLES:
        table.create(connection)
    for index in _INDICES:
        connection.execute(index)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def migrate(connection: Connection, macs: Macs) -> None:
    """Brings an older store to this release, within the caller's transaction.

    The version is read in it, since another process may have migrated the store meanwhile.
    """
    for older in range(schema_version(connection), SCHEMA_VERSION):
        STEPS[older](connection, macs)


def _one(connection: Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])
