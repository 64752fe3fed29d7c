"""Each request that somebody is named for leaves an event, before its reply does."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from api import service_model
from botocore_model import kms_model
from signing import signed

import kmsfast
from kmsfast.audit.log import AuditLog
from kmsfast.errors import AuditUnusable
from kmsfast.server.endpoint import Endpoint, Reply, Request
from kmsfast.server.guard import Guard
from kmsfast.server.recording import Recording
from kmsfast.service.principals import NewAccessKey
from kmsfast.wire.recorded import recordable

STAMP = "20260101T000000Z"
SECRET = b"a secret that nobody may find"


class World:
    """An endpoint that asks for signatures and records."""

    def __init__(self, kms: kmsfast.Kms) -> None:
        self.kms = kms
        self.admin = kms.principals.create_administrator()
        kms.principals.create_user("ada")
        self.ada = kms.principals.create_access_key("ada")
        self.key = kms.create_key(alias="alias/a")
        model = service_model()
        recorder = kms._app.deployment.recorder()
        self.recording = Recording(recorder, model.recordable(), kms._app.ring.clock)
        self.endpoint = Endpoint(kms._app, model, Guard(kms._app), None, self.recording)

    def send(self, operation: str, key: NewAccessKey | None = None, **members: Any) -> Reply:
        return self.send_body(operation, json.dumps(members).encode(), key or self.admin)

    def send_body(self, operation: str, body: bytes, by: NewAccessKey) -> Reply:
        request = self.request(operation, body, by)
        found = self.endpoint.answer(request)
        reply = found if isinstance(found, Reply) else found()
        return self.endpoint.write([(request, reply)])[0] if reply.event else reply

    def request(self, operation: str, body: bytes, by: NewAccessKey) -> Request:
        made = signed(
            body, headers={"x-amz-target": f"TrentService.{operation}", "user-agent": "tests/1"},
            stamp=STAMP, access_key=by.id, secret=by.secret,
        )  # fmt: skip
        headers = dict(made.headers)
        return Request(
            method="POST", path="/", host=headers[b"host"], target=headers[b"x-amz-target"],
            authorization=headers[b"authorization"], body=body, request_id="id", uri=b"/",
            headers=list(made.headers), peer="127.0.0.1",
        )  # fmt: skip

    def encrypt(self, key: NewAccessKey | None = None) -> Reply:
        return self.send(
            "Encrypt", key, KeyId="alias/a", Plaintext=b64encode(SECRET).decode(),
            EncryptionContext={"Plaintext": "of a context"},
        )  # fmt: skip

    @property
    def events(self) -> list[dict[str, Any]]:
        """Those of requests; what the test itself does by Python has its own."""
        found = self.kms.audit.search()
        return [each for each in found if each["sourceIPAddress"] != "in-process"]


@pytest.fixture
def world(kms: kmsfast.Kms) -> World:
    return World(kms)


def test_a_use_is_recorded_with_all_but_its_data(world: World) -> None:
    assert world.encrypt().status == 200
    assert world.encrypt().status == 200  # at once, this time
    first, second = world.events
    assert first["eventName"] == second["eventName"] == "Encrypt"
    assert first["requestParameters"] == {
        "keyId": "alias/a", "encryptionContext": {"Plaintext": "of a context"},
    }  # fmt: skip
    assert [each["ARN"] for each in first["resources"]] == [world.key.arn]
    assert first["responseElements"] is None
    assert first["readOnly"] is True
    assert first["userIdentity"]["type"] == "IAMUser"
    assert first["userIdentity"]["accessKeyId"] == world.admin.id
    assert first["userIdentity"]["arn"].endswith(":user/administrator")
    assert (first["sourceIPAddress"], first["userAgent"]) == ("127.0.0.1", "tests/1")
    assert first["requestID"] == "id"
    assert first["eventID"] != second["eventID"]


def test_a_change_is_recorded_with_what_it_made(world: World) -> None:
    assert world.send("CreateKey", Description="new", Tags=[{"TagKey": "a", "TagValue": "b"}])
    (event,) = world.events
    made = event["responseElements"]["keyMetadata"]
    assert made["Description"] == "new"
    assert [each["ARN"] for each in event["resources"]] == [made["Arn"]]
    assert event["requestParameters"]["tags"] == [{"TagKey": "a", "TagValue": "b"}]
    assert event["readOnly"] is False


def test_a_denied_request_is_recorded_and_an_unsigned_one_is_not(world: World) -> None:
    assert world.encrypt(world.ada).error == "AccessDeniedException"
    (event,) = world.events
    assert event["errorCode"] == "AccessDeniedException"
    assert event["userIdentity"]["arn"].endswith("user/ada")
    wrong = world.ada._replace(secret="x" * 40)
    assert world.encrypt(wrong).error == "InvalidSignatureException"
    assert len(world.events) == 1


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"KeyId": 7}', b"[" * 10_000])
def test_bodies_that_are_no_request_are_recorded_without_parameters(
    world: World, body: bytes
) -> None:
    assert world.send_body("Encrypt", body, world.admin).status == 400
    (event,) = world.events
    assert event["requestParameters"] is None
    assert event["errorCode"]


@pytest.mark.parametrize(
    "members",
    [
        {"KeyId": "alias/a", "Limit": 1 << 70},
        {"KeyId": "alias/a", "Limit": -(1 << 70)},
        {"KeyId": "\ud800"},
        {"KeyId": "x" * 1_000_000},
        {"KeyId": "alias/a", "Marker": "\u00e9" * 500_000},
    ],
    ids=["large", "small", "surrogate", "long", "wide"],
)
def test_no_request_is_too_odd_to_be_recorded(world: World, members: dict[str, Any]) -> None:
    reply = world.send("ListGrants", **members)
    assert reply.status == 400
    (event,) = world.events
    assert event["errorCode"] == reply.error != "KMSInternalException"
    assert len(event["errorMessage"]) <= 1024
    assert len(json.dumps(event)) < 1 << 20
    assert event["eventName"] == "ListGrants"


def test_a_change_is_recorded_as_it_came_whatever_a_reader_made_of_it(world: World) -> None:
    body = json.dumps({"KeyId": world.key.id, "ValidTo": 1_900_000_000}).encode()
    request = world.request("ImportKeyMaterial", body, world.admin)
    request.home = world.kms._app.store.home
    request.given = {"KeyId": world.key.id, "ValidTo": datetime.fromtimestamp(1_900_000_000, UTC)}
    world.recording.record(request, Reply(200, b"{}"))
    (event,) = world.events
    assert event["requestParameters"] == {"keyId": world.key.id, "validTo": 1_900_000_000}


def test_a_refused_change_waits_for_the_disk_in_a_thread(world: World) -> None:
    """Its caller is known by then, so its refusal is ready at once."""
    assert world.send("ListKeys").status == 200
    found = world.endpoint.answer(world.request("CreateKey", b'{"KeySpec": "X"}', world.admin))
    assert not isinstance(found, Reply)
    assert found().error == "ValidationException"
    assert len(world.events) == 2


def test_no_data_is_in_the_log(world: World) -> None:
    text = b64encode(SECRET).decode()
    blob = json.loads(world.encrypt().body)["CiphertextBlob"]
    world.send("Decrypt", CiphertextBlob=blob, EncryptionContext={"Plaintext": "of a context"})
    world.send("Encrypt", KeyId="alias/a", plaintext=text, Plaintexts=[text])
    world.send("Encrypt", KeyId={"Plaintext": text}, Plaintext=text)
    world.send("GenerateMac", KeyId="alias/a", Message=text, MacAlgorithm="HMAC_SHA_256")
    world.send(
        "CreateCustomKeyStore", CustomKeyStoreName="x", KeyStorePassword=text,
        XksProxyAuthenticationCredential={"AccessKeyId": "A" * 20, "RawSecretAccessKey": text},
    )  # fmt: skip
    world.send("Sign", KeyId="alias/a", Message=text, SigningAlgorithm="ECDSA_SHA_256", Note=text)
    assert len(world.events) == 7
    logged = b"".join(path.read_bytes() for path in world.kms.audit.directory.iterdir())
    assert SECRET not in logged
    assert text.encode() not in logged
    assert text[4:40].encode() not in logged
    assert blob.encode() not in logged


def test_what_cannot_be_recorded_is_not_handed_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.encrypt().status == 200

    def full(*_: Any, **__: Any) -> int:
        raise AuditUnusable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(AuditLog, "append", full)
        patch.setattr(AuditLog, "append_all", full)
        reply = world.encrypt()
    assert (reply.status, reply.error) == (500, "KMSInternalException")
    assert b"CiphertextBlob" not in reply.body
    assert world.encrypt().status == 200
    assert len(world.events) == 2


def test_what_may_be_recorded_has_no_blob_and_nothing_sensitive() -> None:
    model = kms_model()
    shapes = model["shapes"]

    def example(name: str) -> Any:
        shape = shapes[name]
        kind = shape["type"]
        if kind == "structure":
            return {member: example(each["shape"]) for member, each in shape["members"].items()}
        if kind == "list":
            return [example(shape["member"]["shape"])]
        if kind == "map":
            return {"name": example(shape["value"]["shape"])}
        hidden = kind == "blob" or shape.get("sensitive")
        plain: dict[str, Any] = {"integer": 7, "boolean": True, "timestamp": 1.5}
        return "hidden" if hidden else plain.get(kind, "shown")

    assert len(recordable(model)) == len(model["operations"])
    for name, each in recordable(model).items():
        for keep, which in ((each.request, "input"), (each.answer, "output")):
            shape = model["operations"][name].get(which)
            if shape is not None:
                kept = keep(example(shape["shape"]))
                assert "hidden" not in json.dumps(kept)


def test_closing_the_store_signs_the_log(world: World, tmp_path: Path) -> None:
    del tmp_path
    world.encrypt()
    world.kms._app.deployment._recorders[-1].close()
    report = world.kms.audit.verify()
    assert (report.findings, report.events) == ([], len(list(world.kms.audit.search())))
    assert report.signed == report.records - 1
