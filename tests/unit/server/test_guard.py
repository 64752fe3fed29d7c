"""Signed requests into the endpoint: what is answered at once, and what never is."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from api import service_model
from clocks import Clock
from signing import signed

import kmsfast
from kmsfast.server.endpoint import Endpoint, Reply, Request
from kmsfast.server.guard import Guard
from kmsfast.service.principals import NewAccessKey
from kmsfast.wire.sigv4 import Signed, Signer, Verifier

STAMP = "20260101T000000Z"


class World:
    """An endpoint that asks for signatures."""

    def __init__(self, kms: kmsfast.Kms) -> None:
        self.kms = kms
        self.admin = kms.principals.create_administrator()
        self.key = kms.create_key(alias="alias/a")
        self.endpoint = Endpoint(kms._app, service_model(), Guard(kms._app))

    def request(self, operation: str, key: NewAccessKey | None = None, **members: Any) -> Request:
        by = key or self.admin
        body = json.dumps(members).encode()
        made = signed(
            body, headers={"x-amz-target": f"TrentService.{operation}"}, stamp=STAMP,
            access_key=by.id, secret=by.secret,
        )  # fmt: skip
        headers = dict(made.headers)
        return Request(
            method="POST", path="/", host=headers[b"host"], target=headers[b"x-amz-target"],
            authorization=headers[b"authorization"], body=body, request_id="id", uri=b"/",
            headers=list(made.headers), peer="127.0.0.1",
        )  # fmt: skip

    def answer(self, request: Request) -> tuple[bool, Reply]:
        """Whether it came at once, and the reply."""
        found = self.endpoint.answer(request)
        return (True, found) if isinstance(found, Reply) else (False, found())

    def encrypt(self, key: NewAccessKey | None = None, name: str = "alias/a") -> tuple[bool, Reply]:
        plain = b64encode(b"x").decode()
        return self.answer(self.request("Encrypt", key, KeyId=name, Plaintext=plain))


@pytest.fixture
def world(kms: kmsfast.Kms) -> World:
    return World(kms)


def test_what_was_asked_for_before_is_answered_at_once(world: World) -> None:
    assert [world.encrypt()[0] for _ in range(3)] == [False, True, True]
    world.key.update_description("another epoch")
    assert [world.encrypt()[0] for _ in range(2)] == [False, True]
    blob = json.loads(world.encrypt()[1].body)["CiphertextBlob"]
    opening = world.request("Decrypt", CiphertextBlob=blob)
    assert [world.answer(opening)[0] for _ in range(2)] == [False, True]
    other = world.kms.create_key()
    assert [world.encrypt(name=other.id)[0] for _ in range(2)] == [False, True]


def test_a_remembered_access_key_is_checked_every_time(world: World) -> None:
    for _ in range(2):
        assert world.encrypt()[1].status == 200
    request = world.request("Encrypt", KeyId="alias/a", Plaintext="eA==")
    request.body = request.body.replace(b"eA==", b"eQ==")
    assert world.answer(request)[1].error == "InvalidSignatureException"
    request = world.request("Encrypt", KeyId="alias/a", Plaintext="eA==")
    request.headers = [pair for pair in request.headers if pair[0] != b"authorization"]
    assert world.answer(request)[1].error == "MissingAuthenticationTokenException"


def test_an_old_signature_is_refused_where_it_was_accepted(world: World, clock: Clock) -> None:
    for _ in range(2):
        world.encrypt()
    clock.now += 301
    assert world.encrypt()[1].error == "InvalidSignatureException"


def test_access_keys_that_are_known_are_refused_where_others_are(world: World) -> None:
    """Whether an answer comes at once would tell which access keys there are."""
    for _ in range(2):
        world.encrypt()
    for key_id in (world.admin.id, "AKIANOBODYNOBODYNOBO"):
        for _ in range(2):
            at_once, reply = world.encrypt(NewAccessKey(key_id, "x" * 40, ""))
            assert (at_once, reply.status) == (False, 400)


def test_a_wrong_signature_is_the_same_work_for_every_access_key(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One check each, also where the access key is in use and where it never was."""
    for _ in range(3):
        world.encrypt()
    checked: list[bytes] = []
    check = Verifier.check

    def counting(verifier: Verifier, request: Signed, now: float) -> Signer:
        checked.append(request.body)
        return check(verifier, request, now)

    monkeypatch.setattr(Verifier, "check", counting)
    for key_id in (world.admin.id, "AKIANOBODYNOBODYNOBO"):
        for times in (1, 2):
            assert world.encrypt(NewAccessKey(key_id, "x" * 40, ""))[1].status == 400
            assert len(checked) == times
        checked.clear()


def test_what_is_denied_is_never_remembered_as_allowed(world: World) -> None:
    known = world.kms.principals
    known.create_user("ada")
    key = known.create_access_key("ada")
    for _ in range(3):
        assert world.encrypt(key)[1].error == "AccessDeniedException"
    known.attach_policy("ada", "use", json.dumps(
        {"Statement": {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}}
    ))  # fmt: skip
    assert [world.encrypt(key)[1].status for _ in range(3)] == [200, 200, 200]
    known.detach_policy("ada", "use")
    for _ in range(3):
        assert world.encrypt(key)[1].error == "AccessDeniedException"


def test_an_alias_that_moves_takes_its_permissions_with_it(world: World) -> None:
    known = world.kms.principals
    known.create_user("ada")
    key = known.create_access_key("ada")
    known.attach_policy("ada", "use", json.dumps(
        {"Statement": {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": world.key.arn}}
    ))  # fmt: skip
    for _ in range(2):
        assert json.loads(world.encrypt(key)[1].body)["KeyId"] == world.key.arn
    world.kms.update_alias("alias/a", world.kms.create_key())
    for _ in range(2):
        assert world.encrypt(key)[1].error == "AccessDeniedException"


def test_operations_that_are_unknown_are_said_to_be(world: World) -> None:
    assert world.answer(world.request("Nothing"))[1].error == "UnknownOperationException"


def test_any_host_is_served_when_it_is_signed(world: World) -> None:
    request = world.request("ListKeys")
    request.host = b"kms.example.com"
    request.headers = [
        (name, b"kms.example.com" if name == b"host" else value) for name, value in request.headers
    ]
    assert world.answer(request)[1].error == "InvalidSignatureException"


@pytest.mark.parametrize(
    ("peer", "source"),
    [("127.0.0.1", "127.0.0.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("::1", "::1"),
     ("fe80::1%eth0", "fe80::1"), ("", None)],
)  # fmt: skip
def test_where_requests_come_from(world: World, peer: str, source: str | None) -> None:
    request = world.request("ListKeys")
    request.peer = peer
    values = world.endpoint._guard.admit(request).values
    assert values.get("aws:SourceIp") == source


def test_administrators_and_users_of_a_key(world: World) -> None:
    """Who manages cannot use, who uses cannot manage: by the policy of the console's walk."""
    known = world.kms.principals
    keys = {}
    for name in ("boss", "app", "eve"):
        known.create_user(name)
        keys[name] = known.create_access_key(name)
    key = world.kms.create_key(administrators=["boss"], users=["app"])
    plain = b64encode(b"x").decode()

    def status(name: str, operation: str, **members: Any) -> str:
        request = world.request(operation, keys[name], KeyId=key.id, **members)
        return world.answer(request)[1].error or "ok"

    policy = {"PolicyName": "default", "Policy": key.get_policy()}
    denied = "AccessDeniedException"
    for operation, members, answers in (
        ("Encrypt", {"Plaintext": plain}, (denied, "ok", denied)),
        ("GenerateDataKey", {"KeySpec": "AES_256"}, (denied, "ok", denied)),
        ("DescribeKey", {}, ("ok", "ok", denied)),
        ("PutKeyPolicy", policy, ("ok", denied, denied)),
        ("TagResource", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}, ("ok", denied, denied)),
        ("CreateGrant", {"GranteePrincipal": keys["eve"].arn, "Operations": ["Decrypt"]},
         ("ok", denied, denied)),
        ("ScheduleKeyDeletion", {"PendingWindowInDays": 7}, ("ok", denied, denied)),
    ):  # fmt: skip
        asked = [status(name, operation, **members) for name in ("app", "eve", "boss")]
        assert tuple(asked) == (answers[1], answers[2], answers[0]), operation


def test_a_policy_that_names_nobody_is_refused(world: World) -> None:
    policy = json.loads(world.kms.create_key(users=["administrator"]).get_policy())
    policy["Statement"][1]["Principal"]["AWS"] = "arn:aws:iam::000000000000:user/ghost"
    request = world.request("CreateKey", Policy=json.dumps(policy))
    reply = world.answer(request)[1]
    assert reply.error == "MalformedPolicyDocumentException"
    assert b"user/ghost, which account 000000000000 does not have" in reply.body
