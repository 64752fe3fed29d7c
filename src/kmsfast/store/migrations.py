"""The steps from each schema version to the next one.

Rules:
- a step, once released, never changes: it names the tables as they were, not as :mod:`.schema` has
  them now;
- it runs in the transaction that opens the store, after the store key, and authenticates every row
  that it reads before it writes one; so nothing that was changed from outside is made valid;
- it moves ``PRAGMA user_version`` itself, last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from kmsfast.errors import StoreIntegrity
from kmsfast.store.rows import Macs, added, sealed, verified
from kmsfast.store.table import Connection, Row, Table

__all__ = ["STEPS"]


def _frozen(name: str, columns: str, *key: str) -> Table:
    return Table(name, dict.fromkeys((*columns.split(), "mac"), ""), key or ("key_id",))


_ROOT: Final = (
    "one store_id created_at region account root_kind root_path kdf_salt kdf_iterations kdf_lanes "
    "kdf_memory_kib wrapped_key num_keys"
)
_KEY: Final = (
    "key_id flags state description created_at rotation_days next_rotation deletion_date "
    "num_versions"
)
_STORE_1, _STORE_2 = (_frozen("store", _ROOT + more, "one") for more in ("", " rows_sum"))
_KEYS_1 = _frozen("keys", _KEY + " num_aliases num_tags num_policies")
_KEYS_2 = _frozen("keys", _KEY + " rows_sum")
_CHILDREN_1: Final = {
    "num_versions": _frozen("key_versions", "key_id number created_at origin wrapped"),
    "num_aliases": _frozen("aliases", "name key_id created_at updated_at"),
    "num_tags": _frozen("tags", "key_id tag_key tag_value"),
    "num_policies": _frozen("policies", "key_id document"),
}
_NEW_IN_2: Final = (
    """CREATE TABLE grants (
    key_id BLOB NOT NULL,
    grant_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    document TEXT NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (key_id, grant_id),
    FOREIGN KEY(key_id) REFERENCES keys (key_id)
)""",
    "ALTER TABLE keys ADD COLUMN rows_sum BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE keys DROP COLUMN num_aliases",
    "ALTER TABLE keys DROP COLUMN num_tags",
    "ALTER TABLE keys DROP COLUMN num_policies",
    "ALTER TABLE store ADD COLUMN rows_sum BLOB NOT NULL DEFAULT x''",
)


def _from_1_to_2(connection: Connection, macs: Macs) -> None:
    """Sums of MACs take the place of most counts; the table of grants."""
    stores, keys = _all(connection, macs, _STORE_1), _all(connection, macs, _KEYS_1)
    children = {count: _all(connection, macs, rows) for count, rows in _CHILDREN_1.items()}
    if len(stores) != 1 or len(keys) != stores[0]["num_keys"]:
        raise _incomplete()
    for key in keys:
        mine = []
        for count, rows in children.items():
            found = [row["mac"] for row in rows if row["key_id"] == key["key_id"]]
            if len(found) != key[count]:
                raise _incomplete()
            mine += found
        key["rows_sum"] = added(bytes(32), mine)
    for statement in _NEW_IN_2:
        connection.execute(statement)
    sums = [_write(connection, macs, _KEYS_2, key) for key in keys]
    _write(connection, macs, _STORE_2, {**stores[0], "rows_sum": added(bytes(32), sums)})
    connection.execute("PRAGMA user_version = 2")


_VERSION: Final = "key_id number created_at origin wrapped"
_OF_VERSION_3: Final = " public_key material_name description valid_to"
_VERSIONS_2, _VERSIONS_3 = (
    _frozen("key_versions", _VERSION + more, "key_id", "number") for more in ("", _OF_VERSION_3)
)
_KEYS_3 = _frozen("keys", _KEY.replace(" state", " spec usage origin state") + " rows_sum")
_OTHERS_2: Final = (
    _frozen("aliases", "name key_id created_at updated_at"),
    _frozen("tags", "key_id tag_key tag_value"),
    _frozen("policies", "key_id document"),
    _frozen("grants", "key_id grant_id created_at document"),
)
_NEW_IN_3: Final = (
    "ALTER TABLE keys ADD COLUMN spec TEXT NOT NULL DEFAULT 'SYMMETRIC_DEFAULT'",
    "ALTER TABLE keys ADD COLUMN usage TEXT NOT NULL DEFAULT 'ENCRYPT_DECRYPT'",
    "ALTER TABLE keys ADD COLUMN origin TEXT NOT NULL DEFAULT 'AWS_KMS'",
    "ALTER TABLE key_versions ADD COLUMN public_key BLOB",
    "ALTER TABLE key_versions ADD COLUMN material_name BLOB",
    "ALTER TABLE key_versions ADD COLUMN description TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE key_versions ADD COLUMN valid_to INTEGER",
)
_OF_OLD_VERSIONS: Final = {
    "public_key": None, "material_name": None, "description": "", "valid_to": None,
}  # fmt: skip
_OF_OLD_KEYS: Final = {"spec": "SYMMETRIC_DEFAULT", "usage": "ENCRYPT_DECRYPT", "origin": "AWS_KMS"}


def _from_2_to_3(connection: Connection, macs: Macs) -> None:
    """What a key is of and for; public keys and imports of versions. All so far are symmetric."""
    stores, keys = _all(connection, macs, _STORE_2), _all(connection, macs, _KEYS_2)
    versions = _all(connection, macs, _VERSIONS_2)
    rows = [row for table in _OTHERS_2 for row in _all(connection, macs, table)] + versions
    sums = _check_sums(stores, keys, rows)
    for statement in _NEW_IN_3:
        connection.execute(statement)
    for row in versions:
        new = _write(connection, macs, _VERSIONS_3, {**row, **_OF_OLD_VERSIONS})
        sums[row["key_id"]] = added(sums[row["key_id"]], [new], [row["mac"]])
    made = [
        _write(connection, macs, _KEYS_3, {**key, **_OF_OLD_KEYS, "rows_sum": sums[key["key_id"]]})
        for key in keys
    ]
    _write(connection, macs, _STORE_2, {**stores[0], "rows_sum": added(bytes(32), made)})
    connection.execute("PRAGMA user_version = 3")


_USAGE_4: Final = _frozen("key_usage", "key_arn operation used_at request_id event_id", "key_arn")


def _record_usage(connection: Connection, macs: Macs) -> None:
    """Uses of keys are recorded from now on, which the row of the empty name says."""
    connection.execute(
        """CREATE TABLE key_usage (
    key_arn TEXT NOT NULL,
    operation TEXT NOT NULL,
    used_at INTEGER NOT NULL,
    request_id TEXT,
    event_id TEXT NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (key_arn)
)"""
    )
    since = {"key_arn": "", "operation": "", "used_at": int(time.time() * 1_000_000),
             "request_id": None, "event_id": ""}  # fmt: skip
    _USAGE_4.insert(connection, sealed(macs, _USAGE_4, since))


_SCOPES_4: Final = _frozen("scopes", "scope one account region num_keys rows_sum", "scope")
_STORE_WITH_SCOPES, _STORE_4 = (
    _frozen("store", _ROOT.replace(" num_keys", "") + more, "one")
    for more in (" rows_sum", " rows_sum identities_sum")
)
_KEYS_4: Final = _frozen(
    "keys",
    "scope key_id flags spec usage origin state description created_at rotation_days next_rotation "
    "deletion_date deletion_days manager regions num_versions rows_sum num_grants grants_sum",
)
_CHILDREN_4: Final = (
    _frozen("key_versions", "scope " + _VERSION + _OF_VERSION_3),
    _frozen("aliases", "scope name key_id created_at updated_at"),
    _frozen("tags", "scope key_id tag_key tag_value"),
    _frozen("policies", "scope key_id document"),
    _frozen("grants", "scope key_id grant_id created_at name grantee retiring document"),
)
_GONE_IN_4: Final = (
    "DROP TABLE grants",
    "DROP TABLE policies",
    "DROP TABLE tags",
    "DROP TABLE aliases",
    "DROP TABLE key_versions",
    "DROP TABLE keys",
    "ALTER TABLE store DROP COLUMN num_keys",
)
_OF_A_KEY: Final = """PRIMARY KEY (scope, key_id{}),
    FOREIGN KEY(scope, key_id) REFERENCES keys (scope, key_id)"""
_NEW_IN_4: Final = (
    """CREATE TABLE scopes (
    scope INTEGER NOT NULL,
    one INTEGER NOT NULL,
    account TEXT NOT NULL,
    region TEXT NOT NULL,
    num_keys INTEGER NOT NULL,
    rows_sum BLOB NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (scope),
    FOREIGN KEY(one) REFERENCES store (one)
)""",
    """CREATE TABLE keys (
    scope INTEGER NOT NULL,
    key_id BLOB NOT NULL,
    flags INTEGER NOT NULL,
    spec TEXT NOT NULL,
    usage TEXT NOT NULL,
    origin TEXT NOT NULL,
    state TEXT NOT NULL,
    description TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    rotation_days INTEGER,
    next_rotation INTEGER,
    deletion_date INTEGER,
    deletion_days INTEGER,
    manager TEXT NOT NULL,
    regions TEXT NOT NULL,
    num_versions INTEGER NOT NULL,
    rows_sum BLOB NOT NULL,
    num_grants INTEGER NOT NULL,
    grants_sum BLOB NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (scope, key_id),
    FOREIGN KEY(scope) REFERENCES scopes (scope)
)""",
    f"""CREATE TABLE key_versions (
    scope INTEGER NOT NULL,
    key_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    origin TEXT NOT NULL,
    wrapped BLOB NOT NULL,
    public_key BLOB,
    material_name BLOB,
    description TEXT NOT NULL,
    valid_to INTEGER,
    mac BLOB NOT NULL,
    {_OF_A_KEY.format(", number")}
)""",
    """CREATE TABLE aliases (
    scope INTEGER NOT NULL,
    name TEXT NOT NULL,
    key_id BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (scope, name),
    FOREIGN KEY(scope, key_id) REFERENCES keys (scope, key_id)
)""",
    f"""CREATE TABLE tags (
    scope INTEGER NOT NULL,
    key_id BLOB NOT NULL,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    mac BLOB NOT NULL,
    {_OF_A_KEY.format(", tag_key")}
)""",
    f"""CREATE TABLE policies (
    scope INTEGER NOT NULL,
    key_id BLOB NOT NULL,
    document TEXT NOT NULL,
    mac BLOB NOT NULL,
    {_OF_A_KEY.format("")}
)""",
    f"""CREATE TABLE grants (
    scope INTEGER NOT NULL,
    key_id BLOB NOT NULL,
    grant_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    name TEXT,
    grantee TEXT NOT NULL,
    retiring TEXT,
    document TEXT NOT NULL,
    mac BLOB NOT NULL,
    {_OF_A_KEY.format(", grant_id")}
)""",
    "CREATE INDEX ix_aliases_key_id ON aliases (scope, key_id)",
    "CREATE INDEX ix_grants_name ON grants (scope, key_id, name)",
    "CREATE INDEX ix_grants_grantee ON grants (scope, key_id, grantee, grant_id)",
    "CREATE INDEX ix_grants_retiring ON grants (scope, retiring, key_id, grant_id)",
)
# Custom key stores, and which keys are in them.
_KEY_STORES_4: Final = (
    """CREATE TABLE key_stores (
    scope INTEGER NOT NULL,
    key_store_id TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    error TEXT,
    cluster_id TEXT,
    trust_anchor TEXT,
    uri_endpoint TEXT,
    uri_path TEXT,
    access_key_id TEXT,
    wrapped BLOB NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (scope, key_store_id),
    FOREIGN KEY(scope) REFERENCES scopes (scope)
)""",
    f"""CREATE TABLE backings (
    scope INTEGER NOT NULL,
    key_id BLOB NOT NULL,
    key_store_id TEXT NOT NULL,
    name TEXT NOT NULL,
    mac BLOB NOT NULL,
    {_OF_A_KEY.format("")}
)""",
)
_NO_GRANTS: Final = {"num_grants": 0, "grants_sum": bytes(32)}  # no release of schema 3 wrote any
_OF_OLD_SCOPES: Final = {"scope": 1, "manager": "CUSTOMER", "deletion_days": None}


def _of_identity(name: str, columns: str, key: str) -> str:
    """The statement that makes a table of rows that belong to a principal."""
    return (
        f"CREATE TABLE {name} (\n    arn TEXT NOT NULL,\n    {columns},\n    mac BLOB NOT NULL,\n"
        f"    PRIMARY KEY ({key}),\n    FOREIGN KEY(arn) REFERENCES principals (arn)\n)"
    )


_IDENTITIES_IN_4: Final = (
    """CREATE TABLE principals (
    arn TEXT NOT NULL,
    unique_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    tags TEXT NOT NULL,
    mac BLOB NOT NULL,
    PRIMARY KEY (arn)
)""",
    _of_identity(
        "access_keys",
        "access_key_id TEXT NOT NULL, created_at INTEGER NOT NULL, active INTEGER NOT NULL, "
        "session TEXT, wrapped BLOB NOT NULL",
        "access_key_id",
    ),
    _of_identity("identity_policies", "name TEXT NOT NULL, document TEXT NOT NULL", "arn, name"),
    _of_identity("memberships", "group_arn TEXT NOT NULL", "arn, group_arn"),
    _of_identity("peers", "kind TEXT NOT NULL, number INTEGER NOT NULL", "kind, number"),
    "ALTER TABLE store ADD COLUMN identities_sum BLOB NOT NULL DEFAULT x''",
)


def _identities_in_4(connection: Connection, macs: Macs) -> None:
    """Tables of principals and what belongs to them; nobody is in them yet."""
    (store,) = _all(connection, macs, _STORE_WITH_SCOPES)
    for statement in _IDENTITIES_IN_4:
        connection.execute(statement)
    _write(connection, macs, _STORE_4, {**store, "identities_sum": bytes(32)})


def _from_3_to_4(connection: Connection, macs: Macs) -> None:
    """Scopes, with what there is in the one that the store had; principals.

    Grants are counted and summed up apart from the other rows of a key.
    """
    stores, keys = _all(connection, macs, _STORE_2), _all(connection, macs, _KEYS_3)
    children = [_all(connection, macs, table) for table in (_VERSIONS_3, *_OTHERS_2)]
    _check_sums(stores, keys, (row for rows in children for row in rows))
    if children[-1]:  # what nothing has written
        raise _incomplete()
    for statement in (*_GONE_IN_4, *_NEW_IN_4, *_KEY_STORES_4):
        connection.execute(statement)
    store = stores[0]
    home = {"scope": 1, "one": store["one"], "account": store["account"], "region": store["region"]}
    made: dict[bytes, list[bytes]] = {key["key_id"]: [] for key in keys}
    new = [
        (table, sealed(macs, table, {**row, **_OF_OLD_SCOPES}))
        for table, rows in zip(_CHILDREN_4, children, strict=True)
        for row in rows
    ]
    for _, row in new:
        made[row["key_id"]].append(row["mac"])
    new_keys = [
        sealed(macs, _KEYS_4, {
            **key, **_OF_OLD_SCOPES, **_NO_GRANTS,
            "regions": store["region"] if key["flags"] & 1 else "",
            "rows_sum": added(bytes(32), made[key["key_id"]]),
        })
        for key in keys
    ]  # fmt: skip
    all_keys = added(bytes(32), (key["mac"] for key in new_keys))
    scope = sealed(macs, _SCOPES_4, {**home, "num_keys": len(keys), "rows_sum": all_keys})
    for table, row in ((_SCOPES_4, scope), *((_KEYS_4, key) for key in new_keys), *new):
        table.insert(connection, row)
    _write(
        connection,
        macs,
        _STORE_WITH_SCOPES,
        {**store, "rows_sum": added(bytes(32), [scope["mac"]])},
    )
    _identities_in_4(connection, macs)
    _record_usage(connection, macs)
    connection.execute("PRAGMA user_version = 4")


STEPS: Final[dict[int, Callable[[Connection, Macs], None]]] = {
    1: _from_1_to_2,
    2: _from_2_to_3,
    3: _from_3_to_4,
}


def _all(connection: Connection, macs: Macs, table: Table) -> list[Row]:
    return [verified(macs, table, row) for row in table.select(connection)]


def _check_sums(stores: list[Row], keys: list[Row], rows: Iterable[Row]) -> dict[bytes, bytes]:
    """The sum of the rows of each key, when these and the keys are those that are summed up.

    Raises:
        StoreIntegrity: one was removed, added or put back from outside.
    """
    all_keys = added(bytes(32), (key["mac"] for key in keys))
    if len(stores) != 1 or stores[0]["num_keys"] != len(keys) or stores[0]["rows_sum"] != all_keys:
        raise _incomplete()
    sums = dict.fromkeys((key["key_id"] for key in keys), bytes(32))
    for row in rows:
        sums[row["key_id"]] = added(sums.get(row["key_id"], b""), [row["mac"]])
    if sums != {key["key_id"]: key["rows_sum"] for key in keys}:
        raise _incomplete()
    return sums


def _write(connection: Connection, macs: Macs, table: Table, values: Row) -> bytes:
    """Rewrites the columns of one row; returns its new MAC."""
    row = sealed(macs, table, values)
    table.update(connection, row)
    return bytes(row["mac"])


def _incomplete() -> StoreIntegrity:
    return StoreIntegrity(
        "rows are missing or were added: the store was changed from outside; restore it from a "
        "backup"
    )
