"""What happens to one column: sealed record by record, opened, or brought to a new key version.

Rules:
- a pass takes the column's chunks in order and gives chunks of the same length;
- nulls stay nulls, in both suites;
- the sealed suite spans the whole column of the file, not a chunk: one data key, records counted
  through, and a last record (in the file's footer) that fixes the number of rows and which of them
  are null. So rows cannot be dropped, added, moved or nulled unnoticed;
- a record that does not open is dealt with as `Failures` was told: stop, or null and a report.
"""

from __future__ import annotations

import base64
import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from kmsfast.errors import KmsError, ValidationError
from kmsfast.tables.arrow_types import encrypted_field, from_bytes, original_field, to_bytes
from kmsfast.tables.report import Failures, Options, RecordsFailed, rewrapped

if TYPE_CHECKING:
    from kmsfast.local import Key, Kms

__all__ = [
    "ColumnPass",
    "OpenBlobs",
    "OpenSealed",
    "RewrapBlobs",
    "RewrapSealed",
    "Seal",
    "SealBlobs",
]

#: Field metadata of a sealed column: the header of its batch, in base64.
HEADER_KEY = b"kmsfast.sealed"
#: Footer metadata: the last record of a sealed column, in base64; the column's name follows.
FINAL_KEY = b"kmsfast.final."


class ColumnPass(ABC):
    """One column on its way from the file read to the file written.

    Attributes:
        field: the column's field in the file written.
        rows: data rows that went through so far.
    """

    field: pa.Field
    rows = 0

    def apply(self, array: pa.Array) -> pa.Array:
        """The next chunk, changed."""
        changed = self._apply(array)
        self.rows += len(array)
        return changed

    def finish(self) -> dict[bytes, bytes]:
        """After the last chunk: what goes to the footer of the file."""
        return {}

    @abstractmethod
    def _apply(self, array: pa.Array) -> pa.Array:
        """A chunk of the column, changed, of the same length."""


class SealBlobs(ColumnPass):
    """Values to blobs, each of which stands for itself."""

    def __init__(
        self, source: pa.Field, key: Key, crypto: Options, extra: Mapping[bytes, bytes]
    ) -> None:
        self.field = encrypted_field(source, "blob", extra)
        self._key, self._options = key, crypto

    def _apply(self, array: pa.Array) -> pa.Array:
        context, threads = self._options
        sealed = self._key.encrypt_batch(to_bytes(array), context, threads=threads)
        return _as(sealed, self.field.type)


class OpenBlobs(ColumnPass):
    """Blobs to values of the original type."""

    def __init__(self, source: pa.Field, kms: Kms, crypto: Options, failures: Failures) -> None:
        self.field = _original(source)
        if failures.on_error == "null":
            self.field = self.field.with_nullable(True)
        self._kms, self._options, self._failures = kms, crypto, failures

    def _apply(self, array: pa.Array) -> pa.Array:
        name, (context, threads) = self.field.name, self._options
        blobs = to_bytes(array)
        result = self._kms.decrypt_batch(blobs, context, threads=threads, errors="return")
        self._failures.add(name, self.rows + 1, result.errors)
        return from_bytes(_nulled(result.values, result.errors), self.field.type, name)


class RewrapBlobs(ColumnPass):
    """Blobs of old key versions to blobs of the newest; those of the newest stay."""

    def __init__(self, source: pa.Field, kms: Kms, crypto: Options) -> None:
        _original(source)
        self.field = source
        self._kms, self._options = kms, crypto

    def _apply(self, array: pa.Array) -> pa.Array:
        context, _ = self._options
        return rewrapped(self._kms, array, context, self.field.name, self.rows + 1)


class Seal(ColumnPass):
    """Values to the records of one sealed batch."""

    def __init__(
        self, source: pa.Field, key: Key, crypto: Options, extra: Mapping[bytes, bytes]
    ) -> None:
        self._writer = key.sealed_writer(crypto.context)
        header = {HEADER_KEY: base64.b64encode(self._writer.header)}
        self.field = encrypted_field(source, "sealed", {**extra, **header})
        self._threads, self._shape = crypto.threads, _Shape()

    def _apply(self, array: pa.Array) -> pa.Array:
        values = to_bytes(array)
        self._shape.add(values)
        sealed = self._writer.seal(_without_nulls(values), last=False, threads=self._threads)
        return _as(_with_nulls(sealed, values), self.field.type)

    def finish(self) -> dict[bytes, bytes]:
        """The last record: number of rows, and which are null."""
        (final,) = self._writer.seal([self._shape.digest()], last=True)
        self._writer.close()
        return {FINAL_KEY + self.field.name.encode(): base64.b64encode(final)}


class OpenSealed(ColumnPass):
    """The records of one sealed batch to values of the original type."""

    def __init__(
        self, source: pa.Field, kms: Kms, crypto: Options, footer: Mapping[bytes, bytes]
    ) -> None:
        self.field = _original(source)
        self._final = footer.get(FINAL_KEY + source.name.encode())
        self._reader = kms.sealed_reader(sealed_header(source), crypto.context)
        self._threads, self._shape, self._records = crypto.threads, _Shape(), 0

    def _apply(self, array: pa.Array) -> pa.Array:
        values = to_bytes(array)
        self._shape.add(values)
        first, records = self._records, _without_nulls(values)
        opened, errors = self._reader.open(records, first=first, last=False, threads=self._threads)
        if errors:
            raise self._damaged(f"record {first + min(errors)}: {errors[min(errors)]}")
        self._records += len(records)
        return from_bytes(_with_nulls(opened, values), self.field.type, self.field.name)

    def finish(self) -> dict[bytes, bytes]:
        """Checks the last record.

        Raises:
            RecordsFailed: rows are missing, added, or null that were not.
        """
        if self._final is None:
            raise self._damaged("its last record is missing from the footer of the file")
        final = base64.b64decode(self._final)
        (digest,), errors = self._reader.open([final], first=self._records, last=True)
        self._reader.close()
        if errors or digest != self._shape.digest():
            raise self._damaged("rows are missing, added or null that were not when it was sealed")
        return {}

    def _damaged(self, why: str) -> RecordsFailed:
        return RecordsFailed(f"sealed column {self.field.name!r}: {why}")


class RewrapSealed(ColumnPass):
    """A sealed column to a new one under the newest version of the key that sealed it."""

    def __init__(self, opened: OpenSealed, sealed: Seal) -> None:
        self._open, self._seal = opened, sealed
        self.field = sealed.field

    def _apply(self, array: pa.Array) -> pa.Array:
        return self._seal.apply(self._open.apply(array))

    def finish(self) -> dict[bytes, bytes]:
        """The last record of the new batch, after that of the old one was checked."""
        self._open.finish()
        return self._seal.finish()


class _Shape:
    """Number of rows of a column and which of them are null, as a digest of 40 bytes."""

    def __init__(self) -> None:
        self._rows = 0
        self._validity = hashlib.sha256()

    def add(self, array: pa.Array) -> None:
        self._rows += len(array)
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        self._validity.update(valid.astype(np.uint8).tobytes())

    def digest(self) -> bytes:
        return self._rows.to_bytes(8, "big") + self._validity.digest()


def _as(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """The array as one of that type; cast() would import pyarrow.compute, which takes 50 ms."""
    return array if array.type == kind else array.cast(kind)


def _nulled(values: pa.Array, errors: Mapping[int, KmsError]) -> pa.Array:
    """The values with those of failed records set to null."""
    if not errors:
        return values
    import pyarrow.compute as pc

    keep = np.ones(len(values), bool)
    keep[list(errors)] = False
    return pc.if_else(pa.array(keep), values, pa.scalar(None, values.type))


def sealed_header(source: pa.Field) -> bytes:
    """The 136 bytes that open the sealed batch of a column.

    Raises:
        ValidationError: they are missing or damaged.
    """
    try:
        return base64.b64decode(source.metadata[HEADER_KEY], validate=True)
    except (KeyError, ValueError):
        raise ValidationError(
            f"column {source.name!r}: the header of its batch is missing"
        ) from None


def sealed_key_id(source: pa.Field) -> str:
    """Id of the key that sealed a column."""
    import kmsfast

    return kmsfast.inspect(sealed_header(source)).key_id


def _original(source: pa.Field) -> pa.Field:
    original = original_field(source)
    if original is None:
        raise ValidationError(f"column {source.name!r} is not encrypted by kmsfast")
    return original


def _without_nulls(array: pa.Array) -> pa.Array:
    return array.drop_null() if array.null_count else array


def _with_nulls(records: pa.Array, like: pa.Array) -> pa.Array:
    """The records spread over the rows that are valid in `like`."""
    if not like.null_count:
        return records
    valid = like.is_valid().to_numpy(zero_copy_only=False)
    return records.take(pa.array(np.cumsum(valid) - 1, mask=~valid))
