"""A named principal gets from Python and the command line what a request over HTTP gets."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api import service_model
from cli_runner import Cli
from clocks import Clock
from signing import signed

import kmsfast
from kmsfast.errors import AccessDenied, BatchError, CiphertextOfUnknownKey, PrincipalNotFound
from kmsfast.server.endpoint import Endpoint, Reply, Request
from kmsfast.server.guard import Guard

ADA = "arn:aws:iam::000000000000:user/ada"
CONTEXT = {"table": "orders"}


def allow(*actions: str, **conditions: Any) -> str:
    statement: dict[str, Any] = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    if conditions:
        statement["Condition"] = conditions
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


class World:
    """A store as its owner has it, and as ada does."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self.path, self.clock = path, clock
        self.owner = kmsfast.open(path, create=True, clock=clock)
        self.key = self.owner.create_key(alias="alias/orders")
        self.other = self.owner.create_key(alias="alias/other")
        self.pair = self.owner.create_key(spec="ECC_NIST_P256", usage="SIGN_VERIFY")
        self.mac = self.owner.create_key(spec="HMAC_256")
        self.owner.principals.create_user("ada")
        self.access = self.owner.principals.create_access_key("ada")
        self.ada = kmsfast.open(path, clock=clock, principal="ada")
        self.hers = self.ada.key(self.key.id)

    def may(self, *actions: str, **conditions: Any) -> None:
        self.owner.principals.attach_policy("ada", "own", allow(*actions, **conditions))

    def http(self, operation: str, **members: Any) -> tuple[str, str]:
        """Code and message of the refusal of a signed request."""
        body = json.dumps(members, default=lambda data: b64encode(data).decode()).encode()
        made = signed(
            body, headers={"x-amz-target": f"TrentService.{operation}"}, stamp="20260101T000000Z",
            access_key=self.access.id, secret=self.access.secret,
        )  # fmt: skip
        headers = dict(made.headers)
        endpoint = Endpoint(self.owner._app, service_model(), Guard(self.owner._app))
        found = endpoint.answer(
            Request(
                method="POST", path="/", host=headers[b"host"], target=headers[b"x-amz-target"],
                authorization=headers[b"authorization"], body=body, request_id="id", uri=b"/",
                headers=list(made.headers), peer="127.0.0.1",
            )
        )  # fmt: skip
        reply = found if isinstance(found, Reply) else found()
        return reply.error, json.loads(reply.body).get("message", "")


@pytest.fixture
def world(path: Path, clock: Clock) -> Iterator[World]:
    made = World(path, clock)
    yield made
    made.ada.close()
    made.owner.close()


# What is asked for by Python, and by HTTP.
def contract(w: World) -> dict[str, tuple[Callable[[], object], dict[str, Any]]]:
    key, pair, mac = w.hers, w.ada.key(w.pair.id), w.ada.key(w.mac.id)
    blob = w.key.encrypt(b"x", CONTEXT)
    of, tags = {"KeyId": w.key.arn}, [{"TagKey": "a", "TagValue": "b"}]
    signing = {"KeyId": w.pair.arn, "SigningAlgorithm": "ECDSA_SHA_256", "Message": b"x"}
    macking = {"KeyId": w.mac.arn, "MacAlgorithm": "HMAC_SHA_256", "Message": b"x"}
    grant = {"GranteePrincipal": ADA, "Operations": ["Encrypt"]}
    return {
        "Encrypt": (lambda: key.encrypt(b"x", CONTEXT), {**of, "Plaintext": b"x"}),
        "Decrypt": (
            lambda: w.ada.decrypt(blob, CONTEXT),
            {"CiphertextBlob": blob, "EncryptionContext": CONTEXT},
        ),
        "ReEncrypt": (
            lambda: w.ada.re_encrypt(blob, w.key.arn, CONTEXT),
            {
                "CiphertextBlob": blob, "SourceEncryptionContext": CONTEXT,
                "DestinationKeyId": w.key.arn,
            },
        ),
        "GenerateDataKey": (key.generate_data_key, {**of, "KeySpec": "AES_256"}),
        "GenerateDataKeyWithoutPlaintext": (
            key.generate_data_key_without_plaintext, {**of, "KeySpec": "AES_256"},
        ),
        "GenerateDataKeyPair": (
            lambda: key.generate_data_key_pair("ECC_NIST_P256"),
            {**of, "KeyPairSpec": "ECC_NIST_P256"},
        ),
        "GenerateRandom": (lambda: w.ada.generate_random(8), {"NumberOfBytes": 8}),
        "Sign": (lambda: pair.sign(b"x"), signing),
        "Verify": (lambda: pair.verify(b"x", bytes(70)), {**signing, "Signature": bytes(70)}),
        "GetPublicKey": (pair.public_key_der, {"KeyId": w.pair.arn}),
        "GenerateMac": (lambda: mac.mac(b"x"), macking),
        "VerifyMac": (lambda: mac.verify_mac(b"x", bytes(32)), {**macking, "Mac": bytes(32)}),
        "CreateKey": (w.ada.create_key, {}),
        "ListKeys": (w.ada.keys, {}),
        "ListAliases": (w.ada.aliases, {}),
        "DescribeKey": (lambda: key.state, of),
        "ListResourceTags": (lambda: key.tags, of),
        "GetKeyRotationStatus": (lambda: key.rotation, of),
        "GetKeyLastUsage": (key.last_usage, of),
        "ListKeyRotations": (key.versions, of),
        "GetKeyPolicy": (key.get_policy, of),
        "PutKeyPolicy": (lambda: key.put_policy("{}"), {**of, "Policy": "{}"}),
        "EnableKey": (key.enable, of),
        "DisableKey": (key.disable, of),
        "ScheduleKeyDeletion": (key.schedule_deletion, of),
        "CancelKeyDeletion": (key.cancel_deletion, of),
        "EnableKeyRotation": (key.enable_rotation, of),
        "DisableKeyRotation": (key.disable_rotation, of),
        "RotateKeyOnDemand": (key.rotate, of),
        "UpdateKeyDescription": (lambda: key.update_description("x"), {**of, "Description": "x"}),
        "TagResource": (lambda: key.tag({"a": "b"}), {**of, "Tags": tags}),
        "UntagResource": (lambda: key.untag(["a"]), {**of, "TagKeys": ["a"]}),
        "CreateGrant": (
            lambda: key.create_grant(["Encrypt"], grantee_principal=ADA), {**of, **grant},
        ),
        "ListGrants": (key.grants, of),
        "RevokeGrant": (lambda: key.revoke_grant("a" * 64), {**of, "GrantId": "a" * 64}),
        "ListRetirableGrants": (
            lambda: w.ada.retirable_grants(ADA), {"RetiringPrincipal": ADA},
        ),
        "CreateAlias": (
            lambda: w.ada.create_alias("alias/new", w.key.arn),
            {"AliasName": "alias/new", "TargetKeyId": w.key.arn},
        ),
        "DeleteAlias": (
            lambda: w.ada.delete_alias("alias/orders"), {"AliasName": "alias/orders"},
        ),
        "DescribeCustomKeyStores": (w.ada.custom_key_stores, {}),
        "ReplicateKey": (
            lambda: key.replicate("eu-west-1"), {**of, "ReplicaRegion": "eu-west-1"},
        ),
    }  # fmt: skip


def test_who_may_nothing_is_refused_alike(world: World) -> None:
    for operation, (call, members) in contract(world).items():
        with pytest.raises((AccessDenied, CiphertextOfUnknownKey)) as caught:
            call()
            pytest.fail(operation)
        code, message = world.http(operation, **members)
        assert (caught.value.code, caught.value.message) == (code, message), operation
    refused = [
        each for each in world.owner.audit.search() if each["userIdentity"].get("arn") == ADA
    ]
    assert {each["errorCode"] for each in refused} == {"AccessDeniedException"}
    looks = {"DescribeKey", "ListResourceTags", "GetKeyRotationStatus"}
    assert {each["eventName"] for each in refused} == set(contract(world)) - looks
    assert {each["userIdentity"]["type"] for each in refused} == {"IAMUser"}


def test_who_may_something_does_it_until_that_ends(world: World) -> None:
    world.may("kms:Encrypt", "kms:Decrypt")
    blobs = [world.hers.encrypt(b"x", CONTEXT) for _ in range(3)]
    assert [world.ada.decrypt(blob, CONTEXT) for blob in blobs] == [b"x"] * 3
    world.may("kms:Encrypt")
    with pytest.raises(CiphertextOfUnknownKey):
        world.ada.decrypt(blobs[0], CONTEXT)
    world.key.disable()
    with pytest.raises(kmsfast.KeyDisabled):
        world.hers.encrypt(b"x", CONTEXT)
    world.key.enable()
    assert world.hers.encrypt(b"x", CONTEXT)
    world.owner.principals.detach_policy("ada", "own")
    with pytest.raises(AccessDenied):
        world.hers.encrypt(b"x", CONTEXT)
    grant = world.key.create_grant(["Encrypt"], grantee_principal=ADA)
    assert world.hers.encrypt(b"x", CONTEXT)
    world.key.revoke_grant(grant.grant_id)
    with pytest.raises(AccessDenied):
        world.hers.encrypt(b"x", CONTEXT)
    world.owner.principals.delete("ada")
    with pytest.raises(PrincipalNotFound):
        world.hers.encrypt(b"x", CONTEXT)


def test_a_context_is_decided_for_each(world: World) -> None:
    world.may("kms:Encrypt", "kms:Decrypt", StringEquals={"kms:EncryptionContext:table": "orders"})
    for _ in range(3):
        blob = world.hers.encrypt(b"x", CONTEXT)
        assert world.ada.decrypt(blob, CONTEXT) == b"x"
        with pytest.raises(AccessDenied):
            world.hers.encrypt(b"x", {"table": "people"})
        with pytest.raises(AccessDenied):
            world.hers.encrypt_batch([b"x"], {"table": "people"})


def test_a_date_ends_what_is_remembered(world: World) -> None:
    world.may("kms:Encrypt", DateLessThan={"aws:CurrentTime": "2026-01-02T00:00:00Z"})
    for _ in range(3):
        world.hers.encrypt(b"x")
    world.clock.forward(days=1)
    with pytest.raises(AccessDenied):
        world.hers.encrypt(b"x")


def test_each_key_of_a_batch_is_decided(world: World) -> None:
    document = json.loads(allow("kms:Decrypt", "kms:ReEncrypt*"))
    document["Statement"][0]["Resource"] = world.key.arn
    world.owner.principals.attach_policy("ada", "own", json.dumps(document))
    blobs = [key.encrypt(b"x") for key in (world.key, world.other, world.key)]
    found = world.ada.decrypt_batch(blobs, errors="return")
    assert found.values == [b"x", None, b"x"]
    assert isinstance(found.errors[1], CiphertextOfUnknownKey)
    event = list(world.owner.audit.search())[-1]
    assert event["additionalEventData"] == {"records": 3, "failedRecords": 1}
    assert {each["ARN"] for each in event["resources"]} == {world.key.arn, world.other.arn}
    with pytest.raises(BatchError) as caught:
        world.ada.rewrap_batch(blobs)
    assert set(caught.value.errors) == {1}
    sealed = world.other.seal_batch([b"x"])
    with pytest.raises(CiphertextOfUnknownKey):
        world.ada.open_batch(sealed)
    with pytest.raises(CiphertextOfUnknownKey):
        world.ada.decrypt_stream(io.BytesIO(sealed.header), io.BytesIO())
    assert world.ada.open_batch(world.key.seal_batch([b"x"])) == [b"x"]


def test_parts_of_a_new_key_are_decided_each(world: World) -> None:
    world.may("kms:CreateKey")
    with pytest.raises(AccessDenied, match="kms:CreateAlias"):
        world.ada.create_key(alias="alias/new")
    world.may("kms:CreateKey", "kms:CreateAlias", "kms:EnableKeyRotation")
    made = world.ada.create_key(alias="alias/new", rotation_period_days=90)
    assert world.owner.key("alias/new").rotation.enabled
    assert made.id == world.owner.key("alias/new").id


def test_only_the_owner_manages(world: World) -> None:
    world.may("*")
    for refused in (
        lambda: world.ada.audit, world.ada.principals.known,
        lambda: world.ada.principals.create_user("bob"),
        lambda: world.ada.change_root(kmsfast.RootKeyFile("x")),
    ):  # fmt: skip
        with pytest.raises(AccessDenied, match="is not authorized to perform"):
            refused()


def test_nobody_else_is_a_principal(world: World) -> None:
    world.owner.principals.create_group("staff")
    for name in ("bob", "arn:aws:iam::000000000000:user/bob"):
        with pytest.raises(PrincipalNotFound):
            kmsfast.open(world.path, principal=name)
    with pytest.raises(kmsfast.ValidationError, match="is a group"):
        kmsfast.open(world.path, principal="staff")
    world.owner.principals.create_role("nightly")
    session = "arn:aws:sts::000000000000:assumed-role/nightly/host-1"
    with (
        kmsfast.open(world.path, principal=session) as kms,
        pytest.raises(AccessDenied, match="assumed-role/nightly/host-1"),
    ):
        kms.keys()
    assert list(world.owner.audit.search())[-1]["userIdentity"]["type"] == "AssumedRole"


@pytest.mark.parametrize(
    ("arguments", "operation", "members"),
    [
        (["key", "create"], "CreateKey", {}),
        (["key", "list"], "ListKeys", {}),
        (["key", "disable", "alias/orders"], "DisableKey", {}),
        (["key", "rotate", "alias/orders"], "RotateKeyOnDemand", {}),
    ],
)
def test_the_command_line_refuses_alike(
    world: World, tmp_path: Path, arguments: list[str], operation: str, members: dict[str, Any]
) -> None:
    if "alias/orders" in arguments:
        members = {"KeyId": world.key.arn}
    code, message = world.http(operation, **members)
    said = Cli(tmp_path).refused(8, "--principal", "ada", *arguments)
    assert code == "AccessDeniedException"
    assert message in said
    event = list(world.owner.audit.search())[-1]
    assert (event["eventName"], event["errorCode"]) == (operation, code)
    assert event["sourceIPAddress"] == "command line"
    assert event["userAgent"].startswith(f"kmsfast {' '.join(arguments[:2])} uid/")
    assert event["userIdentity"]["arn"] == ADA
