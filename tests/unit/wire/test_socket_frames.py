"""Frames: one array of what the protocol has, or MalformedFrame; bounded by the bytes there are."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgpack
import pytest
from socket_line import frame, frames_of

from kmsfast.wire.socket_frames import MAX_DEPTH, MalformedFrame, decode, encode, length_of
from kmsfast.wire.socket_reader import FrameReader


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        [],
        [1, -(1 << 63), (1 << 64) - 1, None, True, "é", b"\x00", {"a": {"b": [1]}}],
        [[b"x"] * 65_536, [None] * 65_536],
        nested(MAX_DEPTH),
    ],
)
def test_what_is_sent_is_what_is_read(value: list[Any]) -> None:
    assert decode(encode(*value)[4:]) == value


def test_any_form_of_a_number_and_a_length_is_taken() -> None:
    assert decode(b"\xdd\0\0\0\2\xcf\0\0\0\0\0\0\0\7\xc6\0\0\0\1x") == [7, b"x"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "OutOfData"),
        (b"\xc1", "FormatError"),
        (b"\xa1x", "not an array"),
        (b"\x91", "OutOfData"),
        (b"\x90\x90", "bytes follow"),
        (b"\x91\xca\0\0\0\0", "a float"),
        (b"\x91\xc7\0\5", "an extension"),
        (b"\x91\xd4\5x", "exceeds max_ext_len"),
        (b"\x91\xd6\xff\0\0\0\0", "exceeds max_ext_len"),
        (b"\x91\xa1\xff", "UnicodeDecodeError"),
        (b"\x91\x82\xa1a\1\xa1a\2", "a key twice"),
        (b"\x91\x81\1\1", "is not allowed for map key"),
        (b"\x91\x81\xc4\1a\1", "a key of a map is no string"),
        (b"\xdd\xff\xff\xff\xff", "OutOfData"),
        (b"\xdf\xff\xff\xff\xff", "OutOfData"),
        (b"\xc6\xff\xff\xff\xff", "OutOfData"),
        (msgpack.packb([[0] * 65_537]), "exceeds max_array_len"),
        (msgpack.packb([[b""] * 65_536] * 5), "more than 262144 elements"),
        (msgpack.packb(nested(MAX_DEPTH + 1)), "nested deeper than 16"),
        (b"\x91" * 100_000 + b"\x90", "StackError"),
    ],
)
def test_anything_else_is_malformed(body: bytes, says: str) -> None:
    with pytest.raises(MalformedFrame, match=says):
        decode(body)


def test_an_error_does_not_repeat_what_was_sent() -> None:
    with pytest.raises(MalformedFrame) as error:
        decode(b"\x91\xa7secret\xff")
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "body",
    [
        b"\xdd\0\0\xff\xff" * 1000,  # arrays in arrays, each said to be long
        b"\xdc\xff\xff" + (b"\xdd\0\0\xff\xff" * 900),
        b"\xc6\x7f\xff\xff\xff" + bytes(100),
    ],
)
def test_what_is_only_declared_takes_no_memory(body: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(MalformedFrame):
        decode(body)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("size", [0, 101])
def test_a_length_that_no_frame_has(size: int) -> None:
    with pytest.raises(MalformedFrame, match="1 to 100 bytes"):
        length_of(size.to_bytes(4, "big"), 100)


# ---- reading ------------------------------------------------------------------------------------


def read(reader: FrameReader, data: bytes, step: int) -> list[bytes]:
    found = []
    while data:
        room = reader.room()
        size = min(step, len(room), len(data))
        room[:size] = data[:size]
        found += reader.filled(size)
        data = data[size:]
    return found


@pytest.mark.parametrize("step", [1, 3, 1000, 1 << 20])
def test_frames_come_in_any_pieces(step: int) -> None:
    bodies = [b"a", bytes(70_000), b"bc" * 5000, bytes(65_532), b"d"]
    data = b"".join(len(each).to_bytes(4, "big") + each for each in bodies)
    reader = FrameReader(1 << 20)
    assert read(reader, data, step) == bodies
    assert not reader.pending


def test_large_frames_split_anywhere() -> None:
    bodies = [bytes([i % 251]) * (60_000 + 11_003 * i) for i in range(40)]
    data = b"".join(len(each).to_bytes(4, "big") + each for each in bodies)
    for step in (65_536, 65_535, 131_073, 7919):
        assert read(FrameReader(1 << 20), data, step) == bodies


def test_a_begun_frame_is_pending() -> None:
    reader = FrameReader(100)
    assert not reader.pending
    assert read(reader, b"\0", 1) == []
    assert reader.pending


def test_memory_grows_with_what_came() -> None:
    reader = FrameReader(16 << 20)
    tracemalloc.start()
    read(reader, (16 << 20).to_bytes(4, "big") + bytes(100), 104)
    assert len(reader.room()) <= 1 << 17
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_too_long_a_frame_is_refused_by_its_length() -> None:
    with pytest.raises(MalformedFrame):
        read(FrameReader(4096), (4097).to_bytes(4, "big"), 4)


def test_the_helpers_of_these_tests_agree() -> None:
    assert frames_of(frame(1, b"x") + encode(2)) == [[1, b"x"], [2]]
