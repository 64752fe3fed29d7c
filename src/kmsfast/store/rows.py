"""Rows that nobody changes unseen: each carries a MAC under the store's own key.

The MAC covers the table's name and, for each other column in the table's order, its name and its
value with a tag for the value's type and its length; so no two different rows have the same input.
A row that does not verify is never used.

A MAC says that the store once had the row, not that it has it still. So the row of a key carries
the sum of the MACs of all rows that belong to it, and the row of the store that of the rows of all
keys: 32-byte numbers added modulo 2^256, an additive multiset hash (Clarke et al., ASIACRYPT 2003).
A change takes the row's old MAC from the sum and adds the new one, and never counts the sum anew;
so what was put back or left out from outside stays a difference for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Protocol

from kmsfast.errors import StoreIntegrity
from kmsfast.store.table import CHANGED, Row, Table

__all__ = ["Macs", "added", "sealed", "verified"]

_TYPES = (int, str, bytes, type(None))
_SUM_LEN = 32
_SUM_MASK = (1 << 8 * _SUM_LEN) - 1


class Macs(Protocol):
    """Whoever makes and checks MACs: the store key."""

    def mac(self, msg: bytes) -> bytes:
        """The MAC of ``msg``, 32 bytes."""

    def check_mac(self, mac: bytes, msg: bytes) -> bool:
        """Whether ``mac`` is that of ``msg``."""


def added(total: bytes, new: Iterable[bytes], old: Iterable[bytes] = ()) -> bytes:
    """The sum with the MACs ``new`` and without the MACs ``old``."""
    numbers = (sum(int.from_bytes(mac, "big") for mac in macs) for macs in ((total, *new), old))
    plus, minus = numbers
    return ((plus - minus) & _SUM_MASK).to_bytes(_SUM_LEN, "big")


def sealed(macs: Macs, table: Table, values: Mapping[str, Any]) -> Row:
    """The row of the table's columns with its MAC; other values are left out."""
    row = {name: values[name] for name, _ in _columns(table)}
    return {**row, "mac": macs.mac(_message(table, row))}


def verified(macs: Macs, table: Table, row: Row) -> Row:
    """The row, with its MAC.

    Raises:
        StoreIntegrity: the row was changed, moved or added from outside.
    """
    for name, _ in _columns(table):
        if not isinstance(row[name], _TYPES):
            raise StoreIntegrity(
                f"column {name!r} of table {table.name!r} holds a {type(row[name]).__name__}, "
                f"which no column does: {CHANGED}"
            )
    if not isinstance(row["mac"], bytes) or not macs.check_mac(row["mac"], _message(table, row)):
        raise StoreIntegrity(
            f"a row of table {table.name!r} does not authenticate: the store was changed from "
            "outside; restore it from a backup"
        )
    return {name: row[name] for name in table.columns}


@cache
def _columns(table: Table) -> tuple[tuple[str, bytes], ...]:
    """The columns that a MAC is of, each with what stands before its value.

    A store is opened by checking every row of it: what is the same for all of a table is made once.
    """
    names = [name for name in table.columns if name != "mac"]
    heads = [_framed(b"c", name.encode()) for name in names]
    heads[0] = _framed(b"t", table.name.encode()) + heads[0]
    return tuple(zip(names, heads, strict=True))


def _message(table: Table, values: Mapping[str, Any]) -> bytes:
    parts = []
    for name, head in _columns(table):
        parts += [head, _value(values[name])]
    return b"".join(parts)


def _value(value: int | str | bytes | None) -> bytes:
    if value is None:
        return _framed(b"n", b"")
    if isinstance(value, int):
        return _framed(b"i", str(value).encode())
    if isinstance(value, str):
        return _framed(b"s", value.encode())
    return _framed(b"b", value)


def _framed(tag: bytes, data: bytes) -> bytes:
    return tag + len(data).to_bytes(8, "big") + data
