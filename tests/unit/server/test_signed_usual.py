"""The short way of signed requests: it answers and records as the general way, or not at all."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from api import service_model
from clocks import Clock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signing import signed

import kmsfast
from kmsfast.audit.event import Event
from kmsfast.errors import AuditUnusable
from kmsfast.server.endpoint import Endpoint, Reply, Request
from kmsfast.server.guard import Guard
from kmsfast.server.recording import Recording
from kmsfast.service.principals import NewAccessKey

STAMP = "20260101T000000Z"
PLAIN = b64encode(bytes(64)).decode()
CONTEXT = {"tenant": "acme", "purpose": "invoices"}


class Captured:
    """What a recorder was given."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.short = 0
        self.failure: Exception | None = None

    def record(self, event: Event) -> None:
        self.events.append(Event.unpack(event.pack()))

    def append(self, bodies: Sequence[bytes]) -> None:
        if self.failure is not None:
            raise self.failure
        self.short += len(bodies)
        self.events += map(Event.unpack, bodies)

    def waits_for(self, name: str) -> bool:
        return name.startswith("Create")


class Door:
    """An endpoint and what it records.

    general: it has no short way.
    """

    def __init__(self, kms: kmsfast.Kms, *, general: bool) -> None:
        model, self.captured = service_model(), Captured()
        recording = Recording(
            self.captured,  # type: ignore[arg-type]
            model.recordable(),
            kms._app.ring.clock,
        )
        self.endpoint = Endpoint(kms._app, model, Guard(kms._app), None, recording)
        if general:
            served = self.endpoint._targets_at
            self.endpoint._targets_at = lambda home: {  # type: ignore[method-assign]
                target: replace(bound, usual=None) for target, bound in served(home).items()
            }

    def answer(self, request: Request) -> Reply:
        found = self.endpoint.answer(request)
        reply = found if isinstance(found, Reply) else found()
        return self.endpoint.write([(request, reply)])[0] if reply.event else reply


class World:
    """A store with two callers, behind both ways."""

    def __init__(self, kms: kmsfast.Kms) -> None:
        self.kms = kms
        self.admin = kms.principals.create_administrator()
        kms.principals.create_user("ada")
        self.ada = kms.principals.create_access_key("ada")
        self.key = kms.create_key(alias="alias/a")
        self.other = kms.create_key(alias="alias/b")
        self.short, self.general = Door(kms, general=False), Door(kms, general=True)

    def request(
        self, operation: str, body: bytes, by: NewAccessKey | None = None, **headers: str
    ) -> Request:
        by = by or self.admin
        made = signed(
            body, headers={"x-amz-target": f"TrentService.{operation}", **headers}, stamp=STAMP,
            access_key=by.id, secret=by.secret,
        )  # fmt: skip
        named = dict(made.headers)
        return Request(
            method="POST", path="/", host=named[b"host"], target=named[b"x-amz-target"],
            authorization=named[b"authorization"], body=body, uri=b"/", peer="127.0.0.1",
            request_id="12345678-1234-1234-1234-123456789012", headers=list(made.headers),
        )  # fmt: skip

    def both(
        self, operation: str, body: bytes, by: NewAccessKey | None = None, **headers: str
    ) -> tuple[Reply, Event, bool]:
        """The reply and event of the short door, which are those of the general one.

        Also whether it took the short way.
        """
        before = self.short.captured.short
        replies, events = [], []
        for door in (self.short, self.general):
            replies.append(door.answer(self.request(operation, body, by, **headers)))
            events.append(door.captured.events.pop())
            assert not door.captured.events
        assert events[0] == events[1]
        (ours, theirs) = replies
        assert (ours.status, ours.error) == (theirs.status, theirs.error)
        if ours.error:
            assert ours.body == theirs.body
        else:
            first, second = json.loads(ours.body), json.loads(theirs.body)
            assert list(first) == list(second)
            fresh = {"CiphertextBlob"} | ({"Plaintext"} if operation != "Decrypt" else set())
            assert {n: v for n, v in first.items() if n not in fresh} == {
                n: v for n, v in second.items() if n not in fresh
            }
        return ours, events[0], self.short.captured.short > before

    def names(self) -> list[str]:
        home = self.key.arn.partition(":key/")[0]
        return ["alias/a", f"{home}:alias/a", self.key.id, self.key.arn]


@pytest.fixture
def world(kms: kmsfast.Kms) -> World:
    return World(kms)


def body_of(**members: Any) -> bytes:
    return json.dumps(members).encode()


def usual_requests(world: World) -> Iterator[tuple[str, bytes]]:
    """One of each kind, by each name of a key."""
    for context in ({}, {"EncryptionContext": {}}, {"EncryptionContext": CONTEXT}):
        for name in world.names():
            sealed = body_of(KeyId=name, Plaintext=PLAIN, **context)
            yield "Encrypt", sealed
            blob = json.loads(
                world.general.answer(world.request("Encrypt", sealed)).body
            )["CiphertextBlob"]  # fmt: skip
            world.general.captured.events.clear()
            yield "Decrypt", body_of(CiphertextBlob=blob, **context)
            yield "Decrypt", body_of(KeyId=name, CiphertextBlob=blob, **context)
            for size in ({"KeySpec": "AES_256"}, {"NumberOfBytes": 1}, {"NumberOfBytes": 1024}):
                yield "GenerateDataKey", body_of(KeyId=name, **size, **context)
                yield "GenerateDataKeyWithoutPlaintext", body_of(**size, **context, KeyId=name)
    yield "GenerateRandom", body_of(NumberOfBytes=32)


def test_both_ways_answer_and_record_alike(world: World) -> None:
    """The first time in the general way, the second time in the short one."""
    for operation, body in usual_requests(world):
        world.both(operation, body)
        reply, event, short = world.both(operation, body, **{"user-agent": "Boto3/1.44"})
        assert (reply.status, short) == (200, True), (operation, body)
        assert event.name == operation
        assert event.caller.user_agent == "Boto3/1.44"
        assert event.keys == (() if operation == "GenerateRandom" else (world.key.arn,))


def test_a_change_of_the_store_ends_what_is_known(world: World) -> None:
    body = body_of(KeyId="alias/a", Plaintext=PLAIN)
    changes: list[Callable[[], object]] = [
        lambda: world.key.update_description("another epoch"),
        world.key.disable,
        world.key.enable,
        lambda: world.kms.update_alias("alias/a", world.other),
    ]
    for change in changes:
        for _ in range(3):
            world.both("Encrypt", body)
        change()
        *_, short = world.both("Encrypt", body)
        assert not short
    reply, event, short = world.both("Encrypt", body)
    assert json.loads(reply.body)["KeyId"] == world.other.arn == event.keys[0]
    assert short


ALLOW: dict[str, Any] = {"Effect": "Allow", "Action": "kms:*", "Resource": "*"}


@pytest.mark.parametrize(
    ("statements", "allowed", "short"),
    [
        ([ALLOW], (True, True), True),
        ([{**ALLOW, "Condition": {"StringEquals": {"kms:EncryptionContext:a": "1"}}}],
         (True, False), False),
        ([ALLOW, {**ALLOW, "Effect": "Deny",
                  "Condition": {"StringEquals": {"kms:EncryptionContext:a": "2"}}}],
         (True, False), False),
        ([{**ALLOW, "Condition": {"IpAddress": {"aws:SourceIp": "127.0.0.1"}}}],
         (True, True), False),
        ([{**ALLOW, "Condition": {"StringEquals": {"kms:RequestAlias": "alias/a"}}}],
         (True, True), False),
        ([{**ALLOW, "Condition": {"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}}],
         (True, True), False),
        ([{**ALLOW, "Condition": {"StringEquals": {"kms:KeySpec": "SYMMETRIC_DEFAULT"}}}],
         (True, True), True),
        ([ALLOW, {**ALLOW, "Effect": "Deny", "Action": "kms:Encrypt"}], (False, False), False),
        ([], (False, False), False),
    ],
)  # fmt: skip
def test_what_depends_on_the_request_is_decided_for_each(
    world: World, statements: list[dict[str, Any]], allowed: tuple[bool, bool], short: bool
) -> None:
    if statements:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        world.kms.principals.attach_policy("ada", "use", document)
    for _ in range(3):
        for value, may in zip("12", allowed, strict=True):
            body = body_of(KeyId="alias/a", Plaintext=PLAIN, EncryptionContext={"a": value})
            reply, _, was_short = world.both("Encrypt", body, world.ada)
            assert (reply.error == "") is may, reply
    assert was_short is short


def test_a_policy_that_ends_is_asked_again(world: World, clock: Clock) -> None:
    """An allowance with a date is never in the short way, so that no clock is needed there."""
    ends = {"DateLessThan": {"aws:CurrentTime": "2026-01-01T00:01:00Z"}}
    world.kms.principals.attach_policy(
        "ada", "use", json.dumps({"Statement": {**ALLOW, "Condition": ends}})
    )
    body = body_of(KeyId="alias/a", Plaintext=PLAIN)
    for _ in range(3):
        assert world.both("Encrypt", body, world.ada)[0].status == 200
    clock.now += 61
    assert world.both("Encrypt", body, world.ada)[0].error == "AccessDeniedException"


def test_a_caller_gets_nothing_by_what_another_one_may(world: World) -> None:
    body = body_of(KeyId="alias/a", Plaintext=PLAIN)
    for _ in range(3):
        assert world.both("Encrypt", body)[0].status == 200
        assert world.both("Encrypt", body, world.ada)[0].error == "AccessDeniedException"
    blob = json.loads(world.both("Encrypt", body)[0].body)["CiphertextBlob"]
    for members in ({}, {"KeyId": "alias/a"}):
        opening = body_of(CiphertextBlob=blob, **members)
        for _ in range(3):
            assert world.both("Decrypt", opening)[0].status == 200
            assert world.both("Decrypt", opening, world.ada)[0].error == "AccessDeniedException"


def test_a_key_that_is_named_is_the_one_that_opens(world: World) -> None:
    """Also by a name that nobody has used: that is not as if none were named."""
    blob = json.loads(
        world.both("Encrypt", body_of(KeyId="alias/a", Plaintext=PLAIN))[0].body
    )["CiphertextBlob"]  # fmt: skip
    for _ in range(2):
        assert world.both("Decrypt", body_of(CiphertextBlob=blob))[0].status == 200
    for name in ("alias/b", world.other.id, "alias/nobody", "alias/b"):
        reply, event, short = world.both("Decrypt", body_of(CiphertextBlob=blob, KeyId=name))
        assert reply.error in {"IncorrectKeyException", "NotFoundException"}
        assert (event.error, short) == (reply.error, False)


def test_a_header_that_is_given_twice_is_recorded_as_in_general(world: World) -> None:
    body = body_of(KeyId="alias/a", Plaintext=PLAIN)
    for door in (world.short, world.general):
        for _ in range(3):
            request = world.request("Encrypt", body)
            request.headers += [(b"user-agent", b"first"), (b"user-agent", b"second")]
            assert door.answer(request).status == 200
    events = [door.captured.events[-1] for door in (world.short, world.general)]
    assert events[0] == events[1]
    assert events[0].caller.user_agent == "first"


def test_what_cannot_be_recorded_does_not_leave(world: World) -> None:
    body = body_of(KeyId="alias/a", Plaintext=PLAIN)
    for _ in range(2):
        world.both("Encrypt", body)
    held = [(request, world.short.endpoint.answer(request))
            for request in (world.request("Encrypt", body) for _ in range(3))]  # fmt: skip
    replies = [(request, reply) for request, reply in held if isinstance(reply, Reply)]
    assert all(reply.event for _, reply in replies)
    assert len(replies) == 3
    world.short.captured.failure = AuditUnusable("the disk is full")
    for reply in world.short.endpoint.write(replies):
        assert (reply.status, reply.error) == (500, "KMSInternalException")
        assert b"CiphertextBlob" not in reply.body
        assert not reply.event


def test_strict_recording_takes_the_general_way(world: World) -> None:
    """Each record waits for the disk there, so no reply is ready at once."""
    world.short.captured.waits_for = lambda _name: True  # type: ignore[method-assign]
    body = body_of(KeyId="alias/a", Plaintext=PLAIN)
    for _ in range(3):
        assert not isinstance(world.short.endpoint.answer(world.request("Encrypt", body)), Reply)


# ---- any body ---------------------------------------------------------------------------------

_TEXTS = st.text(st.sampled_from('aB0/+= "\\\n\x7fé'), max_size=40)
_VALUES = st.one_of(
    st.sampled_from(["alias/a", "alias/b", "AAAA", "AAA=", "A===", "AES_256", "", "x"]),
    st.sampled_from([None, True, 0, 16, 127, 128, 255, 256, 1024, 1025, 32.0, [], {}, CONTEXT]),
    st.dictionaries(st.text("ab", max_size=300), st.one_of(_TEXTS, st.just("v")), max_size=18),
)
_NAMES = st.sampled_from(
    ["KeyId", "Plaintext", "KeySpec", "NumberOfBytes", "EncryptionContext", "GrantTokens", "DryRun",
     "X"]
)  # fmt: skip
_PAIRS = st.lists(st.tuples(_NAMES, _VALUES), max_size=3)
_LAYOUTS = st.sampled_from(["%s", " \n%s\t", "%s x", "[%s]"])


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    operation=st.sampled_from(["Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext",
                               "GenerateRandom"]),
    start=st.booleans(), first=_PAIRS, more=_PAIRS, layout=_LAYOUTS, by_ada=st.booleans(),
)  # fmt: skip
def test_any_request_is_answered_and_recorded_as_in_general(
    world: World, operation: str, start: bool, first: list[tuple[str, Any]],
    more: list[tuple[str, Any]], layout: str, by_ada: bool,
) -> None:  # fmt: skip
    likely: list[tuple[str, Any]] = []
    if start:
        size = ("Plaintext", "QUJD") if operation == "Encrypt" else ("NumberOfBytes", 300)
        likely = [size] if operation == "GenerateRandom" else [("KeyId", "alias/a"), size]
    written = ", ".join(f"{json.dumps(n)}:{json.dumps(v)}" for n, v in [*first, *likely, *more])
    body = (layout % f"{{{written}}}").encode()
    for _ in range(2):
        world.both(operation, body, world.ada if by_ada else None)
