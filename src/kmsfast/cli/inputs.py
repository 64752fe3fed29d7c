"""What is read and what is written: files by their kind, standard input and output.

Rules:
- an encrypted input says what it is by its first bytes, a plain one by its name or ``--format``;
- ``-`` is standard input or output; binary output never goes to a terminal;
- the output opens only after the arguments are known to make sense.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

import click

from kmsfast.cli.progress import Counted, Progress
from kmsfast.errors import KmsError, ValidationError

__all__ = [
    "STANDARD",
    "Format",
    "Input",
    "Kind",
    "about",
    "format_options",
    "needing_pyarrow",
    "opened_output",
    "source_argument",
]

Kind = Literal["parquet", "csv", "file"]

_BY_NAME: dict[str, Kind] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
}
STANDARD = "-"
#: Room in pipes; what the kernel allows everybody, 16 times what it gives at first.
_PIPE_BYTES = 1 << 20
#: What only writing fails with; the system does not say of which file.
_WRITING = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Format:
    """What the options say about an input: its kind and how its text is written, or None."""

    kind: Kind | None
    delimiter: str | None
    encoding: str


def format_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--format``, ``--delimiter`` and ``--encoding``."""
    for option in (
        click.option("--encoding", default="utf-8", show_default=True, help="Text of a CSV file."),
        click.option("--delimiter", help="Between the fields of a CSV file.  [default: , or tab]"),
        click.option(
            "--format",
            "kind",
            type=click.Choice(["parquet", "csv", "file"]),
            help="What the input is, if neither its name nor its first bytes say it.",
        ),
    ):
        command = option(command)
    return command


def source_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """INPUT: a file, or ``-``."""
    return click.argument("source", metavar="INPUT", type=click.Path(readable=False))(command)


class Input:
    """An input that is named but not yet read.

    Args:
        name: a path, or ``-``.
        form: what the options say.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """

    def __init__(self, name: str, form: Format) -> None:
        self.name = name
        self.form = form
        self._standard = name == STANDARD
        self._file: BinaryIO = sys.stdin.buffer
        if self._standard:
            _widen(self._file)
        else:
            self._file = Path(name).open("rb")  # noqa: SIM115 - close() closes it

    @property
    def size(self) -> int:
        """Length in bytes; 0 if nobody knows."""
        return 0 if self._standard else os.fstat(self._file.fileno()).st_size

    def plain_kind(self, columns: tuple[str, ...]) -> Kind:
        """What to encrypt: columns of a table, or a whole file.

        Raises:
            UsageError: columns are named and nothing says of what kind the table is.
        """
        if self.form.kind is not None:
            return self.form.kind
        if not columns:
            return "file"
        kind = _BY_NAME.get(Path(self.name).suffix.lower())
        if kind is None:
            raise click.UsageError(
                f"--columns needs a table and {self.name!r} does not say whether it is one; "
                "add --format parquet or --format csv"
            )
        return kind

    def encrypted_kind(self, columns: tuple[str, ...], start: bytes) -> Kind:
        """What to decrypt, of a file that begins with `start`."""
        from kmsfast.tables.streams import kind_of

        if self.form.kind is not None:
            return self.form.kind
        found = kind_of(start)
        if found == "parquet":
            return "parquet"
        if found == "other" and (columns or _BY_NAME.get(Path(self.name).suffix.lower()) == "csv"):
            return "csv"
        return "file"

    def path(self) -> str:
        """Where a Parquet file is.

        Raises:
            UsageError: it comes from a pipe, and Parquet is read from its end.
        """
        if self._standard or not Path(self.name).is_file():
            raise click.UsageError("a Parquet file is read from its end; give a file, not a pipe")
        return self.name

    def reader(self, progress: Progress) -> BinaryIO:
        """The bytes, counted."""
        return cast(BinaryIO, Counted(self._file, self.size, progress))

    def csv_format(self) -> Any:
        """How a CSV file is written.

        Raises:
            UsageError: the delimiter is not one character.
        """
        from kmsfast.tables.csv_text import CsvFormat

        delimiter = self.form.delimiter
        if delimiter is None:
            delimiter = "\t" if Path(self.name).suffix.lower() == ".tsv" else ","
        if len(delimiter) != 1 or delimiter in '"\r\n':
            raise click.UsageError(f"--delimiter is one character, not {delimiter!r}")
        return CsvFormat(delimiter, self.form.encoding)

    def close(self) -> None:
        """Closes the file; standard input stays as it is."""
        if not self._standard:
            self._file.close()


@contextmanager
def about(name: str) -> Iterator[None]:
    """Errors of the block are about the input of this name, and say so."""
    try:
        yield
    except KmsError as error:
        error.add_note("standard input" if name == STANDARD else name)
        raise


@contextmanager
def opened_output(name: str, *, force: bool, private: bool = False) -> Iterator[BinaryIO]:
    """The output, which gets its name when the block ends without an error.

    Args:
        name: of a file, or ``-``.
        force: a file that is there already may be replaced.
        private: a file is for its owner alone.

    Raises:
        OutputExists: a file of that name is there and `force` is False.
        ValidationError: binary output would go to a terminal.
    """
    from kmsfast.tables.output import OutputFile

    try:
        if name != STANDARD:
            with OutputFile(name, replace=force, private=private) as target:
                yield target
            return
        if sys.stdout.isatty():
            raise ValidationError(
                "the output would go to the terminal and may be binary; name a file with --output "
                "or use a pipe"
            )
        _widen(sys.stdout.buffer)
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except OSError as error:
        if error.filename is None and error.errno in _WRITING:
            error.filename = "standard output" if name == STANDARD else name
        raise


@contextmanager
def needing_pyarrow() -> Iterator[None]:
    """Around the import of what reads and writes Parquet files.

    Raises:
        ValidationError: pyarrow is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "pyarrow":
            raise
        raise ValidationError(
            "Parquet files need pyarrow, which is not installed: pip install 'kmsfast[arrow]'"
        ) from error


def _widen(file: BinaryIO) -> None:
    """Gives a pipe more room, so that its two sides wait less often for each other (Linux)."""
    with suppress(AttributeError, OSError, ValueError):  # elsewhere; no pipe; no descriptor
        fcntl.fcntl(file.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
