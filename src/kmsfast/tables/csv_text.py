"""Columns of CSV files.

Rules:
- the first record is the header; every record has as many fields as it;
- the values of all cells are kept to the byte, line breaks in quotes included; quotes themselves
  are written only where a value needs them, so a file may come back with fewer of them;
- a value is encrypted as UTF-8, whatever the encoding of the file; an encrypted cell is the blob
  in base64 (RFC 4648, one line). CSV knows no nulls: an empty cell is an empty value and is
  encrypted like any other;
- so the first data row tells which columns are encrypted: those whose cell there is a blob;
- every error names the line in the file; a block of rows is in memory at a time.
"""

from __future__ import annotations

import binascii
import csv
import io
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING, BinaryIO, cast

from kmsfast.errors import FrameError, KmsError, ValidationError
from kmsfast.tables.ahead import ahead
from kmsfast.tables.report import ColumnFacts, Done, Failures, Options, rewrapped

if TYPE_CHECKING:
    from kmsfast.local import Key, Kms

__all__ = ["CsvFormat", "decrypt_csv", "describe_csv", "encrypt_csv", "rewrap_csv"]

#: Rows in memory at a time, and the longest cell in characters.
BLOCK_ROWS = 16 * 1024
MAX_CELL = 16 << 20
#: Read from the file at a time.
READ_BYTES = 1 << 20
BOM = "\ufeff"

Row = list[str]
#: Changes the cells of a block: (column, cells, data row of the first cell, counted from 1).
CellPass = Callable[[str, list[str], int], list[str]]


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """How the text is written.

    Attributes:
        delimiter: one character between fields.
        encoding: name of a Python codec; the output has the same.
    """

    delimiter: str = ","
    encoding: str = "utf-8"


PLAIN = CsvFormat()
DEFAULTS = Options()


def encrypt_csv(
    source: BinaryIO,
    target: BinaryIO,
    key: Key,
    columns: Sequence[str],
    options: Options = DEFAULTS,
    *,
    form: CsvFormat = PLAIN,
) -> Done:
    """Encrypts the named columns under `key`.

    Raises:
        ValidationError: no header, no such column, a ragged row, or text of another encoding.
    """

    def seal(_name: str, cells: list[str], _first_row: int) -> list[str]:
        values = [cell.encode() for cell in cells]
        return _to_cells(key.encrypt_batch(values, options.context, threads=options.threads))

    rows = _Csv(source, form).rewrite(target, columns, seal, overlap=options.threads > 1)
    return Done(rows, tuple(columns), Failures())


def decrypt_csv(
    source: BinaryIO,
    target: BinaryIO,
    kms: Kms,
    columns: Sequence[str] = (),
    options: Options = DEFAULTS,
    *,
    form: CsvFormat = PLAIN,
    failures: Failures | None = None,
) -> Done:
    """Decrypts the named columns, or those whose first cell is a blob.

    Raises:
        ValidationError: no header, no such column, a ragged row, or text of another encoding.
        RecordsFailed: a cell does not open and `failures` says to stop.
    """
    report = failures or Failures()

    def unseal(name: str, cells: list[str], first_row: int) -> list[str]:
        blobs, errors = _to_blobs(cells)
        result = kms.decrypt_batch(blobs, options.context, threads=options.threads, errors="return")
        # A cell that is not base64 has the better error already.
        errors = {**result.errors, **errors}
        texts = _to_texts(result.values, errors)
        report.add(name, first_row, errors)
        return texts

    table = _Csv(source, form)
    names = columns or table.encrypted()
    rows = table.rewrite(target, names, unseal, overlap=options.threads > 1)
    return Done(rows, tuple(names), report)


def rewrap_csv(
    source: BinaryIO,
    target: BinaryIO,
    kms: Kms,
    columns: Sequence[str] = (),
    options: Options = DEFAULTS,
    *,
    form: CsvFormat = PLAIN,
) -> Done:
    """Brings the named columns, or those whose first cell is a blob, to their newest versions.

    Raises:
        ValidationError: no header, no such column, a ragged row, or text of another encoding.
        RecordsFailed: a cell does not open.
    """
    failures = Failures()

    def renew(name: str, cells: list[str], first_row: int) -> list[str]:
        blobs, errors = _to_blobs(cells)
        failures.add(name, first_row, errors)
        return _to_cells(rewrapped(kms, blobs, options.context, name, first_row))

    table = _Csv(source, form)
    names = columns or table.encrypted()
    rows = table.rewrite(target, names, renew, overlap=options.threads > 1)
    return Done(rows, tuple(names), failures)


def describe_csv(
    source: BinaryIO, columns: Sequence[str] = (), *, form: CsvFormat = PLAIN
) -> list[ColumnFacts]:
    """What the cells of the named columns, or of those that hold blobs, say without keys.

    Raises:
        ValidationError: no header, no such column, a ragged row, or text of another encoding.
    """
    table = _Csv(source, form)
    wanted = table.positions(columns) if columns else list(range(len(table.header)))
    found = [_Facts() for _ in wanted]
    for block in table.blocks():
        for facts, position in zip(found, wanted, strict=True):
            facts.add([row[position] for row in block])
    return [
        ColumnFacts(table.header[position], "blob", "text", dict(facts.records), 0, facts.others)
        for facts, position in zip(found, wanted, strict=True)
        if columns or facts.records
    ]


class _Facts:
    """Keys and versions of the cells of one column."""

    def __init__(self) -> None:
        self.records: Counter[tuple[str, int]] = Counter()
        self.others = 0

    def add(self, cells: list[str]) -> None:
        # 32 characters of base64 are the 24 bytes of a header.
        for start, count in Counter(cell[:32] for cell in cells).items():
            sample = next(cell for cell in cells if cell[:32] == start)
            name = _name_of(sample)
            if name is None:
                self.others += count
            else:
                self.records[name] += count


def _name_of(cell: str) -> tuple[str, int] | None:
    """Key id and version of a cell that is a blob."""
    import kmsfast

    try:
        info = kmsfast.inspect(binascii.a2b_base64(cell, strict_mode=True))
    except (FrameError, ValueError):
        return None
    return info.key_id, info.key_version


class _Lines:
    """Takes rows that end with CR LF and writes them with the line end of the input."""

    def __init__(self, text: io.TextIOWrapper, line_end: str) -> None:
        self._write, self._line_end = text.write, line_end

    def write(self, row: str) -> None:
        """One row."""
        self._write(row[:-2] + self._line_end)


class _Csv:
    """A CSV file, read in blocks of rows."""

    def __init__(self, source: BinaryIO, form: CsvFormat) -> None:
        csv.field_size_limit(MAX_CELL)
        self._form = form
        self._source = source
        self._line_end = "\n"
        self._mark = ""
        self._rows = 0
        self._first: list[Row] = []
        self._reader = csv.reader(self._lines(), delimiter=form.delimiter, strict=True)
        self.header: Row = next(self._records(), [])
        if not self.header:
            raise ValidationError("the CSV has no header; its first line must name the columns")
        repeated = [name for name, count in Counter(self.header).items() if count > 1]
        if repeated:
            raise ValidationError(f"line 1: the column name {repeated[0]!r} occurs twice")

    def encrypted(self) -> list[str]:
        """Names of the columns whose first cell is a blob; none if there are no data rows.

        Raises:
            ValidationError: there are data rows and none of these.
        """
        self._first = list(islice(self._records(), 1))
        if not self._first:
            return []
        cells = zip(self.header, self._first[0], strict=False)
        names = [name for name, cell in cells if _name_of(cell) is not None]
        if not names:
            raise ValidationError(
                "no cell of the first data row is a blob; name encrypted columns with --columns"
            )
        return names

    def positions(self, columns: Sequence[str]) -> list[int]:
        """Where the named columns are in a row.

        Raises:
            ValidationError: there is no such column.
        """
        for name in columns:
            if name not in self.header:
                names = ", ".join(self.header)
                raise ValidationError(f"the CSV has no column {name!r}; its columns are: {names}")
        return [self.header.index(name) for name in columns]

    def rewrite(
        self, target: BinaryIO, columns: Sequence[str], change: CellPass, *, overlap: bool
    ) -> int:
        """Copies the file to `target`, the cells of `columns` on their way through `change`.

        Returns:
            Number of data rows.
        """
        positions = self.positions(columns)
        text = io.TextIOWrapper(target, self._form.encoding, newline="")
        try:
            # With \r\n as its line end csv quotes values that hold either character.
            rows = csv.writer(
                _Lines(text, self._line_end), delimiter=self._form.delimiter, lineterminator="\r\n"
            )
            text.write(self._mark)
            rows.writerow(self.header)
            with closing(self._changed(positions, change, overlap=overlap)) as blocks:
                for block in blocks:
                    rows.writerows(block)
            text.flush()
        finally:
            text.detach()
        return self._rows

    def blocks(self) -> Generator[list[Row], None, None]:
        """The data rows, some thousand at a time."""
        records = chain(self._first, self._records())
        while block := list(islice(records, BLOCK_ROWS)):
            if set(map(len, block)) != {len(self.header)}:
                self._refuse_ragged(block)
            self._rows += len(block)
            yield block

    def _changed(
        self, positions: list[int], change: CellPass, *, overlap: bool
    ) -> Generator[list[Row], None, None]:
        """The blocks with the cells of some columns replaced."""
        read = self.blocks()
        first_row = 1
        with closing(ahead(read) if overlap else read) as blocks:
            for block in blocks:
                for position in positions:
                    cells = [row[position] for row in block]
                    changed = change(self.header[position], cells, first_row)
                    for row, cell in zip(block, changed, strict=True):
                        row[position] = cell
                yield block
                first_row += len(block)

    def _lines(self) -> Iterator[str]:
        """The lines with their ends; remembers byte order mark and line end of the first."""
        encoding = self._form.encoding
        try:
            buffered = io.BufferedReader(cast(io.RawIOBase, self._source), READ_BYTES)
            text = io.TextIOWrapper(buffered, encoding, newline="")
            first = text.readline(MAX_CELL)
            self._mark = BOM if first.startswith(BOM) else ""
            self._line_end = "\r\n" if first.endswith("\r\n") else "\n"
            yield first.removeprefix(BOM)
            while line := text.readline(MAX_CELL):
                yield line
        except LookupError:
            raise ValidationError(f"there is no text encoding {encoding!r}") from None
        except UnicodeDecodeError as error:
            # All complete lines before the chunk that does not decode were handed out already.
            number = self._reader.line_num + 1 + error.object.count(b"\n", 0, error.start)
            raise ValidationError(
                f"line {number}: byte 0x{error.object[error.start]:02x} is not {encoding} text; "
                "name the file's encoding with --encoding"
            ) from None

    def _records(self) -> Iterator[Row]:
        try:
            yield from self._reader
        except csv.Error as error:
            raise ValidationError(f"line {self._reader.line_num}: {error}") from None

    def _refuse_ragged(self, block: list[Row]) -> None:
        wanted = len(self.header)
        index = next(index for index, row in enumerate(block) if len(row) != wanted)
        raise ValidationError(
            f"row {self._rows + index + 1}: {len(block[index])} fields, the header has {wanted}"
        )


def _to_texts(values: Sequence[bytes | None], errors: dict[int, KmsError]) -> list[str]:
    """The values as text; what is no text becomes empty, with an error by its index."""
    texts: list[str] = []
    for index, value in enumerate(values):
        try:
            texts.append((value or b"").decode())
        except UnicodeDecodeError:
            texts.append("")
            errors[index] = ValidationError("the value is not text; decrypt it from Python")
    return texts


def _to_cells(blobs: Sequence[bytes]) -> list[str]:
    return [binascii.b2a_base64(blob, newline=False).decode() for blob in blobs]


def _to_blobs(cells: Sequence[str]) -> tuple[list[bytes], dict[int, KmsError]]:
    """The decoded cells; what is not base64 becomes empty, with an error by its index."""
    blobs: list[bytes] = []
    errors: dict[int, KmsError] = {}
    for index, cell in enumerate(cells):
        try:
            blobs.append(binascii.a2b_base64(cell, strict_mode=True))
        except ValueError:
            blobs.append(b"")
            errors[index] = FrameError("the cell is not base64: it is no encrypted value")
    return blobs, errors
