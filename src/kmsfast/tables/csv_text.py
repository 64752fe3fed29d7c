"""Columns of CSV files.

Rules:
- the first record is the header; every record has as many fields as it;
- the values of all cells are kept to the byte, line breaks in quotes included; quotes themselves
  are written only where a value needs them, so a file may come back with fewer of them;
- a value is encrypted as UTF-8, whatever the encoding of the file; an encrypted cell is the blob
  in base64 (RFC 4648, one line). CSV knows no nulls: an empty cell is an empty value and is
  encrypted like any other;
- so the first data rows tell which columns are encrypted: those with a blob in one of them (in more
  than the first row, for that one may be damaged, and must not be passed over); a column with
  nothing but blobs there is not encrypted again;
- an error names the line in the file, or the row (from 1, without the header) of a value that does
  not open; a block of rows is in memory at a time, whatever the length of their values.
"""

from __future__ import annotations

import binascii
import csv
import io
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from typing import TYPE_CHECKING, BinaryIO, cast

from kmsfast.errors import FrameError, KmsError, ValidationError
from kmsfast.service.ahead import ahead
from kmsfast.tables.report import ColumnFacts, Done, Failures, Options, no_column, rewrapped

if TYPE_CHECKING:
    from kmsfast.local import Key, Kms

__all__ = ["CsvFormat", "decrypt_csv", "describe_csv", "encrypt_csv", "rewrap_csv"]

#: A block ends after this many rows, or after the row that brings it to this many characters.
BLOCK_ROWS = 16 * 1024
BLOCK_CHARS = 8 << 20
#: The longest value that is encrypted, in bytes, and the longest line and cell that are read, in
#: characters: room for the base64 of such a value.
MAX_VALUE = 16 << 20
MAX_LINE = 32 << 20
#: Data rows that tell which columns are encrypted.
FIRST_ROWS = 100
#: Read from the file at a time.
READ_BYTES = 1 << 20
BOM = "\ufeff"
#: The first character of every blob in base64: its first byte is f5.
BLOB_START = "9"
#: What the messages of the csv module mean.
_MEANING = {
    "unexpected end of data": "the file ends within a quoted value; its closing quote is missing",
    "expected after": "text after a closing quote; a quote within a quoted value is written twice",
    "field limit": f"a value of more than {MAX_LINE >> 20} million characters",
}

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
        ValidationError: no header, no such column, a column that is encrypted already, a ragged
            row, or text of another encoding.
    """

    def seal(name: str, cells: list[str], first_row: int) -> list[str]:
        values = [cell.encode() for cell in cells]
        lengths = [len(value) for value in values]
        if max(lengths) > MAX_VALUE:
            row = first_row + lengths.index(max(lengths))
            raise ValidationError(
                f"row {row}, column {name!r}: a value of {max(lengths):,} bytes; a cell can have "
                f"{MAX_VALUE >> 20} MiB. Encrypt it from Python, or the file as a whole"
            )
        return _to_cells(key.encrypt_batch(values, options.context, threads=options.threads))

    table = _Csv(source, form)
    table.refuse_encrypted(columns)
    rows = table.rewrite(target, columns, seal, overlap=options.threads > 1)
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
    """Decrypts the named columns, or those with blobs in the first data rows.

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
    """Brings the named columns, or those with blobs in the first rows, to their newest versions.

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
    if not columns and table.rows and not any(facts.records for facts in found):
        raise ValidationError("no cell of the CSV is a blob; nothing in it is encrypted")
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
        starts = [cell[:32] for cell in cells]
        samples = dict(zip(starts, cells, strict=True))
        for start, count in Counter(starts).items():
            name = _name_of(samples[start])
            if name is None:
                self.others += count
            else:
                self.records[name] += count


def _name_of(cell: str) -> tuple[str, int] | None:
    """Key id and version of a cell that is a blob."""
    import kmsfast

    if not cell.startswith(BLOB_START):
        return None
    try:
        info = kmsfast.inspect(binascii.a2b_base64(cell, strict_mode=True))
    except (FrameError, ValueError):
        return None
    return info.key_id, info.key_version


class _Writer:
    """Writes rows, with quotes where they are needed.

    Most rows need none, and joining these is several times faster than the csv module.
    """

    def __init__(self, text: io.TextIOWrapper, delimiter: str, line_end: str) -> None:
        self._text, self._delimiter, self._line_end = text, delimiter, line_end
        # With \r\n as its line end csv quotes values that hold either character.
        self._csv = csv.writer(self, delimiter=delimiter, lineterminator="\r\n")

    def rows(self, block: Iterable[Row]) -> None:
        """All of them."""
        delimiter, line_end, write = self._delimiter, self._line_end, self._text.write
        for row in block:
            line = delimiter.join(row)
            quoted = '"' in line or "\n" in line or "\r" in line or not line
            if quoted or line.count(delimiter) >= len(row):
                self._csv.writerow(row)
            else:
                write(line + line_end)

    def write(self, row: str) -> None:
        """What csv made of one row."""
        self._text.write(row[:-2] + self._line_end)


class _Csv:
    """A CSV file, read in blocks of rows.

    Attributes:
        header: names of the columns.
        rows: data rows read so far.
    """

    def __init__(self, source: BinaryIO, form: CsvFormat) -> None:
        csv.field_size_limit(MAX_LINE)
        self._form = form
        self._source = source
        self._line_end = "\n"
        self._mark = ""
        self.rows = 0
        self._chars = 0
        self._first: list[Row] = []
        self._reader = csv.reader(self._lines(), delimiter=form.delimiter, strict=True)
        self.header: Row = next(self._records(), [])
        self._header_line = self._reader.line_num
        if not self.header:
            raise ValidationError("the CSV has no header; its first line must name the columns")
        repeated = [name for name, count in Counter(self.header).items() if count > 1]
        if repeated:
            raise ValidationError(f"line 1: the column name {repeated[0]!r} occurs twice")

    def encrypted(self) -> list[str]:
        """Names of the columns that hold blobs at their start; none if there are no data rows.

        Raises:
            ValidationError: there are data rows and none of these.
        """
        columns = self._look()
        if not columns:
            return []
        names = [name for name, cells in columns.items() if any(map(_name_of, cells))]
        if not names:
            raise ValidationError(
                f"no cell of the first {FIRST_ROWS} data rows is a blob; name encrypted columns "
                "with --columns"
            )
        return names

    def refuse_encrypted(self, columns: Sequence[str]) -> None:
        """Passes when none of the columns is encrypted as far as the first data rows tell.

        Raises:
            ValidationError: all cells of one are blobs, or there is no such column.
        """
        self.positions(columns)
        first = self._look(BLOCK_CHARS)
        for name in columns:
            if name in first and all(map(_name_of, first[name])):
                raise ValidationError(
                    f"column {name!r} is encrypted already; 'kmsfast rewrap' brings it to the "
                    "newest version of its key, 'kmsfast decrypt' opens it"
                )

    def _look(self, most_chars: int | None = None) -> dict[str, tuple[str, ...]]:
        """The cells of each column in the first data rows; empty if there are none.

        Args:
            most_chars: fewer rows are read when these come to so many characters.
        """
        start = self._chars
        for row in islice(self._records(), FIRST_ROWS):
            self._first.append(row)
            if most_chars is not None and self._chars - start >= most_chars:
                break
        return dict(zip(self.header, zip_longest(*self._first, fillvalue=""), strict=False))

    def positions(self, columns: Sequence[str]) -> list[int]:
        """Where the named columns are in a row.

        Raises:
            ValidationError: there is no such column.
        """
        for name in columns:
            if name not in self.header:
                raise no_column("the CSV", name, self.header)
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
            writer = _Writer(text, self._form.delimiter, self._line_end)
            text.write(self._mark)
            writer.rows([self.header])
            with closing(self._changed(positions, change, overlap=overlap)) as blocks:
                for block in blocks:
                    writer.rows(block)
            text.flush()
        except UnicodeEncodeError as error:
            char = error.object[error.start]
            raise ValidationError(
                f"the character {char!r} cannot be written in {error.encoding}; name the encoding "
                "that the file had before with --encoding"
            ) from None
        finally:
            text.detach()
        return self.rows

    def blocks(self) -> Generator[list[Row], None, None]:
        """The data rows, some thousand at a time."""
        line = self._header_line
        records = chain(self._first, self._records())
        while block := self._block(records):
            if set(map(len, block)) != {len(self.header)}:
                self._refuse_ragged(block, line)
            line = self._reader.line_num
            self.rows += len(block)
            yield block

    def _block(self, records: Iterator[Row]) -> list[Row]:
        block: list[Row] = []
        enough = self._chars + BLOCK_CHARS
        for row in records:
            block.append(row)
            if len(block) == BLOCK_ROWS or self._chars >= enough:
                break
        return block

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
            first = text.readline(MAX_LINE)
            self._mark = BOM if first.startswith(BOM) else ""
            self._line_end = "\r\n" if first.endswith("\r\n") else "\n"
            line = first.removeprefix(BOM)
            while line:
                if len(line) >= MAX_LINE:
                    raise ValidationError(
                        f"line {self._reader.line_num + 1}: more than {MAX_LINE >> 20} million "
                        "characters; is it a CSV file?"
                    )
                self._chars += len(line)
                yield line
                line = text.readline(MAX_LINE)
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
            words = next((text for part, text in _MEANING.items() if part in str(error)), error)
            raise ValidationError(f"line {self._reader.line_num}: {words}") from None

    def _refuse_ragged(self, block: list[Row], line: int) -> None:
        """Raises for the first row of another length; `line` is the one before the block."""
        wanted = len(self.header)
        index = next(index for index, row in enumerate(block) if len(row) != wanted)
        line += 1 + index + sum(_line_breaks(cell) for row in block[:index] for cell in row)
        if not block[index]:
            raise ValidationError(f"line {line} is empty; remove it")
        raise ValidationError(
            f"line {line}: a row of {len(block[index])}, a header of {wanted} fields; values that "
            f"hold {self._form.delimiter!r} or line breaks need quotes"
        )


def _line_breaks(cell: str) -> int:
    return cell.count("\n") + cell.count("\r") - cell.count("\r\n")


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
