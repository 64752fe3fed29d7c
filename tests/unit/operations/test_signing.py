"""Signatures and MACs, cold and warm."""

from __future__ import annotations

from typing import Any

import pytest
from api import Api, unblob

from kmsfast.operations import OPERATIONS

SIGN = {"Message": b"m", "SigningAlgorithm": "ECDSA_SHA_256"}
MAC = {"Message": b"m", "MacAlgorithm": "HMAC_SHA_256"}
PAIR = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
HMAC = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}


def warmly(api: Api, operation: str, **members: Any) -> dict[str, Any] | None:
    warm = OPERATIONS[operation].warm
    assert warm is not None
    return warm(api.app, members)


def made(api: Api, spec: dict[str, str]) -> dict[str, Any]:
    key = api.create_key(**spec)
    api("CreateAlias", AliasName="alias/a", TargetKeyId=key["KeyId"])
    return key


def test_signatures_are_made_and_verified_warm(api: Api) -> None:
    arn = made(api, PAIR)["Arn"]
    for name in "alias/a", arn:
        members = {"KeyId": name, **SIGN}
        assert warmly(api, "Sign", **members) is None
        cold = api("Sign", **members)
        warm = warmly(api, "Sign", **members)
        assert warm is not None
        assert list(warm) == list(cold)
        assert (warm["KeyId"], warm["SigningAlgorithm"]) == (arn, "ECDSA_SHA_256")
        for signature in unblob(cold["Signature"]), warm["Signature"]:
            verified = api("Verify", **members, Signature=signature)
            assert warmly(api, "Verify", **members, Signature=signature) == verified
        changed = {**members, "Message": b"n", "Signature": warm["Signature"]}
        assert warmly(api, "Verify", **changed) is None
        assert api.refused("Verify", **changed) == ("KMSInvalidSignatureException", None)
        for more in {"DryRun": True}, {"MessageType": "DIGEST"}:
            assert warmly(api, "Sign", **members, **more) is None
    digest = {"KeyId": arn, **SIGN, "MessageType": "DIGEST", "Message": bytes(32)}
    api("Sign", **digest)
    assert warmly(api, "Sign", **digest) is not None
    assert warmly(api, "Sign", **{**digest, "Message": bytes(31)}) is None
    assert api.refused("Sign", **{**digest, "Message": bytes(31)})[0] == "ValidationException"


def test_macs_are_made_and_verified_warm(api: Api) -> None:
    arn = made(api, HMAC)["Arn"]
    for name in "alias/a", arn:
        members = {"KeyId": name, **MAC}
        assert warmly(api, "GenerateMac", **members) is None
        cold = api("GenerateMac", **members)
        warm = warmly(api, "GenerateMac", **members)
        assert warm == {**cold, "Mac": unblob(cold["Mac"])}
        mac = unblob(cold["Mac"])
        assert warmly(api, "VerifyMac", **members, Mac=mac) == api("VerifyMac", **members, Mac=mac)
        for wrong in bytes(32), mac[:-1], mac + b"x":
            refused = api.refused("VerifyMac", **members, Mac=wrong)
            assert refused == ("KMSInvalidMacException", None)
        assert warmly(api, "GenerateMac", **members, DryRun=True) is None
    assert api.refused("GenerateMac", KeyId=arn, Message=b"m", MacAlgorithm="HMAC_SHA_512")[0] == (
        "InvalidKeyUsageException"
    )


@pytest.mark.parametrize(
    ("spec", "operation", "members"), [(PAIR, "Sign", SIGN), (HMAC, "GenerateMac", MAC)]
)
def test_no_change_is_missed_by_warm_calls(
    api: Api, spec: dict[str, str], operation: str, members: dict[str, Any]
) -> None:
    key = made(api, spec)["KeyId"]
    members = {"KeyId": "alias/a", **members}
    api(operation, **members)
    assert warmly(api, operation, **members) is not None
    api("DisableKey", KeyId=key)
    assert warmly(api, operation, **members) is None
    assert api.refused(operation, **members)[0] == "DisabledException"
    other = api.create_key(**spec)
    api("UpdateAlias", AliasName="alias/a", TargetKeyId=other["KeyId"])
    assert api(operation, **members)["KeyId"] == other["Arn"]
    assert api(operation, **members)["KeyId"] == other["Arn"]
