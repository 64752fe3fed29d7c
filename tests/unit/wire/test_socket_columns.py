"""Columns: both forms, with and without nil, to the service and back."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from kmsfast.crypto.column import Packed
from kmsfast.wire.refusals import SerializationError
from kmsfast.wire.socket_columns import NIL, Column, read_column, write_column


def lengths(*sizes: int) -> bytes:
    return np.array(sizes, "<u4").tobytes()


def records(column: Column) -> list[bytes]:
    values = column.values
    if isinstance(values, list):
        return values
    if isinstance(values, np.ndarray):
        return [row.tobytes() for row in values]
    ends = values.offsets
    return [values.data[a:b].tobytes() for a, b in pairwise(ends)]


@pytest.mark.parametrize(
    ("sent", "there", "absent"),
    [
        ([], [], None),
        ([b"a", b"", b"bc"], [b"a", b"", b"bc"], None),
        ([None, b"a", None], [b"a"], [True, False, True]),
        ([3, 2, b"aabbcc"], [b"aa", b"bb", b"cc"], None),
        ([0, 5, b""], [], None),
        ([2, 0, b""], [b"", b""], None),
        ([3, lengths(1, 0, 2), b"abc"], [b"a", b"", b"bc"], None),
        ([3, lengths(1, NIL, 2), b"abc"], [b"a", b"bc"], [False, True, False]),
        ([1, lengths(NIL), b""], [], [True]),
    ],
)
def test_a_column_is_read(sent: Any, there: list[bytes], absent: list[bool] | None) -> None:
    column = read_column(sent, "it")
    assert records(column) == there
    assert (None if column.absent is None else column.absent.tolist()) == absent
    assert column.is_list == (not sent or not isinstance(sent[0], int))


@pytest.mark.parametrize(
    "sent",
    [
        None, b"x", {}, ["a"], [b"a", 1], [[b"a"]], [1], [1, 2], [1, 1, "a"], [2, 1, b"abc"],
        [-1, 1, b""], [1, -1, b""], [(1 << 20) + 1, 0, b""], [1 << 40, 1 << 40, b""],
        [1, b"\0\0\0", b""], [2, lengths(1), b"a"], [1, lengths(2), b"a"], [1, None, b"a"],
        [2, lengths(NIL - 1, 2), b"a"], [True, 1, b"a"], [1, True, b"a"],
    ],
)  # fmt: skip
def test_anything_else_is_no_column(sent: Any) -> None:
    with pytest.raises(SerializationError, match="it"):
        read_column(sent, "it")


def test_packed_records_are_not_copied() -> None:
    data = bytes(6)
    for sent in ([3, 2, data], [2, lengths(2, 4), data]):
        values = read_column(sent, "it").values
        held = values.data if isinstance(values, Packed) else values
        assert np.shares_memory(held, np.frombuffer(data, np.uint8))


@pytest.mark.parametrize(
    "values",
    [
        [b"xx", b"yy", b"zz"],
        np.frombuffer(b"xxyyzz", np.uint8).reshape(3, 2),
        Packed(np.frombuffer(b"-xxyyzz", np.uint8), np.array([1, 3, 5, 7])),
    ],
)
def test_answers_have_the_form_of_their_column(values: Any) -> None:
    as_list = read_column([b"1", None, b"2", b"3"], "it")
    assert write_column(values, as_list) == [b"xx", None, b"yy", b"zz"]
    assert write_column(values, as_list, [1]) == [b"xx", None, None, b"zz"]
    with_nil = read_column([4, lengths(1, NIL, 1, 1), b"123"], "it")
    num, sizes, data = write_column(values, with_nil)
    assert (num, sizes, bytes(data)) == (4, lengths(2, NIL, 2, 2), b"xxyyzz")
    num, sizes, data = write_column(values, with_nil, [0])
    assert (num, sizes, bytes(data)) == (4, lengths(NIL, NIL, 2, 2), b"yyzz")


def test_one_width_stays_one_number() -> None:
    values = np.frombuffer(b"xxyy", np.uint8).reshape(2, 2)
    column = read_column([2, 1, b"ab"], "it")
    num, width, data = write_column(values, column)
    assert (num, width, bytes(data)) == (2, 2, b"xxyy")
    num, sizes, data = write_column(values, column, [1])
    assert (num, sizes, bytes(data)) == (2, lengths(2, NIL), b"xx")


def test_a_failed_record_leaves_no_bytes() -> None:
    values = np.frombuffer(b"xxSECRET"[:4] + b"zz", np.uint8).reshape(3, 2)
    _, _, data = write_column(values, read_column([3, 1, b"abc"], "it"), [1])
    assert bytes(data) == b"xxzz"


@pytest.mark.parametrize(
    "sent",
    [[b"a", b"bb", None, b"c"], [4, lengths(1, 2, NIL, 1), b"abbc"]],
)
def test_records_that_are_absent_elsewhere_go(sent: Any) -> None:
    column = read_column(sent, "it")
    assert records(column.without(np.array([True, False, True, False]))) == [b"bb", b"c"]
    whole = read_column([2, 1, b"ab"], "it")
    assert records(whole.without(np.array([True, False]))) == [b"b"]
    assert whole.without(None) is whole
