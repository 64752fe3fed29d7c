"""A store, a key, and tables to encrypt."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_runner import Cli


@pytest.fixture
def empty(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def cli(empty: Cli) -> Cli:
    """With a store and the key alias/orders."""
    import kmsfast

    with kmsfast.open(empty.directory / "store", create=True, audit="off") as kms:
        kms.create_key(alias="alias/orders")
    return empty


@pytest.fixture
def people(cli: Cli) -> pa.Table:
    """people.parquet and people.csv."""
    table = pa.table(
        {
            "id": pa.array(range(3000)),
            "email": pa.array([f"c{i}@example.com" if i % 7 else None for i in range(3000)]),
            "age": pa.array([i % 90 for i in range(3000)], pa.int16()),
        }
    )
    pq.write_table(table, cli.directory / "people.parquet", row_group_size=1000)
    lines = [f'{i},c{i}@example.com,"Doe, ""J"" {i}"' for i in range(200)]
    text = "\n".join(["id,email,name", *lines, ""])
    (cli.directory / "people.csv").write_text(text)
    return table
