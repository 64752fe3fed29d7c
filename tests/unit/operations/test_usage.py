"""GetKeyLastUsage: of requests that look into the store, and of those answered from memory."""

from __future__ import annotations

import json
from typing import Any

import pytest
from api import Api, unblob
from clocks import Clock

from kmsfast.service import usage


@pytest.fixture(autouse=True)
def windows_end_when_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "WINDOW", 3600.0)


@pytest.fixture
def key(api: Api) -> dict[str, Any]:
    return api.create_key()


def last(api: Api, arn: str) -> dict[str, Any]:
    found = api("GetKeyLastUsage", KeyId=arn)
    assert found["KeyId"] == arn
    used: dict[str, Any] = found["KeyLastUsage"]
    return used


def test_a_key_that_was_never_used(api: Api, key: dict[str, Any]) -> None:
    found = api("GetKeyLastUsage", KeyId=key["KeyId"])
    created = key["CreationDate"]
    assert found == {
        "KeyId": key["Arn"], "KeyLastUsage": {}, "TrackingStartDate": created,
        "KeyCreationDate": created,
    }  # fmt: skip
    assert api.refused("GetKeyLastUsage", KeyId="alias/x")[0] == "NotFoundException"


def test_uses_from_the_store_and_from_memory(api: Api, key: dict[str, Any], clock: Clock) -> None:
    arn, events = key["Arn"], set()
    blob = unblob(api("Encrypt", KeyId=arn, Plaintext=b"x")["CiphertextBlob"])
    last(api, arn)
    for operation, members in (
        ("Encrypt", {"KeyId": arn, "Plaintext": b"x"}),
        ("Decrypt", {"CiphertextBlob": blob}),
        ("GenerateDataKey", {"KeyId": arn, "KeySpec": "AES_256"}),
        ("GenerateDataKeyWithoutPlaintext", {"KeyId": arn, "KeySpec": "AES_256"}),
        ("GenerateDataKeyPair", {"KeyId": arn, "KeyPairSpec": "ECC_NIST_P256"}),
    ):
        for _ in range(3):
            clock.forward(seconds=10)
            api(operation, **members)
            used = last(api, arn)
            assert (used["Operation"], used["Timestamp"]) == (operation, clock())
            assert used["KmsRequestId"] == "test"
            events.add(used["CloudTrailEventId"])
    assert len(events) == 15


def test_both_keys_of_a_re_encryption(api: Api, key: dict[str, Any]) -> None:
    other = api.create_key()["Arn"]
    blob = unblob(api("Encrypt", KeyId=key["Arn"], Plaintext=b"x")["CiphertextBlob"])
    api("ReEncrypt", CiphertextBlob=blob, DestinationKeyId=other)
    assert [last(api, arn)["Operation"] for arn in (key["Arn"], other)] == ["ReEncrypt"] * 2


def test_a_dry_run_is_no_use(api: Api, key: dict[str, Any]) -> None:
    for operation, members in (
        ("Encrypt", {"Plaintext": b"x"}),
        ("GenerateDataKey", {"KeySpec": "AES_256"}),
    ):
        code, _ = api.refused(operation, KeyId=key["Arn"], DryRun=True, **members)
        assert code == "DryRunOperationException"
    assert last(api, key["Arn"]) == {}


def test_each_use_is_of_its_own_request(api: Api) -> None:
    """Answers from memory as well, whether or not C writes them."""
    encrypts, macks = api.create_key()["Arn"], api.create_key(
        KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC"
    )["Arn"]  # fmt: skip
    requests = {
        "Encrypt": (encrypts, {"Plaintext": "eA=="}),
        "GenerateMac": (macks, {"Message": "eA==", "MacAlgorithm": "HMAC_SHA_256"}),
    }
    number = 0
    for _ in range(3):
        for operation, (arn, members) in requests.items():
            number += 1
            body = json.dumps({"KeyId": arn, **members}).encode()
            reply = api.send(body, f"TrentService.{operation}", request_id=f"request {number}")
            assert reply.status == 200
            assert last(api, arn)["KmsRequestId"] == f"request {number}"
