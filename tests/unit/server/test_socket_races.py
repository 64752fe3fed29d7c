"""Changes during load from eight clients: nothing is begun under a decision that is over."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from socket_world import Served, serving

CLIENTS = 8
ME = os.getuid()


@pytest.fixture(params=[True, False], ids=["reactor", "loop"])
def served(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, in_c=request.param) as found:
        yield found


def demoted(served: Served) -> None:
    """From here on this uid is somebody who may do nothing but by grants."""
    served.kms.principals.create_user("ada")
    served.kms.principals.map_uid(ME, "ada")


def load(
    served: Served, values: list[Any], change: Callable[[], object], seconds: float = 0.3
) -> tuple[list[Any], list[Any]]:
    """The answers to requests that were answered before a change, and to those begun after it."""
    ends, seen = threading.Event(), list[tuple[float, float, Any]]()

    def client() -> None:
        with served.line() as line:
            number = 0
            while not ends.is_set():
                number += 1
                begun = time.monotonic()
                answer = line.ask(number, *values)
                seen.append((begun, time.monotonic(), answer[1:]))

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for each in clients:
        each.start()
    time.sleep(seconds)
    before = time.monotonic()
    change()
    after = time.monotonic()
    time.sleep(seconds)
    ends.set()
    for each in clients:
        each.join(30)
        assert not each.is_alive()
    early = [answer for _, end, answer in seen if end < before]
    late = [answer for begun, _, answer in seen if begun > after]
    assert early
    assert late
    return early, late


def codes(answers: list[Any]) -> set[Any]:
    return {answer[0] if status else None for status, answer in answers}


CHANGES: dict[str, tuple[Callable[[Served], object], str]] = {
    "disabled": (lambda served: served.kms.key("alias/a").disable(), "DisabledException"),
    "deleted": (
        lambda served: served.kms.key("alias/a").schedule_deletion(), "KMSInvalidStateException",
    ),
    "unmapped": (lambda served: served.kms.principals.unmap_uid(ME), "AccessDeniedException"),
    "policy": (
        lambda served: served.kms.principals.detach_policy("administrator", "AdministratorAccess"),
        "AccessDeniedException",
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("batch", [False, True], ids=["one", "many"])
def test_a_change_holds_at_once(served: Served, change: str, batch: bool) -> None:
    do, code = CHANGES[change]
    values = [33, "alias/a", None, [b"x", b"y"]] if batch else [1, "alias/a", {"a": "b"}, b"x"]
    early, late = load(served, values, lambda: do(served))
    assert codes(early) == {None}
    assert codes(late) == {code}


def test_a_rotation_holds_at_once(served: Served) -> None:
    key = served.kms.key("alias/a")
    early, late = load(served, [1, "alias/a", None, b"x"], key.rotate)
    assert {answer[20:24] for _, answer in early} == {b"\0\0\0\1"}
    assert {answer[20:24] for _, answer in late} == {b"\0\0\0\2"}


def test_a_revoked_grant_ends_at_once(served: Served) -> None:
    demoted(served)
    key = served.kms.key("alias/a")
    grant = key.create_grant(["Encrypt"], grantee_principal="arn:aws:iam::000000000000:user/ada")
    early, late = load(served, [1, key.arn, None, b"x"], lambda: key.revoke_grant(grant.grant_id))
    assert codes(early) == {None}
    assert codes(late) == {"AccessDeniedException"}


def test_a_blob_of_a_key_that_went_is_refused_by_itself(served: Served) -> None:
    with served.line() as line:
        blobs = [line.ask(1, 1, name, None, b"x")[2] for name in ("alias/a", "alias/b")]
    early, late = load(served, [34, None, None, blobs], lambda: served.kms.key("alias/b").disable())
    assert all(answer == [[b"x", b"x"], None] for _, answer in early)
    for status, (values, errors) in late:
        assert (status, values) == (0, [b"x", None])
        assert [each[:2] for each in errors] == [[1, "DisabledException"]]


def test_every_answer_is_recorded_and_every_use_counted(served: Served) -> None:
    answers = 0
    with served.line() as line:
        for i in range(300):
            answers += line.ask(i, 1, "alias/a", {"i": "1"}, b"x")[1] == 0
            answers += line.ask(i, 42, None, None, [2, 8])[1] == 0
        usage = line.ask(1, "GetKeyLastUsage", {"KeyId": served.kms.key("alias/a").id})
    assert usage[1] == 0, usage
    events = served.events()
    assert [each["eventName"] for each in events[:-1]] == ["Encrypt", "GenerateRandom"] * 300
    assert answers == 600
    first, last = events[0], events[598]
    for name in ("requestParameters", "resources", "userIdentity", "sourceIPAddress", "userAgent"):
        assert first[name] == last[name]
    assert set(first) == set(last)
