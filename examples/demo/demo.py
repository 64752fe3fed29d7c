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
import kmsfast.errors
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
    table: pa.Table = people(PEOPLE)
    print(f"{PEOPLE:,} people, {table.nbytes / 1e6:.0f} MB")

    key = kms.create_key(alias="alias/people", description="the demo's people")
    threads = min(2, os.cpu_count() or 1)
    columns = {name: table.column(name).combine_chunks() for name in PRIVATE}

    _use_memory_once(kms, key, columns)
    sealed = timed(lambda: _encrypt_with_rotation(key, columns, threads=1))
    _show_one(columns, sealed.value)
    opened = timed(lambda: _decrypt(kms, sealed.value, threads=1))
    sealed_two = timed(lambda: _encrypt(key, columns, threads))
    opened_two = timed(lambda: _decrypt(kms, sealed_two.value, threads))
    same = all(
        result.value[name].equals(columns[name])
        for result in (opened, opened_two)
        for name in PRIVATE
    )
    refused = _refuses_what_was_changed(kms, sealed.value["email"][0].as_py())
    file_same, file_line = _through_a_file(kms, key, table, directory, threads)
    print(f"key {key.id}, rotated after half of the rows")
    for what, answer in (
        ("blobs by key version: " + _versions(sealed.value), True),
        (f"all {len(PRIVATE)} x {PEOPLE:,} values decrypted, equal to the originals", same),
        ("another context, a changed bit, a missing byte: refused", refused),
        ("the table through an encrypted Parquet file and back, equal", file_same),
    ):
        print(f"  {verdict(answer):4}{what}")

    sample = {name: column.slice(0, SAMPLE) for name, column in columns.items()}
    _loop_decrypt(*_loop_encrypt(sample))
    loop_sealed = timed(lambda: _loop_encrypt(sample))
    loop_opened = timed(lambda: _loop_decrypt(*loop_sealed.value))
    loop_same = loop_opened.value == {name: _as_bytes(column) for name, column in sample.items()}

    print(
        f"\nrows per second, {len(PRIVATE)} values a row   (loop: `cryptography` AESGCM, value by"
    )
    print(f"value, over the first {SAMPLE:,} of the same rows; both after one untimed run)")
    print(f"{'':10}{'loop':>12}{'kmsfast':>14}{'':9}{f'{threads} threads':>14}")
    for what, one, two, loop in (
        ("encrypt", sealed, sealed_two, loop_sealed),
        ("decrypt", opened, opened_two, loop_opened),
    ):
        per_row = loop.seconds / SAMPLE
        print(
            f"{what:10}{rate(SAMPLE, loop):>12}"
            f"{rate(PEOPLE, one):>14}{per_row * PEOPLE / one.seconds:7.1f}x "
            f"{rate(PEOPLE, two):>14}{per_row * PEOPLE / two.seconds:7.1f}x"
        )
    print(file_line)
    return 0 if same and refused and file_same and loop_same else 1


def _use_memory_once(kms: kmsfast.Kms, key: kmsfast.Key, columns: dict[str, pa.Array]) -> None:
    """Makes and drops as much as the steps keep: only its first memory does a process wait for."""
    kept = []
    for _ in range(2):
        blobs = _encrypt(key, columns, threads=1)
        kept.append((blobs, _decrypt(kms, blobs, threads=1)))


def _show_one(columns: dict[str, pa.Array], blobs: dict[str, pa.ChunkedArray]) -> None:
    """The first person, as it was and as it is stored."""
    print("the first of them:")
    for name, column in columns.items():
        blob = blobs[name][0].as_py()
        print(f"  {name:9}{column[0].as_py():32}{blob[:12].hex()}... ({len(blob)} bytes)")
    print()


def _refuses_what_was_changed(kms: kmsfast.Kms, blob: bytes) -> bool:
    """Whether nothing opens that differs from what was encrypted."""
    changed = bytearray(blob)
    changed[-20] ^= 1
    for bad, context in (
        (blob, {"table": "orders"}),
        (bytes(changed), CONTEXT),
        (blob[:-1], CONTEXT),
    ):
        try:
            kms.decrypt(bad, context)
        except kmsfast.errors.InvalidCiphertext:
            continue
        return False
    return True


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


def verdict(answer: bool) -> str:
    """A verdict."""
    return "ok" if answer else "NO"


if __name__ == "__main__":
    sys.exit(main())
