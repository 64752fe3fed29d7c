"""Round trips of any data as any kind, and no forgery, under one long-lived store."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kmsfast
from kmsfast.errors import InvalidCiphertext, KmsError

RECORDS = st.lists(st.one_of(st.binary(max_size=200), st.none()), max_size=20)
FULL = st.lists(st.binary(max_size=200), max_size=20)
CONTEXT = st.dictionaries(st.sampled_from(["a", "b", "ü"]), st.sampled_from(["", "1", "2"]))
KEYS = st.integers(0, 3)


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kmsfast.Kms]:
    with kmsfast.open(tmp_path_factory.mktemp("kms") / "store", create=True) as opened:
        for _ in range(4):
            key = opened.create_key()
            key.rotate()
        yield opened


@given(RECORDS, CONTEXT, KEYS, st.sampled_from([1, 2]))
def test_lists(kms, records, context, which, threads) -> None:
    blobs = kms.keys()[which].encrypt_batch(records, context, threads=threads)
    assert [b and len(b) - 96 for b in blobs] == [None if r is None else len(r) for r in records]
    assert kms.decrypt_batch(blobs, dict(reversed(context.items())), threads=threads) == records


@given(RECORDS, CONTEXT, st.integers(0, 5), st.sampled_from([pa.binary(), pa.large_binary()]))
def test_arrow_with_nulls_and_offsets(kms, records, context, skip, kind) -> None:
    column = pa.array(records, kind).slice(min(skip, len(records)))
    key = kms.keys()[0]
    plain = kms.decrypt_batch(key.encrypt_batch(column, context), context)
    assert plain.to_pylist() == records[skip:]
    assert plain.type == kind
    plain.validate(full=True)


@given(FULL, CONTEXT, st.binary(max_size=10))
def test_packed_with_a_gap_before(kms, records, context, gap) -> None:
    data = np.frombuffer(gap + b"".join(records), np.uint8)
    offsets = np.cumsum([len(gap), *map(len, records)]).astype(np.int64)
    blobs = kms.keys()[1].encrypt_batch(kmsfast.Packed(data, offsets), context)
    plain = kms.decrypt_batch(blobs, context)
    assert plain.data.tobytes() == b"".join(records)
    assert np.diff(plain.offsets).tolist() == [len(r) for r in records]


@given(st.lists(st.tuples(st.binary(max_size=50), KEYS), min_size=1), CONTEXT, st.data())
def test_mixed_keys_and_damage(kms, records, context, data) -> None:
    keys = kms.keys()
    blobs = [keys[which].encrypt(plain, context) for plain, which in records]
    bad = data.draw(st.sets(st.integers(0, len(blobs) - 1)))
    for i in bad:
        at = data.draw(st.integers(0, len(blobs[i]) * 8 - 1))
        changed = bytearray(blobs[i])
        changed[at // 8] ^= 1 << at % 8
        blobs[i] = bytes(changed)
    values, errors = kms.decrypt_batch(blobs, context, errors="return")
    assert set(errors) == bad
    assert values == [None if i in bad else plain for i, (plain, _) in enumerate(records)]


@given(st.binary(max_size=300), CONTEXT)
def test_arbitrary_bytes_never_open(kms, data, context) -> None:
    for use in (kms.decrypt, lambda d, c: kms.decrypt_batch([d], c)):
        with pytest.raises(KmsError):
            use(data, context)
    with pytest.raises(InvalidCiphertext):
        kmsfast.inspect(data)


@given(st.binary(max_size=100), st.binary(min_size=1, max_size=100), CONTEXT)
def test_associated_data_is_bound(kms, plain, aad, context) -> None:
    blob = kms.keys()[2].encrypt(plain, context, aad)
    assert kms.decrypt(blob, context, aad) == plain
    with pytest.raises(InvalidCiphertext):
        kms.decrypt(blob, context, aad[:-1])


@given(FULL.filter(bool), CONTEXT, st.data())
def test_sealed_batches(kms, records, context, data) -> None:
    batch = kms.keys()[3].seal_batch(records, context)
    assert kms.open_batch(batch, context) == records
    i = data.draw(st.integers(0, len(records) - 1))
    assert kms.open_record(batch, i, context) == records[i]
    order = data.draw(st.permutations(range(len(records))))
    if order != list(range(len(records))):
        with pytest.raises(kmsfast.BatchError):
            kms.open_batch((batch.header, [batch.values[j] for j in order]), context)
