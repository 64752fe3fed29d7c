"""What callers try who may sign, on a server that knows all of them: grants, accounts, changes."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from wire_attacks import ALL, PLAIN, World

DENIED = "AccessDeniedException"
TIMES = 3  # the first request is answered in the general way, the others in the short one


def encrypt(world: World, by: Any, name: str = "alias/a", **members: Any) -> dict[str, Any]:
    body = json.dumps({"KeyId": name, "Plaintext": PLAIN, **members}).encode()
    answer: dict[str, Any] = world.send(world.wire("Encrypt", body, by=by))[1]
    return answer


def code(world: World, by: Any, operation: str, **members: Any) -> str:
    return world.code(world.wire(operation, json.dumps(members).encode(), by=by))


def refused(call: Any, **members: Any) -> None:
    with pytest.raises(ClientError) as caught:
        call(**members)
    assert caught.value.response["Error"]["Code"] == DENIED


def test_attack_with_the_token_of_a_revoked_grant(world: World) -> None:
    grantee = world.user("grantee", None)
    admin = world.client(world.admin)
    key = admin.create_key()["KeyMetadata"]["KeyId"]
    made = admin.create_grant(KeyId=key, GranteePrincipal=grantee.arn, Operations=["Encrypt"])
    for _ in range(TIMES):
        assert "CiphertextBlob" in encrypt(world, grantee, key)
    admin.revoke_grant(KeyId=key, GrantId=made["GrantId"])
    for _ in range(TIMES):
        for members in ({}, {"GrantTokens": [made["GrantToken"]]}):
            assert encrypt(world, grantee, key, **members)["__type"] == DENIED
    assert code(world, grantee, "RetireGrant", GrantToken=made["GrantToken"]) != ""


def test_attack_with_the_token_of_somebody_else(world: World) -> None:
    """A token is no secret: it helps its grantee alone."""
    mallory = world.user("mallory", None)
    admin = world.client(world.admin)
    key = admin.create_key()["KeyMetadata"]["KeyId"]
    friend = world.user("friend", None)
    made = admin.create_grant(KeyId=key, GranteePrincipal=friend.arn, Operations=["Encrypt"])
    for _ in range(TIMES):
        assert "CiphertextBlob" in encrypt(world, friend, key)
        answer = encrypt(world, mallory, key, GrantTokens=[made["GrantToken"]])
        assert answer["__type"] == DENIED


def test_attack_by_a_confused_child_grant(world: World) -> None:
    """A child gives no more than its parent, and constraints of the parent hold for every use."""
    parent, child = world.user("parent", None), world.user("child", None)
    admin, by_parent = world.client(world.admin), world.client(parent)
    key = admin.create_key()["KeyMetadata"]["KeyId"]
    context = {"table": "orders"}
    admin.create_grant(
        KeyId=key, GranteePrincipal=parent.arn, Operations=["Encrypt", "CreateGrant"],
        Constraints={"EncryptionContextSubset": context},
    )  # fmt: skip
    wider: list[dict[str, Any]] = [
        {"Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": context}},
        {"Operations": ["Encrypt", "CreateGrant", "DescribeKey"],
         "Constraints": {"EncryptionContextSubset": context}},
        {"Operations": ["Encrypt"]},
        {"Operations": ["Encrypt"], "Constraints": {"EncryptionContextSubset": {"a": "b"}}},
        {"Operations": ["Encrypt"], "Constraints": {"EncryptionContextEquals": {"a": "b"}}},
    ]  # fmt: skip
    for asked in wider:
        refused(by_parent.create_grant, KeyId=key, GranteePrincipal=child.arn, **asked)
        refused(by_parent.create_grant, KeyId=key, GranteePrincipal=parent.arn, **asked)
    by_parent.create_grant(
        KeyId=key, GranteePrincipal=child.arn, Operations=["Encrypt"],
        Constraints={"EncryptionContextEquals": context},
    )  # fmt: skip
    for _ in range(TIMES):
        assert "CiphertextBlob" in encrypt(world, child, key, EncryptionContext=context)
        for other in ({}, {"EncryptionContext": {"table": "x"}},
                      {"EncryptionContext": {**context, "more": "x"}}):  # fmt: skip
            assert encrypt(world, child, key, **other)["__type"] == DENIED
        refused(world.client(child).create_grant, KeyId=key, GranteePrincipal=child.arn,
                Operations=["Encrypt"])  # fmt: skip


def test_attack_on_a_key_of_another_account(world: World) -> None:
    """Whether it is there is not told, and names lead to keys of the caller's own account."""
    eve = world.user("arn:aws:iam::999999999999:user/eve")
    theirs = world.kms.at(account="999999999999").create_key(alias="alias/a")
    ours = world.kms.key("alias/a")
    missing = ours.arn[:-1] + ("0" if ours.arn[-1] != "0" else "1")
    for _ in range(TIMES):
        assert encrypt(world, world.admin)["KeyId"] == ours.arn
        assert encrypt(world, eve)["KeyId"] == theirs.arn  # the same bytes of a body
        said = {encrypt(world, eve, arn)["message"].replace(arn, "") for arn in (ours.arn, missing)}
        assert len(said) == 1
        assert encrypt(world, eve, ours.id)["__type"] == "NotFoundException"
        assert encrypt(world, world.admin, theirs.arn)["__type"] == DENIED
    blob = encrypt(world, world.admin)["CiphertextBlob"]
    for _ in range(TIMES):
        assert code(world, world.admin, "Decrypt", CiphertextBlob=blob) == ""
        assert code(world, eve, "Decrypt", CiphertextBlob=blob) == DENIED
        assert code(world, eve, "Decrypt", CiphertextBlob=blob, KeyId=ours.arn) == DENIED
        assert code(world, eve, "Decrypt", CiphertextBlob=blob, KeyId="alias/a") != ""


def test_attack_by_the_ciphertext_of_a_key_that_one_may_not_use(world: World) -> None:
    """Who may decrypt with one key gets nothing of another, named or not."""
    admin = world.client(world.admin)
    mine, other = (admin.create_key()["KeyMetadata"] for _ in range(2))
    only = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": mine["Arn"]}
    bob = world.user("bob", json.dumps({"Statement": only}))
    blobs = [encrypt(world, world.admin, key["KeyId"])["CiphertextBlob"] for key in (mine, other)]
    for _ in range(TIMES):
        assert code(world, bob, "Decrypt", CiphertextBlob=blobs[0]) == ""
        assert code(world, world.admin, "Decrypt", CiphertextBlob=blobs[1]) == ""
        assert code(world, bob, "Decrypt", CiphertextBlob=blobs[1]) == DENIED
        assert code(world, bob, "Decrypt", CiphertextBlob=blobs[1], KeyId=mine["Arn"]) == (
            "IncorrectKeyException"
        )
        assert code(world, bob, "Decrypt", CiphertextBlob=blobs[1], KeyId=other["Arn"]) == DENIED
        assert code(world, bob, "Decrypt", CiphertextBlob=blobs[0], KeyId=other["Arn"]) == DENIED


def test_attack_while_permissions_change(world: World) -> None:
    """Under load, what was acknowledged holds for every request that begins afterwards.

    The policies change in another process than the server's.
    """
    known = world.kms.principals
    known.create_user("carol")
    carol = known.create_access_key("carol")
    ended = threading.Event()
    seen: list[tuple[float, float, str]] = []

    def ask() -> None:
        while not ended.is_set():
            wire = world.wire(by=carol)
            begun = time.monotonic()
            answer = world.code(wire)
            seen.append((begun, time.monotonic(), answer))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    spans: list[tuple[float, float, str]] = []  # between an acknowledgement and the next change
    try:
        for turn in range(30):
            if turn % 2 == 0:
                known.attach_policy("carol", "use", ALL)
            else:
                known.detach_policy("carol", "use")
            start = time.monotonic()
            time.sleep(0.04)
            spans.append((start, time.monotonic(), "" if turn % 2 == 0 else DENIED))
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    checked = {"": 0, DENIED: 0}
    for start, end, wanted in spans:
        for begun, done, answer in seen:
            if begun >= start and done <= end:
                assert answer == wanted
                checked[wanted] += 1
    assert min(checked.values()) > 20


def test_attack_with_an_access_key_that_is_gone(world: World) -> None:
    known = world.kms.principals
    dave = world.user("dave")
    for _ in range(TIMES):
        assert "CiphertextBlob" in encrypt(world, dave)
    known.set_access_key(dave.id, active=False)
    for _ in range(TIMES):
        assert encrypt(world, dave)["__type"] == "UnrecognizedClientException"
    known.set_access_key(dave.id, active=True)
    for _ in range(TIMES):
        assert "CiphertextBlob" in encrypt(world, dave)
    known.delete(known.get("dave").arn)
    for _ in range(TIMES):
        assert encrypt(world, dave)["__type"] == "UnrecognizedClientException"


def test_attack_by_requests_sent_ahead(world: World) -> None:
    """Each is decided and recorded by itself, where their events are one write as well."""
    nobody = world.user("nobody", None)
    callers = [world.admin, nobody, world.admin, world.admin, nobody, world.admin] * 10
    for caller in (world.admin, nobody):
        for _ in range(TIMES):
            encrypt(world, caller)
    before = len(list(world.kms.audit.search()))
    sent = b"".join(world.wire(by=caller).bytes() for caller in callers)
    replies = world.exchange(sent, len(callers))
    assert [status for status, _ in replies] == [
        200 if caller is world.admin else 400 for caller in callers
    ]
    events = list(world.kms.audit.search())[before:]
    who = [each["userIdentity"]["accessKeyId"] for each in events]
    assert sorted(who) == sorted(caller.id for caller in callers)
    assert [each.get("errorCode") for each in events].count(DENIED) == callers.count(nobody)
    assert len({each["requestID"] for each in events}) == len(callers)


def test_every_answer_of_the_attacks_was_recorded(world: World) -> None:
    """Last in this file: also those of the short way, and none of who is not known."""
    encrypt(world, world.admin)
    events = list(world.kms.audit.search())
    assert {each["eventName"] for each in events} >= {"Encrypt", "Decrypt", "CreateGrant"}
    assert sum(each.get("errorCode") == DENIED for each in events) > 20
    assert not world.kms.audit.verify().findings
