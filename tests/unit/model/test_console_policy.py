"""The console's key policy: what it allows, permission by permission, to whom, for every type."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest

from kmsfast.errors import LimitExceeded, ValidationError
from kmsfast.model.console_policy import NewKey, console_policy
from kmsfast.model.keyspec import KeySpec, KeyUsage, Origin
from kmsfast.model.policy_actions import ACTIONS, CRYPTOGRAPHIC, on_keys
from kmsfast.model.policy_decision import Policies, decide
from kmsfast.model.policy_document import key_policy
from kmsfast.model.policy_principal import Principal
from kmsfast.model.policy_request import KeyFacts, Request

ACCOUNT, OTHER = "111122223333", "444455556666"
ADMINISTRATOR = f"arn:aws:iam::{ACCOUNT}:role/Admins"
USER = f"arn:aws:iam::{ACCOUNT}:user/app"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Row(NamedTuple):
    """A type of key, and beyond what all have: what administrators and users may do with it."""

    spec: str
    usage: str
    uses: str
    origin: str = "AWS_KMS"
    multi_region: bool = False
    administers: str = ""
    for_services: bool = True


# Developer guide, "Default key policy": each permission by its name, no wildcard.
ADMINISTERS = (
    "CancelKeyDeletion CreateAlias CreateGrant DeleteAlias DeleteImportedKeyMaterial DescribeKey "
    "DisableKey DisableKeyRotation EnableKey EnableKeyRotation GetKeyLastUsage GetKeyPolicy "
    "GetKeyRotationStatus GetParametersForImport GetPublicKey ListGrants ListKeyPolicies "
    "ListKeyRotations ListResourceTags PutKeyPolicy RevokeGrant RotateKeyOnDemand "
    "ScheduleKeyDeletion TagResource UntagResource UpdateAlias UpdateKeyDescription "
    "UpdatePrimaryRegion"
)
SYMMETRIC = (
    "Encrypt Decrypt DescribeKey GenerateDataKey GenerateDataKeyPair "
    "GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo"
)
FOR_SERVICES = {"CreateGrant", "ListGrants", "RevokeGrant"}
TYPES = {
    "symmetric": Row("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", SYMMETRIC),
    "imported": Row("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", SYMMETRIC, "EXTERNAL",
                    administers="ImportKeyMaterial"),
    "multi-Region": Row("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", SYMMETRIC, multi_region=True,
                        administers="ReplicateKey"),
    "HMAC": Row("HMAC_256", "GENERATE_VERIFY_MAC", "DescribeKey GenerateMac VerifyMac",
                for_services=False),
    "RSA, encryption": Row("RSA_3072", "ENCRYPT_DECRYPT", "DescribeKey Decrypt Encrypt "
                           "GetPublicKey ReEncryptFrom ReEncryptTo"),
    "signatures": Row("ECC_NIST_P256", "SIGN_VERIFY", "DescribeKey GetPublicKey Sign Verify"),
    "ML-DSA": Row("ML_DSA_65", "SIGN_VERIFY", "DescribeKey GetPublicKey Sign Verify"),
    "key agreement": Row("ECC_NIST_P384", "KEY_AGREEMENT",
                         "DeriveSharedSecret DescribeKey GetPublicKey"),
    "ML-KEM": Row("ML_KEM_768", "ENCAPSULATE_DECAPSULATE",
                  "Decapsulate DescribeKey Encapsulate GetPublicKey"),
    "all at once": Row("HMAC_512", "GENERATE_VERIFY_MAC", "DescribeKey GenerateMac VerifyMac",
                       "EXTERNAL", multi_region=True, for_services=False,
                       administers="ImportKeyMaterial ReplicateKey"),
}  # fmt: skip


def new_key(row: Row) -> NewKey:
    kind = KeySpec(row.spec), KeyUsage(row.usage), Origin(row.origin)
    return NewKey(ACCOUNT, "aws", *kind, row.multi_region)


def allowed(text: str, row: Row, who: str, **values: Any) -> set[str]:
    """The actions on the key that somebody without identity policies may do."""
    facts = KeyFacts(
        f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1", row.spec, row.usage, row.origin,
        "PRIMARY" if row.multi_region else None,
    )  # fmt: skip
    policies = Policies(key_policy(text))
    actions = [name for name in ACTIONS if on_keys(name) and name != "RetireGrant"]
    return {
        name
        for name in actions
        if decide(Request(Principal(who), name, NOW, facts, values=values), policies).allowed
    }


@pytest.mark.parametrize("name", list(TYPES))
def test_every_permission(name: str) -> None:
    row = TYPES[name]
    text = console_policy(new_key(row), [ADMINISTRATOR], [USER])
    managing = {*ADMINISTERS.split(), *row.administers.split()}
    using = set(row.uses.split())
    assert allowed(text, row, ADMINISTRATOR) == managing
    assert not managing & CRYPTOGRAPHIC
    assert allowed(text, row, USER) == using
    by_service = {"kms:GrantIsForAWSResource": "true"}
    assert allowed(text, row, USER, **by_service) == using | (
        FOR_SERVICES if row.for_services else set()
    )
    assert allowed(text, row, f"arn:aws:iam::{ACCOUNT}:user/eve") == set()
    root = allowed(text, row, f"arn:aws:iam::{ACCOUNT}:root")
    assert root >= managing | using


def test_the_document_is_what_the_console_finds_again() -> None:
    key = new_key(TYPES["symmetric"])
    document = json.loads(console_policy(key, [ADMINISTRATOR, ADMINISTRATOR], [USER, OTHER]))
    assert [each["Sid"] for each in document["Statement"]] == [
        "Enable IAM User Permissions", "Allow access for Key Administrators",
        "Allow use of the key", "Allow attachment of persistent resources",
    ]  # fmt: skip
    assert document["Statement"][1]["Principal"] == {"AWS": ADMINISTRATOR}
    users = {"AWS": [USER, f"arn:aws:iam::{OTHER}:root"]}
    assert [each["Principal"] for each in document["Statement"][2:]] == [users, users]
    alone = json.loads(console_policy(key, [], [USER]))["Statement"]
    assert [each["Sid"] for each in alone][1:] == [
        "Allow use of the key", "Allow attachment of persistent resources",
    ]  # fmt: skip
    assert len(json.loads(console_policy(key, [ADMINISTRATOR], []))["Statement"]) == 2


@pytest.mark.parametrize(
    "who",
    ["ada", f"arn:aws:iam::{ACCOUNT}:root", f"arn:aws:iam::{OTHER}:role/x", "*", "",
     f"arn:aws-cn:iam::{ACCOUNT}:role/x", f"arn:aws:iam::{ACCOUNT}:group/x"],
)  # fmt: skip
def test_who_cannot_be_an_administrator(who: str) -> None:
    with pytest.raises(ValidationError, match="cannot administer the key"):
        console_policy(new_key(TYPES["HMAC"]), [who], [])


@pytest.mark.parametrize("who", ["ada", "*", "s3.amazonaws.com", f"arn:aws:iam::{ACCOUNT}:group/x"])
def test_who_cannot_be_a_user(who: str) -> None:
    with pytest.raises(ValidationError, match="cannot be a user of the key"):
        console_policy(new_key(TYPES["HMAC"]), [], [who])


def test_too_many_are_refused_when_the_policy_is_put() -> None:
    many = [f"arn:aws:iam::{ACCOUNT}:role/{i:060}" for i in range(400)]
    with pytest.raises(LimitExceeded):
        key_policy(console_policy(new_key(TYPES["HMAC"]), many, []))
