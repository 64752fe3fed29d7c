"""DryRun and GrantTokens in each operation that is offered and has them in the service model."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from api import Api, unblob
from botocore_model import kms_model

from kmsfast import app
from kmsfast.operations import OPERATIONS

ADA = "arn:aws:iam::000000000000:user/ada"
DRY_RUN = (
    "DryRunOperationException",
    "The request would have succeeded, but the DryRun option is set.",
)
NO_TOKEN = ("InvalidGrantTokenException", "The grant token is not valid.")
ECDSA = {"SigningAlgorithm": "ECDSA_SHA_256", "Message": base64.b64encode(b"m").decode()}
KEM = {"EncapsulationAlgorithm": "ML_KEM"}
MAC = {"MacAlgorithm": "HMAC_SHA_256", "Message": base64.b64encode(b"m").decode()}


def having(member: str) -> list[str]:
    """The operations of the model that have a member, as far as they are offered."""
    model = kms_model()
    shapes = {name: each["input"]["shape"] for name, each in model["operations"].items()}
    return sorted(
        name for name, of in shapes.items()
        if name in OPERATIONS and member in model["shapes"][of]["members"]
    )  # fmt: skip


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    running = app.start(tmp_path_factory.mktemp("options") / "store", create=True)
    yield Api(running)
    running.close()


@pytest.fixture(scope="module")
def requests(api: Api) -> dict[str, dict[str, Any]]:
    """A request of each of these operations that succeeds."""
    key, usages = api.create_key()["KeyId"], ("SIGN_VERIFY", "KEY_AGREEMENT")
    signing, agreeing = (
        api.create_key(KeySpec="ECC_NIST_P256", KeyUsage=usage)["KeyId"] for usage in usages
    )
    kem = api.create_key(KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")["KeyId"]
    encapsulated = api("Encapsulate", KeyId=kem, **KEM)["SharedSecretCiphertextBlob"]
    hmac = api.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyId"]
    grant = {"KeyId": key, "GranteePrincipal": ADA, "Operations": ["Decrypt"]}
    grant_id = api("CreateGrant", **grant)["GrantId"]
    blob = api("Encrypt", KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    pair = {"KeyId": key, "KeyPairSpec": "ECC_NIST_P256"}
    return {
        "CreateGrant": {**grant, "Name": "new"},
        "Decapsulate": {"KeyId": kem, **KEM, "SharedSecretCiphertextBlob": encapsulated},
        "Decrypt": {"CiphertextBlob": blob},
        "DeriveSharedSecret": {
            "KeyId": agreeing, "KeyAgreementAlgorithm": "ECDH",
            "PublicKey": api("GetPublicKey", KeyId=agreeing)["PublicKey"],
        },
        "DescribeKey": {"KeyId": key},
        "Encapsulate": {"KeyId": kem, **KEM},
        "Encrypt": {"KeyId": key, "Plaintext": b"x"},
        "GenerateDataKey": {"KeyId": key, "KeySpec": "AES_256"},
        "GenerateDataKeyPair": pair,
        "GenerateDataKeyPairWithoutPlaintext": pair,
        "GenerateDataKeyWithoutPlaintext": {"KeyId": key, "KeySpec": "AES_256"},
        "GenerateMac": {"KeyId": hmac, **MAC},
        "GetPublicKey": {"KeyId": signing},
        "ReEncrypt": {"CiphertextBlob": blob, "DestinationKeyId": key},
        "RetireGrant": {"KeyId": key, "GrantId": grant_id},
        "RevokeGrant": {"KeyId": key, "GrantId": grant_id},
        "Sign": {"KeyId": signing, **ECDSA},
        "Verify": {
            "KeyId": signing, **ECDSA,
            "Signature": api("Sign", KeyId=signing, **ECDSA)["Signature"],
        },
        "VerifyMac": {"KeyId": hmac, **MAC, "Mac": api("GenerateMac", KeyId=hmac, **MAC)["Mac"]},
    }  # fmt: skip


def contents(api: Api) -> Any:
    keys = [key["KeyId"] for key in api("ListKeys")["Keys"]]
    return api.app.ring.epoch[0], [api("ListGrants", KeyId=key)["Grants"] for key in keys]


@pytest.mark.parametrize("operation", having("DryRun"))
def test_a_dry_run_does_all_but_the_thing(
    api: Api, requests: dict[str, dict[str, Any]], operation: str
) -> None:
    request, before = requests[operation], contents(api)
    assert api.refused(operation, **request, DryRun=True) == DRY_RUN
    assert contents(api) == before
    if operation not in {"RetireGrant", "RevokeGrant"}:  # which would end what others still need
        api(operation, **request, DryRun=False)


@pytest.mark.parametrize("operation", having("DryRun"))
def test_a_dry_run_of_what_fails_says_why(
    api: Api, requests: dict[str, dict[str, Any]], operation: str
) -> None:
    unknown = "0987dcba-09fe-87dc-65ba-ab0987654321"
    member = "DestinationKeyId" if operation == "ReEncrypt" else "KeyId"
    request = {**requests[operation], member: unknown}
    code, message = api.refused(operation, **request, DryRun=True)
    assert code in {"NotFoundException", "IncorrectKeyException"}
    assert (code, message) == api.refused(operation, **request)


@pytest.mark.parametrize("operation", having("GrantTokens"))
def test_grant_tokens_are_taken_and_others_are_not(
    api: Api, requests: dict[str, dict[str, Any]], operation: str
) -> None:
    request = requests[operation]
    made = api("CreateGrant", **requests["CreateGrant"])
    token = made["GrantToken"]
    for _ in range(2):  # cold, and where there is a warm way, by that
        api(operation, **request, GrantTokens=[token])
        changed = token[:40] + ("A" if token[40] != "A" else "B") + token[41:]
        for other in ("token", made["GrantId"], changed, token + "A", token[:-4], "\u00e9", "="):
            assert api.refused(operation, **request, GrantTokens=[token, other]) == NO_TOKEN
    too_many = api.refused(operation, **request, GrantTokens=[token] * 11)
    assert too_many[0] == "ValidationException"


def test_the_tokens_of_another_store_are_none(api: Api, tmp_path: Path) -> None:
    running = app.start(tmp_path / "store", create=True)
    there = Api(running)
    key = there.create_key()["KeyId"]
    grant = {"KeyId": key, "GranteePrincipal": ADA, "Operations": ["Decrypt"]}
    token = there("CreateGrant", **grant)["GrantToken"]
    running.close()
    assert api.refused("RetireGrant", GrantToken=token) == NO_TOKEN


def test_samples_are_used(api: Api, requests: dict[str, dict[str, Any]]) -> None:
    assert set(requests) == {*having("DryRun"), *having("GrantTokens")}
    assert unblob(api("Decrypt", **requests["Decrypt"])["Plaintext"]) == b"x"
