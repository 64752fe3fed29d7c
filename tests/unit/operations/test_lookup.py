"""LookupEvents at the endpoint: who may, what it says, and what is wrong with a request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api import service_model
from clocks import Clock
from signing import signed

import kmsfast
from kmsfast.model.quotas import Quotas
from kmsfast.server.endpoint import Endpoint, Reply, Request
from kmsfast.server.guard import Guard
from kmsfast.server.lookups import TARGET
from kmsfast.server.recording import Recording
from kmsfast.service.principals import NewAccessKey
from kmsfast.service.request_quotas import RequestQuotas

STAMP = "20260101T000000Z"
ACCOUNT = "000000000000"
ALLOWED = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "cloudtrail:LookupEvents", "Resource": "*"}],
}


class World:
    """An endpoint that records, asks for signatures, and shows what it recorded."""

    def __init__(self, kms: kmsfast.Kms) -> None:
        self.kms = kms
        self.admin = kms.principals.create_administrator()
        kms.principals.create_user("ada")
        self.ada = kms.principals.create_access_key("ada")
        recorder = kms._app.deployment.recorder()
        kept = service_model().recordable()
        recording = Recording(recorder, kept, kms._app.ring.clock)
        self.endpoint = Endpoint(kms._app, service_model(), Guard(kms._app), None, recording)

    def send(
        self, target: bytes, by: NewAccessKey, body: bytes, *, service: str, secret: str = ""
    ) -> Reply:
        made = signed(
            body, headers={"x-amz-target": target.decode()}, stamp=STAMP, access_key=by.id,
            secret=secret or by.secret, scope=f"20260101/us-east-1/{service}/aws4_request",
        )  # fmt: skip
        headers = dict(made.headers)
        found = self.endpoint.answer(
            Request(
                "POST", "/", headers[b"host"], b"", target, headers[b"authorization"], body,
                request_id="id", uri=b"/", headers=list(made.headers), peer="127.0.0.1",
            )
        )  # fmt: skip
        return found if isinstance(found, Reply) else found()

    def calls(self, operation: str, by: NewAccessKey | None = None, **members: Any) -> Reply:
        target = f"TrentService.{operation}".encode()
        return self.send(target, by or self.admin, json.dumps(members).encode(), service="kms")

    def looks(self, by: NewAccessKey | None = None, **members: Any) -> Reply:
        body = json.dumps(members).encode()
        return self.send(TARGET, by or self.admin, body, service="cloudtrail")

    def found(self, by: NewAccessKey | None = None, **members: Any) -> dict[str, Any]:
        reply = self.looks(by, **members)
        assert (reply.status, reply.error) == (200, ""), reply.body
        answer: dict[str, Any] = json.loads(reply.body)
        return answer


@pytest.fixture
def kms(path: Path, clock: Clock) -> Iterator[kmsfast.Kms]:
    """What the owner does is not recorded: the events are those of the endpoint alone."""
    with kmsfast.open(path, create=True, clock=clock, audit="off") as opened:
        yield opened


@pytest.fixture
def world(kms: kmsfast.Kms) -> World:
    return World(kms)


def test_events_are_shown_newest_first(world: World) -> None:
    key = json.loads(world.calls("CreateKey").body)["KeyMetadata"]
    world.calls("DescribeKey", KeyId=key["KeyId"])
    world.calls("ListKeys", world.ada)  # which ada may not
    events = world.found()["Events"]
    assert [each["EventName"] for each in events] == ["ListKeys", "DescribeKey", "CreateKey"]
    denied, described, created = events
    assert created == {
        "EventId": json.loads(created["CloudTrailEvent"])["eventID"],
        "EventName": "CreateKey",
        "ReadOnly": "false",
        "AccessKeyId": world.admin.id,
        "EventTime": 1767225600.0,
        "EventSource": "kms.amazonaws.com",
        "Username": "administrator",
        "Resources": [{"ResourceType": "AWS::KMS::Key", "ResourceName": key["Arn"]}],
        "CloudTrailEvent": created["CloudTrailEvent"],
    }
    assert [json.loads(each["CloudTrailEvent"]) for each in events[::-1]] == list(
        world.kms.audit.search()
    )
    assert (described["ReadOnly"], denied["Username"]) == ("true", "ada")
    assert json.loads(denied["CloudTrailEvent"])["errorCode"] == "AccessDeniedException"


def test_pages(world: World) -> None:
    for _ in range(7):
        world.calls("ListKeys")
    seen: list[str] = []
    members: dict[str, Any] = {"MaxResults": 3}
    for size in (3, 3, 1):
        answer = world.found(**members)
        assert len(answer["Events"]) == size
        seen += [each["EventId"] for each in answer["Events"]]
        members["NextToken"] = answer.get("NextToken")
    assert members["NextToken"] is None
    assert len(set(seen)) == 7
    token = world.found(MaxResults=3)["NextToken"]
    for other in (
        {"NextToken": token, "StartTime": 1},
        {"NextToken": token[:-1] + ("A" if token[-1] != "A" else "B")},
        {"NextToken": "x"},
    ):
        assert world.looks(**other).error == "InvalidNextTokenException"


def test_attributes_and_times(world: World) -> None:
    world.calls("CreateKey")
    world.calls("ListKeys")

    def names(**members: Any) -> list[str]:
        return [each["EventName"] for each in world.found(**members)["Events"]]

    def by(name: str, value: str) -> dict[str, Any]:
        return {"LookupAttributes": [{"AttributeKey": name, "AttributeValue": value}]}

    assert names(**by("EventName", "CreateKey")) == ["CreateKey"]
    assert names(**by("ReadOnly", "true")) == ["ListKeys"]
    assert names(**by("AccessKeyId", world.ada.id)) == []
    assert names(StartTime=1767225600, EndTime=1767225600.0) == ["ListKeys", "CreateKey"]
    assert names(StartTime=1767225601) == []
    assert names(EndTime=1767225599) == []
    assert names(EventCategory="insight") == []


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"MaxResults": 0}, "InvalidMaxResultsException"),
        ({"MaxResults": 51}, "InvalidMaxResultsException"),
        ({"MaxResults": "1"}, "SerializationException"),
        ({"StartTime": 2, "EndTime": 1}, "InvalidTimeRangeException"),
        ({"EventCategory": "data"}, "InvalidEventCategoryException"),
        ({"LookupAttributes": [{"AttributeKey": "Name", "AttributeValue": "x"}]},
         "InvalidLookupAttributesException"),
        ({"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": "x"}] * 2},
         "InvalidLookupAttributesException"),
        ({"LookupAttributes": [{"AttributeKey": "EventName"}]}, "ValidationException"),
        ({"LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": ""}]},
         "ValidationException"),
        ({"LookupAttributes": ["x"]}, "SerializationException"),
        ({"LookupAttributes": "x"}, "SerializationException"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_request(world: World, members: dict[str, Any], code: str) -> None:
    reply = world.looks(**members)
    assert (reply.status, reply.error) == (400, code), reply.body


def test_identity_policies_decide(world: World) -> None:
    world.calls("ListKeys")
    refused = world.looks(world.ada)
    assert refused.error == "AccessDeniedException"
    assert json.loads(refused.body)["message"] == (
        f"User: arn:aws:iam::{ACCOUNT}:user/ada is not authorized to perform: "
        "cloudtrail:LookupEvents on resource: * because no identity-based policy allows the "
        "cloudtrail:LookupEvents action"
    )
    world.kms.principals.attach_policy("ada", "kms", json.dumps(
        {"Version": "2012-10-17",
         "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}
    ))  # fmt: skip
    assert world.looks(world.ada).error == "AccessDeniedException"
    world.kms.principals.attach_policy("ada", "look", json.dumps(ALLOWED))
    assert len(world.found(world.ada)["Events"]) == 1
    denied = {**ALLOWED, "Statement": [{"Effect": "Deny", "Action": "cloudtrail:*",
                                        "Resource": "*"}]}  # fmt: skip
    world.kms.principals.attach_policy("ada", "deny", json.dumps(denied))
    assert "explicit deny" in world.looks(world.ada).body.decode()


def test_the_signature_is_one_for_cloudtrail(world: World) -> None:
    wrong_service = world.send(TARGET, world.admin, b"{}", service="kms")
    assert wrong_service.error == "InvalidSignatureException"
    assert b"correct service: 'cloudtrail'" in wrong_service.body
    wrong_secret = world.send(TARGET, world.admin, b"{}", service="cloudtrail", secret="x")
    assert wrong_secret.error == "InvalidSignatureException"
    for_kms = world.send(b"TrentService.ListKeys", world.admin, b"{}", service="cloudtrail")
    assert for_kms.error == "InvalidSignatureException"


def test_an_account_sees_its_own_events_and_uses_of_its_keys(world: World) -> None:
    kms = world.kms
    other = kms.at(account="111122223333")
    bob_arn = "arn:aws:iam::111122223333:user/bob"
    other.principals.create_user("bob")
    every = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    kms.principals.attach_policy(bob_arn, "all", json.dumps(
        {"Version": "2012-10-17", "Statement": [every]}
    ))  # fmt: skip
    bob = other.principals.create_access_key("bob")
    key = kms.create_key(policy=json.dumps(
        {"Version": "2012-10-17", "Statement": [{**every, "Action": "kms:*", "Principal": "*"}]}
    ))  # fmt: skip
    world.calls("ListKeys")
    world.calls("ListKeys", bob)
    world.calls("DescribeKey", bob, KeyId=key.arn)
    events = world.found()["Events"]
    mine = [(each["EventName"], each.get("Username")) for each in events]
    assert mine == [("DescribeKey", None), ("ListKeys", "administrator")]
    assert "AccessKeyId" not in events[0]
    assert json.loads(events[0]["CloudTrailEvent"])["userIdentity"] == {
        "type": "AWSAccount", "principalId": kms.principals.get(bob_arn).unique_id,
        "accountId": "111122223333",
    }  # fmt: skip
    assert bob_arn not in events[0]["CloudTrailEvent"]
    assert [json.loads(each["CloudTrailEvent"])["recipientAccountId"] for each in events] == (
        [ACCOUNT] * 2
    )
    assert [each["Username"] for each in world.found(bob)["Events"]] == ["bob", "bob"]


def test_without_authentication_the_account_is_that_of_the_credential(kms: kmsfast.Kms) -> None:
    endpoint = Endpoint(
        kms._app, service_model(), quotas=RequestQuotas(Quotas(requests={"LookupEvents": 1}))
    )

    def looks(account: str, region: str = "us-east-1", service: str = "cloudtrail") -> Reply:
        scope = f"Credential={account}/20260101/{region}/{service}/aws4_request"
        request = Request(
            "POST", "/", b"localhost", b"", TARGET, f"AWS4-HMAC-SHA256 {scope}, x".encode(), b"{}"
        )
        reply = endpoint.answer(request)
        return reply if isinstance(reply, Reply) else reply()

    assert looks("111122223333") == Reply(200, b'{"Events":[]}')
    assert looks("111122223333").error == "ThrottlingException"
    assert looks("444455556666").status == 200
    assert looks("444455556666", "xx-none-1").error == "InvalidSignatureException"
