"""Records of a batch fail one by one in C as on the long way: the same answer, the same event."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from socket_line import Line
from socket_world import Served, serving

from kmsfast.crypto.reactor import Reactor
from kmsfast.server import socket_reactor

NIL = b"\xff\xff\xff\xff"
ENCRYPT_MANY, DECRYPT_MANY = 33, 34
FAILED = ["InvalidCiphertextException", False, ""]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Reactor]]:
    """A server, and its reactor."""
    if not hasattr(os, "eventfd"):
        pytest.skip("there is no epoll here, and nothing is answered in C")
    made: list[Reactor] = []

    class Seen(Reactor):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket_reactor, "Reactor", Seen)
        directory: Path = tmp_path_factory.mktemp("world")
        with serving(directory, in_c=True) as served:
            yield served, made[0]


def packed(records: list[bytes | None]) -> list[Any]:
    lengths = [NIL if each is None else len(each).to_bytes(4, "little") for each in records]
    return [len(records), b"".join(lengths), b"".join(each or b"" for each in records)]


def both_ways(world: tuple[Served, Reactor], line: Line, *values: Any) -> tuple[Any, Any]:
    """The answers of the long way and of C to the same request, whose events are the same too."""
    served, reactor = world
    number = values[0]
    before = reactor.counts().hot[number]
    long_way = line.ask(7, *values)
    assert reactor.counts().hot[number] == before, "a request that no ticket covers yet"
    until = time.monotonic() + 20
    while reactor.counts().hot[number] == before:
        in_c = line.ask(7, *values)
        assert time.monotonic() < until, "it is never answered in C"
    events = [each | {"eventTime": "", "eventID": ""} for each in served.events()]
    of_it = [each for each in events if each["requestID"] == events[-1]["requestID"]]
    assert of_it[-1] == of_it[0]
    return long_way, in_c


def changed(blob: bytes, at: int, bits: int = 1) -> bytes:
    return blob[:at] + bytes([blob[at] ^ bits]) + blob[at + 1 :]


def mixed(line: Line, context: dict[str, str]) -> tuple[list[bytes | None], list[Any]]:
    """Blobs of two keys among records that fail, and what each is answered by."""
    a, b, other = (
        line.ask(1, 1, name, bound, text)[2]
        for name, bound, text in (
            ("alias/a", context, b"of a"), ("alias/b", context, b""), ("alias/a", {"x": "y"}, b"z"),
        )
    )  # fmt: skip
    pairs: list[tuple[bytes | None, Any]] = [
        (None, None), (b"", FAILED), (a, b"of a"), (changed(a, len(a) - 1), FAILED), (b, b""),
        (other, FAILED), (a[:95], FAILED), (changed(b, 0), FAILED), (changed(a, 1), FAILED),
        (changed(b, 2), FAILED), (changed(a, 3, 2), FAILED), (changed(a, 30), FAILED), (None, None),
        (changed(b, 60), FAILED), (a, b"of a"), (b, b""),
    ]  # fmt: skip
    return [each for each, _ in pairs], [each for _, each in pairs]


@pytest.mark.parametrize("form", [list, packed], ids=["list", "packed"])
@pytest.mark.parametrize("times", [1, 40], ids=["few", "many"])  # in the loop, by a worker
def test_each_record_fails_alone(world: tuple[Served, Reactor], form: Any, times: int) -> None:
    served, _ = world
    context = {"form": f"{form.__name__} {times}"}
    served.kms.key("alias/a").rotate()  # so that no ticket holds
    with served.line() as line:
        records, wanted = mixed(line, context)
        column = form(records * times)
        long_way, in_c = both_ways(world, line, DECRYPT_MANY, None, context, column)
    assert in_c == long_way
    values, errors = in_c[2]
    assert errors == [[i, *each] for i, each in enumerate(wanted * times) if each == FAILED]
    found = [each if type(each) is bytes else None for each in wanted * times]
    assert values == form(found)


@pytest.mark.parametrize("width", [97, 50])
def test_records_of_one_width(world: tuple[Served, Reactor], width: int) -> None:
    served, reactor = world
    served.kms.key("alias/b").rotate()
    with served.line() as line:
        good = [line.ask(1, 1, name, None, b"x")[2] for name in ("alias/a", "alias/b") * 2]
        records = [*good, changed(good[0], 96), changed(good[1], 0)]
        column = [len(records), width, b"".join(each[:width] for each in records)]
        if width < 96:  # not even an empty blob: never answered in C
            before = reactor.counts().hot[DECRYPT_MANY]
            answers = [line.ask(7, DECRYPT_MANY, None, None, column) for _ in range(2)]
            assert answers[0] == answers[1]
            assert len(answers[0][2][1]) == len(records)
            assert reactor.counts().hot[DECRYPT_MANY] == before
            return
        long_way, in_c = both_ways(world, line, DECRYPT_MANY, None, None, column)
    assert in_c == long_way == [7, 0, [
        packed([*[b"x"] * 4, None, None]), [[4, *FAILED], [5, *FAILED]],
    ]]  # fmt: skip


@pytest.mark.parametrize("form", [list, packed], ids=["list", "packed"])
def test_what_is_not_there_is_not_encrypted(world: tuple[Served, Reactor], form: Any) -> None:
    served, _ = world
    texts = [None, b"one", b"", None]
    served.kms.key("alias/a").rotate()
    with served.line() as line:
        answers = both_ways(world, line, ENCRYPT_MANY, "alias/a", None, form(texts))
        for answer in answers:
            values, errors = answer[2]
            assert errors is None
            opened = line.ask(8, DECRYPT_MANY, None, None, values)
            assert opened[2] == [form(texts), None]


def test_a_key_without_a_ticket_is_asked_for(world: tuple[Served, Reactor]) -> None:
    """A batch of which one key is disabled is answered by the server, before and after others."""
    served, reactor = world
    with served.line() as line:
        blobs = [line.ask(1, 1, name, None, b"x")[2] for name in ("alias/a", "alias/b")]
        served.kms.key("alias/b").disable()
        before = reactor.counts().hot[DECRYPT_MANY]
        for _ in range(3):
            values, errors = line.ask(7, DECRYPT_MANY, None, None, blobs)[2]
            assert values == [b"x", None]
            assert [each[:2] for each in errors] == [[1, "DisabledException"]]
        assert reactor.counts().hot[DECRYPT_MANY] == before
        served.kms.key("alias/b").enable()
        assert line.ask(7, DECRYPT_MANY, None, None, blobs)[2] == [[b"x", b"x"], None]
