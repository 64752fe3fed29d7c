"""What each operation asks of policies."""

from __future__ import annotations

import json
from typing import Any

import pytest

import kmsfast
from kmsfast.errors import (
    AccessDenied,
    CiphertextOfUnknownKey,
    KeyNotFound,
    KmsError,
    MalformedPolicyDocument,
)
from kmsfast.model.policy_actions import ACTIONS
from kmsfast.model.policy_principal import Principal
from kmsfast.operations import OPERATIONS
from kmsfast.operations.permissions import PERMISSIONS, permitted

ACCOUNT = "000000000000"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
VALUES = {"aws:SourceIp": "127.0.0.1"}


class World:
    """A key with an alias, and a user who may do what a test says."""

    def __init__(self, kms: kmsfast.Kms) -> None:
        self.kms, self.app = kms, kms._app
        self.key = kms.create_key(alias="alias/a", tags={"team": "x"})
        self.other = kms.create_key(alias="alias/b")
        kms.principals.create_user("ada")

    def may(self, *statements: dict[str, Any]) -> None:
        text = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
        self.kms.principals.attach_policy("ada", "own", text)

    def asks(self, operation: str, **given: Any) -> Any:
        arn = f"arn:aws:iam::{ACCOUNT}:user/ada"
        caller = self.app.deployment.principals.known().caller(arn)
        return permitted(self.app, caller, operation, given, VALUES)


@pytest.fixture
def world(kms: kmsfast.Kms) -> World:
    return World(kms)


def allow(action: str | list[str], resource: str | list[str] = "*", **conditions: Any) -> Any:
    made = {"Effect": "Allow", "Action": action, "Resource": resource}
    return {**made, "Condition": conditions} if conditions else made


def test_every_operation_has_its_permissions() -> None:
    assert set(OPERATIONS) <= set(PERMISSIONS)
    known = {*ACTIONS, "ReEncrypt"}
    assert set(PERMISSIONS) <= known


def test_an_operation_without_a_row_is_nobodys(world: World) -> None:
    world.may(allow("*"))
    with pytest.raises(AccessDenied, match="kms:Unheard on resource"):
        world.asks("Unheard")


ON_KEY = {
    "DescribeKey": {}, "Encrypt": {"Plaintext": b"x"}, "GenerateDataKey": {"KeySpec": "AES_256"},
    "GetKeyPolicy": {}, "PutKeyPolicy": {}, "EnableKey": {}, "TagResource": {"Tags": []},
    "UntagResource": {"TagKeys": ["team"]}, "ScheduleKeyDeletion": {}, "ListKeyRotations": {},
}  # fmt: skip


@pytest.mark.parametrize("operation", list(ON_KEY))
def test_operations_on_a_key(world: World, operation: str) -> None:
    given = {"KeyId": world.key.id, **ON_KEY[operation]}
    with pytest.raises(AccessDenied, match=f"kms:{operation} on resource: {world.key.arn}"):
        world.asks(operation, **given)
    world.may(allow(f"kms:{operation}", world.other.arn))
    with pytest.raises(AccessDenied):
        world.asks(operation, **given)
    world.may(allow(f"kms:{operation}", world.key.arn))
    assert world.asks(operation, **given) == {**given, "KeyId": world.key.arn}
    with pytest.raises(KeyNotFound):
        world.asks(operation, **{**given, "KeyId": "00000000-0000-4000-8000-000000000000"})


def test_an_alias_is_settled_to_its_key(world: World) -> None:
    world.may(allow("kms:Encrypt", "*", StringEquals={"kms:RequestAlias": "alias/a"}))
    given = {"Plaintext": b"x"}
    assert world.asks("Encrypt", KeyId="alias/a", **given)["KeyId"] == world.key.arn
    arn = world.key.arn.rpartition(":")[0] + ":alias/a"
    assert world.asks("Encrypt", KeyId=arn, **given)["KeyId"] == world.key.arn
    for name in ("alias/b", world.key.id):
        with pytest.raises(AccessDenied):
            world.asks("Encrypt", KeyId=name, **given)


def test_a_ciphertext_tells_nothing_to_who_may_not_open_it(world: World) -> None:
    blob = world.key.encrypt(b"x", {"table": "a"})
    unknown = blob[:8] + bytes(16) + blob[24:]
    said = set()
    for data in (blob, unknown):
        with pytest.raises(CiphertextOfUnknownKey) as caught:
            world.asks("Decrypt", CiphertextBlob=data, EncryptionContext={"table": "a"})
        said.add(str(caught.value))
    assert len(said) == 1
    world.may(allow("kms:Decrypt", "*", StringEquals={"kms:EncryptionContext:table": "a"}))
    world.asks("Decrypt", CiphertextBlob=blob, EncryptionContext={"table": "a"})
    with pytest.raises(CiphertextOfUnknownKey):
        world.asks("Decrypt", CiphertextBlob=blob, EncryptionContext={"table": "b"})
    with pytest.raises(AccessDenied, match="kms:Decrypt on resource"):
        world.asks("Decrypt", CiphertextBlob=blob, KeyId="alias/a")


def test_re_encryption_needs_both_keys(world: World) -> None:
    blob = world.key.encrypt(b"x")
    given = {"CiphertextBlob": blob, "DestinationKeyId": "alias/b"}
    world.may(allow("kms:ReEncryptFrom", world.key.arn))
    with pytest.raises(AccessDenied, match="kms:ReEncryptTo"):
        world.asks("ReEncrypt", **given)
    world.may(allow("kms:ReEncryptTo", world.other.arn))
    with pytest.raises(CiphertextOfUnknownKey):
        world.asks("ReEncrypt", **given)
    both = allow("kms:ReEncrypt*", "*", Bool={"kms:ReEncryptOnSameKey": "false"})
    world.may(both)
    assert world.asks("ReEncrypt", **given)["DestinationKeyId"] == world.other.arn
    with pytest.raises(KmsError):
        world.asks("ReEncrypt", CiphertextBlob=blob, DestinationKeyId="alias/a")


def test_aliases_need_permission_on_themselves_and_their_keys(world: World) -> None:
    alias = world.app.store.home.arn("alias/new")
    given = {"AliasName": "alias/new", "TargetKeyId": world.key.id}
    for resource in (alias, world.key.arn):
        world.may(allow("kms:CreateAlias", resource))
        with pytest.raises(AccessDenied):
            world.asks("CreateAlias", **given)
    world.may(allow("kms:CreateAlias", [alias, world.key.arn]))
    world.asks("CreateAlias", **given)
    old = world.app.store.home.arn("alias/a")
    move = {"AliasName": "alias/a", "TargetKeyId": world.other.id}
    for resources in ([old, world.key.arn], [old, world.other.arn]):
        world.may(allow("kms:UpdateAlias", resources))
        with pytest.raises(AccessDenied):
            world.asks("UpdateAlias", **move)
    world.may(allow("kms:UpdateAlias", [old, world.key.arn, world.other.arn]))
    world.asks("UpdateAlias", **move)
    world.may(allow("kms:DeleteAlias", old))
    with pytest.raises(AccessDenied):
        world.asks("DeleteAlias", AliasName="alias/a")


def test_a_new_key_is_asked_for_what_it_will_be(world: World) -> None:
    world.may(allow(["kms:CreateKey", "kms:TagResource"], "*",
                    StringEquals={"kms:KeySpec": "HMAC_256"},
                    **{"ForAnyValue:StringEquals": {"aws:TagKeys": "team"}}))  # fmt: skip
    tags = [{"TagKey": "team", "TagValue": "x"}]
    world.asks("CreateKey", KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC", Tags=tags)
    for given in ({"KeySpec": "HMAC_256"}, {"Tags": tags}, {}):
        with pytest.raises(AccessDenied):
            world.asks("CreateKey", **given)


TAGS = [{"TagKey": "team", "TagValue": "x"}]
NEW_KEYS = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/*"


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([], False),
        ([allow("kms:TagResource")], True),
        ([allow("kms:TagResource", NEW_KEYS)], True),
        ([allow("kms:TagResource", "arn:aws:kms:*:*:key/*")], True),
        ([allow("kms:TagResource", NEW_KEYS.replace("us-east-1", "eu-west-1"))], False),
        ([allow("kms:TagResource", NEW_KEYS.replace("*", "1234abcd*"))], False),
        ([allow("kms:TagResource", "*", StringEquals={"aws:RequestTag/team": "x"})], True),
        ([allow("kms:TagResource", "*", StringEquals={"aws:RequestTag/team": "y"})], False),
        ([allow("kms:TagResource", "*", StringEquals={"kms:KeySpec": "HMAC_256"})], False),
        ([allow("kms:TagResource", "*", StringEquals={"kms:KeySpec": "SYMMETRIC_DEFAULT"})], True),
        ([allow("kms:TagResource", "*", Null={"aws:ResourceTag/team": "true"})], True),
        ([allow("kms:TagResource"), {**allow("kms:TagResource"), "Effect": "Deny"}], False),
    ],
)
def test_tagging_a_new_key_needs_its_own_permission(
    world: World, statements: list[Any], allowed: bool
) -> None:
    world.may(allow("kms:CreateKey"), *statements)
    world.asks("CreateKey")
    world.asks("CreateKey", Tags=[])
    if allowed:
        world.asks("CreateKey", Tags=TAGS)
        return
    with pytest.raises(AccessDenied, match=r"kms:TagResource on resource: .*:key/\*"):
        world.asks("CreateKey", Tags=TAGS)


def test_tagging_a_replica_needs_its_own_permission(world: World) -> None:
    key = world.kms.create_key(multi_region=True, tags={"stage": "old"})
    given = {"KeyId": key.id, "ReplicaRegion": "eu-west-1", "Tags": TAGS}
    both = ["kms:ReplicateKey", "kms:CreateKey"]
    world.may(allow(both))
    there = key.arn.replace("us-east-1", "eu-west-1")
    with pytest.raises(AccessDenied, match=f"kms:TagResource on resource: {there}"):
        world.asks("ReplicateKey", **given)
    world.asks("ReplicateKey", **{**given, "Tags": []})
    world.may(allow(both), allow("kms:TagResource", key.arn))
    with pytest.raises(AccessDenied):
        world.asks("ReplicateKey", **given)
    world.may(allow(both), allow("kms:TagResource", "*",
                                 StringEquals={"aws:ResourceTag/stage": "old"}))  # fmt: skip
    with pytest.raises(AccessDenied):
        world.asks("ReplicateKey", **given)
    for condition in ({}, {"StringEquals": {"kms:MultiRegionKeyType": "REPLICA"}}):
        world.may(allow(both), allow("kms:TagResource", there, **condition))
        world.asks("ReplicateKey", **given)


def test_nobody_locks_himself_out(world: World) -> None:
    world.may(allow("kms:*"))
    policy = json.dumps({"Statement": {
        "Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "kms:Decrypt", "Resource": "*"
    }})  # fmt: skip
    for given in ({"KeyId": world.key.id}, None):
        operation = "CreateKey" if given is None else "PutKeyPolicy"
        with pytest.raises(MalformedPolicyDocument, match="will not allow you to update"):
            world.asks(operation, **(given or {}), Policy=policy)
        world.asks(operation, **(given or {}), Policy=policy, BypassPolicyLockoutSafetyCheck=True)
        world.asks(operation, **(given or {}), Policy=policy.replace("kms:Decrypt", "kms:*"))


def test_what_a_door_knows_is_asked(world: World) -> None:
    world.may(allow("kms:ListKeys", "*", IpAddress={"aws:SourceIp": "127.0.0.0/8"}))
    world.asks("ListKeys")
    caller = Principal(ROOT)
    assert permitted(world.app, caller, "ListKeys", {}, {}) == {}
    world.may(allow("kms:ListKeys", "*", IpAddress={"aws:SourceIp": "10.0.0.0/8"}))
    with pytest.raises(AccessDenied):
        world.asks("ListKeys")
