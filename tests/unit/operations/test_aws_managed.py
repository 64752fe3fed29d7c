"""AWS managed keys as the API shows them."""

from __future__ import annotations

from api import Api

from kmsfast.model.aws_managed import PREDEFINED


def test_an_alias_of_aws_gets_its_key_when_it_is_used(api: Api) -> None:
    assert api("ListKeys")["Keys"] == []
    made = api("GenerateDataKey", KeyId="alias/aws/s3", KeySpec="AES_256")
    shown = api("DescribeKey", KeyId="alias/aws/s3")["KeyMetadata"]
    assert (shown["Arn"], shown["KeyManager"]) == (made["KeyId"], "AWS")
    aliases = api("ListAliases")["Aliases"]
    assert [each["AliasName"] for each in aliases] == sorted(PREDEFINED)
    assert [e["TargetKeyId"] for e in aliases if "TargetKeyId" in e] == [shown["KeyId"]]
    assert api("ListAliases", KeyId=shown["KeyId"])["Aliases"][0]["AliasName"] == "alias/aws/s3"
    status = api("GetKeyRotationStatus", KeyId=shown["KeyId"])
    assert (status["KeyRotationEnabled"], status["RotationPeriodInDays"]) == (True, 365)
    assert '"auto-s3"' in api("GetKeyPolicy", KeyId=shown["KeyId"])["Policy"]


def test_it_is_not_the_accounts_to_change(api: Api) -> None:
    name = {"KeyId": api("DescribeKey", KeyId="alias/aws/ssm")["KeyMetadata"]["KeyId"]}
    for operation, members in (
        ("DisableKey", {}),
        ("ScheduleKeyDeletion", {}),
        ("DisableKeyRotation", {}),
        ("RotateKeyOnDemand", {}),
        ("TagResource", {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        ("UpdateKeyDescription", {"Description": "mine"}),
    ):
        assert api.refused(operation, **name, **members)[0] == "AccessDeniedException"
    assert api.refused("CreateAlias", AliasName="alias/aws/x", TargetKeyId=name["KeyId"])[0] == (
        "NotAuthorizedException"
    )
