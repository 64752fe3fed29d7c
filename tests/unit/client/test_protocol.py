"""Frames of requests, and answers from bytes that come as they like."""

from __future__ import annotations

import msgpack
import numpy as np
import pytest

from kmsfast import AccessDenied, KeyNotFound, KmsError, ProtocolError
from kmsfast.client.calls import Answer, Request
from kmsfast.client.columns import IN_PLACE, Piece
from kmsfast.client.protocol import CHUNK, Protocol

HELLO = ["kmsfast", 1, {"server": "kmsfast/9", "max_inflight": 7, "features": ["batch"]}]


def _frame(value: object) -> bytes:
    body = msgpack.packb(value)
    return len(body).to_bytes(4, "big") + body


def _take(protocol: Protocol, data: bytes, step: int = 1 << 30) -> list[tuple[int, Answer]]:
    found = []
    while data:
        room = protocol.room()
        size = min(len(room), len(data), step)
        room[:size] = data[:size]
        for number, answer in protocol.received(size):
            body = answer.body
            if isinstance(body, list) and isinstance(body[0], list):  # views are gone afterwards
                body = [
                    [each if isinstance(each, int) else bytes(each) for each in body[0]],
                    body[1],
                ]
            found.append((number, answer._replace(body=body)))
        data = data[size:]
    return found


@pytest.fixture
def protocol() -> Protocol:
    made = Protocol()
    assert _take(made, _frame(HELLO)) == []
    return made


def _sent(protocol: Protocol, request: Request) -> list[object]:
    _, frames = protocol.frames(request)
    out = []
    for buffers in frames:
        data = b"".join(buffers)
        assert int.from_bytes(data[:4], "big") == len(data) - 4
        out.append(msgpack.unpackb(data[4:]))
    return out


def test_the_greeting() -> None:
    (frame,) = Protocol("eu-west-1", "me").greeting()
    assert msgpack.unpackb(frame[4:]) == ["kmsfast", 1, 1, {"client": "me", "region": "eu-west-1"}]


def test_the_hello() -> None:
    protocol = Protocol()
    assert protocol.hello is None
    _take(protocol, _frame(HELLO))
    assert protocol.hello is not None
    assert (protocol.hello.server, protocol.hello.max_inflight) == ("kmsfast/9", 7)


@pytest.mark.parametrize("size", [0, 10, 5000])
def test_requests(protocol: Protocol, size: int) -> None:
    payload = memoryview(bytes(size))
    request = Request(1, ("key", {"a": "b"}, payload, {"tokens": ["t"]}))
    sent = _sent(protocol, request)
    assert sent == [[0, 1, "key", {"a": "b"}, bytes(size), {"tokens": ["t"]}]]
    assert _sent(protocol, request)[0][0] == 1  # type: ignore[index]


def test_columns(protocol: Protocol) -> None:
    lengths = np.array([2, 3], "<u4")
    piece = Piece(0, 2, lengths, memoryview(b"aabbb"))
    large = Piece(0, 1, 9000, memoryview(bytes(9000)))
    (sent,) = _sent(protocol, Request(38, ("k", None, [piece, large], {"aad": piece})))
    column = [2, b"\2\0\0\0\3\0\0\0", b"aabbb"]
    assert sent == [0, 38, "k", None, [column, [1, 9000, bytes(9000)]], {"aad": column}]


def test_chunks(protocol: Protocol) -> None:
    request = Request(
        1, ("k", None, memoryview(b"start"), {"more": CHUNK + 1}), memoryview(bytes(CHUNK + 1))
    )
    first, second, third = _sent(protocol, request)
    assert first == [0, 1, "k", None, b"start", {"more": CHUNK + 1}]
    assert second == [0, 0, bytes(CHUNK)]
    assert third == [0, 0, b"\0"]


ANSWERS = [
    [3, 0, b"body"],
    [4, 1, ["NotFoundException", False, "no such key"]],
    [5, 2, b"part one "],
    [6, 0, True],
    [5, 2, b"part two "],
    [5, 0, b"end"],
    [2**40, 0, [[2, 40_000, bytes(80_000)], None]],
    [7, 0, [[2, b"\1\0\0\0\2\0\0\0", b"abb"], [[1, "X", True, "y"]]]],
    [8, 0, bytes(400_000)],
]


@pytest.mark.parametrize("step", [1, 2, 3, 5, 1000, 70_000, 1 << 30])
def test_answers(protocol: Protocol, step: int) -> None:
    data = b"".join(map(_frame, ANSWERS))
    if step < 1000:
        data = b"".join(map(_frame, [each for each in ANSWERS if len(_frame(each)) < 1000]))
    found = dict(_take(protocol, data, step))
    assert found[3].value() == b"body"
    with pytest.raises(KeyNotFound, match="no such key"):
        found[4].value()
    assert b"".join(found[5].parts) + found[5].body == b"part one part two end"
    assert found[6].body is True
    assert found[7].body == [[2, b"\1\0\0\0\2\0\0\0", b"abb"], [[1, "X", True, "y"]]]
    if step >= 1000:
        assert found[2**40].body == [[2, 40_000, bytes(80_000)], None]
        assert found[8].body == bytes(400_000)


@pytest.mark.parametrize(
    "body",
    [b"\xc1", b"\x93\x01", b"\xd9", msgpack.packb({"a": 1}), msgpack.packb([1, 2]),
     b"\x93\1\0\x81\x90\0", b"\x93\1\0\x81\x80\0", msgpack.packb([1, 9, b""]),
     msgpack.packb(["1", 0, b""]), msgpack.packb([1, 1, "x"])],
)  # fmt: skip
def test_what_is_no_answer(protocol: Protocol, body: bytes) -> None:
    with pytest.raises(ProtocolError):
        _take(protocol, len(body).to_bytes(4, "big") + body)


@pytest.mark.parametrize("frame", [["kmsfast", 2, {}], ["http", 1, {}], [1, 0, b""], 7])
def test_what_is_no_hello(frame: object) -> None:
    with pytest.raises(ProtocolError):
        _take(Protocol(), _frame(frame))


def test_a_refused_connection() -> None:
    refusal = _frame([None, 1, ["AccessDeniedException", False, "uid 1 is nobody"]])
    with pytest.raises(AccessDenied, match="uid 1 is nobody"):
        _take(Protocol(), refusal)


def test_unknown_codes_are_kept(protocol: Protocol) -> None:
    ((_, answer),) = _take(protocol, _frame([0, 1, ["NewException", True, "what"]]))
    assert isinstance(answer.error, KmsError)
    assert (answer.error.code, str(answer.error)) == ("NewException", "what")


def test_answers_print_without_their_bodies() -> None:
    assert "secret" not in repr(Answer(b"secret"))
    assert "secret" not in repr(Request(1, ("k", None, b"secret")))


# ---- records that are received where they stay ----------------------------------------------


class Rows:
    """Where the records of a batch go, as a call has it."""

    def __init__(self, num: int, width: int) -> None:
        self.width, self.data, self.asked = width, memoryview(bytearray(num * width)), 0

    def room(self, num: int, width: int) -> memoryview | None:
        self.asked += 1
        return self.data if (num * width, width) == (len(self.data), self.width) else None


def _batch_frame(number: int, data: bytes, width: int, errors: object = None) -> bytes:
    return _frame([number, 0, [[len(data) // width, width, data], errors]])


def _ask(protocol: Protocol, rows: Rows) -> int:
    number, frames = protocol.frames(Request(33, ("k", None, b""), room=rows.room))
    list(frames)
    return number


RECORDS = bytes(range(250)) * 400


@pytest.mark.parametrize("step", [1, 2, 3, 7, 511, 512, 513, 60_000, 1 << 30])
def test_records_are_received_where_they_stay(protocol: Protocol, step: int) -> None:
    rows = [Rows(1000, 100) for _ in range(3)]
    numbers = [_ask(protocol, each) for each in rows]
    data = b"".join(_batch_frame(number, RECORDS, 100) for number in reversed(numbers))
    data = _frame([9, 0, b"before"]) + data + _frame([10, 0, b"after"])
    found = dict(_take_placed(protocol, data, step))
    assert (found.pop(9).value(), found.pop(10).value()) == (b"before", b"after")
    assert {number: answer.value() for number, answer in found.items()} == {
        number: [[1000, 100, IN_PLACE], None] for number in numbers
    }
    assert all(each.data == RECORDS for each in rows)


def _take_placed(protocol: Protocol, data: bytes, step: int) -> list[tuple[int, Answer]]:
    found = []
    while data:
        room = protocol.room()
        assert room
        size = min(len(room), len(data), step)
        room[:size] = data[:size]
        found += protocol.received(size)
        data = data[size:]
    return found


@pytest.mark.parametrize("step", [600, 60_000])
def test_records_that_have_no_room(protocol: Protocol, step: int) -> None:
    """Another width, no records, some that failed, an error: they come as all answers do."""
    all_rows = [Rows(1000, 100) for _ in range(6)]
    numbers = [_ask(protocol, each) for each in all_rows]
    lengths = b"\x64\0\0\0" * 999 + b"\xff" * 4
    data = (
        _batch_frame(numbers[0], RECORDS, 200)
        + _frame([numbers[1], 0, [[0, 100, b""], None]])
        + _frame([numbers[2], 1, ["NotFoundException", False, "x" * 3000]])
        + _frame([numbers[3], 0, [[1000, lengths, RECORDS[:99_900]], [[999, "X", False, "y"]]]])
        + _frame([numbers[4], 2, RECORDS[:60_000]])
        + _frame([numbers[4], 0, [[1000, 100, RECORDS[60_000:]], None]])
        + _frame([numbers[5], 0, [[1000, 2**50, RECORDS], None]])
    )
    found = dict(_take(protocol, data, step))
    assert found[numbers[0]].body[0] == [500, 200, RECORDS]
    assert found[numbers[1]].body == [[0, 100, b""], None]
    assert isinstance(found[numbers[2]].error, KeyNotFound)
    assert found[numbers[3]].body[1] == [[999, "X", False, "y"]]
    answer = found[numbers[4]]
    assert b"".join([*answer.parts, answer.body[0][2]]) == RECORDS
    assert found[numbers[5]].body[0] == [1000, 2**50, RECORDS]
    assert (all_rows[0].asked, all_rows[5].asked) == (1, 0)
    assert all(not any(each.data) for each in all_rows)


def test_what_follows_records_must_be_an_answers_end(protocol: Protocol) -> None:
    number = _ask(protocol, Rows(1000, 100))
    frame = bytearray(_batch_frame(number, RECORDS, 100))
    frame[-1] = 0xC1  # no MessagePack
    with pytest.raises(ProtocolError, match="no MessagePack"):
        _take_placed(protocol, bytes(frame), 1 << 30)
