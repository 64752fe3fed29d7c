"""Rows that nobody changes unseen: each carries a MAC under the store's own key.

The MAC covers the table's name and, for each other column in the table's order, its name and its
value with a tag for the value's type and its length; so no two different rows have the same input.
A row that does not verify is never used.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import RowMapping, Table

from kmsfast.errors import StoreIntegrity

__all__ = ["Macs", "sealed", "verified"]


class Macs(Protocol):
    """Whoever makes and checks MACs: the store key."""

    def mac(self, msg: bytes) -> bytes:
        """The MAC of ``msg``, 32 bytes."""

    def check_mac(self, mac: bytes, msg: bytes) -> bool:
        """Whether ``mac`` is that of ``msg``."""


def sealed(macs: Macs, table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its MAC."""
    return {**values, "mac": macs.mac(_message(table, values))}


def verified(macs: Macs, table: Table, row: RowMapping) -> dict[str, Any]:
    """The row without its MAC.

    Raises:
        StoreIntegrity: the row was changed, moved or added from outside.
    """
    values = {name: row[name] for name in _names(table)}
    if not isinstance(row["mac"], bytes) or not macs.check_mac(row["mac"], _message(table, values)):
        raise StoreIntegrity(
            f"a row of table {table.name!r} does not authenticate: the store was changed from "
            "outside; restore it from a backup"
        )
    return values


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns if column.name != "mac"]


def _message(table: Table, values: Mapping[str, Any]) -> bytes:
    parts = [_framed(b"t", table.name.encode())]
    for name in _names(table):
        parts += [_framed(b"c", name.encode()), _value(values[name])]
    return b"".join(parts)


def _value(value: Any) -> bytes:
    if value is None:
        return _framed(b"n", b"")
    if isinstance(value, int):
        return _framed(b"i", str(value).encode())
    if isinstance(value, str):
        return _framed(b"s", value.encode())
    if isinstance(value, bytes):
        return _framed(b"b", value)
    raise StoreIntegrity(f"a column holds a value of type {type(value).__name__}")


def _framed(tag: bytes, data: bytes) -> bytes:
    return tag + len(data).to_bytes(8, "big") + data
