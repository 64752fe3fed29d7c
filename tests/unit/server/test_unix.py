"""The socket as clients meet it, by the reactor in C and by the event loop: bounds and ends."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from socket_line import HELLO, Line, frame
from socket_world import Served, serving

from kmsfast.server import unix


@pytest.fixture(params=[True, False], ids=["reactor", "loop"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, in_c=request.param) as found:
        yield found


def check_alive(line: Line) -> None:
    """Another connection is as it was."""
    status, answer = line.ask(5, 1, "alias/a", None, b"x")[1:]
    assert (status, len(answer)) == (0, 97)


def test_a_connection_asks_many_things_at_once(served: Served) -> None:
    with served.line() as line:
        number = 3000
        data = b"".join(frame(i, 1, "alias/a", {"i": str(i % 7)}, b"%d" % i) for i in range(number))
        sender = threading.Thread(target=line.socket.sendall, args=(data,))
        sender.start()
        answers = dict(_pair(line.recv()) for _ in range(number))
        sender.join()
        assert set(answers) == set(range(number))
        for i in range(0, number, 97):
            assert line.ask(1, 2, None, {"i": str(i % 7)}, answers[i]) == [1, 0, b"%d" % i]


def _pair(answer: list[Any]) -> tuple[int, Any]:
    assert answer[1] == 0, answer
    return answer[0], answer[2]


MALFORMED = {
    "garbage": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "long": (17 << 20).to_bytes(4, "big"),
    "empty": bytes(4),
    "not an array": b"\0\0\0\1\xc0",
    "nested": b"\0\0\x10\1" + b"\x91" * 4096 + b"\x90",
    "declared": b"\0\0\0\5\xdd\xff\xff\xff\xff",
    "no id": frame("x", "ListKeys", {}),
    "duplicate keys": b"\0\0\0\x12\x93\1\xa8ListKeys\x82\xa1a\1\xa1a\1",
    "bytes behind": b"\0\0\0\2\x90\x90",
    "float id": frame(1.5, "ListKeys", {}),
}


@pytest.mark.parametrize("name", MALFORMED)
@pytest.mark.parametrize("greeted", [True, False])
def test_what_is_malformed_ends_its_own_connection(
    served: Served, name: str, greeted: bool
) -> None:
    with served.line() as other, Line(served.path, hello=greeted) as line:
        line.socket.sendall(MALFORMED[name])
        request_id, status, (code, retryable, _) = line.recv()
        assert (request_id, status, code) == (None, 1, "SerializationException")
        assert retryable is False
        assert line.is_closed()
        check_alive(other)


def test_a_cut_frame_and_a_client_that_dies(served: Served) -> None:
    whole = frame(7, 1, "alias/a", None, bytes(100_000))
    with served.line() as other:
        for cut in (1, 3, 4, 5, 50, 70_000, len(whole) - 1):
            with served.line() as line:
                line.socket.sendall(whole[:cut])
            check_alive(other)
        with served.line() as line:  # it goes without its answers
            for i in range(6):
                line.send(i, 33, "alias/a", None, [1000, 64, bytes(64_000)])
        check_alive(other)


def test_half_a_connection_gets_its_answers(served: Served) -> None:
    with served.line() as line:
        for i in range(50):
            line.send(i, 33, "alias/a", None, [b"x"])
        line.socket.shutdown(socket.SHUT_WR)
        assert {line.recv()[0] for _ in range(50)} == set(range(50))
        assert line.is_closed()


@pytest.mark.parametrize("key", ["alias/a", "alias/unknown"])
def test_half_a_connection_with_chunks_missing_ends(served: Served, key: str) -> None:
    with served.line() as line:
        check_alive(line)
        line.send(1, 1, key, None, b"x", {"more": 1000})
        line.send(2, 1, "alias/a", None, b"x")
        line.socket.shutdown(socket.SHUT_WR)
        found = [line.recv()[:2]]
        while [2, 0] not in found:
            found.append(line.recv()[:2])
        assert line.is_closed()


def test_a_client_that_does_not_read_is_not_read(served: Served) -> None:
    with served.line() as other, served.line() as line:
        line.socket.setblocking(False)
        data = frame(1, 33, "alias/a", None, [1, 1 << 20, bytes(1 << 20)])
        sent, quiet = 0, time.monotonic()
        while time.monotonic() - quiet < 1 and sent < 1 << 30:
            try:
                sent += line.socket.send(data[sent % len(data) :])
                quiet = time.monotonic()
            except BlockingIOError:
                time.sleep(0.01)
        assert sent < 200 << 20
        check_alive(other)
        line.socket.settimeout(30)
        for _ in range(sent // len(data)):
            assert line.recv()[:2] == [1, 0]


def test_many_idle_connections(served: Served) -> None:
    lines = [served.line() for _ in range(200)]
    for line in lines[::17]:
        check_alive(line)
    for line in lines:
        line.socket.close()


def test_a_uid_has_so_many_connections(tmp_path: Path) -> None:
    for in_c in (True, False):
        with serving(tmp_path / str(in_c), in_c=in_c, per_uid=3) as served:
            lines = [served.line() for _ in range(3)]
            with Line(served.path, hello=False) as line:
                request_id, status, error = line.recv()
                assert (request_id, status) == (None, 1)
                assert error[:2] == ["ThrottlingException", True]
                assert line.is_closed()
            lines.pop().socket.close()
            for _ in range(100):
                with Line(served.path, hello=False) as line:
                    line.send(*HELLO)
                    if line.recv()[0] == "kmsfast":
                        break
                time.sleep(0.05)
            else:
                raise AssertionError("the place of a connection that went is not free")
            for each in lines:
                check_alive(each)
                each.socket.close()


@pytest.mark.parametrize("what", ["hello", "frame"])
def test_a_byte_a_second_is_too_slow(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unix, "_HELLO_TIME", 1.0)
    monkeypatch.setattr(unix, "_FRAME_TIME", 1.0)
    monkeypatch.setattr(unix, "_SWEEP", 0.1)
    with (
        serving(tmp_path, in_c=False) as served,
        served.line() as idle,
        Line(served.path, hello=what == "frame") as line,
    ):
        data = frame(*HELLO) if what == "hello" else frame(1, "ListKeys", {})
        begun = time.monotonic()
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            for each in data * 10:
                line.socket.sendall(bytes([each]))
                time.sleep(0.3)
        assert 0.8 < time.monotonic() - begun < 5
        check_alive(idle)  # which has said nothing all the time


def test_who_does_not_read_its_answers_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unix, "_WRITE_TIME", 1.0)
    monkeypatch.setattr(unix, "_SWEEP", 0.1)
    with serving(tmp_path, in_c=False) as served, served.line() as idle, served.line() as line:
        data = frame(1, 33, "alias/a", None, [1, 1 << 20, bytes(1 << 20)])
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            for _ in range(60):
                line.socket.sendall(data)
        check_alive(idle)


def test_the_event_of_a_use_and_the_key_name_the_same_request(tmp_path: Path) -> None:
    with serving(tmp_path, in_c=True) as served:
        with served.line() as line:
            for _ in range(3):  # the last ones by the reactor
                check_alive(line)
            used = line.ask(7, "GetKeyLastUsage", {"KeyId": _arn(line)})[2]
        events = [each for each in served.events() if each["eventName"] == "Encrypt"]
        last = max(events, key=lambda each: each["requestID"].count("-") == 1)
        assert last["requestID"].endswith("-5")
        assert used["KeyLastUsage"]["KmsRequestId"] == last["requestID"]


def _arn(line: Line) -> str:
    found: str = line.ask(6, "DescribeKey", {"KeyId": "alias/a"})[2]["KeyMetadata"]["Arn"]
    return found


def test_a_server_that_stops_answers_what_it_has_read(tmp_path: Path) -> None:
    for in_c in (True, False):
        with serving(tmp_path / str(in_c), in_c=in_c) as served:
            line = served.line()
            line.send(1, 33, "alias/a", None, [500, 64, bytes(500 * 64)])  # fits what nobody reads
            line.send(2, "DescribeKey", {"KeyId": "alias/a"})
            time.sleep(0.3)
        assert {line.recv()[0], line.recv()[0]} == {1, 2}
        assert line.is_closed()
        line.socket.close()


def test_an_answer_or_one_error_or_a_closed_connection(served: Served) -> None:
    """The law, over random changes of good frames, in random pieces."""
    drawn = random.Random(20261128)
    with served.line() as other:
        blob = other.ask(1, 1, "alias/a", None, b"x")[2]
        good = [
            [1, "alias/a", {"a": "b"}, b"plain"], [2, None, None, blob],
            [33, "alias/a", None, [b"a", None, b"b"]], [34, None, None, [2, 97, blob * 2]],
            [5, "alias/s", None, b"m", {"algorithm": "ECDSA_SHA_256"}], [42, None, None, [3, 9]],
            ["DescribeKey", {"KeyId": "alias/a"}], [3, "alias/a", None, 32],
            [39, "alias/m", None, [3, 1, b"abc"], {"deadline": 9000, "tokens": []}],
        ]  # fmt: skip
        for _ in range(150):
            _play(served.path, good, drawn)
        check_alive(other)


def _play(path: Path, good: list[list[Any]], drawn: random.Random) -> None:
    ids = [drawn.randrange(1 << 32) for _ in range(4)]
    data = bytearray(b"".join(frame(each, *drawn.choice(good)) for each in ids))
    for _ in range(drawn.randrange(4)):
        at = drawn.randrange(len(data))
        match drawn.randrange(3):
            case 0:
                data[at] = drawn.randrange(256)
            case 1:
                del data[at]
            case _:
                data.insert(at, drawn.randrange(256))
    with Line(path) as line:
        answered: dict[Any, int] = {}
        try:
            for at in range(0, len(data), 37):
                line.socket.sendall(data[at : at + 37])
            line.socket.shutdown(socket.SHUT_WR)
            while True:
                answer = line.recv()
                assert type(answer) is list
                assert len(answer) == 3
                assert answer[1] in {0, 1, 2}
                if answer[1] != 2:
                    answered[answer[0]] = answered.get(answer[0], 0) + 1
                if answer[1] == 1:
                    code, retryable, message = answer[2]
                    assert (type(code), type(retryable), type(message)) == (str, bool, str)
                    assert code != "KMSInternalException"
        except (EOFError, ConnectionError):
            pass
        assert answered.pop(None, 0) <= 1
        assert all(count <= len(ids) for count in answered.values())
