"""Blobs, one and in batches of every kind, against the reference."""

from __future__ import annotations

import os
import random

import numpy as np
import pyarrow as pa
import pytest
import reference
from ring import Ring

from kmsfast.crypto import blob
from kmsfast.crypto.column import Packed
from kmsfast.errors import FrameError, InvalidCiphertext, KeyNotFound, ValidationError

CONTEXT = {"table": "orders", "column": "e-mail"}
CANONICAL = reference.canonical(CONTEXT)
EDGES = [0, 1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257, 1000, 5000, 70000]


def packed(records: list[bytes]) -> Packed:
    data = np.frombuffer(b"".join(records), np.uint8)
    return Packed(data, np.cumsum([0, *map(len, records)], dtype=np.int64))


def unpacked(values: Packed) -> list[bytes]:
    return [
        values.data[a:b].tobytes()
        for a, b in zip(values.offsets[:-1], values.offsets[1:], strict=True)
    ]


def test_one_record_opens_with_the_reference(ring: Ring, implementation: str) -> None:
    key = ring.add()
    for size in EDGES:
        for aad in (b"", b"a", os.urandom(100)):
            plain = os.urandom(size)
            sealed = blob.seal_one(key.handle, plain, CANONICAL, aad)
            assert len(sealed) == size + 96
            assert reference.open_blob(key.material, sealed, CONTEXT, aad) == plain
            assert blob.open_one(key.handle, sealed, CANONICAL, aad) == plain


def test_the_references_blob_opens(ring: Ring, implementation: str) -> None:
    key = ring.add(version=7)
    for size in EDGES:
        plain, nonce = os.urandom(size), os.urandom(24)
        sealed = reference.seal_blob(key.material, key.key_id, 7, nonce, plain, CONTEXT, b"own")
        assert blob.open_one(key.handle, sealed, CANONICAL, b"own") == plain


def test_batches_of_every_size_and_length_open_with_the_reference(
    ring: Ring, implementation: str
) -> None:
    key, rng = ring.add(), random.Random(5)
    for num in [*range(1, 20), 255, 256, 257, 300]:
        records = [os.urandom(rng.choice([*range(70), 200, 1000])) for _ in range(num)]
        sealed = blob.seal_batch(key.handle, records, CANONICAL)
        assert [reference.open_blob(key.material, b, CONTEXT) for b in sealed] == records
        assert blob.open_batch(ring.resolve, sealed, CANONICAL) == (records, {})


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_give_the_same_records(ring: Ring, threads: int) -> None:
    key = ring.add()
    records = [os.urandom(i % 50) for i in range(20_000)]
    sealed = blob.seal_batch(key.handle, records, b"", threads=threads)
    assert blob.open_batch(ring.resolve, sealed, b"", threads=threads) == (records, {})
    assert len({b[56:80] for b in sealed}) == len(sealed)


def test_numpy_of_two_dimensions(ring: Ring, implementation: str) -> None:
    key = ring.add()
    values = np.frombuffer(os.urandom(1000 * 64), np.uint8).reshape(1000, 64)
    sealed = blob.seal_batch(key.handle, values, CANONICAL)
    assert sealed.shape == (1000, 160)
    assert sealed.dtype == np.uint8
    opened, errors = blob.open_batch(ring.resolve, sealed, CANONICAL)
    assert not errors
    assert (opened == values).all()


@pytest.mark.parametrize("dtype", ["S10", "V10"])
def test_numpy_bytes(ring: Ring, dtype: str) -> None:
    key = ring.add()
    values = np.array([b"0123456789", b"abcdefghij"], dtype=dtype)
    sealed = blob.seal_batch(key.handle, values, b"")
    assert sealed.dtype == np.dtype("V106")
    opened, _ = blob.open_batch(ring.resolve, sealed, b"")
    assert opened.tobytes() == values.tobytes()


def test_packed_with_records_of_their_own_aad(ring: Ring, implementation: str) -> None:
    key = ring.add()
    records = [os.urandom(i % 90) for i in range(500)]
    aads = [str(i).encode() for i in range(500)]
    sealed = blob.seal_batch(key.handle, packed(records), CANONICAL, aad=packed(aads))
    blobs = unpacked(sealed)
    for i in (0, 1, 250, 499):
        assert reference.open_blob(key.material, blobs[i], CONTEXT, aads[i]) == records[i]
    opened, errors = blob.open_batch(ring.resolve, sealed, CANONICAL, aad=aads)
    assert (unpacked(opened), errors) == (records, {})
    swapped = [aads[1], aads[0], *aads[2:]]
    _, errors = blob.open_batch(ring.resolve, sealed, CANONICAL, aad=swapped)
    assert sorted(errors) == [0, 1]


ARROW = [
    pa.binary(),
    pa.large_binary(),
    pa.string(),
    pa.large_string(),
]


@pytest.mark.parametrize("kind", ARROW, ids=str)
def test_arrow_keeps_nulls_and_slices(ring: Ring, kind: pa.DataType) -> None:
    key = ring.add()
    values = pa.array(["a", None, "", "somewhat longer", None, "x" * 100], kind)
    for part in (values, values.slice(1, 4), values.slice(2, 0), values.slice(5)):
        sealed = blob.seal_batch(key.handle, part, CANONICAL)
        large = kind in (pa.large_binary(), pa.large_string())
        assert sealed.type == (pa.large_binary() if large else pa.binary())
        sealed.validate(full=True)
        assert sealed.is_null().equals(part.is_null())
        opened, errors = blob.open_batch(ring.resolve, sealed, CANONICAL)
        opened.validate(full=True)
        assert not errors
        assert opened.cast(kind).equals(part)


def test_arrow_fixed_size(ring: Ring) -> None:
    key = ring.add()
    values = pa.array([b"0123", None, b"4567", b"89ab"], pa.binary(4))
    for part in (values, values.slice(1, 2)):
        sealed = blob.seal_batch(key.handle, part, b"")
        assert sealed.type == pa.binary(100)
        opened, errors = blob.open_batch(ring.resolve, sealed, b"")
        assert not errors
        assert opened.equals(part)


def test_arrow_chunks_and_their_aad(ring: Ring) -> None:
    key = ring.add()
    values = pa.chunked_array([["a", None], [], ["b", "c"]], pa.string())
    aad = [b"0", b"1", b"2", b"3"]
    sealed = blob.seal_batch(key.handle, values, b"", aad=aad)
    assert [len(chunk) for chunk in sealed.chunks] == [2, 0, 2]
    opened, errors = blob.open_batch(ring.resolve, sealed, b"", aad=aad)
    assert not errors
    assert opened.to_pylist() == [b"a", None, b"b", b"c"]
    _, errors = blob.open_batch(ring.resolve, sealed, b"", aad=[b"0", b"1", b"2", b"x"])
    assert sorted(errors) == [3]


def test_all_nulls_and_nothing(ring: Ring) -> None:
    key = ring.add()
    for values in ([], [None, None]):
        sealed = blob.seal_batch(key.handle, values, b"")
        assert sealed == values
        assert blob.open_batch(ring.resolve, sealed, b"") == (values, {})
    empty = np.empty((0, 64), np.uint8)
    sealed = blob.seal_batch(key.handle, empty, b"")
    assert sealed.shape == (0, 160)
    assert blob.open_batch(ring.resolve, sealed, b"")[0].shape[0] == 0


def test_blobs_of_many_keys_open_in_one_call(ring: Ring) -> None:
    rng = random.Random(3)
    made = [ring.add(bytes([k]) * 16, v) for k in range(10) for v in (1, 2, 3)]
    records, blobs = [], []
    for _ in range(3000):
        records.append(os.urandom(rng.randrange(40)))
        blobs.append(blob.seal_one(rng.choice(made).handle, records[-1], CANONICAL))
    for threads in (1, 2):
        assert blob.open_batch(ring.resolve, blobs, CANONICAL, threads=threads) == (records, {})


def test_each_record_has_its_own_error(ring: Ring) -> None:
    key, other = ring.add(), ring.add(b"o" * 16)
    good = blob.seal_one(key.handle, b"good", CANONICAL)
    foreign = bytearray(good)
    foreign[4:20] = b"?" * 16
    renamed = bytearray(good)
    renamed[4:20] = other.key_id
    cases: list[tuple[bytes, type[Exception], str]] = [
        (b"", FrameError, "shorter"),
        (good[:95], FrameError, "shorter"),
        (b"\x00" + good[1:], FrameError, "first byte"),
        (good[:1] + b"\x02" + good[2:], FrameError, "frame version"),
        (good[:2] + b"\x09" + good[3:], FrameError, "suite"),
        (good[:3] + b"\x80" + good[4:], FrameError, "flag"),
        (bytes(foreign), KeyNotFound, "3f3f3f"),
        (bytes(renamed), InvalidCiphertext, "commitment"),
        (good[:30] + bytes([good[30] ^ 1]) + good[31:], InvalidCiphertext, "commitment"),
        (good[:-1] + bytes([good[-1] ^ 1]), InvalidCiphertext, "does not open"),
        (good[:-1], InvalidCiphertext, "does not open"),
    ]
    blobs = [good]
    for bad, _, _ in cases:
        blobs += [bad, good]
    for batch in (blobs, blobs[1:]):  # the first record good, and bad
        opened, errors = blob.open_batch(ring.resolve, batch, CANONICAL)
        assert [value for value in opened if value is not None] == [b"good"] * batch.count(good)
        offset = 1 if batch is blobs else 0
        for i, (_, kind, text) in enumerate(cases):
            error = errors.pop(2 * i + offset)
            assert type(error) is kind
            assert text in str(error)
        assert not errors


def test_failed_records_leave_zeros_and_nulls(ring: Ring) -> None:
    key = ring.add()
    values = np.frombuffer(os.urandom(50 * 64), np.uint8).reshape(50, 64)
    sealed = blob.seal_batch(key.handle, values, b"").copy()
    sealed[3, 0] ^= 1
    sealed[7, 100] ^= 1
    opened, errors = blob.open_batch(ring.resolve, sealed, b"")
    assert sorted(errors) == [3, 7]
    assert not opened[[3, 7]].any()
    keep = [i for i in range(50) if i not in errors]
    assert (opened[keep] == values[keep]).all()
    arrow = pa.array([bytes(row) for row in sealed], pa.binary())
    opened, errors = blob.open_batch(ring.resolve, arrow, b"")
    assert sorted(errors) == [3, 7]
    assert opened.null_count == 2


def test_every_flipped_bit_is_refused(ring: Ring, implementation: str) -> None:
    key = ring.add()
    good = blob.seal_one(key.handle, b"twenty bytes of text", CANONICAL, b"aad")
    batch = []
    for bit in range(8 * len(good)):
        changed = bytearray(good)
        changed[bit // 8] ^= 1 << (bit % 8)
        batch.append(bytes(changed))
    opened, errors = blob.open_batch(ring.resolve, batch, CANONICAL, aad=[b"aad"] * len(batch))
    assert len(errors) == len(batch)
    assert opened == [None] * len(batch)
    for other in ({}, {"table": "orders"}, {**CONTEXT, "x": ""}, {"table": "Orders"}):
        with pytest.raises(InvalidCiphertext):
            blob.open_one(key.handle, good, reference.canonical(other), b"aad")


def test_wrong_kinds_are_named(ring: Ring) -> None:
    key = ring.add()
    cases: list[tuple[object, str]] = [
        ("text", "not str"),
        ([b"a", "b"], r"values\[1\] is str"),
        (np.zeros((2, 3), np.int32), "int32"),
        (np.zeros((4, 4), np.uint8)[:, ::2], "not contiguous"),
        (np.zeros(3), "float64"),
        (pa.array([1, 2]), "int64"),
        (Packed(np.zeros(4, np.int8), np.array([0, 4])), "uint8"),
        (Packed(np.zeros(4, np.uint8), np.array([0, 4], np.int32)), "int64"),
        (Packed(np.zeros(4, np.uint8), np.array([], np.int64)), "empty"),
        (Packed(np.zeros(4, np.uint8), np.array([0, 3, 2])), "3, 2"),
        (Packed(np.zeros(4, np.uint8), np.array([0, 5])), "run past the 4 bytes"),
        (Packed(np.zeros(4, np.uint8), np.array([-1, 4])), "-1, 4"),
        (Packed(np.zeros(4, np.uint8), np.array([0, -(2**63), 4])), "decrease"),
    ]
    for values, text in cases:
        with pytest.raises(ValidationError, match=text):
            blob.seal_batch(key.handle, values, b"")
    with pytest.raises(ValidationError, match="aad has 1 records, values has 2"):
        blob.seal_batch(key.handle, [b"", b""], b"", aad=[b""])
    with pytest.raises(ValidationError):
        blob.seal_batch(key.handle, [b""], b"", threads=0)


def test_data_keys(ring: Ring) -> None:
    key = ring.add()
    plain, wrapped = blob.data_key(key.handle, 32, CANONICAL, with_plaintext=True)
    assert plain is not None
    assert blob.open_one(key.handle, wrapped, CANONICAL) == plain
    none, wrapped = blob.data_key(key.handle, 64, CANONICAL, with_plaintext=False)
    assert none is None
    assert len(blob.open_one(key.handle, wrapped, CANONICAL)) == 64
    for size in (0, 1025):
        with pytest.raises(ValidationError, match=str(size)):
            blob.data_key(key.handle, size, b"", with_plaintext=True)


@pytest.mark.parametrize("size", [0, 55, 56, 95])
def test_what_is_shorter_than_a_blob_names_no_key(size: int) -> None:
    whole = b"\xf5\x01\x01\x00" + bytes(92)
    assert blob.start_of(whole) == whole[:56]
    with pytest.raises(FrameError, match="shorter than the 96 bytes"):
        blob.start_of(whole[:size])


@pytest.mark.parametrize("at_once", [1, 3, 1000])
def test_many_keys_and_forgeries_in_one_batch(
    ring: Ring, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    """Passes of any size give each record its own plaintext, or its own error."""
    monkeypatch.setattr(blob, "_groups_at_once", lambda: at_once)
    versions = [ring.add(bytes([i]) * 16) for i in range(10)]
    records: list[bytes | None] = [None]
    expected: dict[int, str] = {}
    for round_ in range(30):
        for i, version in enumerate(versions):
            record = bytearray(blob.seal_one(version.handle, b"%d %d" % (round_, i), CANONICAL))
            if (round_ + i) % 7 == 0:  # another key id each time, which nobody knows
                record[4:8] = b"\xff\xff" + bytes([round_, i])
                expected[len(records)] = KeyNotFound.__name__
            elif (round_ + i) % 7 == 1:  # a commitment that is not the key's
                record[30] ^= 1 + round_
                expected[len(records)] = InvalidCiphertext.__name__
            elif (round_ + i) % 7 == 2:
                del record[90:]
                expected[len(records)] = FrameError.__name__
            records.append(bytes(record))
    opened, errors = blob.open_batch(ring.resolve, records, CANONICAL)
    assert {i: type(error).__name__ for i, error in errors.items()} == expected
    for n, plain in enumerate(opened[1:], 1):
        round_, i = divmod(n - 1, 10)
        assert plain == (None if n in expected else b"%d %d" % (round_, i))


def test_forgeries_cost_what_records_cost(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each record with a key of its own: nothing looks at all records for each of them."""
    good = blob.seal_one(ring.add().handle, b"x", CANONICAL)
    forged = np.tile(np.frombuffer(good, np.uint8), (3000, 1))
    forged[1:, 4:8] = np.arange(1, 3000, dtype=np.uint32).view(np.uint8).reshape(-1, 4)
    searches = []
    search = np.flatnonzero
    monkeypatch.setattr(blob.np, "flatnonzero", lambda a: searches.append(len(a)) or search(a))
    _, errors = blob.open_batch(ring.resolve, forged, CANONICAL)
    assert sorted(errors) == list(range(1, 3000))
    assert 3000 <= sum(searches) < 10 * 3000
