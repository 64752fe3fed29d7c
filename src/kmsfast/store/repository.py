"""Keys, what belongs to them, and custom key stores as rows, authenticated when they are read.

A repository sees one scope, an account in a region: whatever it reads and writes is of that. One
without a row in ``scopes`` is empty, and gets its row with its first key.

A key is read with all rows that belong to it, and they must be those that its own row sums up: one
that was removed, or put back as it once was, is noticed like one that was changed. Whether the rows
of the keys themselves are the latest is checked where all of the scope are read: when a store is
opened, by the listings, and before a key or an alias is said not to be there. That the whole store
was put back as it once was, nothing here can notice.

A key's grants, of which there can be many, are summed up apart and not read with it
(:mod:`.grants`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final

from kmsfast.errors import StoreIntegrity
from kmsfast.model.alias import Alias
from kmsfast.model.arn import Home
from kmsfast.model.key import (
    FLAG_MULTI_REGION,
    WAITING,
    KeyManager,
    KeyMetadata,
    KeyState,
    KeyVersion,
    RotationStatus,
    format_key_id,
)
from kmsfast.model.key_store import Backing, CustomKeyStore
from kmsfast.model.keyspec import KeySpec, KeyUsage, Origin
from kmsfast.model.material_id import material_id
from kmsfast.store import schema
from kmsfast.store.grants import NO_EPOCH, GrantRows, KnownGrants
from kmsfast.store.key_rows import (
    key_row,
    known,
    moment_of,
    policy_rows,
    tag_rows,
    version_of,
    version_row,
)
from kmsfast.store.key_stores import backing_of, backing_rows, key_store_of, key_store_row
from kmsfast.store.moments import from_micros, to_micros
from kmsfast.store.roots import RootRow
from kmsfast.store.rows import Macs, added, sealed, verified
from kmsfast.store.table import Connection, Row, Table

__all__ = ["Repository"]

# The tables whose rows are read with their key; grants are not (:mod:`.grants`), but go with it.
_CHILDREN: Final = (
    schema.key_versions, schema.aliases, schema.tags, schema.policies, schema.backings,
)  # fmt: skip
_OF_A_KEY: Final = (*_CHILDREN, schema.grants)
# The tables whose rows the row of their scope sums up.
_TOP: Final = (schema.keys, schema.key_stores)
_NO_SCOPE: Final = 0  # the number of no scope, and so of no row


class Repository(GrantRows):
    """Reads and writes rows within one transaction.

    Args:
        macs: the store key.
        home: region and account, which are the scope.
        known: what was checked of grants before.
        epoch: of the store, from before the transaction began; for transactions that only read.
    """

    def __init__(
        self,
        connection: Connection,
        macs: Macs,
        home: Home,
        known: KnownGrants | None = None,
        epoch: int = NO_EPOCH,
    ) -> None:
        self._connection, self._macs, self._home = connection, macs, home
        self._known, self._epoch = known or KnownGrants(), epoch
        self._scope = self._number()

    # ---- scopes -----------------------------------------------------------------------------

    def homes(self) -> list[Home]:
        """All scopes of the store, in the order in which they were made."""
        rows = self._check_sum(schema.scopes, self.store_row())
        return [Home(row["region"], row["account"]) for row in sorted(rows, key=_number_of)]

    def add_scope(self) -> None:
        """Gives the scope its row, if it has none."""
        if self._scope == _NO_SCOPE:
            rows = self._rows(schema.scopes)
            number = 1 + max(map(_number_of, rows), default=_NO_SCOPE)
            row = {
                "scope": number,
                "one": self.store_row()["one"],
                "account": self._home.account,
                "region": self._home.region,
                "num_keys": 0,
                "rows_sum": bytes(32),
            }
            self._insert(schema.scopes, [row])
            self._scope = number

    def beside(self, region: str) -> Repository:
        """The scope of another region of the account, in the same transaction."""
        if region == self._home.region:
            return self
        return Repository(self._connection, self._macs, Home(region, self._home.account))

    # ---- reading ----------------------------------------------------------------------------

    def key(self, key_id: bytes) -> KeyMetadata | None:
        """The key, or None."""
        rows = self._rows(schema.keys, key_id=key_id)
        if rows:
            return self._key(rows[0], {table.name: self._of(table, key_id) for table in _CHILDREN})
        self._count_keys()
        return None

    def all_keys(self) -> list[KeyMetadata]:
        """All keys, oldest first, those that were deleted as well."""
        rows = sorted(self.check_keys(), key=lambda row: row["created_at"])
        children: dict[bytes, dict[str, list[Row]]] = {}
        for table in _CHILDREN:
            for row in self._rows(table):
                children.setdefault(row["key_id"], {}).setdefault(table.name, []).append(row)
        return [self._key(row, children.get(row["key_id"], {})) for row in rows]

    def key_names(self) -> list[tuple[bytes, bool]]:
        """The ids of all keys that were not deleted, and whether each is a multi-Region key.

        What belongs to the keys is not read, of which there is more than of them.
        """
        there = (row for row in self.check_keys() if row["state"] != KeyState.DELETED.value)
        return [(row["key_id"], bool(row["flags"] & FLAG_MULTI_REGION)) for row in there]

    def check_keys(self) -> list[Row]:
        """The rows of all keys of the scope, when they are the latest ones.

        Raises:
            StoreIntegrity: one was changed, removed, added or put back from outside.
        """
        self.homes()
        if self._scope == _NO_SCOPE:
            return []
        rows = {table.name: self._rows(table) for table in _TOP}
        if _sum_of(rows) != self._scope_row()["rows_sum"]:
            raise _missing(schema.keys)
        return rows[schema.keys.name]

    def num_keys(self) -> int:
        """How many keys the scope has, with those that were deleted."""
        return 0 if self._scope == _NO_SCOPE else int(self._scope_row()["num_keys"])

    def num_customer_keys(self) -> int:
        """How many customer managed keys there are, by counting them."""
        apart = ({"state": KeyState.DELETED.value}, {"manager": KeyManager.AWS.value})
        counted = (
            schema.keys.some(self._connection, ["count(*)"], self._within(schema.keys, where))
            for where in apart
        )
        return self.num_keys() - sum(int(number) for ((number,),) in counted)

    def num_overdue_keys(self, now: datetime) -> int:
        """How many of them are only still there because nobody noticed that they are to go."""
        waiting = self._rows(schema.keys, state=KeyState.PENDING_DELETION.value)
        return sum(row["deletion_date"] <= to_micros(now) for row in waiting)

    def waiting_keys(self) -> list[bytes]:
        """Ids of the keys that wait for their deletion."""
        return [
            row["key_id"] for state in WAITING for row in self._rows(schema.keys, state=state.value)
        ]

    def versions(self, key: KeyMetadata) -> tuple[KeyVersion, ...]:
        """The key's versions, oldest first."""
        rows = self._of(schema.key_versions, key.raw_id)
        rows.sort(key=lambda row: row["number"])
        if not key.rotates:
            return tuple(version_of(row) for row in rows)
        return tuple(
            replace(
                version_of(row),
                material_id=material_id(key.raw_id, row["number"], row["material_name"]),
            )
            for row in rows
        )

    def material(self, key: KeyMetadata, number: int) -> bytes | None:
        """The wrapped material of a version, empty when it is gone; None: no such version."""
        table = schema.key_versions
        rows = self._rows(table, key_id=key.raw_id, number=number)
        if not rows and 1 <= number <= key.current_version:
            raise _missing(table)
        return rows[0]["wrapped"] if rows else None

    def alias(self, name: str) -> Alias | None:
        """The alias, or None."""
        rows = self._rows(schema.aliases, name=name)
        return self._alias(rows[0]) if rows else None

    def aliases(self) -> list[Alias]:
        """All aliases, by name; none was left out or put back, since all keys are read as well."""
        self.all_keys()
        rows = self._rows(schema.aliases)
        return [self._alias(row) for row in sorted(rows, key=lambda row: row["name"])]

    def key_stores(self) -> list[CustomKeyStore]:
        """All custom key stores, by id; none was left out or put back."""
        self.check_keys()
        rows = self._rows(schema.key_stores)
        return [key_store_of(row) for row in sorted(rows, key=lambda row: row["key_store_id"])]

    def key_store_secret(self, key_store_id: str) -> bytes | None:
        """The wrapped secret of a custom key store; None: no such store."""
        rows = self._rows(schema.key_stores, key_store_id=key_store_id)
        return rows[0]["wrapped"] if rows else None

    def keys_of_store(self, key_store_id: str) -> dict[str, bytes]:
        """The keys of a custom key store: their ids by their names in it."""
        self.all_keys()
        rows = self._rows(schema.backings, key_store_id=key_store_id)
        return {row["name"]: row["key_id"] for row in rows}

    def check_complete(self) -> None:
        """Passes when every key, and all rows that belong to it, are the latest ones."""
        self.all_keys()

    # ---- writing ----------------------------------------------------------------------------

    def add(self, key: KeyMetadata) -> None:
        """A new key, still without versions and aliases."""
        self.add_scope()
        sums = {"rows_sum": bytes(32), "num_grants": 0, "grants_sum": bytes(32)}
        self._insert(schema.keys, [{**key_row(key), **sums}])
        self._insert(schema.tags, tag_rows(key))
        self._insert(schema.policies, policy_rows(key))
        self._insert(schema.backings, backing_rows(key))
        row = self._scope_row()
        self._replace(schema.scopes, row, {"num_keys": row["num_keys"] + 1})

    def save(self, key: KeyMetadata) -> None:
        """The key's new state, description, rotation, tags and number of versions."""
        self._replace(schema.keys, self._owner(key.raw_id), key_row(key))
        for table, rows in ((schema.tags, tag_rows(key)), (schema.policies, policy_rows(key))):
            new = [sealed(self._macs, table, self._within(table, row)) for row in rows]
            if new != self._of(table, key.raw_id):
                self._delete(table, key_id=key.raw_id)
                self._insert(table, rows)

    def add_version(self, key: KeyMetadata, version: KeyVersion, wrapped: bytes) -> None:
        """A version and its wrapped material."""
        self._insert(schema.key_versions, [version_row(key, version, wrapped)])

    def save_version(
        self, key: KeyMetadata, version: KeyVersion, wrapped: bytes | None = None
    ) -> None:
        """A version's new state; its wrapped material stays, goes, or is the one that is given."""
        table = schema.key_versions
        rows = self._rows(table, key_id=key.raw_id, number=version.number)
        if not rows:
            raise _missing(table)
        kept = rows[0]["wrapped"] if wrapped is None else wrapped
        changed = version_row(key, version, kept if version.is_present else b"")
        self._replace(table, rows[0], changed)

    def drop_version(self, key: KeyMetadata, number: int) -> None:
        """Removes a version that was never current."""
        self._delete(schema.key_versions, key_id=key.raw_id, number=number)

    def put_alias(self, alias: Alias) -> None:
        """A new alias, or where an existing one leads now."""
        self.drop_alias(alias.name)
        row = {
            "name": alias.name,
            "key_id": alias.raw_key_id,
            "created_at": to_micros(alias.created_at),
            "updated_at": to_micros(alias.updated_at),
        }
        self._insert(schema.aliases, [row])

    def drop_alias(self, name: str) -> None:
        """Removes an alias."""
        self._delete(schema.aliases, name=name)

    def add_key_store(self, store: CustomKeyStore, wrapped: bytes) -> None:
        """A new custom key store and its wrapped secret."""
        self.add_scope()
        self._insert(schema.key_stores, [{**key_store_row(store), "wrapped": wrapped}])

    def save_key_store(self, store: CustomKeyStore, wrapped: bytes | None = None) -> None:
        """A custom key store's new state and properties; None: its secret stays."""
        changes = key_store_row(store) | ({} if wrapped is None else {"wrapped": wrapped})
        self._replace(schema.key_stores, self._key_store(store.id), changes)

    def drop_key_store(self, key_store_id: str) -> None:
        """Removes a custom key store."""
        self._delete(schema.key_stores, key_store_id=key_store_id)

    def purge(self, key: KeyMetadata, when: datetime) -> None:
        """Removes all of the key but the fact that it was deleted."""
        for table in _OF_A_KEY:
            self._delete(table, key_id=key.raw_id)
        schema.key_usage.delete(self._connection, {"key_arn": key.arn})
        gone = {"state": KeyState.DELETED.value, "description": "", "rotation_days": None,
                "next_rotation": None, "deletion_date": to_micros(when), "deletion_days": None,
                "num_versions": 0}  # fmt: skip
        self._replace(schema.keys, self._owner(key.raw_id), gone)

    def clear(self) -> None:
        """Removes all keys and custom key stores of all scopes, and the marks of deleted keys."""
        for table in (*_OF_A_KEY, *_TOP, schema.key_usage):
            table.delete(self._connection, {})
        for row in self._rows(schema.scopes):
            self._replace(schema.scopes, row, {"num_keys": 0, "rows_sum": bytes(32)})

    def remove(self, key: KeyMetadata) -> None:
        """Removes all of a key, as if it had never been there."""
        for table in (*_OF_A_KEY, schema.keys):
            self._delete(table, key_id=key.raw_id)
        schema.key_usage.delete(self._connection, {"key_arn": key.arn})
        row = self._scope_row()
        self._replace(schema.scopes, row, {"num_keys": row["num_keys"] - 1})

    # ---- the row of the store ---------------------------------------------------------------

    def store_row(self) -> Row:
        """The one row of the table ``store``."""
        rows = self._rows(schema.store)
        if len(rows) != 1:
            raise _missing(schema.store)
        return rows[0]

    def add_store_row(self, row: Row) -> None:
        """Writes the row of a new store."""
        self._insert(schema.store, [row])

    def change_root(self, root: RootRow, wrapped: bytes) -> None:
        """How the root key is found from now on, and the store key under it."""
        self._replace(schema.store, self.store_row(), {**asdict(root), "wrapped_key": wrapped})

    # ---- rows -------------------------------------------------------------------------------

    def _key(self, row: Row, children: Mapping[str, list[Row]]) -> KeyMetadata:
        """A key of its row and the rows that belong to it, when they are those it sums up."""
        if _sum_of(children) != row["rows_sum"]:
            raise StoreIntegrity(
                "rows of a key are missing, or were added or put back: the store was changed from "
                "outside; restore it from a backup"
            )
        aliases, tags, policies, rows = (
            children.get(table.name, ())
            for table in (schema.aliases, schema.tags, schema.policies, schema.key_versions)
        )
        versions = {version.number: version for version in map(version_of, rows)}
        current = versions.get(row["num_versions"])
        key_id = row["key_id"]
        multi_region = bool(row["flags"] & FLAG_MULTI_REGION)
        return KeyMetadata(
            raw_id=key_id,
            arn=self._home.arn(f"key/{format_key_id(key_id, multi_region)}"),
            state=KeyState(row["state"]),
            description=row["description"],
            multi_region=multi_region,
            created_at=from_micros(row["created_at"]),
            current_version=row["num_versions"],
            rotation=RotationStatus(
                enabled=row["rotation_days"] is not None,
                period_days=row["rotation_days"],
                next_rotation=moment_of(row["next_rotation"]),
            ),
            deletion_date=moment_of(row["deletion_date"]),
            aliases=tuple(sorted(alias["name"] for alias in aliases)),
            tags={tag["tag_key"]: tag["tag_value"] for tag in tags},
            policy=policies[0]["document"] if policies else None,
            spec=known(KeySpec, row["spec"]),
            usage=known(KeyUsage, row["usage"]),
            origin=known(Origin, row["origin"]),
            public_key=None if current is None else current.public_key,
            valid_to=_first_end(v for v in versions.values() if v.number <= row["num_versions"]),
            expires=_first_end(versions.values()),
            material_names={
                number: v.material_name for number, v in versions.items() if v.material_name
            },
            manager=known(KeyManager, row["manager"]),
            regions=tuple(row["regions"].split()),
            deletion_days=row["deletion_days"],
            backing=self._backing(children.get(schema.backings.name, ())),
        )

    def _backing(self, rows: Sequence[Row]) -> Backing | None:
        """Where the material is, of the rows of a key that say it."""
        if not rows:
            return None
        return backing_of(rows[0], self._key_store(rows[0]["key_store_id"]))

    def _key_store(self, key_store_id: str) -> Row:
        """The row of a custom key store that must be there."""
        return self._above(schema.key_stores, key_store_id=key_store_id)

    def _alias(self, row: Row) -> Alias:
        owner = self._owner(row["key_id"])
        return Alias(
            name=row["name"],
            arn=self._home.arn(row["name"]),
            key_id=format_key_id(row["key_id"], bool(owner["flags"] & FLAG_MULTI_REGION)),
            raw_key_id=row["key_id"],
            created_at=from_micros(row["created_at"]),
            updated_at=from_micros(row["updated_at"]),
        )

    def _number(self) -> int:
        """The number of the scope.

        Raises:
            StoreIntegrity: it has none because its row was removed.
        """
        home = self._home
        rows = self._rows(schema.scopes, account=home.account, region=home.region)
        if rows:
            return _number_of(rows[0])
        if schema.store.select(self._connection):  # none while the store is being made
            self.homes()
        return _NO_SCOPE

    def _scope_row(self) -> Row:
        return self._above(schema.scopes, scope=self._scope)

    def _check_sum(self, table: Table, above: Row) -> list[Row]:
        """The rows of the table, when they are those that the row above them sums up."""
        rows = self._rows(table)
        if added(bytes(32), (each["mac"] for each in rows)) != above["rows_sum"]:
            raise _missing(table)
        return rows

    def _of(self, table: Table, key_id: bytes) -> list[Row]:
        return self._rows(table, key_id=key_id)

    def _count_keys(self) -> None:
        if self._scope != _NO_SCOPE:
            keys = schema.keys.select(self._connection, self._within(schema.keys, {}))
            if len(keys) != self._scope_row()["num_keys"]:
                raise _missing(schema.keys)

    def _rows(self, table: Table, **where: Any) -> list[Row]:
        found = table.select(self._connection, self._within(table, where))
        return [verified(self._macs, table, row) for row in found]

    def _within(self, table: Table, values: Mapping[str, Any]) -> Row:
        """The values, and that the row is of this scope where the table has rows of several."""
        if table.key[0] != "scope" or table is schema.scopes:
            return dict(values)
        return {**values, "scope": self._scope}

    def _owner(self, key_id: bytes) -> Row:
        """The row of a key that must be there."""
        return self._above(schema.keys, key_id=key_id)

    def _insert(self, table: Table, rows: Iterable[Row]) -> None:
        """New rows, all of one key."""
        new = [sealed(self._macs, table, self._within(table, row)) for row in rows]
        for row in new:
            table.insert(self._connection, row)
        self._sum_up(table, new, ())

    def _delete(self, table: Table, **where: Any) -> None:
        """Removes rows, all of one key."""
        old = self._rows(table, **where)
        table.delete(self._connection, self._within(table, where))
        self._sum_up(table, (), old)

    def _replace(self, table: Table, old: Row, changes: Mapping[str, Any]) -> None:
        """Changes columns of one row."""
        new = sealed(self._macs, table, {**old, **changes})
        table.update(self._connection, new)
        self._sum_up(table, [new], [old])

    def _sum_up(self, table: Table, new: Sequence[Row], old: Sequence[Row]) -> None:
        """Brings the sum that covers the rows from the old ones to the new ones."""
        above = table.above
        if above is None or not (new or old):
            return
        one = (*new, *old)[0]
        row = self._above(above, **{name: one[name] for name in above.key})
        macs = ([each["mac"] for each in rows] for rows in (new, old))
        if table is schema.grants:
            count = row["num_grants"] + len(new) - len(old)
            changes = {"num_grants": count, "grants_sum": added(row["grants_sum"], *macs)}
        else:
            changes = {"rows_sum": added(row["rows_sum"], *macs)}
        self._replace(above, row, changes)

    def _above(self, table: Table, **key: Any) -> Row:
        """The row that others belong to, which must be there."""
        rows = self._rows(table, **key)
        if not rows:
            raise _missing(table)
        return rows[0]


def _number_of(scope: Row) -> int:
    number: int = scope["scope"]
    return number


def _first_end(versions: Iterable[KeyVersion]) -> datetime | None:
    """When the first of the versions' materials expires; None: none does."""
    return min((each.valid_to for each in versions if each.valid_to), default=None)


def _sum_of(rows: Mapping[str, Iterable[Row]]) -> bytes:
    return added(bytes(32), (row["mac"] for each in rows.values() for row in each))


def _missing(table: Table) -> StoreIntegrity:
    return StoreIntegrity(
        f"rows of table {table.name!r} are missing, or were added or put back: the store was "
        "changed from outside; restore it from a backup"
    )
