"""``kmsfast inspect``: what an encrypted file says about itself, without keys."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import click

from kmsfast.cli.arguments import ColumnNames
from kmsfast.cli.inputs import (
    Format,
    Input,
    about,
    format_options,
    needing_pyarrow,
    source_argument,
)
from kmsfast.cli.progress import Progress
from kmsfast.cli.show import facts, json_option, print_json, table

if TYPE_CHECKING:
    from kmsfast.tables.report import ColumnFacts
    from kmsfast.tables.streams import Peeked

__all__ = ["inspect"]


@click.command()
@source_argument
@click.option("--columns", type=ColumnNames(), default=(), help="Columns, separated by commas.")
@format_options
@json_option
def inspect(
    source: str,
    columns: tuple[str, ...],
    as_json: bool,
    **form: Any,
) -> None:
    """Show keys, key versions and suites of an encrypted file; needs no store and no key."""
    from kmsfast.tables.streams import Peeked

    named = Input(source, Format(form["kind"], form["delimiter"], form["encoding"]))
    with Progress("bytes") as progress:
        reader = Peeked(named.reader(progress))
        found = named.encrypted_kind(columns, reader.start)
        if found == "file" and columns:
            raise click.UsageError(f"{source} is no table; leave out --columns")
        with about(source):
            if found == "file":
                shown: Any = _file_facts(reader)
            else:
                shown = [_column_facts(item) for item in _columns(named, found, reader, columns)]
    if as_json:
        print_json(shown)
    elif found == "file":
        facts({name.replace("_", " "): value for name, value in shown.items() if value is not None})
    else:
        _print_columns(shown)


def _file_facts(reader: Peeked) -> dict[str, Any]:
    import kmsfast
    from kmsfast.tables.streams import kind_of, read_blob

    sealed = kind_of(reader.start) == "sealed"
    return asdict(kmsfast.inspect(reader.start if sealed else read_blob(reader)))


def _columns(
    named: Input, kind: str, reader: Peeked, columns: tuple[str, ...]
) -> list[ColumnFacts]:
    if kind == "parquet":
        with needing_pyarrow():
            from kmsfast.tables.parquet import describe_parquet

        return describe_parquet(named.path(), columns)
    from kmsfast.tables.csv_text import describe_csv

    return describe_csv(cast(BinaryIO, reader), columns, form=named.csv_format())


def _column_facts(item: ColumnFacts) -> dict[str, Any]:
    records = sorted(item.records.items())
    return {
        "column": item.name,
        "suite": item.suite,
        "type": item.original_type,
        "records": [
            {"key_id": key_id, "key_version": version, "count": count}
            for (key_id, version), count in records
        ],
        "nulls": item.nulls,
        "not_blobs": item.not_blobs,
    }


def _print_columns(columns: list[dict[str, Any]]) -> None:
    rows: list[tuple[object, ...]] = []
    for item in columns:
        name = item["column"], item["suite"], item["type"]
        rows += [
            (*name, part["key_id"], part["key_version"], part["count"]) for part in item["records"]
        ]
        rows += [
            (*name, what, None, item[field])
            for field, what in (("nulls", "(null)"), ("not_blobs", "(not encrypted)"))
            if item[field]
        ]
    table(("COLUMN", "SUITE", "TYPE", "KEY", "VERSION", "RECORDS"), rows)
