"""``kmsfast encrypt``, ``decrypt`` and ``rewrap``: columns of tables, and whole files."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from kmsfast.cli.arguments import (
    ColumnNames,
    context_option,
    force_option,
    key_option,
    pairs,
    threads_option,
)
from kmsfast.cli.exits import Code
from kmsfast.cli.inputs import (
    Format,
    Input,
    Kind,
    about,
    format_options,
    needing_pyarrow,
    opened_output,
    source_argument,
)
from kmsfast.cli.outputs import refuse_mixed
from kmsfast.cli.progress import Progress
from kmsfast.cli.session import Session, pass_session
from kmsfast.cli.show import print_json

if TYPE_CHECKING:
    from kmsfast.tables.report import Done, Failures, Options
    from kmsfast.tables.streams import Peeked

__all__ = ["decrypt", "encrypt", "rewrap"]


@dataclass(frozen=True, slots=True)
class _Work:
    """What a command does to each kind of input.

    Attributes:
        verb: what was done, in the past tense.
        parquet: called with (path, target), keyword progress.
        csv: called with (reader, target), keyword form.
        file: called with (reader, target).
    """

    verb: str
    parquet: Callable[..., Done]
    csv: Callable[..., Done]
    file: Callable[..., None]


@dataclass(frozen=True, slots=True)
class _Job:
    """The arguments that the three commands share, and how their work is done."""

    source: Input
    output: str
    columns: tuple[str, ...]
    options: Options
    force: bool
    as_json: bool

    def run(self, kind: Kind, reader: Peeked | None, progress: Progress, work: _Work) -> None:
        """Does the work that fits the kind and says what was done.

        Args:
            reader: the input, when its start was looked at already.
        """
        started = time.monotonic()
        done = None
        call: Callable[..., Done | None] = work.file
        if kind == "parquet":
            source: Any = self.source.path()
            call = partial(work.parquet, progress=progress)
        else:
            source = reader or self.source.reader(progress)
        if kind == "csv":
            call = partial(work.csv, form=self.source.csv_format())
        with opened_output(self.output, force=self.force) as target, about(self.source.name):
            done = call(source, target)
        progress.clear()
        self._report(work.verb, kind, done, time.monotonic() - started)

    def _report(self, verb: str, kind: Kind, done: Done | None, seconds: float) -> None:
        """JSON on stdout when asked, else a line on stderr when somebody watches."""
        if self.as_json:
            facts: dict[str, Any] = {"kind": kind, "output": self.output}
            if done is not None:
                counts = done.failures.counts
                facts |= {"rows": done.rows, "columns": done.columns, "failed": counts}
            print_json({**facts, "seconds": round(seconds, 3)})
        elif sys.stderr.isatty():
            what = self.source.name
            if done is not None:
                what = f"{', '.join(done.columns)} in {done.rows:,} rows of {what}"
            click.echo(f"{verb} {what} in {seconds:.1f} s", err=True)


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """INPUT and the options of all three commands."""
    for wrap in (
        click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON."),
        force_option,
        threads_option,
        format_options,
        context_option,
        click.option(
            "--columns", type=ColumnNames(), default=(), help="Columns, separated by commas."
        ),
        click.option(
            "-o",
            "--output",
            required=True,
            metavar="FILE",
            type=click.Path(readable=False),
            help="Where to write; - for stdout.",
        ),
        source_argument,
    ):
        command = wrap(command)
    return command


def _job(arguments: dict[str, Any]) -> _Job:
    """Checks the shared arguments and opens the input."""
    from kmsfast.tables.report import Options

    refuse_mixed(arguments["output"], as_json=arguments["as_json"])
    form = Format(arguments["kind"], arguments["delimiter"], arguments["encoding"])
    context = pairs(arguments["context"], "--context")
    return _Job(
        Input(arguments["source"], form),
        arguments["output"],
        arguments["columns"],
        Options(context or None, arguments["threads"]),
        arguments["force"],
        arguments["as_json"],
    )


@click.command()
@_shared
@key_option
@click.option(
    "--sealed",
    is_flag=True,
    help="16 bytes per value instead of 96; the column must then stay as it is (Parquet only).",
)
@pass_session
def encrypt(session: Session, /, key_name: str, sealed: bool, **arguments: Any) -> None:
    """Encrypt columns of a Parquet or CSV file, or without --columns any file as a whole."""
    job = _job(arguments)
    kind = job.source.plain_kind(job.columns)
    if kind != "file" and not job.columns:
        raise click.UsageError(f"name the columns of the {kind} file with --columns")
    if kind == "file" and job.columns:
        raise click.UsageError("--columns needs a table, not --format file")
    if kind == "csv" and sealed:
        raise click.UsageError("--sealed needs a Parquet file: CSV has no place for its header")
    key = session.kms.key(key_name)

    def parquet(source: Any, target: Any, **options: Any) -> Done:
        with needing_pyarrow():
            from kmsfast.tables.parquet import encrypt_parquet

        return encrypt_parquet(
            source, target, key, job.columns, job.options, sealed=sealed, **options
        )

    def csv(source: Any, target: Any, **options: Any) -> Done:
        from kmsfast.tables.csv_text import encrypt_csv

        return encrypt_csv(source, target, key, job.columns, job.options, **options)

    def file(source: Any, target: Any) -> None:
        key.encrypt_stream(source, target, job.options.context, threads=job.options.threads)

    with Progress("rows" if kind == "parquet" else "bytes") as progress:
        job.run(kind, None, progress, _Work("encrypted", parquet, csv, file))


@click.command()
@_shared
@click.option(
    "--on-error",
    type=click.Choice(["stop", "null"]),
    default="stop",
    show_default=True,
    help="For a value that does not open: stop, or leave it empty and go on.",
)
@pass_session
def decrypt(session: Session, /, on_error: Any, **arguments: Any) -> int:
    """Decrypt a file, or the columns of a table; without --columns all encrypted ones."""
    from kmsfast.tables.report import Failures

    job = _job(arguments)
    kms, failures = session.kms, Failures(on_error)

    def parquet(source: Any, target: Any, **options: Any) -> Done:
        with needing_pyarrow():
            from kmsfast.tables.parquet import decrypt_parquet

        return decrypt_parquet(
            source, target, kms, job.columns, job.options, failures=failures, **options
        )

    def csv(source: Any, target: Any, **options: Any) -> Done:
        from kmsfast.tables.csv_text import decrypt_csv

        return decrypt_csv(
            source, target, kms, job.columns, job.options, failures=failures, **options
        )

    def file(source: Any, target: Any) -> None:
        from kmsfast.tables.streams import decrypt_file

        decrypt_file(kms, source, target, job.options.context, threads=job.options.threads)

    _run_by_content(job, _Work("decrypted", parquet, csv, file))
    return _failed(failures)


@click.command()
@_shared
@pass_session
def rewrap(session: Session, /, **arguments: Any) -> None:
    """Bring a file, or the columns of a table, to the newest version of their keys."""
    job = _job(arguments)
    kms = session.kms

    def parquet(source: Any, target: Any, **options: Any) -> Done:
        with needing_pyarrow():
            from kmsfast.tables.parquet import rewrap_parquet

        return rewrap_parquet(source, target, kms, job.columns, job.options, **options)

    def csv(source: Any, target: Any, **options: Any) -> Done:
        from kmsfast.tables.csv_text import rewrap_csv

        return rewrap_csv(source, target, kms, job.columns, job.options, **options)

    def file(source: Any, target: Any) -> None:
        from kmsfast.tables.streams import rewrap_file

        rewrap_file(kms, source, target, job.options.context)

    _run_by_content(job, _Work("rewrapped", parquet, csv, file))


def _run_by_content(job: _Job, work: _Work) -> None:
    """Looks at the first bytes of the input for its kind, and does the work."""
    from kmsfast.tables.streams import Peeked

    with Progress("bytes") as progress:
        reader = Peeked(job.source.reader(progress))
        kind = job.source.encrypted_kind(job.columns, reader.start)
        if kind == "file" and job.columns:
            raise click.UsageError(f"{job.source.name} is no table; leave out --columns")
        if kind == "parquet":
            progress.unit = "rows"
        job.run(kind, reader, progress, work)


def _failed(failures: Failures) -> int:
    """Says which records did not open; the exit code."""
    for name, count in failures.counts.items():
        click.echo(f"kmsfast: {count} values left empty; {failures.first[name]}", err=True)
    return Code.NOT_OPENED if failures.counts else Code.OK
