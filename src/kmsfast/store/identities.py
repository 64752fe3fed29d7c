"""Principals, their access keys, policies and groups as rows, authenticated when they are read.

All of them are read at once, and must be those that the row of the store sums up: an access key
that was deleted and put back from outside, or a policy that was taken away, is noticed like a
changed one. Whoever reads them keeps them while that sum stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from kmsfast.errors import StoreIntegrity
from kmsfast.model.identities import Identities, KeyOfAccess
from kmsfast.model.peer import PeerKind
from kmsfast.model.principal import AccessKey, Identity
from kmsfast.store import schema
from kmsfast.store.moments import from_micros, to_micros
from kmsfast.store.rows import Macs, added, sealed, verified
from kmsfast.store.table import CHANGED, Connection, Row, Table

__all__ = ["IdentityRows"]

_OWNED: Final = (schema.access_keys, schema.identity_policies, schema.memberships, schema.peers)


class IdentityRows:
    """Reads and writes rows within one transaction.

    Args:
        macs: the store key.
    """

    def __init__(self, connection: Connection, macs: Macs) -> None:
        self._connection, self._macs = connection, macs

    def version(self) -> bytes:
        """What stands while no row has changed."""
        return bytes(self._store()["identities_sum"])

    def all(self) -> Identities:
        """Whom the store knows.

        Raises:
            StoreIntegrity: a row was changed, removed, added or put back from outside.
        """
        rows = {table.name: self._rows(table) for table in schema.IDENTITIES}
        total = self.version()
        if added(bytes(32), (row["mac"] for each in rows.values() for row in each)) != total:
            raise StoreIntegrity(
                f"rows of principals are missing, or were added or put back: {CHANGED}"
            )
        return Identities(
            version=total,
            known={row["arn"]: _identity(row) for row in rows["principals"]},
            access_keys={row["access_key_id"]: _access_key(row) for row in rows["access_keys"]},
            policies={
                (row["arn"], row["name"]): row["document"] for row in rows["identity_policies"]
            },
            memberships=frozenset((row["arn"], row["group_arn"]) for row in rows["memberships"]),
            peers={(PeerKind(row["kind"]), row["number"]): row["arn"] for row in rows["peers"]},
        )

    def add(self, identity: Identity) -> None:
        """A new principal, or its new tags."""
        row = {
            "arn": identity.arn,
            "unique_id": identity.unique_id,
            "created_at": to_micros(identity.created_at),
            "tags": json.dumps(dict(identity.tags), sort_keys=True),
        }
        self._put(schema.principals, row)

    def drop(self, arn: str) -> None:
        """Removes a principal and all that belongs to it."""
        for table in _OWNED:
            self._drop(table, arn=arn)
        self._drop(schema.memberships, group_arn=arn)
        self._drop(schema.principals, arn=arn)

    def put_access_key(self, key: AccessKey, wrapped: bytes) -> None:
        """A new access key, or its new state."""
        row = {
            "arn": key.arn,
            "access_key_id": key.id,
            "created_at": to_micros(key.created_at),
            "active": int(key.active),
            "session": key.session,
            "wrapped": wrapped,
        }
        self._put(schema.access_keys, row)

    def drop_access_key(self, access_key_id: str) -> None:
        """Removes an access key."""
        self._drop(schema.access_keys, access_key_id=access_key_id)

    def put_policy(self, arn: str, name: str, document: str) -> None:
        """A new identity policy, or what it says now."""
        self._put(schema.identity_policies, {"arn": arn, "name": name, "document": document})

    def drop_policy(self, arn: str, name: str) -> None:
        """Removes an identity policy."""
        self._drop(schema.identity_policies, arn=arn, name=name)

    def put_membership(self, arn: str, group_arn: str) -> None:
        """Puts a user into a group."""
        self._put(schema.memberships, {"arn": arn, "group_arn": group_arn})

    def drop_membership(self, arn: str, group_arn: str) -> None:
        """Takes a user out of a group."""
        self._drop(schema.memberships, arn=arn, group_arn=group_arn)

    def put_peer(self, kind: PeerKind, number: int, arn: str) -> None:
        """Whom a uid or gid is from now on."""
        self._put(schema.peers, {"kind": kind.value, "number": number, "arn": arn})

    def drop_peer(self, kind: PeerKind, number: int) -> None:
        """A uid or gid is nobody from now on."""
        self._drop(schema.peers, kind=kind.value, number=number)

    # ---- rows -------------------------------------------------------------------------------

    def _store(self) -> Row:
        rows = self._rows(schema.store)
        if len(rows) != 1:
            raise StoreIntegrity(f"table 'store' has {len(rows)} rows: {CHANGED}")
        return rows[0]

    def _rows(self, table: Table, where: Mapping[str, Any] | None = None) -> list[Row]:
        return [verified(self._macs, table, row) for row in table.select(self._connection, where)]

    def _put(self, table: Table, values: Row) -> None:
        """A row instead of the one with the same primary key."""
        where = {name: values[name] for name in table.key}
        old = self._rows(table, where)
        new = sealed(self._macs, table, values)
        (table.update if old else table.insert)(self._connection, new)
        self._sum_up([new], old)

    def _drop(self, table: Table, **where: Any) -> None:
        old = self._rows(table, where)
        table.delete(self._connection, where)
        self._sum_up([], old)

    def _sum_up(self, new: list[Row], old: list[Row]) -> None:
        store = self._store()
        macs = ([row["mac"] for row in rows] for rows in (new, old))
        total = added(store["identities_sum"], *macs)
        changed = sealed(self._macs, schema.store, {**store, "identities_sum": total})
        schema.store.update(self._connection, changed)


def _identity(row: Row) -> Identity:
    tags = json.loads(row["tags"])
    return Identity(row["arn"], row["unique_id"], from_micros(row["created_at"]), tags)


def _access_key(row: Row) -> KeyOfAccess:
    key = AccessKey(
        id=row["access_key_id"],
        arn=row["arn"],
        created_at=from_micros(row["created_at"]),
        active=bool(row["active"]),
        session=row["session"],
    )
    return KeyOfAccess(key, row["wrapped"])
