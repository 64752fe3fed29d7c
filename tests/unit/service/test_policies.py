"""Key policies that are put: whom they name must exist; the console's policy for new keys."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

import kmsfast
from kmsfast.errors import (
    MalformedPolicyDocument,
    PrincipalNotFound,
    ValidationError,
)

ACCOUNT, OTHER = "000000000000", "444455556666"


def naming(*principals: str, element: str = "Principal") -> str:
    statement = {
        "Effect": "Allow" if element == "Principal" else "Deny",
        element: {"AWS": list(principals)}, "Action": "kms:*", "Resource": "*",
    }  # fmt: skip
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def user(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:user/{name}"


WAYS: dict[str, Callable[[kmsfast.Kms, str], object]] = {
    "CreateKey": lambda kms, text: kms.create_key(policy=text),
    "PutKeyPolicy": lambda kms, text: kms.create_key().put_policy(text),
    "ReplicateKey": lambda kms, text: kms.create_key(multi_region=True).replicate(
        "eu-west-1", policy=text
    ),
}


@pytest.mark.parametrize("way", list(WAYS))
def test_whom_a_policy_names_exists(kms: kmsfast.Kms, way: str) -> None:
    kms.principals.create_user("ada")
    WAYS[way](kms, naming(user("ada")))
    before = len(kms.keys())
    with pytest.raises(
        MalformedPolicyDocument, match=r"Policy contains a statement with one or "
    ) as e:
        WAYS[way](kms, naming(user("ada"), user("eve")))
    assert f"Statement[0] names {user('eve')}, which account {ACCOUNT} does not have" in str(
        e.value
    )
    made = 0 if way == "CreateKey" else 1
    assert len(kms.keys()) == before + made


def test_a_store_without_principals_takes_every_policy(kms: kmsfast.Kms) -> None:
    key = kms.create_key(policy=naming(user("ghost"), f"arn:aws:iam::{ACCOUNT}:role/x"))
    kms.principals.create_account(ACCOUNT)
    with pytest.raises(MalformedPolicyDocument):
        key.put_policy(naming(user("ghost")))


TAKEN = {
    "its account": f"arn:aws:iam::{ACCOUNT}:root",
    "its account by number": ACCOUNT,
    "a role": f"arn:aws:iam::{ACCOUNT}:role/ci/build",
    "a session of a known role": f"arn:aws:sts::{ACCOUNT}:assumed-role/build/host-1",
    "a federated user": f"arn:aws:sts::{ACCOUNT}:federated-user/x",
    "an account that is not managed": user("anybody", OTHER),
    "another partition": f"arn:aws-cn:iam::{ACCOUNT}:user/x",
    "everybody": "*",
}
REFUSED = {
    "a user": user("eve"),
    "a user under another path": user("team/ada"),
    "a role of a user's name": f"arn:aws:iam::{ACCOUNT}:role/ada",
    "a role without its path": f"arn:aws:iam::{ACCOUNT}:role/build",
    "a session of no role": f"arn:aws:sts::{ACCOUNT}:assumed-role/ada/host-1",
}


@pytest.fixture
def managed(kms: kmsfast.Kms) -> kmsfast.Kms:
    kms.principals.create_user("ada")
    kms.principals.create_role("ci/build")
    return kms


@pytest.mark.parametrize("element", ["Principal", "NotPrincipal"])
@pytest.mark.parametrize("who", list(TAKEN))
def test_who_is_taken(managed: kmsfast.Kms, who: str, element: str) -> None:
    managed.create_key(policy=naming(TAKEN[who], element=element))


@pytest.mark.parametrize("element", ["Principal", "NotPrincipal"])
@pytest.mark.parametrize("who", list(REFUSED))
def test_who_is_refused(managed: kmsfast.Kms, who: str, element: str) -> None:
    with pytest.raises(MalformedPolicyDocument, match="invalid principals"):
        managed.create_key(policy=naming(REFUSED[who], element=element))


def test_who_was_deleted_may_stay_in_a_policy(managed: kmsfast.Kms) -> None:
    key = managed.create_key(policy=naming(user("ada")))
    managed.principals.delete("ada")
    assert user("ada") in key.get_policy()
    with pytest.raises(MalformedPolicyDocument):
        key.put_policy(key.get_policy())


def test_administrators_and_users_of_a_new_key(managed: kmsfast.Kms) -> None:
    role = f"arn:aws:iam::{ACCOUNT}:role/ci/build"
    key = managed.create_key(spec="HMAC_256", administrators=["ada"], users=[role, OTHER])
    statements = {each["Sid"]: each for each in json.loads(key.get_policy())["Statement"]}
    assert statements["Allow access for Key Administrators"]["Principal"]["AWS"] == user("ada")
    use = statements["Allow use of the key"]
    assert use["Principal"]["AWS"] == [role, f"arn:aws:iam::{OTHER}:root"]
    assert use["Action"] == ["kms:DescribeKey", "kms:GenerateMac", "kms:VerifyMac"]
    assert managed.create_key(users="ada").get_policy().count(user("ada")) == 2  # type: ignore[arg-type]
    assert managed.create_key().policy is None


def test_administrators_who_cannot_be(managed: kmsfast.Kms) -> None:
    before = len(managed.keys())
    with pytest.raises(PrincipalNotFound):
        managed.create_key(administrators=["eve"])
    with pytest.raises(MalformedPolicyDocument, match="user/eve"):
        managed.create_key(users=[user("eve")])
    with pytest.raises(ValidationError, match="either a policy"):
        managed.create_key(users=["ada"], policy=naming(user("ada")))
    with pytest.raises(ValidationError, match="cannot administer"):
        managed.at(account=OTHER).create_key(administrators=["ada"])
    with pytest.raises(ValidationError, match="KeyUsage"):
        managed.create_key(spec="RSA_2048", users=["ada"])
    assert len(managed.keys()) == before
