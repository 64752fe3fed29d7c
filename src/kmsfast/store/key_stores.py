"""Custom key stores as rows, and as parts of the keys that are in them."""

from __future__ import annotations

from collections.abc import Sequence

from kmsfast.errors import StoreUnusable
from kmsfast.model.key import KeyMetadata
from kmsfast.model.key_store import (
    Backing,
    ConnectionState,
    CustomKeyStore,
    KeyStoreType,
    XksProxy,
)
from kmsfast.store.moments import from_micros, to_micros
from kmsfast.store.table import Row

__all__ = ["backing_of", "backing_rows", "key_store_of", "key_store_row"]


def key_store_of(row: Row) -> CustomKeyStore:
    """The custom key store of a row."""
    proxy = None
    if row["uri_endpoint"] is not None:
        proxy = XksProxy(row["uri_endpoint"], row["uri_path"], row["access_key_id"])
    return CustomKeyStore(
        id=row["key_store_id"],
        name=row["name"],
        type=_type(row),
        created_at=from_micros(row["created_at"]),
        state=ConnectionState(row["state"]),
        error=row["error"],
        cluster_id=row["cluster_id"],
        trust_anchor=row["trust_anchor"],
        proxy=proxy,
    )


def key_store_row(store: CustomKeyStore) -> Row:
    """The columns of a custom key store but its secret."""
    proxy = store.proxy
    return {
        "key_store_id": store.id,
        "name": store.name,
        "type": store.type.value,
        "created_at": to_micros(store.created_at),
        "state": store.state.value,
        "error": store.error,
        "cluster_id": store.cluster_id,
        "trust_anchor": store.trust_anchor,
        "uri_endpoint": None if proxy is None else proxy.endpoint,
        "uri_path": None if proxy is None else proxy.path,
        "access_key_id": None if proxy is None else proxy.access_key_id,
    }


def backing_of(row: Row, store: Row) -> Backing:
    """Where a key's material is, of its row and that of the custom key store."""
    return Backing(
        key_store_id=row["key_store_id"],
        name=row["name"],
        type=_type(store),
        connected=store["state"] == ConnectionState.CONNECTED,
        cluster_id=store["cluster_id"],
    )


def backing_rows(key: KeyMetadata) -> Sequence[Row]:
    """The row that says where a key's material is, if it is not here."""
    if key.backing is None:
        return []
    return [
        {
            "key_id": key.raw_id,
            "key_store_id": key.backing.key_store_id,
            "name": key.backing.name,
        }
    ]


def _type(row: Row) -> KeyStoreType:
    try:
        return KeyStoreType(row["type"])
    except ValueError:
        raise StoreUnusable(
            f"the store has a custom key store of type {row['type']!r}, which this release does "
            "not know; upgrade kmsfast"
        ) from None
