"""The life of keys, as the API shows it."""

from __future__ import annotations

import pytest
from api import Api
from clocks import Clock

ARN = "arn:aws:kms:eu-central-1:111122223333"
UNKNOWN = "0987dcba-09fe-87dc-65ba-ab0987654321"


def test_the_metadata_of_a_new_key(api: Api) -> None:
    made = api.create_key(Description="orders", Tags=[{"TagKey": "team", "TagValue": "x"}])
    key_id, material = made["KeyId"], made["CurrentKeyMaterialId"]
    assert made == {
        "AWSAccountId": "111122223333",
        "KeyId": key_id,
        "Arn": f"{ARN}:key/{key_id}",
        "CreationDate": 1767225600.0,
        "Enabled": True,
        "Description": "orders",
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": False,
        "CurrentKeyMaterialId": material,
    }
    assert len(material) == 64
    assert api("DescribeKey", KeyId=key_id)["KeyMetadata"] == made


def test_a_multi_region_key(api: Api) -> None:
    made = api.create_key(MultiRegion=True)
    assert made["KeyId"].startswith("mrk-")
    assert made["MultiRegionConfiguration"] == {
        "MultiRegionKeyType": "PRIMARY",
        "PrimaryKey": {"Arn": made["Arn"], "Region": "eu-central-1"},
        "ReplicaKeys": [],
    }


@pytest.mark.parametrize(
    ("members", "code", "message"),
    [
        (
            {"KeySpec": "SYMMETRIC_DEFAULT", "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT"},
            "ValidationException",
            (
                "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
                "CustomerMasterKeySpec is deprecated."
            ),
        ),
        (
            {"KeySpec": "RSA_2048"},
            "ValidationException",
            (
                "You must specify a KeyUsage value for all KMS keys except for symmetric "
                "encryption keys."
            ),
        ),
        (
            {"KeyUsage": "SIGN_VERIFY"},
            "ValidationException",
            "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT",
        ),
        (
            {"KeySpec": "SM2", "KeyUsage": "SIGN_VERIFY"},
            "UnsupportedOperationException",
            "Key spec SM2 is not offered: AWS has it in its China regions only",
        ),
        (
            {"Origin": "EXTERNAL_KEY_STORE"},
            "ValidationException",
            "XksKeyId is required for keys of origin EXTERNAL_KEY_STORE, and for no other",
        ),
        (
            {"CustomKeyStoreId": "cks-1", "Origin": "AWS_CLOUDHSM"},
            "CustomKeyStoreNotFoundException",
            "Custom key store cks-1 does not exist.",
        ),
        (
            {"Policy": "no JSON"},
            "MalformedPolicyDocumentException",
            "Syntax errors in policy. the document, line 1, column 1: no is no value of JSON",
        ),
        (
            {"Tags": [{"TagKey": "a", "TagValue": "1"}, {"TagKey": "a", "TagValue": "2"}]},
            "TagException",
            "Duplicate tag keys",
        ),
        (
            {"Tags": [{"TagKey": "aws:a", "TagValue": "1"}]},
            "TagException",
            "Tags beginning with aws: are reserved",
        ),
        (
            {"Tags": [{"TagKey": f"{i}", "TagValue": ""} for i in range(51)]},
            "TagException",
            "Too many tags",
        ),
    ],
)
def test_keys_that_cannot_be(api: Api, members: dict[str, object], code: str, message: str) -> None:
    assert api.refused("CreateKey", **members) == (code, message)
    assert api("ListKeys")["Keys"] == []


def test_names_that_lead_nowhere(api: Api) -> None:
    for name, message in (
        (UNKNOWN, f"Key '{ARN}:key/{UNKNOWN}' does not exist"),
        (f"{ARN}:key/{UNKNOWN}", f"Key '{ARN}:key/{UNKNOWN}' does not exist"),
        ("fake-key-id", "Invalid keyId 'fake-key-id'"),
        ("mrk-fake-key-id", "Invalid keyId 'mrk-fake-key-id'"),
        ("alias/nothing", f"Alias {ARN}:alias/nothing is not found."),
        ("alias/aws/none", f"Alias {ARN}:alias/aws/none is not found."),
        ("alias/not:one", f"Alias {ARN}:alias/not:one is not found."),
        (f"arn:aws:kms:eu-west-1:111122223333:key/{UNKNOWN}", "Invalid arn eu-west-1"),
        (
            f"arn:aws:kms:eu-central-1:999999999999:key/{UNKNOWN}",
            f"Key 'arn:aws:kms:eu-central-1:999999999999:key/{UNKNOWN}' does not exist",
        ),
    ):
        assert api.refused("DescribeKey", KeyId=name) == ("NotFoundException", message)


def test_keys_are_named_in_every_way_where_aws_takes_them(api: Api) -> None:
    key = api.create_key()
    api("CreateAlias", AliasName="alias/orders", TargetKeyId=key["Arn"])
    names = [key["KeyId"], key["Arn"], "alias/orders", f"{ARN}:alias/orders"]
    for name in names:
        assert api("DescribeKey", KeyId=name)["KeyMetadata"]["Arn"] == key["Arn"]
    for name in names[:2]:
        api("EnableKey", KeyId=name)
    for name in names[2:]:
        assert api.refused("EnableKey", KeyId=name) == (
            "NotFoundException", f"Invalid keyId '{name}'",
        )  # fmt: skip


def test_states(api: Api, clock: Clock) -> None:
    key = api.create_key()
    arn = key["Arn"]
    state = lambda: api("DescribeKey", KeyId=arn)["KeyMetadata"]["KeyState"]
    api("DisableKey", KeyId=arn)
    assert state() == "Disabled"
    assert not api("DescribeKey", KeyId=arn)["KeyMetadata"]["Enabled"]
    disabled = ("DisabledException", f"{arn} is disabled.")
    assert api.refused("Encrypt", KeyId=arn, Plaintext=b"x") == disabled
    assert api.refused("GenerateDataKey", KeyId=arn, NumberOfBytes=1) == disabled
    assert api.refused("EnableKeyRotation", KeyId=arn) == disabled
    assert api.refused("RotateKeyOnDemand", KeyId=arn) == disabled
    api("EnableKey", KeyId=arn)
    assert state() == "Enabled"
    assert api("ScheduleKeyDeletion", KeyId=arn, PendingWindowInDays=7) == {
        "KeyId": arn,
        "DeletionDate": clock() + 7 * 86_400,
        "KeyState": "PendingDeletion",
        "PendingWindowInDays": 7,
    }
    assert api("DescribeKey", KeyId=arn)["KeyMetadata"]["DeletionDate"] == clock() + 7 * 86_400
    pending = ("KMSInvalidStateException", f"{arn} is pending deletion.")
    for operation, members in (
        ("Encrypt", {"Plaintext": b"x"}),
        ("EnableKey", {}),
        ("DisableKey", {}),
        ("ScheduleKeyDeletion", {}),
        ("UpdateKeyDescription", {"Description": ""}),
        ("TagResource", {"Tags": []}),
        ("UntagResource", {"TagKeys": []}),
        ("RotateKeyOnDemand", {}),
    ):
        assert api.refused(operation, KeyId=arn, **members) == pending, operation
    assert api.refused("CreateAlias", AliasName="alias/a", TargetKeyId=arn) == pending
    assert api("CancelKeyDeletion", KeyId=arn) == {"KeyId": arn}
    assert state() == "Disabled"
    assert api.refused("CancelKeyDeletion", KeyId=arn) == (
        "KMSInvalidStateException", f"{arn} is not pending deletion.",
    )  # fmt: skip
    api("ScheduleKeyDeletion", KeyId=arn)
    clock.forward(days=30)
    assert api.refused("DescribeKey", KeyId=arn) == (
        "NotFoundException", f"Key '{arn}' does not exist",
    )  # fmt: skip


def test_the_waiting_period_is_7_to_30_days(api: Api) -> None:
    arn = api.create_key()["Arn"]
    for days in (6, 31):
        code, message = api.refused("ScheduleKeyDeletion", KeyId=arn, PendingWindowInDays=days)
        assert code == "ValidationException"
        assert message is not None
        assert "between 7 and 30 days" in message
    assert api("DescribeKey", KeyId=arn)["KeyMetadata"]["KeyState"] == "Enabled"


def test_a_description_can_be_changed_and_emptied(api: Api) -> None:
    arn = api.create_key(Description="one")["Arn"]
    for text in ("two\n\u2603", ""):
        api("UpdateKeyDescription", KeyId=arn, Description=text)
        assert api("DescribeKey", KeyId=arn)["KeyMetadata"]["Description"] == text
