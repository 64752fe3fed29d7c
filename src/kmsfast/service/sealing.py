"""Sealed batches as a whole, by a writer or reader, wherever its data key was made."""

from __future__ import annotations

from typing import Any

from kmsfast.crypto.sealed import SealedReader
from kmsfast.errors import BatchError, InvalidCiphertext, ValidationError
from kmsfast.service import kinds

__all__ = ["check_ended", "check_index", "open_all", "open_one", "record_size"]


def record_size(values: Any) -> int:
    """The size of the records that will be sealed, 0 when they vary.

    Raises:
        ValidationError: there are none; the last record is what ends a batch.
    """
    if kinds.num_records(values) == 0:
        raise ValidationError("a sealed batch has at least one record")
    return kinds.fixed_width(values)


def check_ended(values: Any) -> None:
    """Passes when a batch has records.

    Raises:
        InvalidCiphertext: it has none.
    """
    if kinds.num_records(values) == 0:
        raise InvalidCiphertext("the sealed batch was cut off: it has no final record")


def check_index(values: Any, i: int) -> None:
    """Passes when a batch has a record i.

    Raises:
        ValidationError: it has not.
    """
    num = kinds.num_records(values)
    if not isinstance(i, int) or not 0 <= i < num:
        raise ValidationError(f"the sealed batch has records 0 to {num - 1}, not {i!r}")


def open_all(reader: SealedReader, values: Any, threads: int) -> Any:
    """All records; the last one must be the one that ended the batch.

    Raises:
        BatchError: some do not open.
    """
    opened, failed = reader.open(values, first=0, last=True, threads=threads)
    if failed:
        raise BatchError(failed, opened, kinds.num_records(values))
    return opened


def open_one(reader: SealedReader, values: Any, i: int) -> bytes:
    """Record i.

    Raises:
        InvalidCiphertext: it does not open.
    """
    last = i == kinds.num_records(values) - 1
    opened, failed = reader.open([kinds.record(values, i)], first=i, last=last)
    if failed:
        raise failed[0]
    return opened[0]  # type: ignore[no-any-return]
