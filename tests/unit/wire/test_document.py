"""JSON that is refused, and what is said of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kmsfast.wire.document import parse_object
from kmsfast.wire.refusals import SerializationError


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"[]", b'"a"', b"1", b"null", b"{}x", b"\xff{}", b"\xef\xbb\xbf{}",
        '{"a":1}'.encode("utf-16"), b"[" * 100_000, b'{"a":' * 100_000,
        b'{"a":1,"a":2}', b'{"a":{"b":1,"b":1}}', b'{"a":NaN}', b'{"a":Infinity}',
        b'{"a":-Infinity}', b'{"a":' + b"9" * 10_000 + b"}", b'{"a":"\x01"}', b"{'a':1}",
    ],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_what_is_no_request(body: bytes) -> None:
    with pytest.raises(SerializationError):
        parse_object(body)


def test_no_body_is_an_empty_request() -> None:
    assert parse_object(b"") == {}


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_one_error(body: bytes) -> None:
    try:
        found = parse_object(body)
    except SerializationError:
        return
    assert body == b"" or found == json.loads(body)
