"""Listings, their pages and markers; aliases, tags, policies and rotations."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from api import Api
from clocks import Clock

from kmsfast.model.aws_managed import PREDEFINED

ARN = "arn:aws:kms:eu-central-1:111122223333"
UNKNOWN = "0987dcba-09fe-87dc-65ba-ab0987654321"
ADA = "arn:aws:iam::111122223333:user/ada"
GRANT = {"GranteePrincipal": ADA, "Operations": ["Decrypt"]}


def pages(api: Api, operation: str, member: str, **members: Any) -> list[list[Any]]:
    found, marker = [], {}
    while True:
        page = api(operation, **members, **marker)
        found.append(page[member])
        assert page["Truncated"] is ("NextMarker" in page)
        if not page["Truncated"]:
            return found
        marker = {"Marker": page["NextMarker"]}


@pytest.fixture
def full(api: Api) -> Api:
    """Seven keys; seven aliases, tags and grants of the first of them, rotated six times."""
    for _ in range(7):
        api.create_key()
    arn = first(api)
    for i in range(7):
        api("CreateAlias", AliasName=f"alias/{i}", TargetKeyId=arn)
        api("TagResource", KeyId=arn, Tags=[{"TagKey": f"k{i}", "TagValue": f"v{i}"}])
        api("CreateGrant", KeyId=arn, RetiringPrincipal=ADA, **GRANT)
        if i:
            api("RotateKeyOnDemand", KeyId=arn)
    api("CreateGrant", KeyId=api("ListKeys")["Keys"][-1]["KeyArn"], RetiringPrincipal=ADA, **GRANT)
    return api


def first(api: Api) -> str:
    return api("ListKeys", Limit=1)["Keys"][0]["KeyArn"]


LISTINGS = [
    ("ListKeys", "Keys", {}, 7),
    ("ListAliases", "Aliases", {}, 7 + len(PREDEFINED)),
    ("ListAliases", "Aliases", {"KeyId": None}, 7),
    ("ListResourceTags", "Tags", {"KeyId": None}, 7),
    ("ListKeyRotations", "Rotations", {"KeyId": None}, 6),
    ("ListKeyPolicies", "PolicyNames", {"KeyId": None}, 1),
    ("ListGrants", "Grants", {"KeyId": None}, 7),
    ("ListGrants", "Grants", {"KeyId": None, "GranteePrincipal": ADA}, 7),
    ("ListRetirableGrants", "Grants", {"RetiringPrincipal": ADA}, 8),
]


def about(api: Api, members: dict[str, str | None]) -> dict[str, str]:
    """The members of a request, with the first key where one is named."""
    return {name: value or first(api) for name, value in members.items()}


@pytest.mark.parametrize(("operation", "member", "of", "total"), LISTINGS)
def test_pages_make_up_the_whole(
    full: Api, operation: str, member: str, of: dict[str, str | None], total: int
) -> None:
    members = about(full, of)
    (whole,) = pages(full, operation, member, **members)
    assert len(whole) == total
    for limit in (1, 3, total):
        found = pages(full, operation, member, Limit=limit, **members)
        assert [item for page in found for item in page] == whole
        assert [len(page) for page in found[:-1]] == [limit] * (len(found) - 1)
        assert 1 <= len(found[-1]) <= limit


@pytest.mark.parametrize(
    ("operation", "most"),
    [("ListKeys", 1000), ("ListAliases", 100), ("ListResourceTags", 50),
     ("ListKeyRotations", 1000), ("ListGrants", 100), ("ListRetirableGrants", 100)],
)  # fmt: skip
def test_the_greatest_page(full: Api, operation: str, most: int) -> None:
    members = about(full, next(of for name, _, of, _ in LISTINGS if name == operation))
    full(operation, Limit=most, **members)
    assert full.refused(operation, Limit=most + 1, **members) == (
        "ValidationException",
        (
            f"1 validation error detected: Value '{most + 1}' at 'limit' failed to satisfy "
            f"constraint: Member must have value less than or equal to {most}"
        ),
    )


def test_default_pages(api: Api) -> None:
    arn = api.create_key(Tags=[{"TagKey": f"{i}", "TagValue": ""} for i in range(50)])["Arn"]
    other = api.create_key()["Arn"]
    for i in range(51):
        api("CreateAlias", AliasName=f"alias/{i:02}", TargetKeyId=arn if i < 50 else other)
        api("CreateGrant", KeyId=arn, RetiringPrincipal=ADA, **GRANT)
    assert [len(page) for page in pages(api, "ListAliases", "Aliases")] == [50, 1 + len(PREDEFINED)]
    assert [len(page) for page in pages(api, "ListGrants", "Grants", KeyId=arn)] == [50, 1]
    retirable = pages(api, "ListRetirableGrants", "Grants", RetiringPrincipal=ADA)
    assert [len(page) for page in retirable] == [50, 1]
    assert [len(page) for page in pages(api, "ListResourceTags", "Tags", KeyId=arn)] == [50]


def test_what_comes_and_goes_between_pages_hides_nothing(full: Api) -> None:
    page = full("ListAliases", Limit=3)
    full("DeleteAlias", AliasName="alias/2")  # the marker's own place
    full("CreateAlias", AliasName="alias/0a", TargetKeyId=first(full))
    rest = full("ListAliases", Marker=page["NextMarker"])["Aliases"]
    ours = [item["AliasName"] for item in rest if "TargetKeyId" in item]
    assert ours == ["alias/3", "alias/4", "alias/5", "alias/6"]


@pytest.mark.parametrize(
    ("operation", "reads"), [("ListKeys", "key_ids"), ("ListAliases", "aliases")]
)
def test_a_listing_reads_the_store_once_until_it_changes(
    full: Api, monkeypatch: pytest.MonkeyPatch, operation: str, reads: str
) -> None:
    looks = []
    read = getattr(full.app.management, reads)
    monkeypatch.setattr(full.app.management, reads, lambda: looks.append(1) or read())
    page = full(operation, Limit=2)
    page = full(operation, Limit=2, Marker=page["NextMarker"])
    assert len(looks) == 1
    full.create_key()
    full(operation, Limit=2, Marker=page["NextMarker"])
    assert len(looks) == 2
    full(operation)  # a new listing sees what was changed from outside
    full(operation)
    assert len(looks) == 4


def test_grants_that_come_and_go_between_pages_hide_nothing(full: Api) -> None:
    arn = first(full)
    page = full("ListGrants", KeyId=arn, Limit=3)
    for gone in page["Grants"][1:]:  # the marker's own place among them
        full("RevokeGrant", KeyId=arn, GrantId=gone["GrantId"])
    made = full("CreateGrant", KeyId=arn, **GRANT)["GrantId"]
    rest = full("ListGrants", KeyId=arn, Marker=page["NextMarker"])["Grants"]
    old = [item["GrantId"] for item in rest if item["GrantId"] != made]
    assert len(old) == 4
    assert old == sorted(old)
    assert min(old) > page["Grants"][2]["GrantId"]
    for other in ({"GranteePrincipal": ADA}, {"GrantId": made}):
        assert full.refused("ListGrants", KeyId=arn, Marker=page["NextMarker"], **other)[0] == (
            "InvalidMarkerException"
        )


def test_markers_are_of_one_listing_and_of_a_day(full: Api, clock: Clock) -> None:
    marker = full("ListAliases", Limit=1)["NextMarker"]
    refused = ("InvalidMarkerException", "The marker is not one of this listing")
    raw = base64.urlsafe_b64decode(marker + "=" * (-len(marker) % 4))
    changed = base64.urlsafe_b64encode(raw[:9] + b"alias/4" + raw[-16:]).decode().rstrip("=")
    for other in ("x", "\u00e9", "AAAA" * 20, marker[:-2], marker + "AA", changed):
        assert full.refused("ListAliases", Marker=other) == refused
    assert full.refused("ListKeys", Marker=marker) == refused
    assert full.refused("ListAliases", Marker=marker, KeyId=first(full)) == refused
    clock.forward(days=1)
    full("ListAliases", Marker=marker)
    clock.forward(days=1 / 86_400)
    assert full.refused("ListAliases", Marker=marker) == (
        "InvalidMarkerException", "The marker has expired; start the listing again",
    )  # fmt: skip


def test_aliases(api: Api, clock: Clock) -> None:
    one, two = api.create_key(), api.create_key()
    api("CreateAlias", AliasName="alias/a", TargetKeyId=one["KeyId"])
    created = clock()
    clock.forward(days=60 / 86_400)
    api("UpdateAlias", AliasName="alias/a", TargetKeyId=two["Arn"])
    assert [each for each in api("ListAliases")["Aliases"] if "TargetKeyId" in each] == [
        {
            "AliasName": "alias/a",
            "AliasArn": f"{ARN}:alias/a",
            "TargetKeyId": two["KeyId"],
            "CreationDate": created,
            "LastUpdatedDate": created + 60,
        }
    ]
    assert api("ListAliases", KeyId=one["KeyId"])["Aliases"] == []
    assert api.refused("CreateAlias", AliasName="alias/a", TargetKeyId=one["KeyId"]) == (
        "AlreadyExistsException", f"An alias with the name {ARN}:alias/a already exists",
    )  # fmt: skip
    missing = ("NotFoundException", f"Alias {ARN}:alias/b is not found.")
    assert api.refused("UpdateAlias", AliasName="alias/b", TargetKeyId=one["KeyId"]) == missing
    assert api.refused("DeleteAlias", AliasName="alias/b") == missing
    api("DeleteAlias", AliasName="alias/a")
    assert api("ListAliases")["Aliases"] == [
        {"AliasName": name, "AliasArn": f"{ARN}:{name}"} for name in PREDEFINED
    ]


@pytest.mark.parametrize("operation", ["CreateAlias", "UpdateAlias", "DeleteAlias"])
def test_names_that_are_no_alias_of_the_user(api: Api, operation: str) -> None:
    target = {} if operation == "DeleteAlias" else {"TargetKeyId": api.create_key()["KeyId"]}
    assert api.refused(operation, AliasName="orders", **target) == (
        "ValidationException",
        (
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
        ),
    )
    code, _ = api.refused(operation, AliasName="alias/aws/s3", **target)
    assert code == "NotAuthorizedException"


def test_tags(api: Api) -> None:
    arn = api.create_key(Tags=[{"TagKey": "a", "TagValue": "1"}])["Arn"]
    api("TagResource", KeyId=arn, Tags=[{"TagKey": "b", "TagValue": ""}])
    api("TagResource", KeyId=arn, Tags=[{"TagKey": "a", "TagValue": "2"}])
    assert api("ListResourceTags", KeyId=arn)["Tags"] == [
        {"TagKey": "a", "TagValue": "2"}, {"TagKey": "b", "TagValue": ""},
    ]  # fmt: skip
    many = [{"TagKey": f"{i}", "TagValue": ""} for i in range(49)]
    assert api.refused("TagResource", KeyId=arn, Tags=many) == ("TagException", "Too many tags")
    api("UntagResource", KeyId=arn, TagKeys=["a", "none"])
    assert api("ListResourceTags", KeyId=arn)["Tags"] == [{"TagKey": "b", "TagValue": ""}]


def test_policies(api: Api) -> None:
    arn = api.create_key()["Arn"]
    default = api("GetKeyPolicy", KeyId=arn)
    assert default["PolicyName"] == "default"
    assert json.loads(default["Policy"])["Statement"][0]["Principal"] == {
        "AWS": "arn:aws:iam::111122223333:root"
    }
    policy = (
        '{ "Version":"2012-10-17",\n\t"Statement" : '
        '{"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"} }'
    )
    api("PutKeyPolicy", KeyId=arn, Policy=policy, PolicyName="default")
    assert api("GetKeyPolicy", KeyId=arn, PolicyName="default")["Policy"] == policy
    own = api.create_key(Policy=policy)
    assert api("GetKeyPolicy", KeyId=own["KeyId"])["Policy"] == policy
    none = ("NotFoundException", "No such policy exists")
    assert api.refused("GetKeyPolicy", KeyId=arn, PolicyName="other") == none
    assert api.refused("PutKeyPolicy", KeyId=arn, Policy=policy, PolicyName="other") == none
    for malformed in ("{", "[]", '{"Version":"2012-10-17"}', "[" * 20_000):
        code, _ = api.refused("PutKeyPolicy", KeyId=arn, Policy=malformed)
        assert code == "MalformedPolicyDocumentException"
    assert api.refused("PutKeyPolicy", KeyId=arn, Policy="x" * 32_769) == (
        "LimitExceededException", "the key policy has 32769 bytes; at most 32768 are allowed",
    )  # fmt: skip
    assert api("GetKeyPolicy", KeyId=arn)["Policy"] == policy
    api("ScheduleKeyDeletion", KeyId=arn)
    api("PutKeyPolicy", KeyId=arn, Policy=policy)


def test_rotation(api: Api, clock: Clock) -> None:
    key = api.create_key()
    arn = key["Arn"]
    off = {"KeyRotationEnabled": False, "KeyId": key["KeyId"]}
    assert api("GetKeyRotationStatus", KeyId=arn) == off
    api("EnableKeyRotation", KeyId=arn)
    assert api("GetKeyRotationStatus", KeyId=arn) == {
        "KeyRotationEnabled": True,
        "KeyId": key["KeyId"],
        "RotationPeriodInDays": 365,
        "NextRotationDate": clock() + 365 * 86_400,
    }
    api("EnableKeyRotation", KeyId=arn, RotationPeriodInDays=90)
    blob = api("Encrypt", KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    clock.forward(days=90)
    api("Encrypt", KeyId=arn, Plaintext=b"x")
    assert api("RotateKeyOnDemand", KeyId=arn) == {"KeyId": arn}
    rotations = api("ListKeyRotations", KeyId=arn)["Rotations"]
    assert [item["RotationType"] for item in rotations] == ["AUTOMATIC", "ON_DEMAND"]
    assert [item["KeyMaterialState"] for item in rotations] == ["NON_CURRENT", "CURRENT"]
    assert {item["RotationDate"] for item in rotations} == {clock()}
    current = api("DescribeKey", KeyId=arn)["KeyMetadata"]["CurrentKeyMaterialId"]
    assert rotations[-1]["KeyMaterialId"] == current
    every = api("ListKeyRotations", KeyId=arn, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    assert every[1:] == rotations
    assert every[0] == {
        "KeyId": key["KeyId"],
        "KeyMaterialId": key["CurrentKeyMaterialId"],
        "KeyMaterialState": "NON_CURRENT",
    }
    opened = api("Decrypt", CiphertextBlob=blob)
    assert opened["KeyMaterialId"] == key["CurrentKeyMaterialId"]
    api("ScheduleKeyDeletion", KeyId=arn)
    assert api("GetKeyRotationStatus", KeyId=arn) == off
    api("CancelKeyDeletion", KeyId=arn)
    assert api("GetKeyRotationStatus", KeyId=arn)["RotationPeriodInDays"] == 90
    api("EnableKey", KeyId=arn)
    api("DisableKeyRotation", KeyId=arn)
    assert api("GetKeyRotationStatus", KeyId=arn) == off


def test_rotations_on_demand_are_25(api: Api) -> None:
    arn = api.create_key()["Arn"]
    for _ in range(25):
        api("RotateKeyOnDemand", KeyId=arn)
    assert api.refused("RotateKeyOnDemand", KeyId=arn) == (
        "LimitExceededException",
        (
            "The on-demand rotations limit has been reached for the given keyId. No more on-demand "
            f"rotations can be performed for this key: {arn}"
        ),
    )
    assert len(api("ListKeyRotations", KeyId=arn)["Rotations"]) == 25
