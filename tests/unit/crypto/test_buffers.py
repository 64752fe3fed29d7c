"""Buffers at odd addresses and beside unmapped pages, up to whole batches.

The C suite does the same with the kernels alone. An access outside a buffer ends the test run with
a segmentation fault.
"""

from __future__ import annotations

import faulthandler
import os
import random
import signal
from itertools import pairwise
from typing import Any

import guarded
import numpy as np
import pytest
import reference
from ring import Ring, Version

from kmsfast.crypto import blob
from kmsfast.crypto.column import Packed
from kmsfast.crypto.native import BLOB_OVERHEAD, ffi, lib

CONTEXT = {"a": "b"}
CANONICAL = reference.canonical(CONTEXT)
NUMS = [1, 2, 3, 7, 8, 9, 16, 17, 40, 257]


def ragged(num: int, limit: int = 90) -> list[bytes]:
    chance = random.Random(num)
    return [os.urandom(chance.randrange(limit)) for _ in range(num)]


def offsets_of(records: list[bytes], delta: int = 0) -> Any:
    return np.cumsum([0, *(len(r) + delta for r in records)], dtype=np.int64)


def split(data: Any, offsets: Any) -> list[bytes]:
    return [data[a:b].tobytes() for a, b in pairwise(offsets)]


# ---- odd addresses --------------------------------------------------------------------------


@pytest.mark.parametrize("shift", [1, 3, 4, 7, 8, 13, 15, 17, 31, 33])
def test_data_at_odd_addresses(ring: Ring, implementation: str, shift: int) -> None:
    key = ring.add()
    for num in NUMS:
        records, aads = ragged(num), ragged(num, 20)
        data = np.frombuffer(bytes(shift) + b"".join(records), np.uint8)[shift:]
        aad = Packed(
            np.frombuffer(bytes(shift) + b"".join(aads), np.uint8)[shift:], offsets_of(aads)
        )
        sealed = blob.seal_batch(key.handle, Packed(data, offsets_of(records)), CANONICAL, aad=aad)
        blobs = split(*sealed)
        opened = [key.open(b, CONTEXT, a) for b, a in zip(blobs, aads, strict=True)]
        assert opened == records
        moved = np.frombuffer(bytes(shift) + sealed.data.tobytes(), np.uint8)[shift:]
        values, errors = blob.open_batch(
            ring.resolve, Packed(moved, sealed.offsets), CANONICAL, aad=aad
        )
        assert (split(*values), errors) == (records, {})


# ---- beside unmapped pages ------------------------------------------------------------------


@pytest.mark.parametrize("side", guarded.SIDES)
def test_guards_hold(side: str) -> None:
    """The memory of these tests does end the process that leaves it."""
    for at, dies in ((0, False), (99, False), (-1, side == "start"), (100, side == "end")):
        pid = os.fork()
        if pid == 0:
            faulthandler.disable()
            array = guarded.array(100, side)
            ffi.cast("uint8_t *", array.ctypes.data)[at]
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert ended in ((-signal.SIGSEGV, -signal.SIGBUS) if dies else (0,)), at


@pytest.mark.parametrize("side", guarded.SIDES)
def test_columns_beside_unmapped_pages(ring: Ring, implementation: str, side: str) -> None:
    key = ring.add()
    for num in NUMS:
        records, aads = ragged(num), ragged(num, 20)
        ends = guarded.copy(offsets_of(records).tobytes(), side).view(np.int64)
        column = Packed(guarded.copy(b"".join(records), side), ends)
        aad = Packed(guarded.copy(b"".join(aads), side), offsets_of(aads))
        data, offsets = blob.seal_batch(key.handle, column, CANONICAL, aad=aad, threads=2)
        blobs = Packed(guarded.copy(data.tobytes(), side), offsets)
        assert split(*blob.open_batch(ring.resolve, blobs, CANONICAL, aad=aad)[0]) == records
        rows = guarded.copy(os.urandom(num * 33), side).reshape(num, 33)
        sealed = blob.seal_batch(key.handle, rows, CANONICAL)
        beside = guarded.copy(sealed.tobytes(), side).reshape(sealed.shape)
        assert (blob.open_batch(ring.resolve, beside, CANONICAL)[0] == rows).all()


def pointers(arrays: list[Any]) -> Any:
    return ffi.new("uint8_t *[]", [ffi.cast("uint8_t *", a.ctypes.data) for a in arrays])


def separate(arrays: list[Any]) -> tuple[Any, Any]:
    """A column of separate records, and what it needs to stay alive."""
    column = ffi.new("struct kf_column *")
    keep = pointers(arrays), ffi.new("int64_t[]", [len(a) for a in arrays])
    column.ptrs, column.lens = ffi.cast("const uint8_t *const *", keep[0]), keep[1]
    return column, keep


def seal_into(out: list[Any], key: Version, records: list[Any], aads: list[Any]) -> int:
    column, keep = separate(records)
    aad, keep_aad = separate(aads)
    status = lib.kf_blob_seal(
        key.handle, ffi.NULL, 0, ffi.NULL, pointers(out), column, len(records), ffi.NULL,
        CANONICAL, len(CANONICAL), aad, 1,
    )  # fmt: skip
    del keep, keep_aad
    return int(status)


def open_into(out: list[Any], key: Version, blobs: list[Any], aads: list[Any]) -> bytes:
    column, keep = separate(blobs)
    aad, keep_aad = separate(aads)
    status, counts = ffi.new("uint8_t[]", len(blobs)), ffi.new("int64_t[2]")
    result = lib.kf_blob_open(
        ffi.NULL, 0, ffi.NULL, pointers(out), status, counts, counts + 1,
        ffi.new("uint64_t[]", [key.handle]), blob.prefix(key.handle), 1, ffi.NULL, column,
        len(blobs), ffi.NULL, CANONICAL, len(CANONICAL), aad, 1,
    )  # fmt: skip
    assert result == 0
    del keep, keep_aad
    return bytes(ffi.buffer(status))


@pytest.mark.parametrize("side", guarded.SIDES)
def test_separate_records_and_results_beside_unmapped_pages(
    ring: Ring, implementation: str, side: str
) -> None:
    """Every record, its associated data and its result between pages of their own."""
    key = ring.add()
    for num in (1, 2, 5, 8, 16, 17, 33):
        for records in (ragged(num), [os.urandom(num + 16)] * num):
            aads = ragged(num, 20)
            aad = [guarded.copy(a, side) for a in aads]
            blobs = [guarded.array(len(r) + BLOB_OVERHEAD, side) for r in records]
            assert seal_into(blobs, key, [guarded.copy(r, side) for r in records], aad) == 0
            made = zip(blobs, aads, strict=True)
            assert [key.open(b.tobytes(), CONTEXT, a) for b, a in made] == records
            blobs[num // 2][-1] ^= 1
            plain = [guarded.array(len(r), side) for r in records]
            for array in plain:
                array[:] = 0x5A
            expected = [lib.KF_REC_OK] * num
            expected[num // 2] = lib.KF_REC_AUTH
            assert open_into(plain, key, blobs, aad) == bytes(expected)
            assert not plain[num // 2].any()
            for i, record in enumerate(records):
                assert i == num // 2 or plain[i].tobytes() == record


@pytest.mark.parametrize("side", guarded.SIDES)
def test_single_records_beside_unmapped_pages(ring: Ring, implementation: str, side: str) -> None:
    key = ring.add()
    for size in [*range(140), 4095, 4096, 4097]:
        record, aad = os.urandom(size), os.urandom(size % 40)
        sealed = guarded.array(size + BLOB_OVERHEAD, side)
        opened = guarded.array(size, side)
        arguments = CANONICAL, len(CANONICAL), u8(guarded.copy(aad, side)), len(aad)
        assert (
            lib.kf_blob_seal_one(
                key.handle, u8(sealed), u8(guarded.copy(record, side)), size, *arguments
            )
            == 0
        )
        assert key.open(sealed.tobytes(), CONTEXT, aad) == record
        status = u8(guarded.array(1, side))
        assert (
            lib.kf_blob_open_one(
                key.handle, u8(opened), status, u8(sealed), len(sealed), *arguments
            )
            == 0
        )
        assert opened.tobytes() == record


def u8(array: Any) -> Any:
    return ffi.from_buffer("uint8_t[]", array)
