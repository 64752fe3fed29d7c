"""One server, several regions and accounts, as boto3's clients of each see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aws_clients import client_of
from serving import served

REGIONS = ("us-east-1", "eu-west-1", "ap-south-1")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = tmp_path_factory.mktemp("regions") / "store"
    with served(store, "--regions", ",".join(REGIONS)) as running:
        assert "region us-east-1" in running.announcement
        yield running.url


def in_region(url: str, region: str, account: str = "000000000000") -> Any:
    return client_of(url, region=region, account=account)


def listed(client: Any) -> set[str]:
    pages = client.get_paginator("list_keys").paginate()
    return {key["KeyArn"] for page in pages for key in page["Keys"]}


def test_keys_of_one_region_are_not_seen_in_another(url: str) -> None:
    here, there = (in_region(url, region) for region in REGIONS[:2])
    arn = here.create_key()["KeyMetadata"]["Arn"]
    assert arn in listed(here)
    assert listed(there).isdisjoint(listed(here))
    blob = here.encrypt(KeyId=arn, Plaintext=b"x")["CiphertextBlob"]
    with pytest.raises(there.exceptions.NotFoundException, match="Invalid arn us-east-1"):
        there.describe_key(KeyId=arn)
    with pytest.raises(there.exceptions.NotFoundException, match="does not exist"):
        there.describe_key(KeyId=arn.rpartition("/")[2])
    with pytest.raises(there.exceptions.ClientError, match="AccessDeniedException"):
        there.decrypt(CiphertextBlob=blob)
    elsewhere = in_region(url, "sa-east-1")
    with pytest.raises(elsewhere.exceptions.ClientError, match="scoped to a valid region"):
        elsewhere.list_keys()


def test_accounts_are_made_on_first_use(url: str) -> None:
    ours, theirs = in_region(url, "us-east-1"), in_region(url, "us-east-1", "444455556666")
    assert listed(theirs) == set()
    made = theirs.create_key()["KeyMetadata"]
    assert made["AWSAccountId"] == "444455556666"
    assert listed(theirs) == {made["Arn"]}
    assert made["Arn"] not in listed(ours)


def test_a_multi_region_key(url: str) -> None:
    here, there, third = (in_region(url, region) for region in REGIONS)
    primary = here.create_key(MultiRegion=True)["KeyMetadata"]
    name = primary["KeyId"]
    made = here.replicate_key(KeyId=name, ReplicaRegion="eu-west-1")["ReplicaKeyMetadata"]
    assert made["Arn"] == primary["Arn"].replace("us-east-1", "eu-west-1")
    here.replicate_key(KeyId=name, ReplicaRegion="ap-south-1")
    for sealing, opening in ((here, there), (there, third), (third, here)):
        blob = sealing.encrypt(KeyId=name, Plaintext=b"x", EncryptionContext={"a": "b"})
        opened = opening.decrypt(
            CiphertextBlob=blob["CiphertextBlob"], EncryptionContext={"a": "b"}
        )
        assert opened["Plaintext"] == b"x"
        assert opened["KeyMaterialId"] == primary["CurrentKeyMaterialId"]
    here.rotate_key_on_demand(KeyId=name)
    new = {
        each.describe_key(KeyId=name)["KeyMetadata"]["CurrentKeyMaterialId"]
        for each in (here, there, third)
    }
    assert len(new) == 1
    assert new != {primary["CurrentKeyMaterialId"]}
    blob = there.encrypt(KeyId=name, Plaintext=b"new")["CiphertextBlob"]
    assert third.decrypt(CiphertextBlob=blob)["Plaintext"] == b"new"

    with pytest.raises(here.exceptions.AlreadyExistsException):
        here.replicate_key(KeyId=name, ReplicaRegion="eu-west-1")
    with pytest.raises(there.exceptions.UnsupportedOperationException, match="primary key"):
        there.replicate_key(KeyId=name, ReplicaRegion="ap-south-1")
    here.update_primary_region(KeyId=name, PrimaryRegion="eu-west-1")
    shown = third.describe_key(KeyId=name)["KeyMetadata"]["MultiRegionConfiguration"]
    assert shown["PrimaryKey"]["Region"] == "eu-west-1"
    assert {each["Region"] for each in shown["ReplicaKeys"]} == {"us-east-1", "ap-south-1"}
    gone = there.schedule_key_deletion(KeyId=name, PendingWindowInDays=7)
    assert gone["KeyState"] == "PendingReplicaDeletion"
    there.cancel_key_deletion(KeyId=name)
