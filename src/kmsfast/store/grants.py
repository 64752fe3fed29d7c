"""The grants of a key as rows: found by their ids, names, grantees and retiring principals.

Rules:
- a key can have 50,000, so they are no part of what is read with every use of their key: its row
  has their number and the sum of their MACs apart;
- a grant that is shown, or that decides something, was authenticated, and so was the whole of the
  grants of its key: none was put back after it had been revoked, and none was taken away;
- what rows are found by, and their MACs, are remembered once they were verified, so that after a
  change only new rows are verified anew. That they are all there and no others is said by the sum,
  which is taken over all rows once in an epoch. Within it a row that is none of those is noticed at
  once, one that was taken away from outside is not.

A removal verifies the row that it removes and no other: what was put back from outside stays a
difference of the sum.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from kmsfast.errors import StoreIntegrity
from kmsfast.model.arn import Home
from kmsfast.model.key import FLAG_MULTI_REGION, format_key_id
from kmsfast.model.policy_grant import Grant
from kmsfast.store import schema
from kmsfast.store.moments import from_micros, to_micros
from kmsfast.store.rows import Macs, added, verified
from kmsfast.store.table import CHANGED, Connection, Row, Table

__all__ = ["NO_EPOCH", "GrantRows", "KnownGrants"]

#: Where nothing that was read may be used later: within a transaction that writes.
NO_EPOCH: Final = -1
#: Grants that are remembered, of all keys together; 500 bytes each.
_MOST_KNOWN: Final = 100_000
_LOOKUPS: Final = ("grant_id", "name", "grantee", "retiring", "mac")
Found = frozenset[tuple[Any, ...]]
Whose = tuple[int, bytes]  # a scope and a key: related multi-Region keys have one id


class KnownGrants:
    """For keys, what their grants are found by, and the epoch in which these were all of them."""

    def __init__(self) -> None:
        self._found: dict[Whose, tuple[int, Found]] = {}

    def of(self, whose: Whose) -> Found:
        """Those of a key that were verified before."""
        return self._found.get(whose, _NOTHING)[1]

    def all_of(self, whose: Whose, epoch: int) -> Found:
        """Those of a key, when they are known to be all of them in this epoch; else none."""
        seen, found = self._found.get(whose, _NOTHING)
        return found if seen == epoch and epoch % 2 == 0 else _NOTHING[1]

    def remember(self, whose: Whose, epoch: int, all_found: Found) -> None:
        """All of a key's in an epoch; what is known of other keys may be forgotten."""
        if sum(len(known) for _, known in self._found.values()) + len(all_found) > _MOST_KNOWN:
            self._found = {}
        self._found[whose] = (epoch, all_found)


_NOTHING: Final[tuple[int, Found]] = (NO_EPOCH, frozenset())


class _Rows(Protocol):
    """What a repository does with rows of any table."""

    def _rows(self, table: Table, **where: Any) -> list[Row]: ...
    def _within(self, table: Table, values: Mapping[str, Any]) -> Row: ...
    def _owner(self, key_id: bytes) -> Row: ...
    def _insert(self, table: Table, rows: Iterable[Row]) -> None: ...
    def _delete(self, table: Table, **where: Any) -> None: ...


class GrantRows(_Rows):
    """The part of :class:`kmsfast.store.repository.Repository` for grants."""

    _connection: Connection
    _macs: Macs
    _home: Home
    _known: KnownGrants
    _epoch: int
    _scope: int

    def num_grants(self, key_id: bytes) -> int:
        """How many grants the key has."""
        return int(self._owner(key_id)["num_grants"])

    def grant(self, key_id: bytes, grant_id: str) -> Grant | None:
        """The grant of the id, or None."""
        found = self._grants(self._rows(schema.grants, key_id=key_id, grant_id=grant_id))
        return found[0] if found else None

    def grants_named(self, key_id: bytes, name: str) -> list[Grant]:
        """The key's grants of a name."""
        return self._grants(self._rows(schema.grants, key_id=key_id, name=name))

    def grants(
        self, key_id: bytes, after: str | None, most: int, grantee: str | None = None
    ) -> list[Grant]:
        """The key's grants in the order of their ids.

        Args:
            after: only those behind this id.
            most: grants.
            grantee: only those of this principal.

        Raises:
            StoreIntegrity: one was changed, removed, added or put back from outside.
        """
        where = {"key_id": key_id} | ({} if grantee is None else {"grantee": grantee})
        rows = self._page(where, None if after is None else (key_id, after), most)
        self._check_grants(key_id, rows)
        return self._grants(rows)

    def retirable_grants(
        self, principal: str, after: tuple[bytes, str] | None, most: int
    ) -> list[tuple[bytes, Grant]]:
        """The grants of all keys that a principal may retire, by key and id, with their keys' ids.

        Raises:
            StoreIntegrity: a grant of their keys was changed, removed, added or put back.
        """
        rows = self._page({"retiring": principal}, after, most)
        for key_id in {row["key_id"] for row in rows}:
            self._check_grants(key_id, [row for row in rows if row["key_id"] == key_id])
        return list(zip((row["key_id"] for row in rows), self._grants(rows), strict=True))

    def add_grant(self, key_id: bytes, grant: Grant, when: datetime) -> None:
        """A new grant."""
        self._insert(schema.grants, [_row(key_id, grant, when)])

    def drop_grant(self, key_id: bytes, grant_id: str) -> None:
        """Removes a grant."""
        self._delete(schema.grants, key_id=key_id, grant_id=grant_id)

    def _page(
        self, where: Mapping[str, Any], after: tuple[bytes, str] | None, most: int
    ) -> list[Row]:
        behind = None if after is None else (self._scope, *after)
        within = self._within(schema.grants, where)
        found = schema.grants.page(self._connection, within, behind, most)
        return [verified(self._macs, schema.grants, row) for row in found]

    def _check_grants(self, key_id: bytes, shown: Iterable[Row]) -> None:
        """Passes when the key's grants are all there, and no others, and these are some of them."""
        whole = self._known.all_of((self._scope, key_id), self._epoch)
        if whole and all(tuple(row[name] for name in _LOOKUPS) in whole for row in shown):
            return
        owner, known = self._owner(key_id), self._known.of((self._scope, key_id))
        found = schema.grants.some(
            self._connection, _LOOKUPS, self._within(schema.grants, {"key_id": key_id})
        )
        new = [row for row in found if row not in known]
        if len(new) > len(found) // 8:
            self._rows(schema.grants, key_id=key_id)
        else:
            for grant_id, *_ in new:
                self._rows(schema.grants, key_id=key_id, grant_id=grant_id)
        total = added(bytes(32), (mac for *_, mac in found))
        if len(found) != owner["num_grants"] or total != owner["grants_sum"]:
            raise StoreIntegrity(
                f"grants of a key are missing, or were added or put back: {CHANGED}"
            )
        self._known.remember((self._scope, key_id), self._epoch, frozenset(found))

    def _grants(self, rows: Sequence[Row]) -> list[Grant]:
        arns: dict[bytes, str] = {}
        for row in rows:
            key_id = row["key_id"]
            if key_id not in arns:
                multi_region = bool(self._owner(key_id)["flags"] & FLAG_MULTI_REGION)
                arns[key_id] = self._home.arn(f"key/{format_key_id(key_id, multi_region)}")
        return [_grant(row, arns[row["key_id"]]) for row in rows]


def _row(key_id: bytes, grant: Grant, when: datetime) -> Row:
    document = {
        "operations": sorted(grant.operations),
        "equals": grant.equals,
        "subset": grant.subset,
        "source_arn": grant.source_arn,
        "issuing_account": grant.issuing_account,
        "to_service": grant.to_service,
        "by_service": grant.by_service,
    }
    return {
        "key_id": key_id,
        "grant_id": grant.id,
        "created_at": to_micros(when),
        "name": grant.name,
        "grantee": grant.grantee,
        "retiring": grant.retiring,
        "document": json.dumps(document, separators=(",", ":"), sort_keys=True),
    }


def _grant(row: Row, key_arn: str) -> Grant:
    document = json.loads(row["document"])
    return Grant(
        id=row["grant_id"],
        operations=frozenset(document.pop("operations")),
        grantee=row["grantee"],
        retiring=row["retiring"],
        name=row["name"],
        created_at=from_micros(row["created_at"]),
        key_arn=key_arn,
        **document,
    )
