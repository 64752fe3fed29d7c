"""The keys of a store counted by the database, not one by one: see :mod:`kmsfast.model.census`.

Two passes over the table of keys, in SQLite, which lets other threads of the interpreter run. A
hundred thousand keys take some hundred milliseconds.
"""

from __future__ import annotations

from typing import Any, Final

from kmsfast.errors import StoreIntegrity
from kmsfast.model.arn import Home
from kmsfast.model.census import Census, KeyEnd, KeyKind
from kmsfast.model.key import FLAG_MULTI_REGION, KeyState, format_key_id
from kmsfast.model.key_store import ConnectionState
from kmsfast.store.moments import from_micros
from kmsfast.store.table import CHANGED, Connection

__all__ = ["take"]

# A key in a custom key store that is not connected is unavailable (KeyMetadata.shown_state).
_KINDS: Final = """
SELECT scopes.region, scopes.account,
       CASE WHEN stores.state <> :connected AND keys.state IN (:enabled, :disabled)
            THEN :unavailable ELSE keys.state END AS shown,
       keys.spec, keys.origin, keys.manager, count(*)
FROM keys
JOIN scopes ON scopes.scope = keys.scope
LEFT JOIN backings ON backings.scope = keys.scope AND backings.key_id = keys.key_id
LEFT JOIN key_stores AS stores
    ON stores.scope = backings.scope AND stores.key_store_id = backings.key_store_id
WHERE keys.state <> :deleted
GROUP BY scopes.region, scopes.account, shown, keys.spec, keys.origin, keys.manager
"""

_EXPIRING: Final = """
FROM keys
JOIN key_versions AS versions
    ON versions.scope = keys.scope AND versions.key_id = keys.key_id
WHERE keys.origin = 'EXTERNAL' AND keys.state <> :deleted
    AND versions.valid_to IS NOT NULL AND versions.wrapped <> x''
"""

_FIRST_TO_EXPIRE: Final = f"""
SELECT scopes.region, scopes.account, found.flags, found.key_id, found.ends
FROM (SELECT keys.scope, keys.flags, keys.key_id, min(versions.valid_to) AS ends {_EXPIRING}
      GROUP BY keys.scope, keys.key_id ORDER BY ends LIMIT :most) AS found
JOIN scopes ON scopes.scope = found.scope ORDER BY found.ends
"""  # noqa: S608 - of constants

_NUM_EXPIRING: Final = (
    f"SELECT count(*) FROM (SELECT 1 {_EXPIRING} GROUP BY keys.scope, keys.key_id)"  # noqa: S608
)

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
        kinds[KeyKind(Home(region, account), state, spec, origin, manager)] = number
    return Census(
        kinds,
        connection.execute(_NUM_EXPIRING, values).fetchone()[0],
        _ends(connection.execute(_FIRST_TO_EXPIRE, values)),
        _ends(connection.execute(_FIRST_DELETED, values)),
    )


def _ends(rows: Any) -> tuple[KeyEnd, ...]:
    return tuple(
        KeyEnd(
            Home(region, account).arn(
                f"key/{format_key_id(key_id, bool(flags & FLAG_MULTI_REGION))}"
            ),
            from_micros(when),
        )
        for region, account, flags, key_id, when in rows
    )
