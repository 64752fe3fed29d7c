"""Threads that take the work of many in turn."""

from __future__ import annotations

import threading

from kmsfast.server.turns import Turns


def test_owners_have_turns_and_each_its_order() -> None:
    turns, begin, done = Turns(1, "test"), threading.Event(), list[str]()
    turns.submit("first", begin.wait)
    for i in range(5):
        turns.submit("much", lambda i=i: done.append(f"much {i}"))
    turns.submit("little", lambda: done.append("little"))
    turns.submit("other", lambda: done.append("other"))
    ended = threading.Event()
    turns.submit("much", ended.set)
    begin.set()
    assert ended.wait(10)
    turns.shutdown()
    assert done == ["much 0", "little", "other", "much 1", "much 2", "much 3", "much 4"]


def test_what_fails_ends_nothing_else() -> None:
    turns, ended = Turns(1, "test"), threading.Event()

    def fail() -> None:
        raise ValueError

    turns.submit(1, fail)
    turns.submit(1, ended.set)
    assert ended.wait(10)
    turns.shutdown()
