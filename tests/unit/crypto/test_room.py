"""Large results of sealing take the memory of earlier ones, and nothing else ever shares it."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import kmsfast
from kmsfast.crypto.column_numpy import new_results
from kmsfast.crypto.native import ffi, lib

NUM, WIDTH = 60_000, 64
CONTEXT = {"table": "orders"}
MARKER = b"only ever as plaintext in memory"
SIZE = NUM * (WIDTH + 96)


def address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def marked() -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(MARKER * (WIDTH // len(MARKER)) * NUM, np.uint8).reshape(NUM, WIDTH)


@pytest.fixture(autouse=True)
def _empty() -> None:
    """Nothing is kept from earlier tests: a room that is far too large for them takes its place."""
    gc.collect()
    lib.kf_room_give(lib.kf_room_take(200 << 20))


def test_a_result_that_is_gone_leaves_its_room(kms: kmsfast.Kms) -> None:
    key, values = kms.create_key(), marked()
    first = key.encrypt_batch(values, context=CONTEXT)
    at = address(first)
    del first
    again = key.encrypt_batch(values, context=CONTEXT)
    assert address(again) == at
    assert np.array_equal(kms.decrypt_batch(again, context=CONTEXT), values)


def test_results_that_are_there_share_nothing(kms: kmsfast.Kms) -> None:
    key, values = kms.create_key(), marked()
    held = [key.encrypt_batch(values, context=CONTEXT) for _ in range(3)]
    views = [blobs[1:, 3:] for blobs in held]
    del held[1:]
    held.append(key.encrypt_batch(values, context=CONTEXT))
    arrays = [*views, held[-1]]
    spans = sorted((address(array), array.nbytes) for array in arrays)
    assert all(a + n <= b for (a, n), (b, _) in pairwise(spans))
    for view in views:
        whole = view.base
        assert whole is not None
        blobs = whole.reshape(NUM, WIDTH + 96)
        assert np.array_equal(kms.decrypt_batch(blobs, context=CONTEXT), values)


def test_arrow_keeps_the_room_that_it_shows(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    values = pa.array([bytes([i % 251]) * WIDTH for i in range(NUM)], pa.binary())
    blobs = key.encrypt_batch(values, context=CONTEXT)
    part = blobs.slice(NUM // 2)
    del blobs
    gc.collect()
    others = key.encrypt_batch(values, context=CONTEXT)
    assert kms.decrypt_batch(part, context=CONTEXT).equals(values.slice(NUM // 2))
    assert kms.decrypt_batch(others, context=CONTEXT).equals(values)


def test_no_plaintext_is_left_in_a_room(kms: kmsfast.Kms) -> None:
    key = kms.create_key()
    blobs = key.encrypt_batch(marked(), context=CONTEXT)
    plain = kms.decrypt_batch(blobs, context=CONTEXT)
    assert MARKER in plain.tobytes()
    del blobs, plain
    gc.collect()
    room = lib.kf_room_take(SIZE)
    assert MARKER not in bytes(ffi.buffer(room, SIZE))
    lib.kf_room_give(room)


def test_only_large_ciphertext_takes_a_room() -> None:
    assert new_results(1000, ciphertext=True).flags.owndata
    assert new_results(SIZE, ciphertext=False).flags.owndata
    large = new_results(SIZE, ciphertext=True)
    assert not large.flags.owndata
    assert large.flags.writeable
    assert address(large) % 64 == 0


def test_threads_never_get_the_same_room(kms: kmsfast.Kms) -> None:
    key, values = kms.create_key(), marked()

    def work(_: int) -> bool:
        blobs = key.encrypt_batch(values, context=CONTEXT)
        return np.array_equal(kms.decrypt_batch(blobs, context=CONTEXT), values)

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(24)))


def test_there_is_an_end_to_memory() -> None:
    with pytest.raises(MemoryError, match=f"no memory for {1 << 62} bytes"):
        new_results(1 << 62, ciphertext=True)
