"""The keys of a store counted by the database, not one by one: see :mod:`kmsfast.model.census`.

Some passes over the table of keys in its order, in SQLite, which lets other threads of the
interpreter run. Other reads of the store by this process wait until they are done.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from kmsfast.errors import StoreIntegrity
from kmsfast.model.arn import Home
from kmsfast.model.census import Census, KeyEnd, KeyKind
from kmsfast.model.key import FLAG_MULTI_REGION, KeyState, format_key_id
from kmsfast.model.key_store import ConnectionState
from kmsfast.model.keyspec import Origin
from kmsfast.store.moments import from_micros
from kmsfast.store.table import CHANGED, Connection

__all__ = ["take"]

# Scopes and key stores are few: they are joined with what is left when keys were counted. A key in
# a custom key store that is not connected is unavailable (KeyMetadata.shown_state).
_KINDS: Final = """
SELECT scopes.region, scopes.account,
       CASE WHEN stores.state <> :connected AND found.state IN (:enabled, :disabled)
            THEN :unavailable ELSE found.state END,
       found.spec, found.origin, found.manager, found.number
FROM (SELECT scope, state, spec, origin, manager, NULL AS key_store_id, count(*) AS number
      FROM keys NOT INDEXED WHERE origin IN (:here, :imported) AND state <> :deleted
      GROUP BY scope, state, spec, origin, manager
      UNION ALL
      SELECT keys.scope, state, spec, origin, manager, key_store_id, count(*)
      FROM keys NOT INDEXED
      LEFT JOIN backings ON backings.scope = keys.scope AND backings.key_id = keys.key_id
      WHERE origin NOT IN (:here, :imported) AND state <> :deleted
      GROUP BY keys.scope, state, spec, origin, manager, key_store_id) AS found
JOIN scopes ON scopes.scope = found.scope
LEFT JOIN key_stores AS stores
    ON stores.scope = found.scope AND stores.key_store_id = found.key_store_id
"""

# The number of all that expire is in every row.
_FIRST_TO_EXPIRE: Final = """
SELECT scopes.region, scopes.account, found.flags, found.key_id, found.ends, found.number
FROM (SELECT keys.scope, keys.flags, keys.key_id, min(versions.valid_to) AS ends,
             count(*) OVER () AS number
      FROM keys NOT INDEXED
      JOIN key_versions AS versions
          ON versions.scope = keys.scope AND versions.key_id = keys.key_id
      WHERE keys.origin = :imported AND keys.state <> :deleted
          AND versions.valid_to IS NOT NULL AND versions.wrapped <> x''
      GROUP BY keys.scope, keys.key_id ORDER BY ends LIMIT max(:most, 1)) AS found
JOIN scopes ON scopes.scope = found.scope ORDER BY found.ends
"""

_FIRST_DELETED: Final = """
SELECT scopes.region, scopes.account, keys.flags, keys.key_id, keys.deletion_date
FROM keys JOIN scopes ON scopes.scope = keys.scope
WHERE keys.deletion_date IS NOT NULL AND keys.state <> :deleted
ORDER BY keys.deletion_date LIMIT :most
"""

_NAMES: Final = {
    "connected": ConnectionState.CONNECTED.value,
    "enabled": KeyState.ENABLED.value,
    "disabled": KeyState.DISABLED.value,
    "unavailable": KeyState.UNAVAILABLE.value,
    "deleted": KeyState.DELETED.value,
    "here": Origin.AWS_KMS.value,
    "imported": Origin.EXTERNAL.value,
}


def take(connection: Connection, most: int) -> Census:
    """Counts the keys.

    Args:
        most: how many keys are named that expire, and how many that are deleted.

    Raises:
        StoreIntegrity: a row has what no release writes.
    """
    try:
        return _taken(connection, most)
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise StoreIntegrity(CHANGED) from error


def _taken(connection: Connection, most: int) -> Census:
    values = {**_NAMES, "most": most}
    kinds: dict[KeyKind, int] = {}
    for region, account, state, spec, origin, manager, number in connection.execute(_KINDS, values):
        kind = KeyKind(Home(region, account), state, spec, origin, manager)
        kinds[kind] = kinds.get(kind, 0) + number  # of several key stores
    expiring = connection.execute(_FIRST_TO_EXPIRE, values).fetchall()
    deleted = connection.execute(_FIRST_DELETED, values)
    return Census(
        kinds,
        expiring[0][-1] if expiring else 0,
        _ends(row[:-1] for row in expiring[:most]),
        _ends(deleted),
    )


def _ends(rows: Iterable[tuple[Any, ...]]) -> tuple[KeyEnd, ...]:
    return tuple(
        KeyEnd(
            Home(region, account).arn(
                f"key/{format_key_id(key_id, bool(flags & FLAG_MULTI_REGION))}"
            ),
            from_micros(when),
        )
        for region, account, flags, key_id, when in rows
    )
