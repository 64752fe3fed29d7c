"""What the service asks of a store. :mod:`kmsfast.store` is one; the service knows no other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from kmsfast.crypto.keys import StoreKey
from kmsfast.model.alias import Alias
from kmsfast.model.arn import Home
from kmsfast.model.identities import Identities
from kmsfast.model.key import KeyMetadata, KeyVersion
from kmsfast.model.key_store import CustomKeyStore
from kmsfast.model.outside_blob import Box
from kmsfast.model.peer import PeerKind
from kmsfast.model.policy_grant import Grant
from kmsfast.model.principal import AccessKey, Identity
from kmsfast.model.usage import KeyUse

__all__ = [
    "Clock",
    "IdentityReader",
    "IdentityStore",
    "IdentityWriter",
    "Outside",
    "Place",
    "PolicyCheck",
    "Reader",
    "Store",
    "UsageTable",
    "Use",
    "Writer",
]

Clock = Callable[[], float]
"""Unix time in seconds."""

PolicyCheck = Callable[[str | None], str | None]
"""A key policy that can be put, as it was given; None: the default one. Raises what is wrong."""


class Reader(Protocol):
    """A consistent view of the store. Whatever it returns was authenticated."""

    def beside(self, region: str) -> Writer:
        """The same transaction, for another region of the account."""

    def key(self, key_id: bytes) -> KeyMetadata | None:
        """The key, or None."""

    def all_keys(self) -> list[KeyMetadata]:
        """All keys, oldest first, those that were deleted as well."""

    def key_names(self) -> list[tuple[bytes, bool]]:
        """The ids of all keys that were not deleted, and whether each is a multi-Region key."""

    def num_keys(self) -> int:
        """How many keys there have ever been, but for replicas that are gone."""

    def num_customer_keys(self) -> int:
        """How many customer managed keys there are, by counting them."""

    def num_overdue_keys(self, now: datetime) -> int:
        """How many of them are only still there because nobody noticed that they are to go."""

    def waiting_keys(self) -> list[bytes]:
        """Ids of the keys that wait for their deletion."""

    def versions(self, key: KeyMetadata) -> tuple[KeyVersion, ...]:
        """The key's versions, oldest first."""

    def material(self, key: KeyMetadata, number: int) -> bytes | None:
        """The wrapped material of a version, empty when it is gone; None: no such version."""

    def alias(self, name: str) -> Alias | None:
        """The alias, or None."""

    def aliases(self) -> list[Alias]:
        """All aliases, by name."""

    def key_stores(self) -> list[CustomKeyStore]:
        """All custom key stores, by id."""

    def key_store_secret(self, key_store_id: str) -> bytes | None:
        """The wrapped secret of a custom key store; None: no such store."""

    def keys_of_store(self, key_store_id: str) -> dict[str, bytes]:
        """The keys of a custom key store: their ids by their names in it."""

    def num_grants(self, key_id: bytes) -> int:
        """How many grants a key has."""

    def grant(self, key_id: bytes, grant_id: str) -> Grant | None:
        """The grant of the id, or None."""

    def grants_named(self, key_id: bytes, name: str) -> list[Grant]:
        """The key's grants of a name."""

    def grants(
        self, key_id: bytes, after: str | None, most: int, grantee: str | None = None
    ) -> list[Grant]:
        """So many of the key's grants, or of those of one grantee, in the order of their ids."""

    def retirable_grants(
        self, principal: str, after: tuple[bytes, str] | None, most: int
    ) -> list[tuple[bytes, Grant]]:
        """So many of the grants of all keys that a principal may retire, with their keys' ids."""

    def check_complete(self) -> None:
        """Raises StoreIntegrity when a row of a key is missing or is not the latest."""


class Writer(Reader, Protocol):
    """A transaction. What it wrote is durable when its block ends, or not there at all."""

    def add(self, key: KeyMetadata) -> None:
        """A new key, still without versions and aliases."""

    def save(self, key: KeyMetadata) -> None:
        """The key's new state, description, rotation, tags and number of versions and aliases."""

    def add_version(self, key: KeyMetadata, version: KeyVersion, wrapped: bytes) -> None:
        """A version and its wrapped material."""

    def save_version(
        self, key: KeyMetadata, version: KeyVersion, wrapped: bytes | None = None
    ) -> None:
        """A version's new state; its wrapped material stays, goes, or is the one that is given."""

    def drop_version(self, key: KeyMetadata, number: int) -> None:
        """Removes a version that was never current."""

    def put_alias(self, alias: Alias) -> None:
        """A new alias, or where an existing one leads now."""

    def drop_alias(self, name: str) -> None:
        """Removes an alias."""

    def add_key_store(self, store: CustomKeyStore, wrapped: bytes) -> None:
        """A new custom key store and its wrapped secret."""

    def save_key_store(self, store: CustomKeyStore, wrapped: bytes | None = None) -> None:
        """A custom key store's new state and properties; None: its secret stays."""

    def drop_key_store(self, key_store_id: str) -> None:
        """Removes a custom key store."""

    def add_grant(self, key_id: bytes, grant: Grant, when: datetime) -> None:
        """A new grant."""

    def drop_grant(self, key_id: bytes, grant_id: str) -> None:
        """Removes a grant."""

    def purge(self, key: KeyMetadata, when: datetime) -> None:
        """Removes all of the key but the fact that it was deleted."""

    def remove(self, key: KeyMetadata) -> None:
        """Removes all of a key, as if it had never been there."""

    def clear(self) -> None:
        """Removes all keys of all regions and accounts, and the facts that some were deleted."""


class UsageTable(Protocol):
    """The last uses of keys, by the keys' ARNs. Writing them does not move the epoch."""

    def write(self, uses: Mapping[str, KeyUse], patience: float | None) -> None:
        """Records uses, unless later ones are known; StoreBusy after ``patience`` seconds."""

    def of(self, key_arn: str) -> KeyUse | None:
        """The last use of a key; None: it has none."""

    def tracked_since(self) -> datetime | None:
        """Since when uses are recorded; None: since the store was made."""


class Store(Protocol):
    """Where the keys of one region and account are kept.

    Attributes:
        home: region and account.
        store_key: wraps material, and is needed to load it.
        epoch: one word that changes whenever anything in the store has changed; odd while it does.
    """

    home: Home
    store_key: StoreKey
    epoch: memoryview

    @property
    def usage(self) -> UsageTable:
        """The last uses of its keys."""

    def read(self) -> AbstractContextManager[Reader]:
        """A view of the store."""

    def write(self) -> AbstractContextManager[Writer]:
        """A transaction; only one at a time, in all processes."""

    def forget_deleted(self) -> None:
        """Makes sure that removed rows are gone from the disk."""

    def check_process(self) -> None:
        """Raises StoreForked in a child of the process that opened the store."""

    def describe(self) -> dict[str, Any]:
        """Facts for a diagnosis."""


class IdentityReader(Protocol):
    """A consistent view of whom a store knows. Whatever it returns was authenticated."""

    def version(self) -> bytes:
        """What stands while nothing of it has changed."""

    def all(self) -> Identities:
        """All of it."""


class IdentityWriter(IdentityReader, Protocol):
    """A transaction on whom a store knows."""

    def add(self, identity: Identity) -> None:
        """A new principal, or its new tags."""

    def drop(self, arn: str) -> None:
        """Removes a principal and all that belongs to it."""

    def put_access_key(self, key: AccessKey, wrapped: bytes) -> None:
        """A new access key, or its new state."""

    def drop_access_key(self, access_key_id: str) -> None:
        """Removes an access key."""

    def put_policy(self, arn: str, name: str, document: str) -> None:
        """A new identity policy, or what it says now."""

    def drop_policy(self, arn: str, name: str) -> None:
        """Removes an identity policy."""

    def put_membership(self, arn: str, group_arn: str) -> None:
        """Puts a user into a group."""

    def drop_membership(self, arn: str, group_arn: str) -> None:
        """Takes a user out of a group."""

    def put_peer(self, kind: PeerKind, number: int, arn: str) -> None:
        """Whom a uid or gid is from now on."""

    def drop_peer(self, kind: PeerKind, number: int) -> None:
        """A uid or gid is nobody from now on."""


class IdentityStore(Protocol):
    """Where principals are kept: those of all accounts together.

    Attributes:
        store_key: wraps secrets of access keys.
        epoch: as of :class:`Store`.
    """

    store_key: StoreKey
    epoch: memoryview

    def read_identities(self) -> AbstractContextManager[IdentityReader]:
        """A view of them."""

    def write_identities(self) -> AbstractContextManager[IdentityWriter]:
        """A transaction; only one at a time, in all processes."""

    def check_process(self) -> None:
        """Raises StoreForked in a child of the process that opened the store."""


@dataclass(frozen=True, slots=True)
class Place:
    """A custom key store, and the way to its secret.

    Attributes:
        secret: unwraps the user's PIN or the secret access key, and wipes it after the block.
    """

    store: CustomKeyStore
    secret: Callable[[], AbstractContextManager[memoryview]]


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a key whose material is elsewhere.

    Attributes:
        name: of the key in its custom key store.
        operation: as AWS names it.
        key_arn: of the key; None: it is being made.
    """

    name: str
    operation: str
    key_arn: str | None


class Outside(Protocol):
    """What keeps the material of keys elsewhere, for all custom key stores of one type.

    Every call may wait for a device or the network. Each but close and disconnect raises
    :class:`kmsfast.model.key_store_faults.OutsideFailed`.
    """

    def check(self, place: Place, operation: str) -> None:
        """Passes when a key store with these properties can be made."""

    def connect(self, place: Place, operation: str) -> None:
        """Passes when the keys of the key store can be used; begins anew if need be."""

    def disconnect(self, key_store_id: str) -> None:
        """Forgets a connection, if there is one."""

    def make_key(self, place: Place, name: str, use: Use) -> None:
        """Makes the key of this name, or makes sure that it is there and can be one's material."""

    def destroy_key(self, place: Place, name: str) -> None:
        """Removes the key that make_key made."""

    def seal(self, place: Place, use: Use, plaintext: bytes, aad: bytes) -> Box:
        """Encrypts and authenticates by AES-256-GCM."""

    def open(self, place: Place, use: Use, box: Box, aad: bytes) -> bytes:
        """Decrypts what seal made.

        Raises:
            InvalidCiphertext: it does not authenticate, where the other side says so.
        """

    def random(self, place: Place, num_bytes: int) -> bytes:
        """Random bytes.

        Raises:
            UnsupportedOperation: key stores of the type make none.
        """

    def close(self) -> None:
        """Forgets all connections."""
