"""Records of every length: made here and opened by the reference, and the other way round."""

from __future__ import annotations

import os
import random

import pytest
from ring import Ring

from kmsfast.crypto import blob

MIB = 1 << 20
LENGTHS = range(1025)
LONG = [MIB - 1, MIB, MIB + 1]
NO_CONTEXT = b""


def aad_of(i: int) -> bytes:
    """Associated data of lengths that share no factor with the records'."""
    return bytes(range(i % 67))


def test_one_by_one(ring: Ring, implementation: str) -> None:
    key, text = ring.add(), os.urandom(MIB + 1)
    for size in [*LENGTHS, *LONG]:
        plain, aad = text[:size], aad_of(size)
        sealed = blob.seal_one(key.handle, plain, NO_CONTEXT, aad)
        assert key.open(sealed, None, aad) == plain, size
        assert blob.open_one(key.handle, key.seal(plain, None, aad), NO_CONTEXT, aad) == plain, size


@pytest.mark.parametrize("order", ["rising", "falling", "mixed"])
def test_in_one_batch(ring: Ring, implementation: str, order: str) -> None:
    key, text = ring.add(), os.urandom(MIB + 1)
    sizes = [*LENGTHS, *LONG]
    if order == "falling":
        sizes.reverse()
    if order == "mixed":
        random.Random(1).shuffle(sizes)
    records, aads = [text[:size] for size in sizes], [aad_of(size) for size in sizes]

    sealed = blob.seal_batch(key.handle, records, NO_CONTEXT, aad=aads, threads=2)
    assert [key.open(b, None, a) for b, a in zip(sealed, aads, strict=True)] == records
    made = [key.seal(r, None, a) for r, a in zip(records, aads, strict=True)]
    assert blob.open_batch(ring.resolve, made, NO_CONTEXT, aad=aads, threads=2) == (records, {})


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 127, 128, 255])
def test_of_one_length(ring: Ring, implementation: str, length: int) -> None:
    """Kernels take records of one length several at a time."""
    key, data = ring.add(), os.urandom(67 * length)
    records = [data[i * length : (i + 1) * length] for i in range(67)]
    sealed = blob.seal_batch(key.handle, records, NO_CONTEXT)
    assert [key.open(b) for b in sealed] == records
    made = [key.seal(r) for r in records]
    assert blob.open_batch(ring.resolve, made, NO_CONTEXT) == (records, {})
