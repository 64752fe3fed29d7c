"""The canonical context is injective up to order, and says what the reference says."""

from __future__ import annotations

import reference
from hypothesis import given
from hypothesis import strategies as st

from kmsfast.model.context import canonical

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
CONTEXTS = st.dictionaries(st.one_of(TEXT.filter(bool), st.sampled_from("abcd")), TEXT, max_size=6)


@given(CONTEXTS)
def test_it_is_what_the_format_says(context: dict[str, str]) -> None:
    assert canonical(context) == reference.canonical(context)


@given(CONTEXTS, st.randoms())
def test_order_never_matters(context: dict[str, str], chance) -> None:
    pairs = list(context.items())
    chance.shuffle(pairs)
    assert canonical(dict(pairs)) == canonical(context)


@given(CONTEXTS, CONTEXTS)
def test_two_contexts_are_never_taken_for_one(one: dict[str, str], two: dict[str, str]) -> None:
    assert (canonical(one) == canonical(two)) == (one == two)


@given(CONTEXTS)
def test_it_can_be_read_back(context: dict[str, str]) -> None:
    data, parts = canonical(context), []
    while data:
        size = int.from_bytes(data[:4], "big")
        parts.append(data[4 : 4 + size].decode())
        data = data[4 + size :]
    assert dict(zip(parts[::2], parts[1::2], strict=True)) == context
