"""Parquet files, read and written in row groups of bounded size.

Rules:
- a few row groups fit into memory whatever the file is; reading, changing and writing overlap, in a
  thread each: writing takes the longest, and more threads to read with only get in its way;
- columns that do not change pass through with their type, metadata, codec and dictionary setting,
  but for a dictionary that was given up because the values hardly repeat: it is not tried again;
- an encrypted column is written as DELTA_BYTE_ARRAY without dictionary, statistics and codec: the
  encoding strips the 56 bytes that all blobs of a key version start with, and the rest is random,
  so a codec only costs time.
"""

from __future__ import annotations

import binascii
import functools
import os
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, BinaryIO, TypeVar, cast

import pyarrow as pa
import pyarrow.parquet as pq

from kmsfast.errors import KmsError, ValidationError
from kmsfast.service.ahead import ahead
from kmsfast.tables.arrow_types import ENCRYPTED_KEY, original_field
from kmsfast.tables.columns import FINAL_KEY, ColumnPass
from kmsfast.tables.report import Progress, no_column

__all__ = ["ParquetTable", "Source", "of_parquet"]

Source = str | os.PathLike[str]

#: Read buffers of all columns together.
READ_BYTES = 8 << 20
#: A row group holds as many rows as come to about this many bytes of Arrow data, ...
GROUP_BYTES = 20 << 20
#: ... within these bounds.
MIN_GROUP_ROWS, MAX_GROUP_ROWS = 16, 128 * 1024
#: Bytes that a blob is longer than its plaintext.
OVERHEAD = 96
#: Bytes of an index into a dictionary, at most.
INDEX_BYTES = 4
#: Bytes of the smallest file: two magic numbers and the length of the footer.
MIN_SIZE = 12
#: Field metadata: codec that the column had before it was encrypted.
CODEC_KEY = b"kmsfast.codec"
#: Names of codecs in Parquet metadata that the writer calls otherwise.
CODEC_NAMES = {"UNCOMPRESSED": "none", "LZ4_RAW": "lz4", "LZO": "snappy"}


Call = TypeVar("Call", bound=Callable[..., Any])


def of_parquet(call: Call) -> Call:
    """A function of a Parquet file, its first argument: what damage makes of it, is one error.

    The metadata of a damaged file fail wherever they are looked at, in pyarrow or here.
    """

    @functools.wraps(call)
    def checked(source: Source, *arguments: Any, **options: Any) -> Any:
        try:
            return call(source, *arguments, **options)
        except (pa.ArrowException, UnicodeDecodeError, binascii.Error, OSError) as error:
            if isinstance(error, KmsError) or getattr(error, "errno", None) is not None:
                raise
            name = os.fspath(source)
            if _no_magic(source):
                raise ValidationError(f"{name} is not a Parquet file, or was cut off") from error
            raise ValidationError(f"{name} is damaged: {error}") from error

    return cast(Call, checked)


def _no_magic(source: Source) -> bool:
    """Whether the file does not start and end like a Parquet file."""
    with open(source, "rb") as file:  # noqa: PTH123 - a path of any kind
        start = file.read(4)
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 4))
        return size < MIN_SIZE or not start == file.read(4) == b"PAR1"


class ParquetTable:
    """A Parquet file that is read in row groups of bounded size.

    Attributes:
        schema: its Arrow schema.
        footer: key-value metadata of the file.

    Raises:
        ValidationError: two columns of one name.
    """

    def __init__(self, source: Source) -> None:
        metadata = pq.read_metadata(source)
        buffer = min(max(READ_BYTES // max(1, metadata.num_columns), 16 << 10), 1 << 20)
        self._file = pq.ParquetFile(source, metadata=metadata, buffer_size=buffer, pre_buffer=False)
        self._name = os.fspath(source)
        if metadata.num_row_groups:
            # Asked for the metadata of a damaged column chunk, pyarrow ends the process; reading
            # raises.
            next(self._file.iter_batches(1, row_groups=[0]), None)
        self.schema: pa.Schema = self._file.schema_arrow
        self.footer: Mapping[bytes, bytes] = self._file.metadata.metadata or {}
        repeated = [name for name, count in Counter(self.schema.names).items() if count > 1]
        if repeated:
            raise ValidationError(f"{self._name}: the column name {repeated[0]!r} occurs twice")

    def field(self, name: str) -> pa.Field:
        """The column of that name.

        Raises:
            ValidationError: there is none.
        """
        if name not in self.schema.names:
            raise no_column(self._name, name, self.schema.names)
        return self.schema.field(name)

    def encrypted(self) -> list[str]:
        """Names of the encrypted columns; at least one."""
        names = [item.name for item in self.schema if original_field(item) is not None]
        if not names:
            raise ValidationError(f"{self._name} has no encrypted columns")
        return names

    def is_sealed(self, name: str) -> bool:
        """Whether the column is one sealed batch."""
        return (self.field(name).metadata or {}).get(ENCRYPTED_KEY) == b"sealed"

    def codec_note(self, name: str) -> dict[bytes, bytes]:
        """Field metadata that remembers the codec of a column for its decryption."""
        known = (self.field(name).metadata or {}).get(CODEC_KEY)
        return {CODEC_KEY: known or self._codec(name).encode()}

    def rewrite(
        self,
        target: BinaryIO,
        passes: Mapping[str, ColumnPass],
        *,
        overlap: bool,
        progress: Progress | None = None,
    ) -> int:
        """Copies the file to `target`, the columns in `passes` on their way through these.

        Args:
            overlap: read, change and write in a thread each.

        Returns:
            Number of rows.
        """
        schema = self._output_schema(passes)
        changed = self._changed(passes, schema, overlap=overlap)
        rows = 0
        with (
            closing(ahead(changed) if overlap else changed) as groups,
            pq.ParquetWriter(target, schema, **self._writer_options(schema)) as writer,
        ):
            for group in groups:
                writer.write_batch(group)
                rows += len(group)
                if progress is not None:
                    progress(rows, self._file.metadata.num_rows)
            for item in passes.values():
                writer.add_key_value_metadata(item.finish())
            self._check_count(rows)
        return rows

    def values(self, name: str) -> Iterator[pa.Array]:
        """One column alone, chunk by chunk."""
        rows = 0
        for batch in self._file.iter_batches(MAX_GROUP_ROWS // 8, columns=[name]):
            rows += len(batch)
            yield batch.column(0)
        self._check_count(rows)

    def _check_count(self, rows: int) -> None:
        """Refuses a file that gave another number of rows than its footer says.

        pyarrow reads damaged row groups as shorter ones, without a word.
        """
        said = self._file.metadata.num_rows
        if rows != said:
            raise ValidationError(
                f"{self._name} is damaged: its footer says {said:,} rows, it has {rows:,}"
            )

    def _changed(
        self, passes: Mapping[str, ColumnPass], schema: pa.Schema, *, overlap: bool
    ) -> Generator[pa.RecordBatch, None, None]:
        """The row groups with the columns in `passes` replaced."""
        groups = self._file.iter_batches(self._group_rows(len(passes)), use_threads=False)
        with closing(ahead(groups) if overlap else groups) as batches:
            for batch in batches:
                arrays = [
                    passes[name].apply(array) if name in passes else array
                    for name, array in zip(batch.schema.names, batch.columns, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _group_rows(self, num_passes: int) -> int:
        metadata = self._file.metadata
        groups = range(metadata.num_row_groups)
        total = sum(metadata.row_group(index).total_byte_size for index in groups)
        # Twice, for dictionaries and delta encodings make the file smaller than its data.
        row_bytes = 2 * total // max(1, metadata.num_rows) + num_passes * OVERHEAD
        rows: int = GROUP_BYTES // max(1, row_bytes)
        return min(max(rows, MIN_GROUP_ROWS), MAX_GROUP_ROWS)

    def _output_schema(self, passes: Mapping[str, ColumnPass]) -> pa.Schema:
        fields = [passes[item.name].field if item.name in passes else item for item in self.schema]
        metadata = {
            name: value
            for name, value in (self.schema.metadata or {}).items()
            if not name.startswith(FINAL_KEY)
        }
        return pa.schema(fields, metadata or None)

    def _writer_options(self, schema: pa.Schema) -> dict[str, Any]:
        """Codec, dictionary and encoding of each leaf column, by its path."""
        codecs: dict[str, str] = {}
        dictionaries: list[str] = []
        statistics: list[str] = []
        encodings: dict[str, str] = {}
        for path, column in self._leaves():
            item = schema.field(column)
            if (item.metadata or {}).get(ENCRYPTED_KEY):
                codecs[path], encodings[path] = "none", "DELTA_BYTE_ARRAY"
                continue
            codecs[path] = self._codec(path)
            note = (self.schema.field(column).metadata or {}).get(CODEC_KEY)
            if note is not None:
                codecs[path] = note.decode()
            statistics.append(path)
            if note is not None or self._kept_dictionary(path):
                dictionaries.append(path)
        return {
            "compression": codecs,
            "use_dictionary": dictionaries,
            "write_statistics": statistics,
            "column_encoding": encodings,
        }

    def _leaves(self) -> Iterable[tuple[str, str]]:
        """Path of every leaf column and the name of the top-level column that it belongs to."""
        schema = self._file.schema
        names = sorted(self.schema.names, key=len, reverse=True)
        for index in range(len(schema.names)):
            path = schema.column(index).path
            yield path, next(n for n in names if path == n or path.startswith(n + "."))

    def _codec(self, path: str) -> str:
        chunk = self._chunk(path)
        codec = chunk.compression if chunk is not None else "SNAPPY"
        return CODEC_NAMES.get(codec, codec.lower())

    def _kept_dictionary(self, path: str) -> bool:
        """Whether the column has a dictionary, and its writer did not give it up half way.

        An index into a dictionary takes at most 4 bytes. A column that has more per value, beside
        the dictionary, holds values; to try again takes twice as long as to write these.
        """
        chunk = self._chunk(path)
        if chunk is None or not any("DICTIONARY" in name for name in chunk.encodings):
            return chunk is None
        if not chunk.has_dictionary_page or not chunk.total_compressed_size:
            return True
        stored = chunk.data_page_offset - chunk.dictionary_page_offset
        part = 1 - stored / chunk.total_compressed_size
        return bool(part * chunk.total_uncompressed_size <= INDEX_BYTES * chunk.num_values)

    def _chunk(self, path: str) -> Any:
        """Metadata of the column in the first row group; None if the file has none."""
        if self._file.metadata.num_row_groups == 0:
            return None
        group = self._file.metadata.row_group(0)
        for index in range(group.num_columns):
            if group.column(index).path_in_schema == path:
                return group.column(index)
        return None
