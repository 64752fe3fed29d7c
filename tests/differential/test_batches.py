"""Batches of every size around lanes, windows and threads, against the reference."""

from __future__ import annotations

import os
import random
from collections.abc import Callable

import pytest
import reference
from ring import Ring

from kmsfast.crypto import blob

# Kernels work on up to 32 records at a time, windows hold 256 records, threads take 4,096.
SIZES = [range(1, 41), *(range(a - 1, a + 2) for a in (64, 128, 256, 512, 4096))]
THREADS = [1, 2, 3]
CONTEXT = {"table": "orders"}
CANONICAL = reference.canonical(CONTEXT)

TEXT = os.urandom(5000)
Shape = Callable[[random.Random, int, int], int]
SHAPES: dict[str, Shape] = {
    "of one length": lambda chance, i, num: 37,
    "of whole blocks": lambda chance, i, num: 48,
    "ragged": lambda chance, i, num: chance.randrange(100),
    "with one long": lambda chance, i, num: 3000 if i == num // 2 else 5,
}


def records_of(shape: str, num: int, seed: str = "") -> list[bytes]:
    chance = random.Random(f"{num}{seed}")
    records = []
    for i in range(num):
        at = chance.randrange(2000)
        records.append(TEXT[at : at + SHAPES[shape](chance, i, num)])
    return records


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_sizes(ring: Ring, implementation: str, sizes: range, shape: str) -> None:
    key = ring.add()
    for num in sizes:
        records = records_of(shape, num)
        made = [key.seal(record, CONTEXT) for record in records]
        for threads in THREADS if num > 4000 else [1 + num % 3]:
            sealed = blob.seal_batch(key.handle, records, CANONICAL, threads=threads)
            assert [key.open(b, CONTEXT) for b in sealed] == records
            opened = blob.open_batch(ring.resolve, made, CANONICAL, threads=threads)
            assert opened == (records, {})


@pytest.mark.parametrize("aad_shape", SHAPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_sizes_with_aad(ring: Ring, implementation: str, shape: str, aad_shape: str) -> None:
    key = ring.add()
    for num in [*range(1, 35), 63, 64, 65, 255, 256, 257]:
        records, aads = records_of(shape, num), records_of(aad_shape, num, "aad")
        pairs = list(zip(records, aads, strict=True))
        sealed = blob.seal_batch(key.handle, records, CANONICAL, aad=aads)
        made = [key.seal(record, CONTEXT, aad) for record, aad in pairs]
        found = [key.open(b, CONTEXT, aad) for b, aad in zip(sealed, aads, strict=True)]
        assert found == records
        assert blob.open_batch(ring.resolve, made, CANONICAL, aad=aads) == (records, {})


@pytest.mark.parametrize("threads", THREADS)
def test_ranges_of_threads_with_aad_and_nulls(
    ring: Ring, implementation: str, threads: int
) -> None:
    """Three ranges and a bit, where the position of a record in its range and its batch differ."""
    key, num = ring.add(), 3 * 4096 + 5
    records: list[bytes | None] = list(records_of("ragged", num))
    for i in range(0, num, 7):
        records[i] = None
    aads = [b"%d" % i for i in range(num)]
    sealed = blob.seal_batch(key.handle, records, CANONICAL, aad=aads, threads=threads)
    found = [
        None if b is None else key.open(b, CONTEXT, a) for b, a in zip(sealed, aads, strict=True)
    ]
    assert found == records
    opened = blob.open_batch(ring.resolve, sealed, CANONICAL, aad=aads, threads=threads)
    assert opened == (records, {})


@pytest.mark.parametrize("threads", THREADS)
def test_keys_mixed_within_windows(ring: Ring, implementation: str, threads: int) -> None:
    chance = random.Random(2)
    made = [ring.add(bytes([k]) * 16, v, flags=k % 2) for k in range(5) for v in (1, 2)]
    records = records_of("ragged", 5000)
    blobs = [chance.choice(made).seal(record, CONTEXT) for record in records]
    opened = blob.open_batch(ring.resolve, blobs, CANONICAL, threads=threads)
    assert opened == (records, {})


CONTEXTS: dict[str, dict[str, str]] = {
    "none": {},
    "one pair": {"a": "b"},
    "an empty value": {"a": ""},
    "in an order that is not the key's": {"b": "1", "a": "2", "aa": "3"},
    "beyond ASCII": {"ä": "ö", "z": "€", "\U0001f511": "\U0001f512"},
    "long": {f"key {i}": "v" * (i % 50) for i in range(100)},
} | {f"{size} bytes in all": {"k": "v" * (size - 9)} for size in (54, 55, 56, 63, 64, 65, 119, 120)}


@pytest.mark.parametrize("name", CONTEXTS)
@pytest.mark.parametrize("flags", [0, 1])
def test_contexts(ring: Ring, implementation: str, name: str, flags: int) -> None:
    context = CONTEXTS[name]
    canonical = reference.canonical(context)
    key, records = ring.add(version=2**32 - 1, flags=flags), records_of("ragged", 20)
    sealed = blob.seal_batch(key.handle, records, canonical)
    sealed.append(blob.seal_one(key.handle, b"one", canonical))
    assert [key.open(b, context) for b in sealed] == [*records, b"one"]
    made = [key.seal(record, context) for record in records]
    assert blob.open_batch(ring.resolve, made, canonical) == (records, {})
    assert [blob.open_one(key.handle, b, canonical) for b in made] == records
