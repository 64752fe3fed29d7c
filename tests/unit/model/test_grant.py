"""What a grant must be, by the rules alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore_model import kms_model

from kmsfast.errors import InvalidArn, InvalidGrantId, ValidationError
from kmsfast.model.grant import (
    checked_grant_id,
    checked_principal,
    new_grant,
    operations_for,
    require_grantable,
    same_request,
)
from kmsfast.model.key import KeyMetadata, KeyState, RotationStatus
from kmsfast.model.keyspec import KeySpec, KeyUsage
from kmsfast.model.policy_actions import GRANTABLE
from kmsfast.model.policy_grant import Grant

ADA = "arn:aws:iam::111122223333:user/ada"
S3 = "arn:aws:s3:us-east-1:111122223333:bucket"
# Developer guide, "Key type reference", and the operations that grants can have at all.
EXPECTED = {
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"): (
        "Decrypt Encrypt GenerateDataKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext "
        "GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo"
    ),
    ("RSA_2048", "ENCRYPT_DECRYPT"): "Decrypt Encrypt GetPublicKey ReEncryptFrom ReEncryptTo",
    ("RSA_2048", "SIGN_VERIFY"): "GetPublicKey Sign Verify",
    ("ML_DSA_65", "SIGN_VERIFY"): "GetPublicKey Sign Verify",
    ("ECC_NIST_P256", "KEY_AGREEMENT"): "DeriveSharedSecret GetPublicKey",
    ("HMAC_256", "GENERATE_VERIFY_MAC"): "GenerateMac VerifyMac",
}


def key_of(spec: str, usage: str) -> KeyMetadata:
    return KeyMetadata(
        raw_id=bytes(16), arn="arn:aws:kms:us-east-1:111122223333:key/x", state=KeyState.ENABLED,
        description="", multi_region=False, created_at=datetime.now(UTC), current_version=1,
        rotation=RotationStatus(False, None, None), deletion_date=None, aliases=(), tags={},
        policy=None, spec=KeySpec(spec), usage=KeyUsage(usage),
    )  # fmt: skip


SYMMETRIC = key_of("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT")


@pytest.mark.parametrize(("spec", "usage"), EXPECTED)
def test_the_operations_of_each_kind_of_key(spec: str, usage: str) -> None:
    key = key_of(spec, usage)
    expected = {*EXPECTED[spec, usage].split(), "CreateGrant", "DescribeKey", "RetireGrant"}
    assert operations_for(key) == expected
    for operation in sorted(GRANTABLE - {"CreateGrant"}):
        wanted = new_grant(ADA, [operation])
        if operation in expected:
            require_grantable(key, wanted)
        else:
            with pytest.raises(ValidationError, match=rf"^Grant operations \[{operation}\] are "):
                require_grantable(key, wanted)


def test_the_operations_of_the_model_are_known() -> None:
    enumerated = set(kms_model()["shapes"]["GrantOperation"]["enum"])
    assert enumerated >= GRANTABLE
    assert enumerated - GRANTABLE <= {"Encapsulate", "Decapsulate"}


@pytest.mark.parametrize("kind", ["equals", "subset"])
def test_context_constraints_are_for_symmetric_keys(kind: str) -> None:
    constrained = {kind: {"a": "b"}}
    require_grantable(SYMMETRIC, new_grant(ADA, ["Decrypt"], **constrained))
    for spec, usage in EXPECTED:
        if spec != "SYMMETRIC_DEFAULT":
            with pytest.raises(ValidationError, match="only valid for symmetric encryption keys"):
                require_grantable(
                    key_of(spec, usage), new_grant(ADA, ["DescribeKey"], **constrained)
                )
            require_grantable(key_of(spec, usage), new_grant(ADA, ["DescribeKey"], **{kind: {}}))
            require_grantable(key_of(spec, usage), new_grant(ADA, ["DescribeKey"], source_arn=S3))


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"grantee": None}, "^You must specify either GranteePrincipal or GranteeServicePrincipal, "),
    ({"operations": []}, "at least one operation"),
    ({"operations": ["CreateGrant"]}, "^Grants must not contain only the CreateGrant operation.$"),
    ({"operations": ["CreateGrant", "CreateGrant"]}, "must not contain only"),
    ({"operations": ["ListGrants"]}, "'ListGrants' is no operation of grants; these are: "),
    ({"operations": "Decrypt"}, "several names"),
    ({"equals": {"a": "b"}, "subset": {"a": "b"}}, "^More than one constraint supplied$"),
    ({"equals": {str(i): "" for i in range(9)}}, "has 9 pairs; a grant constraint has at most 8"),
    ({"subset": {"k": "v" * 384}}, "385 characters; a grant constraint has at most 384"),
    ({"subset": {"k": 1}}, "mapping of str to str"),
    ({"subset": {"k": "\ud800"}}, "not valid Unicode"),
    ({"name": ""}, "is no name of a grant"),
    ({"name": "a b"}, "is no name of a grant"),
    ({"name": "x" * 257}, "is no name of a grant"),
    ({"source_arn": "arn:aws:s3:::bucket"}, "is no ARN of a resource"),
    ({"source_arn": "arn:aws:s3:us-east-1:111122223333:" + "x" * 500}, "is no ARN of a resource"),
    ({"grantee": "ec2.amazonaws.com", "to_service": True}, "needs a SourceArn constraint"),
    ({"grantee": "ec2.amazonaws.com", "to_service": True, "source_arn": S3}, "RetiringPrincipal"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "words"), REFUSED)
def test_what_is_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        new_grant(**{"grantee": ADA, "operations": ["Decrypt"], **given})


def test_the_bounds_themselves_are_allowed() -> None:
    new_grant(ADA, ["Decrypt", "CreateGrant"], name="x" * 256, equals={"k": "v" * 383})
    new_grant(ADA, ["Decrypt"], name="a:/_-Z9", subset={str(i): "" for i in range(8)})
    made = new_grant("ec2.amazonaws.com", ["Decrypt"], source_arn=S3, retiring="s3.amazonaws.com",
                     to_service=True, by_service=True)  # fmt: skip
    assert made.to_api()["GranteeServicePrincipal"] == "ec2.amazonaws.com"
    assert made.to_api()["RetiringServicePrincipal"] == "s3.amazonaws.com"


@pytest.mark.parametrize(
    "arn",
    [ADA, "arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:role/path/app",
     "arn:aws:sts::111122223333:assumed-role/app/run", "arn:aws-cn:iam::111122223333:user/a",
     "arn:aws:sts::111122223333:federated-user/carol", "ec2.amazonaws.com",
     "dynamodb.us-west-2.amazonaws.com"],
)  # fmt: skip
def test_principals(arn: str) -> None:
    assert checked_principal(arn) == arn
    assert new_grant(arn, ["Decrypt"], retiring=arn).retiring == arn


@pytest.mark.parametrize(
    "arn",
    ["111122223333", "alice", "*", "arn:aws:iam::111122223333:group/g", "arn:aws:iam::1:root",
     "arn:aws:iam::111122223333:user/*", "arn:aws:s3:::bucket", "ec2.example.com", ADA + "\n"],
)  # fmt: skip
def test_texts_that_are_no_principals(arn: str) -> None:
    for role in ("grantee", "retiring"):
        with pytest.raises(
            InvalidArn, match=r"^ARN does not refer to a valid principal: "
        ) as error:
            new_grant(**{"grantee": ADA, "operations": ["Decrypt"], role: arn})
        assert error.value.code == "InvalidArnException"


def test_ids() -> None:
    assert checked_grant_id("0a" * 32) == "0a" * 32
    for text in ("0a" * 31, "0A" * 32, "x" * 64, "", "0a" * 33, "0a" * 32 + "\n", None):
        with pytest.raises(InvalidGrantId):
            checked_grant_id(text)


def test_a_retry_has_the_same_parameters() -> None:
    given: dict[str, Any] = {
        "retiring": ADA, "subset": {"a": "b", "c": "d"}, "name": "n", "source_arn": S3,
    }  # fmt: skip
    one = new_grant(ADA, ["Decrypt", "Encrypt"], **given)
    made = replace(one, id="0" * 64, created_at=datetime.now(UTC), issuing_account="x", key_arn="y")
    again = new_grant(ADA, ["Encrypt", "Decrypt", "Encrypt"],
                      **{**given, "subset": {"c": "d", "a": "b"}})  # fmt: skip
    assert same_request(made, again)
    for change in (
        {"retiring": None}, {"subset": {"a": "b"}}, {"name": "m"}, {"source_arn": None},
        {"subset": None, "equals": {"a": "b", "c": "d"}},
    ):  # fmt: skip
        assert not same_request(made, new_grant(ADA, ["Decrypt", "Encrypt"], **{**given, **change}))
    assert not same_request(made, new_grant(ADA, ["Decrypt"], **given))
    other = ADA.replace("ada", "bob")
    assert not same_request(made, new_grant(other, ["Decrypt", "Encrypt"], **given))


def test_an_entry_of_the_api_and_back() -> None:
    entry = {
        "GrantId": "0" * 64, "Name": "n", "GranteeServicePrincipal": "ec2.amazonaws.com",
        "RetiringPrincipal": ADA, "Operations": ["Decrypt", "DescribeKey"],
        "Constraints": {"EncryptionContextSubset": {"a": "b"}, "SourceArn": S3},
    }  # fmt: skip
    assert Grant.of_api(entry).to_api() == entry
    for both in ("GranteePrincipal", "RetiringServicePrincipal"):
        with pytest.raises(ValidationError, match=r"but not both\."):
            Grant.of_api({**entry, both: "ec2.amazonaws.com"})
    with pytest.raises(ValidationError, match="GranteePrincipal of a grant is missing"):
        Grant.of_api({"Operations": ["Decrypt"]})
