"""A million people: encrypted by column, the key rotated in the middle, decrypted, compared.

    make demo

Beside it the same records go through a loop over AESGCM of `cryptography`, with a random nonce and
the encryption context as associated data, which is what one would write without kmsfast. The loop
takes a sample of the records and says how large; both run in this process.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from people import PRIVATE, people

import kmsfast
from kmsfast.tables.parquet import decrypt_parquet, encrypt_parquet
from kmsfast.tables.report import Options

PEOPLE = 1_000_000
SAMPLE = 100_000
CONTEXT = {"table": "people"}
AAD = b"table=people"


class Timed(NamedTuple):
    """What a step gave, and how long it took."""

    value: Any
    seconds: float


def main() -> int:
    """Runs the demo; 0 when everything came back as it was."""
    with tempfile.TemporaryDirectory(prefix="kmsfast-demo-") as name:
        directory = Path(name)
        with kmsfast.open(directory / "store", create=True) as kms:
            return _demo(kms, directory)


def _demo(kms: kmsfast.Kms, directory: Path) -> int:
    made = timed(lambda: people(PEOPLE))
    table: pa.Table = made.value
    size = table.nbytes / 1e6
    print(f"{PEOPLE:,} people, {size:.0f} MB, made in {made.seconds:.1f} s")
    print(f"private columns: {', '.join(PRIVATE)}\n")

    key = kms.create_key(alias="alias/people", description="the demo's people")
    threads = min(2, os.cpu_count() or 1)
    columns = {name: table.column(name).combine_chunks() for name in PRIVATE}

    sealed = timed(lambda: _encrypt_with_rotation(key, columns, threads=1))
    versions = _versions(sealed.value)
    opened = timed(lambda: _decrypt(kms, sealed.value, threads=1))
    sealed_two = timed(lambda: _encrypt(key, columns, threads))
    opened_two = timed(lambda: _decrypt(kms, sealed_two.value, threads))
    same = all(opened.value[name].equals(columns[name]) for name in PRIVATE) and all(
        opened_two.value[name].equals(columns[name]) for name in PRIVATE
    )
    print(f"key {key.id}")
    print("  rotated after half of the rows; blobs by key version: " + versions)
    print(f"  all {len(PRIVATE)} x {PEOPLE:,} values decrypted and equal: {yes(same)}")

    file_same, file_lines = _through_a_file(kms, key, table, directory, threads)
    print(f"  the table through an encrypted Parquet file and back, equal: {yes(file_same)}\n")

    sample = {name: column.slice(0, SAMPLE) for name, column in columns.items()}
    loop_sealed = timed(lambda: _loop_encrypt(sample))
    loop_opened = timed(lambda: _loop_decrypt(*loop_sealed.value))
    ours_sample = timed(lambda: _encrypt(key, sample, 1))
    loop_same = loop_opened.value == {name: _as_bytes(column) for name, column in sample.items()}

    print(f"rows per second, {len(PRIVATE)} values a row; loop: `cryptography` AESGCM over the")
    print(f"first {SAMPLE:,} of the same rows (kmsfast on only those: {rate(SAMPLE, ours_sample)})")
    print(f"{'':10}{'kmsfast':>14}{f'{threads} threads':>14}{'loop':>14}{'ratio':>8}{'':>8}")
    for what, one, two, loop in (
        ("encrypt", sealed, sealed_two, loop_sealed),
        ("decrypt", opened, opened_two, loop_opened),
    ):
        ratio = (PEOPLE / one.seconds) / (SAMPLE / loop.seconds)
        ratio_two = (PEOPLE / two.seconds) / (SAMPLE / loop.seconds)
        print(
            f"{what:10}{rate(PEOPLE, one):>14}{rate(PEOPLE, two):>14}{rate(SAMPLE, loop):>14}"
            f"{ratio:7.1f}x{ratio_two:7.1f}x"
        )
    print(file_lines)
    return 0 if same and file_same and loop_same else 1


def _encrypt_with_rotation(
    key: kmsfast.Key, columns: dict[str, pa.Array], threads: int
) -> dict[str, pa.ChunkedArray]:
    """The first half of the rows under the first version, the rest under the second."""
    half = PEOPLE // 2
    first = {name: column.slice(0, half) for name, column in columns.items()}
    second = {name: column.slice(half) for name, column in columns.items()}
    before = _encrypt(key, first, threads)
    key.rotate()
    after = _encrypt(key, second, threads)
    return {name: pa.chunked_array([before[name], after[name]]) for name in columns}


def _encrypt(key: kmsfast.Key, columns: dict[str, pa.Array], threads: int) -> dict[str, Any]:
    return {
        name: key.encrypt_batch(column, CONTEXT, threads=threads)
        for name, column in columns.items()
    }


def _decrypt(kms: kmsfast.Kms, blobs: dict[str, Any], threads: int) -> dict[str, pa.Array]:
    """The columns as text again."""
    opened = {}
    for name, column in blobs.items():
        values = kms.decrypt_batch(column, CONTEXT, threads=threads)
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        opened[name] = values.cast(pa.string())
    return opened


def _versions(blobs: dict[str, pa.ChunkedArray]) -> str:
    """How many blobs each key version has, read from their headers without keys."""
    counts: dict[int, int] = {}
    for column in blobs.values():
        for chunk in column.chunks:
            first, last = (kmsfast.inspect(chunk[i].as_py()).key_version for i in (0, -1))
            if first != last:
                raise AssertionError("a chunk was made under two versions")
            counts[first] = counts.get(first, 0) + len(chunk)
    return ", ".join(f"version {number}: {count:,}" for number, count in sorted(counts.items()))


def _through_a_file(
    kms: kmsfast.Kms, key: kmsfast.Key, table: pa.Table, directory: Path, threads: int
) -> tuple[bool, str]:
    """As ``kmsfast encrypt`` and ``decrypt`` do, beside plain reading and writing."""
    plain, sealed, back = (directory / f"{n}.parquet" for n in ("plain", "sealed", "back"))
    pq.write_table(table, plain)
    copied = timed(lambda: pq.write_table(pq.read_table(plain), directory / "copy.parquet"))
    options = Options(CONTEXT, threads)

    def encrypt() -> None:
        with sealed.open("wb") as target:
            encrypt_parquet(plain, target, key, PRIVATE, options)

    def decrypt() -> None:
        with back.open("wb") as target:
            decrypt_parquet(sealed, target, kms, options=options)

    sealing, opening = timed(encrypt), timed(decrypt)
    same = pq.read_table(back).equals(table)
    line = (
        f"Parquet file: encrypted in {sealing.seconds:.1f} s, decrypted in {opening.seconds:.1f} s;"
        f" reading and writing it unencrypted takes {copied.seconds:.1f} s"
    )
    return same, line


def _loop_encrypt(columns: dict[str, pa.Array]) -> tuple[AESGCM, dict[str, list[bytes]]]:
    cipher = AESGCM(AESGCM.generate_key(bit_length=256))
    blobs = {}
    for name, column in columns.items():
        out = []
        for value in _as_bytes(column):
            nonce = os.urandom(12)
            out.append(nonce + cipher.encrypt(nonce, value, AAD))
        blobs[name] = out
    return cipher, blobs


def _loop_decrypt(cipher: AESGCM, blobs: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
    return {
        name: [cipher.decrypt(blob[:12], blob[12:], AAD) for blob in column]
        for name, column in blobs.items()
    }


def _as_bytes(column: pa.Array) -> list[bytes]:
    values: list[bytes] = column.cast(pa.binary()).to_pylist()
    return values


def timed(step: Callable[[], Any]) -> Timed:
    """Runs a step once."""
    started = time.perf_counter()
    return Timed(step(), time.perf_counter() - started)


def rate(rows: int, step: Timed) -> str:
    """Rows per second."""
    return f"{rows / step.seconds:,.0f}"


def yes(answer: bool) -> str:
    """A verdict."""
    return "yes" if answer else "NO"


if __name__ == "__main__":
    sys.exit(main())
