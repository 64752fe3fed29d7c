"""Requests that wait for their chunks: some are refused, and chunks of the others come through."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest
from socket_line import Line, frame
from socket_world import serving

from kmsfast.crypto.reactor import Limits
from kmsfast.server import socket_chunks, socket_reactor

FIRST, NUM = bytes(1000), 40


@pytest.mark.parametrize(
    "bound", [{"_MOST": 8}, {"_MOST_BEGUN": 8 * len(FIRST)}], ids=["number", "bytes"]
)
@pytest.mark.parametrize("in_c", [True, False])
def test_chunks_come_through(
    in_c: bool, bound: dict[str, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if in_c and not hasattr(os, "eventfd"):
        pytest.skip("there is no epoll here, and nothing is answered in C")
    for name, most in bound.items():
        monkeypatch.setattr(socket_chunks, name, most)
    limits = partial(Limits, max_pending=20 * len(FIRST))
    monkeypatch.setattr(socket_reactor, "Limits", limits)
    with serving(tmp_path / "served", in_c=in_c) as served, Line(served.path) as line:
        line.socket.settimeout(10)
        for number in range(NUM):
            line.send(number, 1, "alias/a", None, FIRST, {"more": 1})
        line.socket.sendall(b"".join(frame(number, 0, b"x") for number in range(NUM)))
        answers = {answer[0]: answer for answer in (line.recv() for _ in range(NUM))}
        assert [answers[number][1] for number in range(8)] == [0] * 8
        refused = [answer[2] for answer in answers.values() if answer[1]]
        assert refused
        assert {(code, again) for code, again, *_ in refused} == {("ThrottlingException", True)}
