"""Batches of any kind to packed columns in pieces, and back to the kind that they came as."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsfast import Packed, ValidationError
from kmsfast.client import columns
from kmsfast.client.columns import Batch, Results, as_list, like, of_one_width, zip_pieces

RECORDS = st.lists(st.binary(max_size=40), max_size=60)
WITH_NULLS = st.lists(st.none() | st.binary(max_size=40), max_size=60)


def _back(batch: Batch) -> object:
    """What comes of a server that answers each record as it is."""
    results = Results(batch.num)
    for piece in reversed(batch.pieces()):  # answers come in any order
        lengths = piece.lengths
        column = [piece.num, lengths if isinstance(lengths, int) else lengths.tobytes(), piece.data]
        results.place(piece.first, piece.num, column)
    return like(batch, 0)(results)


@pytest.fixture(autouse=True, scope="module")
def _small_pieces() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "_PIECE", 700)
        yield


@given(WITH_NULLS)
def test_lists(values: list[bytes | None]) -> None:
    assert _back(Batch(values)) == values


@given(WITH_NULLS, st.sampled_from([pa.binary(), pa.large_binary()]))
def test_arrow(values: list[bytes | None], kind: pa.DataType) -> None:
    array = pa.array(values, type=kind)
    found = _back(Batch(array))
    found.validate(full=True)
    assert found.equals(array)
    if len(values) > 2:
        assert _back(Batch(array[1:-1])).equals(array[1:-1])


@given(WITH_NULLS)
def test_chunked_arrow(values: list[bytes | None]) -> None:
    array = pa.chunked_array([pa.array(values[:3], pa.binary()), pa.array(values[3:], pa.binary())])
    assert _back(Batch(array)).to_pylist() == values


def test_chunked_arrow_without_chunks() -> None:
    assert _back(Batch(pa.chunked_array([], type=pa.binary()))).to_pylist() == []


@given(st.lists(st.none() | st.binary(min_size=5, max_size=5), max_size=60))
def test_fixed_arrow(values: list[bytes | None]) -> None:
    array = pa.array(values, type=pa.binary(5))
    found = _back(Batch(array))
    found.validate(full=True)
    assert found.to_pylist() == values
    if any(value is not None for value in values):
        assert found.type == pa.binary(5)


@given(st.integers(0, 50), st.integers(0, 30))
def test_rows(num: int, width: int) -> None:
    rows = np.arange(num * width, dtype=np.uint8).reshape(num, width)
    found = _back(Batch(rows))
    assert found.shape == rows.shape
    assert (found == rows).all()


@given(st.lists(st.binary(min_size=3, max_size=3), min_size=1, max_size=60))
def test_flat(values: list[bytes]) -> None:
    flat = np.array(values, "V3")
    found = _back(Batch(flat))
    assert found.dtype == flat.dtype
    assert found.tobytes() == flat.tobytes()


@given(RECORDS, st.integers(0, 7))
def test_packed(values: list[bytes], before: int) -> None:
    data = np.frombuffer(b"x" * before + b"".join(values) + b"y", np.uint8)
    offsets = np.cumsum([before, *map(len, values)])
    found = _back(Batch(Packed(data, offsets)))
    assert isinstance(found, Packed)
    assert found.data.tobytes() == b"".join(values)
    assert (found.offsets == offsets - before).all()


@given(st.lists(st.tuples(st.binary(max_size=30), st.binary(max_size=90)), max_size=40))
def test_pieces_of_two_batches_are_of_the_same_records(pairs: list[tuple[bytes, bytes]]) -> None:
    one, other = Batch([a for a, _ in pairs]), Batch([b for _, b in pairs])
    seen: list[tuple[bytes | None, bytes | None]] = []
    for left, right in zip_pieces(one, other):
        assert (left.first, left.num) == (right.first, right.num) == (len(seen), left.num)
        both = []
        for piece in (left, right):
            results = Results(piece.num)
            results.place(0, piece.num, [piece.num, piece.lengths.tobytes(), piece.data])
            both.append(as_list(results))
        seen += zip(*both, strict=True)
    assert seen == pairs


def test_pieces_are_small_and_whole() -> None:
    pieces = Batch([bytes(100)] * 50).pieces()
    assert len(pieces) > 10
    assert sum(piece.num for piece in pieces) == 50
    assert [piece.first for piece in pieces] == list(
        np.cumsum([0, *(piece.num for piece in pieces)])[:-1]
    )


def test_a_batch_without_records_is_one_piece() -> None:
    (piece,) = Batch(np.empty((0, 7), np.uint8)).pieces()
    assert (piece.num, piece.lengths, len(piece.data)) == (0, 7, 0)


def test_failed_records_are_as_in_process() -> None:
    rows = Batch(np.zeros((3, 4), np.uint8))
    results = Results(3)
    lengths = np.array([4, columns.NULL, 4], "<u4").tobytes()
    results.place(0, 3, [3, lengths, b"aaaacccc"])
    assert like(rows, 0)(results).tobytes() == b"aaaa\0\0\0\0cccc"
    assert as_list(results) == [b"aaaa", None, b"cccc"]
    assert like(Batch(pa.array([b"", b"", b""])), 0)(results).to_pylist() == [
        b"aaaa",
        None,
        b"cccc",
    ]


def test_results_of_one_width_are_rows_for_numpy_and_packed() -> None:
    results = Results(2)
    results.place(0, 2, [2, 3, b"abcdef"])
    packed = Batch(Packed(np.empty(0, np.uint8), np.zeros(3, np.int64)))
    assert of_one_width(packed)(results).shape == (2, 3)
    assert of_one_width(Batch([b"", b""]))(results) == [b"abc", b"def"]


@pytest.mark.parametrize("wrong", [b"abc", ["text"], np.zeros(3), 7, [1]])
def test_what_is_no_batch(wrong: object) -> None:
    with pytest.raises(ValidationError):
        Batch(wrong)


def test_offsets_that_lead_out() -> None:
    with pytest.raises(ValidationError, match="offsets"):
        Batch(Packed(np.zeros(3, np.uint8), np.array([0, 9])))
