"""Columns of Parquet files: encrypted, decrypted, brought to a new key version, described."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from kmsfast.errors import FrameError, ValidationError
from kmsfast.tables.arrow_types import original_field, to_bytes
from kmsfast.tables.columns import (
    ColumnPass,
    OpenBlobs,
    OpenSealed,
    RewrapBlobs,
    RewrapSealed,
    Seal,
    SealBlobs,
    sealed_header,
    sealed_key_id,
)
from kmsfast.tables.parquet_file import ParquetTable, Source, of_parquet
from kmsfast.tables.report import ColumnFacts, Done, Failures, Options, Progress

if TYPE_CHECKING:
    from kmsfast.local import Key, Kms

__all__ = ["decrypt_parquet", "describe_parquet", "encrypt_parquet", "rewrap_parquet"]

DEFAULTS = Options()


@of_parquet
def encrypt_parquet(
    source: Source,
    target: BinaryIO,
    key: Key,
    columns: Sequence[str],
    options: Options = DEFAULTS,
    *,
    sealed: bool = False,
    progress: Progress | None = None,
) -> Done:
    """Encrypts the named columns under `key`; the others pass through.

    Args:
        sealed: one sealed batch per column, which must then stay as it is, instead of blobs.

    Raises:
        ValidationError: not a Parquet file, no such column, or a type that cannot be encrypted.
    """
    table, crypto = ParquetTable(source), options.beside_others
    make = Seal if sealed else SealBlobs
    passes: dict[str, ColumnPass] = {
        name: make(table.field(name), key, crypto, table.codec_note(name)) for name in columns
    }
    rows = table.rewrite(target, passes, overlap=options.threads > 1, progress=progress)
    return Done(rows, tuple(passes), Failures())


@of_parquet
def decrypt_parquet(
    source: Source,
    target: BinaryIO,
    kms: Kms,
    columns: Sequence[str] = (),
    options: Options = DEFAULTS,
    *,
    failures: Failures | None = None,
    progress: Progress | None = None,
) -> Done:
    """Decrypts the named columns, or all encrypted ones, to exactly the columns they were.

    Raises:
        ValidationError: not a Parquet file, no such column, or it is not encrypted.
        RecordsFailed: a record does not open and `failures` says to stop.
    """
    table, crypto = ParquetTable(source), options.beside_others
    failures = failures or Failures()
    passes: dict[str, ColumnPass] = {}
    for name in columns or table.encrypted():
        if table.is_sealed(name):
            passes[name] = OpenSealed(table.field(name), kms, crypto, table.footer)
        else:
            passes[name] = OpenBlobs(table.field(name), kms, crypto, failures)
    rows = table.rewrite(target, passes, overlap=options.threads > 1, progress=progress)
    return Done(rows, tuple(passes), failures)


@of_parquet
def rewrap_parquet(
    source: Source,
    target: BinaryIO,
    kms: Kms,
    columns: Sequence[str] = (),
    options: Options = DEFAULTS,
    *,
    progress: Progress | None = None,
) -> Done:
    """Brings the named columns, or all encrypted ones, to the newest version of their keys.

    Raises:
        ValidationError: not a Parquet file, no such column, or it is not encrypted.
        RecordsFailed: a record does not open.
    """
    table, crypto = ParquetTable(source), options.beside_others
    passes: dict[str, ColumnPass] = {}
    for name in columns or table.encrypted():
        if table.is_sealed(name):
            opened = OpenSealed(table.field(name), kms, crypto, table.footer)
            key = kms.key(sealed_key_id(table.field(name)))
            sealed = Seal(opened.field, key, crypto, table.codec_note(name))
            passes[name] = RewrapSealed(opened, sealed)
        else:
            passes[name] = RewrapBlobs(table.field(name), kms, crypto)
    rows = table.rewrite(target, passes, overlap=options.threads > 1, progress=progress)
    return Done(rows, tuple(passes), Failures())


@of_parquet
def describe_parquet(source: Source, columns: Sequence[str] = ()) -> list[ColumnFacts]:
    """What the encrypted columns say about keys, versions and types, read without keys.

    Raises:
        ValidationError: not a Parquet file, no such column, or it is not encrypted.
    """
    table = ParquetTable(source)
    return [_described(table, name) for name in columns or table.encrypted()]


def _described(table: ParquetTable, name: str) -> ColumnFacts:
    source = table.field(name)
    original = original_field(source)
    if original is None:
        raise ValidationError(f"column {name!r} is not encrypted by kmsfast")
    sealed = table.is_sealed(name)
    records: Counter[tuple[str, int]] = Counter()
    nulls = not_blobs = 0
    for chunk in table.values(name):
        array = to_bytes(chunk)
        nulls += array.null_count
        if sealed:
            records[_name_of(sealed_header(source))] += len(array) - array.null_count
            continue
        for blob, count in _count_headers(array):
            try:
                records[_name_of(blob)] += count
            except FrameError:
                not_blobs += count
    suite = "sealed" if sealed else "blob"
    return ColumnFacts(name, suite, str(original.type), dict(records), nulls, not_blobs)


def _count_headers(array: pa.Array) -> list[tuple[bytes, int]]:
    """For each start of 24 bytes, the header of a blob: one value that has it, and how many."""
    import pyarrow.compute as pc

    values = array.drop_null()
    if len(values) == 0:
        return []
    starts = pc.binary_slice(values, 0, 24)
    return [
        (values[pc.index(starts, pair["values"]).as_py()].as_py(), pair["counts"].as_py())
        for pair in pc.value_counts(starts)
    ]


def _name_of(blob: bytes) -> tuple[str, int]:
    import kmsfast

    info = kmsfast.inspect(blob)
    return info.key_id, info.key_version
