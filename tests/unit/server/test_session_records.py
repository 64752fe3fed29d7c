"""The session: what it leaves behind: events, uses, counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from session_world import ADMIN, HMAC, World, body, refused

import kmsfast
from kmsfast.crypto import counters
from kmsfast.server.session import Session
from kmsfast.server.socket_metering import DOOR

# ---- events and uses ----------------------------------------------------------------------------


def test_each_request_leaves_an_event(world: World, admin: Session) -> None:
    secret = b"a secret that nobody may find"
    blob = body(admin, 1, "alias/a", {"table": "a"}, secret)
    body(admin, 1, "alias/a", {"table": "a"}, secret)
    refused(admin, 2, None, {"table": "b"}, blob)
    body(admin, 33, "alias/a", None, [b"a", b"b"])
    _, errors = body(admin, 34, None, {"table": "a"}, [blob, b"", None, b""])
    assert len(errors) == 2
    body(admin, 40, "alias/m", None, [[b"a", b"b"], [b"x", b"y"]], HMAC)
    body(admin, 8, "alias/m", None, [b"a", b"x"], HMAC)
    made = body(admin, "CreateKey", {"Description": "new"})
    refused(admin, "Nope", {})
    world.recorder.close()
    events = world.events()
    assert secret not in json.dumps(events).encode()
    assert [(each["eventName"], each.get("errorCode")) for each in events] == [
        ("Encrypt", None), ("Encrypt", None), ("Decrypt", "InvalidCiphertextException"),
        ("Encrypt", None), ("Decrypt", None), ("VerifyMac", None),
        ("VerifyMac", "KMSInvalidMacException"), ("CreateKey", None),
    ]  # fmt: skip
    for each in events:
        assert each["sourceIPAddress"] == f"unix socket, uid {ADMIN}"
        assert each["userIdentity"]["arn"] == "arn:aws:iam::000000000000:user/administrator"
        assert each["userAgent"] == "tests/1"
    assert events[0]["requestParameters"]["encryptionContext"] == {"table": "a"}
    assert events[0]["resources"][0]["ARN"] == world.key.arn
    assert [_counts(each) for each in events[3:6]] == [(2, 0), (4, 2), (2, 2)]
    assert events[4]["resources"][0]["ARN"] == world.key.arn
    assert events[7]["responseElements"]["keyMetadata"] == {
        **made["KeyMetadata"],
        "CreationDate": events[7]["responseElements"]["keyMetadata"]["CreationDate"],
    }
    assert len({each["requestID"] for each in events}) == len(events)


def _counts(event: dict[str, Any]) -> tuple[int, int]:
    found = event.get("additionalEventData", event)
    return found["records"], found.get("failedRecords", 0)


@pytest.mark.parametrize("values", [
    [1, "alias/a", None, b"x"], [33, "alias/a", None, [b"x"]], ["ListKeys", {}],
])  # fmt: skip
def test_what_is_not_recorded_does_not_leave(world: World, values: list[Any]) -> None:
    session = world.session()
    body(session, 1, "alias/a", None, b"x")

    def full(*_: object) -> None:
        raise kmsfast.AuditUnusable("the disk is full")

    world.recorder.record = full
    code, message = refused(session, *values)
    assert code == "KMSInternalException"
    assert "disk" not in message


def test_uses_are_counted(world: World, admin: Session) -> None:
    body(admin, 33, "alias/b", None, [b"x"])
    used = world.other.last_usage()
    assert used.use is not None
    assert used.use.operation == "Encrypt"


# ---- metrics --------------------------------------------------------------------------------


def test_requests_are_counted(world: World, admin: Session) -> None:
    def counted(name: str) -> tuple[int, int]:
        found = counters.timers()[DOOR, name]
        return found.calls, sum(found.sizes)

    def errors(name: str, code: str) -> int:
        return counters.errors().get(counters.Error(DOOR, name, code), 0)

    single, many = counted("Encrypt")
    body(admin, 1, "alias/a", None, b"x")
    body(admin, "Encrypt", {"KeyId": "alias/a", "Plaintext": b"x"})
    body(admin, 33, "alias/a", None, [b"x", b"y"])
    assert counted("Encrypt") == (single + 3, many + 1)

    before = errors("Encrypt", "NotFoundException"), errors("unknown", "UnknownOperationException")
    refused(admin, 1, "alias/none", None, b"x")
    refused(admin, "Nothing", {})
    after = errors("Encrypt", "NotFoundException"), errors("unknown", "UnknownOperationException")
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1]


def test_connections_are_counted(world: World) -> None:
    accepted, closed = (
        counters.counter(what + DOOR) for what in (counters.ACCEPTED, counters.CLOSED)
    )
    before = counters.value(accepted), counters.value(closed)
    session = world.session()
    assert (counters.value(accepted), counters.value(closed)) == (before[0] + 1, before[1])
    session.close()
    assert counters.value(closed) == before[1] + 1
