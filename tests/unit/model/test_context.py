"""The canonical encryption context: one encoding for each meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations

import pytest
import reference

from kmsfast.errors import ContextError
from kmsfast.model.context import MAX_CONTEXT, canonical

PAIRS = [("a", "1"), ("b", ""), ("table", "orders"), ("ü", "straße"), ("aa", "1")]


@pytest.mark.parametrize("pairs", [PAIRS[:n] for n in range(len(PAIRS) + 1)])
def test_it_is_what_the_format_says(pairs: list[tuple[str, str]]) -> None:
    assert canonical(dict(pairs)) == reference.canonical(dict(pairs))


def test_known_bytes() -> None:
    assert canonical({"b": "2", "a": "é"}) == (
        b"\0\0\0\1a" + b"\0\0\0\2\xc3\xa9" + b"\0\0\0\1b" + b"\0\0\0\x012"
    )


def test_order_does_not_matter() -> None:
    assert len({canonical(dict(pairs)) for pairs in permutations(PAIRS)}) == 1


def test_sorting_is_by_bytes_not_by_length() -> None:
    assert canonical({"b": "", "aa": ""})[4:6] == b"aa"


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"table": "Orders"},
        {"Table": "orders"},
        {"table": "orders "},
        {"table": "orders", "x": ""},
        {"tabl": "eorders"},
        {"orders": "table"},
        {"table\0": "orders"},
    ],
)
def test_any_difference_counts(other: dict[str, str]) -> None:
    assert canonical(other) != canonical({"table": "orders"})


def test_unicode_is_not_normalised() -> None:
    assert canonical({"k": "é"}) != canonical({"k": "e\u0301"})


def test_none_and_empty_are_the_same() -> None:
    assert canonical(None) == canonical({}) == b""


class Other(Mapping[str, str]):
    """A mapping that is no dict."""

    def __getitem__(self, key: str) -> str:
        return {"a": "1"}[key]

    def __iter__(self) -> Iterator[str]:
        return iter("a")

    def __len__(self) -> int:
        return 1


def test_any_mapping_will_do() -> None:
    assert canonical(Other()) == canonical({"a": "1"})


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("table=orders", "not str"),
        ([("a", "b")], "not list"),
        (7, "not int"),
        ({"a": 1}, "'a' in the encryption context is int"),
        ({"a": b"1"}, "is bytes"),
        ({"a": None}, "is NoneType"),
        ({"a": ["x"]}, "is list"),
        ({1: "a"}, "a key of the encryption context is int"),
        ({b"a": "a"}, "is bytes"),
        ({"": "a"}, "empty key"),
        ({"a": "\ud800"}, "not valid Unicode"),
        ({"a": "x" * MAX_CONTEXT}, "at most 65536"),
    ],
)
def test_anything_else_is_refused_by_name(wrong: object, says: str) -> None:
    for _ in range(2):  # the cache must not change the answer
        with pytest.raises(ContextError, match=says):
            canonical(wrong)  # type: ignore[arg-type]


def test_a_key_that_comes_twice_is_refused() -> None:
    class Twice(dict[str, str]):
        def items(self):  # type: ignore[no-untyped-def]
            return [("a", "1"), ("b", "2"), ("a", "3")]

    with pytest.raises(ContextError, match="has the key 'a' twice"):
        canonical(Twice())


def test_what_only_has_items_is_no_mapping() -> None:
    class Pairs:
        def items(self):  # type: ignore[no-untyped-def]
            return [("a", "1")]

    with pytest.raises(ContextError, match="not Pairs"):
        canonical(Pairs())  # type: ignore[arg-type]
