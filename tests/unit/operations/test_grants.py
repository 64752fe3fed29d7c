"""Grants by the API: creating, listing, retiring, revoking."""

from __future__ import annotations

from typing import Any

import pytest
from api import Api
from clocks import Clock

from kmsfast.model.quotas import Quotas

ACCOUNT = "111122223333"
ADA, BOB = (f"arn:aws:iam::{ACCOUNT}:user/{name}" for name in ("ada", "bob"))
S3 = f"arn:aws:s3:eu-central-1:{ACCOUNT}:bucket"
UNKNOWN = "0987dcba-09fe-87dc-65ba-ab0987654321"
GRANT: dict[str, Any] = {"GranteePrincipal": ADA, "Operations": ["Encrypt", "Decrypt"]}
NO_ID = "0" * 64


@pytest.fixture
def arn(api: Api) -> str:
    return api.create_key()["Arn"]


def grants_of(api: Api, key: str, **members: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api("ListGrants", KeyId=key, **members)["Grants"]
    return found


def test_a_grant_with_everything(api: Api, arn: str, clock: Clock) -> None:
    made = api(
        "CreateGrant", KeyId=arn.rpartition("/")[2], RetiringPrincipal=BOB, Name="for/ada_1",
        Constraints={"EncryptionContextSubset": {"table": "orders"}, "SourceArn": S3}, **GRANT,
    )  # fmt: skip
    assert made.keys() == {"GrantId", "GrantToken"}
    assert len(bytes.fromhex(made["GrantId"])) == 32
    expected = {
        "KeyId": arn, "GrantId": made["GrantId"], "Name": "for/ada_1", "CreationDate": clock(),
        "GranteePrincipal": ADA, "RetiringPrincipal": BOB, "Operations": ["Decrypt", "Encrypt"],
        "IssuingAccount": f"arn:aws:iam::{ACCOUNT}:root",
        "Constraints": {"EncryptionContextSubset": {"table": "orders"}, "SourceArn": S3},
    }  # fmt: skip
    assert grants_of(api, arn) == [expected]
    assert api("ListRetirableGrants", RetiringPrincipal=BOB)["Grants"] == [expected]
    assert api("ListRetirableGrants", RetiringPrincipal=ADA)["Grants"] == []


def test_a_grant_with_the_least(api: Api, arn: str) -> None:
    api("CreateGrant", KeyId=arn, Constraints={"EncryptionContextEquals": {}}, **GRANT)
    (found,) = grants_of(api, arn)
    assert found.keys() == {
        "KeyId", "GrantId", "CreationDate", "GranteePrincipal", "IssuingAccount", "Operations",
    }  # fmt: skip


def test_a_grant_for_a_service(api: Api, arn: str) -> None:
    service = {"GranteeServicePrincipal": "ec2.amazonaws.com", "Operations": ["Decrypt"]}
    retiring = {"RetiringServicePrincipal": "ec2.amazonaws.com"}
    source = {"Constraints": {"SourceArn": S3}}
    for missing in ({**service, **retiring}, {**service, **source}):
        assert api.refused("CreateGrant", KeyId=arn, **missing)[0] == "ValidationException"
    made = api("CreateGrant", KeyId=arn, **service, **retiring, **source)["GrantId"]
    api("CreateGrant", KeyId=arn, **GRANT)
    (found,) = grants_of(api, arn, GranteeServicePrincipal="ec2.amazonaws.com")
    assert (found["GrantId"], found["GranteeServicePrincipal"]) == (made, "ec2.amazonaws.com")
    assert "GranteePrincipal" not in found
    assert api("ListRetirableGrants", **retiring)["Grants"] == [found]
    roles = {"CreateGrant": ("Grantee", "Retiring"), "ListGrants": ("Grantee",),
             "ListRetirableGrants": ("Retiring",)}  # fmt: skip
    for operation, role in [(name, role) for name, several in roles.items() for role in several]:
        both = {f"{role}Principal": ADA, f"{role}ServicePrincipal": "ec2.amazonaws.com"}
        request = {"KeyId": arn, **GRANT, **both} if operation != "ListRetirableGrants" else both
        assert api.refused(operation, **request) == (
            "ValidationException",
            f"You must specify either {role}Principal or {role}ServicePrincipal, but not both.",
        )
    assert api.refused("ListRetirableGrants")[1] == (
        "You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both."
    )


def test_the_same_name_and_parameters_are_one_grant(api: Api, arn: str) -> None:
    first = api("CreateGrant", KeyId=arn, Name="n", **GRANT)
    again = api("CreateGrant", KeyId=arn, Name="n", **GRANT)
    assert first["GrantId"] == again["GrantId"]
    assert first["GrantToken"] != again["GrantToken"]
    others = [
        api("CreateGrant", KeyId=arn, **GRANT), api("CreateGrant", KeyId=arn, **GRANT),
        api("CreateGrant", KeyId=arn, Name="m", **GRANT),
        api("CreateGrant", KeyId=arn, Name="n", **{**GRANT, "GranteePrincipal": BOB}),
        api("CreateGrant", KeyId=api.create_key()["KeyId"], Name="n", **GRANT),
    ]  # fmt: skip
    assert len({each["GrantId"] for each in [first, *others]}) == 6
    assert len(grants_of(api, arn)) == 5
    api("RetireGrant", GrantToken=first["GrantToken"])
    assert api.refused("RetireGrant", GrantToken=again["GrantToken"]) == (
        "NotFoundException", f"Grant ID {first['GrantId']} not found",
    )  # fmt: skip
    assert api("CreateGrant", KeyId=arn, Name="n", **GRANT)["GrantId"] != first["GrantId"]


def test_filters(api: Api, arn: str) -> None:
    ids = {
        name: api("CreateGrant", KeyId=arn, **{**GRANT, "GranteePrincipal": name})["GrantId"]
        for name in (ADA, BOB)
    }
    assert [grant["GrantId"] for grant in grants_of(api, arn, GranteePrincipal=BOB)] == [ids[BOB]]
    assert [grant["GrantId"] for grant in grants_of(api, arn, GrantId=ids[ADA])] == [ids[ADA]]
    assert grants_of(api, arn, GrantId=ids[ADA], GranteePrincipal=BOB) == []
    assert grants_of(api, arn, GrantId=NO_ID) == []
    assert api.refused("ListGrants", KeyId=arn, GrantId="x") == (
        "InvalidGrantIdException", "Invalid grantId 'x'",
    )  # fmt: skip
    assert api.refused("ListGrants", KeyId=arn, GranteePrincipal="ada") == (
        "InvalidArnException", "ARN does not refer to a valid principal: ada",
    )  # fmt: skip


@pytest.mark.parametrize("operation", ["RetireGrant", "RevokeGrant"])
def test_a_grant_is_ended_by_key_and_id(api: Api, arn: str, operation: str) -> None:
    made, kept = (api("CreateGrant", KeyId=arn, **GRANT)["GrantId"] for _ in range(2))
    other = api.create_key()["Arn"]
    missing = ("NotFoundException", f"Grant ID {made} not found")
    assert api.refused(operation, KeyId=other, GrantId=made) == missing
    assert api(operation, KeyId=arn, GrantId=made) == {}
    assert api.refused(operation, KeyId=arn, GrantId=made) == missing
    assert [grant["GrantId"] for grant in grants_of(api, arn)] == [kept]
    for text in ("x", made.upper(), made + "0"):
        assert api.refused(operation, KeyId=arn, GrantId=text) == (
            "InvalidGrantIdException", f"Invalid grantId {text!r}",
        )  # fmt: skip


def test_how_a_grant_to_retire_is_named(api: Api, arn: str) -> None:
    made = api("CreateGrant", KeyId=arn, **GRANT)
    token, name = {"GrantToken": made["GrantToken"]}, {"GrantId": made["GrantId"]}
    for given in ({}, {"KeyId": arn}, name, {**token, **name}, {**token, "KeyId": arn},
                  {**token, **name, "KeyId": arn}):  # fmt: skip
        assert api.refused("RetireGrant", **given) == (
            "ValidationException",
            "You must specify either a GrantToken, or both a KeyId and a GrantId.",
        )
    assert len(grants_of(api, arn)) == 1
    api("RetireGrant", **token)


@pytest.mark.parametrize(
    ("operation", "members"),
    [("CreateGrant", GRANT), ("ListGrants", {}), ("RetireGrant", {"GrantId": NO_ID}),
     ("RevokeGrant", {"GrantId": NO_ID})],
)  # fmt: skip
def test_keys_are_named_by_id_or_arn(
    api: Api, arn: str, operation: str, members: dict[str, Any]
) -> None:
    api("CreateAlias", AliasName="alias/a", TargetKeyId=arn)
    home = arn.partition(":key/")[0]
    for name in ("alias/a", f"{home}:alias/a", "alias/none", "nonsense"):
        assert api.refused(operation, KeyId=name, **members) == (
            "NotFoundException", f"Invalid keyId {name!r}",
        )  # fmt: skip
    assert api.refused(operation, KeyId=UNKNOWN, **members) == (
        "NotFoundException", f"Key '{home}:key/{UNKNOWN}' does not exist",
    )  # fmt: skip


def test_key_states(api: Api, arn: str) -> None:
    made = [api("CreateGrant", KeyId=arn, RetiringPrincipal=BOB, **GRANT) for _ in range(4)]
    api("DisableKey", KeyId=arn)
    assert api.refused("CreateGrant", KeyId=arn, **GRANT) == (
        "DisabledException", f"{arn} is disabled.",
    )  # fmt: skip
    assert len(grants_of(api, arn)) == 4
    api("RevokeGrant", KeyId=arn, GrantId=made[0]["GrantId"])
    api("RetireGrant", GrantToken=made[1]["GrantToken"])
    api("ScheduleKeyDeletion", KeyId=arn)
    assert api.refused("CreateGrant", KeyId=arn, **GRANT) == (
        "KMSInvalidStateException", f"{arn} is pending deletion.",
    )  # fmt: skip
    assert len(api("ListRetirableGrants", RetiringPrincipal=BOB)["Grants"]) == 2
    api("RetireGrant", KeyId=arn, GrantId=made[2]["GrantId"])
    api("CancelKeyDeletion", KeyId=arn)
    assert [grant["GrantId"] for grant in grants_of(api, arn)] == [made[3]["GrantId"]]


def test_grants_die_with_their_key(api: Api, arn: str, clock: Clock) -> None:
    made = api("CreateGrant", KeyId=arn, RetiringPrincipal=BOB, **GRANT)
    api("ScheduleKeyDeletion", KeyId=arn, PendingWindowInDays=7)
    clock.forward(days=7)
    gone = ("NotFoundException", f"Key '{arn}' does not exist")
    assert api.refused("ListGrants", KeyId=arn) == gone
    assert api.refused("RetireGrant", GrantToken=made["GrantToken"]) == gone
    assert api("ListRetirableGrants", RetiringPrincipal=BOB)["Grants"] == []


def test_what_a_key_does_not_do_is_not_granted(api: Api, arn: str) -> None:
    refused = lambda key, **members: api.refused("CreateGrant", KeyId=key, **{**GRANT, **members})
    assert refused(arn, Operations=["Sign", "Decrypt", "GetPublicKey"]) == (
        "ValidationException",
        (
            "Grant operations [GetPublicKey, Sign] are not valid for a key with key spec "
            "SYMMETRIC_DEFAULT and key usage ENCRYPT_DECRYPT."
        ),
    )
    pair = api.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyId"]
    assert refused(pair, Constraints={"EncryptionContextSubset": {"a": "b"}})[0] == (
        "ValidationException"
    )
    assert refused(arn, Operations=["CreateGrant"]) == (
        "ValidationException", "Grants must not contain only the CreateGrant operation.",
    )  # fmt: skip
    both = {"EncryptionContextSubset": {"a": "b"}, "EncryptionContextEquals": {"a": "b"}}
    assert refused(arn, Constraints=both) == (
        "ValidationException", "More than one constraint supplied",
    )  # fmt: skip
    assert refused(arn, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:group/g") == (
        "InvalidArnException",
        f"ARN does not refer to a valid principal: arn:aws:iam::{ACCOUNT}:group/g",
    )
    # What is wrong with the request is said before what is wrong with the key.
    assert refused(UNKNOWN, Operations=["CreateGrant"])[0] == "ValidationException"
    api("DisableKey", KeyId=arn)
    assert refused(arn, Operations=["Sign"])[0] == "ValidationException"
    assert grants_of(api, arn) == grants_of(api, pair) == []


def test_the_most_grants_of_a_key(api: Api, arn: str) -> None:
    api.app.ring.quotas = Quotas(grants_per_key=3)
    made = [api("CreateGrant", KeyId=arn, Name=f"{i}", **GRANT)["GrantId"] for i in range(3)]
    for dry_run in (False, True):
        assert api.refused("CreateGrant", KeyId=arn, DryRun=dry_run, **GRANT) == (
            "LimitExceededException",
            "Grants per key quota for this account in this region is 3, current usage is 3.",
        )
    assert api("CreateGrant", KeyId=arn, Name="2", **GRANT)["GrantId"] == made[2]
    api("CreateGrant", KeyId=api.create_key()["KeyId"], **GRANT)
    api("RevokeGrant", KeyId=arn, GrantId=made[0])
    api("CreateGrant", KeyId=arn, **GRANT)
