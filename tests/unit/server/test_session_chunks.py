"""The session: deadlines, payloads in chunks, answers in parts."""

from __future__ import annotations

from typing import Any

import pytest
from session_world import ADA, World, ask, body, refused
from socket_line import frame, frames_of

from kmsfast.server.session import Closing, Session


@pytest.mark.parametrize(
    "values",
    [["ListKeys", {}, {"deadline": 50}], [1, "alias/a", None, b"x", {"deadline": 50}],
     [33, "alias/a", None, [b"x"], {"deadline": 50}]],
)  # fmt: skip
def test_a_deadline_is_of_its_arrival(world: World, admin: Session, values: list[Any]) -> None:
    made = admin.receive(frame(7, *values)[4:], world.now)
    assert callable(made)
    assert frames_of(made())[0][1] == 0
    late = admin.receive(frame(7, *values)[4:], world.now - 0.06)
    data = late() if callable(late) else late
    assert frames_of(data)[0][2][:2] == ["DependencyTimeoutException", True]


def chunked(session: Session, first: list[Any], *rest: bytes) -> list[Any]:
    assert session.receive(frame(7, *first)[4:], 100.0) is None
    made: Any = None
    for each in rest:
        assert made is None
        made = session.receive(frame(7, 0, each)[4:], 100.0)
    return frames_of(made if isinstance(made, bytes) else made())


def test_payloads_in_chunks(world: World, admin: Session) -> None:
    for _ in range(2):  # the second time by the short way
        [[_, status, blob]] = chunked(
            admin, [1, "alias/a", None, b"ab", {"more": 4}], b"c", b"d", b"ef"
        )
        assert (status, world.kms.decrypt(blob)) == (0, b"abcdef")
    [[_, status, [values, errors]]] = chunked(
        admin, [33, "alias/a", None, [3, 2, b"a"], {"more": 5}], b"aabb", b"b"
    )
    assert (status, values[:2], errors) == (0, [3, 98], None)
    big = bytes(3 << 20)
    [[_, _, blob]] = chunked(
        admin, [1, "alias/a", None, big[:9], {"more": len(big) - 9}], big[9 : 2 << 20],
        big[2 << 20 :],
    )  # fmt: skip
    assert world.kms.decrypt(blob) == big


def test_chunks_of_a_refused_request_are_dropped(admin: Session) -> None:
    assert refused(admin, 1, None, None, b"x", {"more": 5})[0] == "ValidationException"
    assert admin.receive(frame(7, 0, b"xxxxx")[4:], 0.0) is None
    assert body(admin, 10, None, None, 1)


def test_too_many_chunks_are_malformed(admin: Session) -> None:
    assert admin.receive(frame(7, 1, "alias/a", None, b"", {"more": 2})[4:], 0.0) is None
    with pytest.raises(Closing, match="longer than it said"):
        admin.receive(frame(7, 0, b"xxx")[4:], 0.0)
    with pytest.raises(Closing, match="not complete yet"):
        admin.receive(frame(7, 1, "alias/a", None, b"", {"more": 2})[4:], 0.0)


def test_what_a_uid_announces_is_bounded(world: World) -> None:
    first, second, other = world.session(), world.session(), world.session(ADA)
    big = (1 << 30) - 10
    assert first.receive(frame(7, 1, "alias/a", None, b"", {"more": big})[4:], 0.0) is None
    assert second.receive(frame(7, 1, "alias/a", None, b"", {"more": 10})[4:], 0.0) is None
    code, status, error = ask(second, 8, 1, "alias/a", None, b"", {"more": 1})
    assert (code, status, error[:2]) == (8, 1, ["ThrottlingException", True])
    assert other.receive(frame(7, 1, "alias/a", None, b"", {"more": big})[4:], 0.0) is None
    first.close()
    assert second.receive(frame(8, 1, "alias/a", None, b"", {"more": big})[4:], 0.0) is None


def test_long_answers_come_in_parts(world: World, admin: Session) -> None:
    size = (16 << 20) - 500
    made = admin.receive(frame(7, 33, "alias/a", None, [4, size // 4, bytes(size)])[4:], 0.0)
    assert callable(made)
    frames = frames_of(made())
    assert [each[:2] for each in frames] == [[7, 0]]  # fits by its 384 bytes more
    step = 1 << 20
    payload = bytes(20 << 20)
    parts = [payload[i : i + step] for i in range(step, len(payload), step)]
    column = [4, len(payload) // 4, payload[:step]]
    frames = chunked(admin, [33, "alias/a", None, column, {"more": len(payload) - step}], *parts)
    assert [each[:2] for each in frames] == [[7, 2], [7, 0]]
    (num, width, rest), errors = frames[1][2]
    data = frames[0][2] + rest
    assert (num, width, len(data), errors) == (4, (5 << 20) + 96, (20 << 20) + 4 * 96, None)
    assert world.kms.decrypt(data[:width]) == payload[: 5 << 20]
