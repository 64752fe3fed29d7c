"""CloudTrail's LookupEvents by boto3 and ``aws``, on a server that records."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_clients import client_of
from botocore.config import Config
from botocore.exceptions import ClientError
from serving import Served, served

import kmsfast


def trail_of(server: Served, key: Any, region: str = "us-east-1") -> Any:
    session = boto3.Session(key.id, key.secret, region_name=region)
    config = Config(retries={"total_max_attempts": 1})
    return session.client("cloudtrail", endpoint_url=server.url, config=config)


class World:
    def __init__(self, server: Served, keys: Any) -> None:
        self.server = server
        self.admin, self.ada = keys
        self.kms = client_of(server.url, account=self.admin.id, secret=self.admin.secret)
        self.trail = trail_of(server, self.admin)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    store = tmp_path_factory.mktemp("events") / "store"
    with kmsfast.open(store, create=True) as kms:
        admin = kms.principals.create_administrator()
        kms.principals.create_user("ada")
        ada = kms.principals.create_access_key("ada")
    with served(store, "--regions", "us-east-1,eu-west-1", signed=True) as server:
        made = World(server, (admin, ada))
        yield made
        made.kms.close()
        made.trail.close()


def test_what_was_done_is_found(world: World) -> None:
    begin = datetime.now(UTC) - timedelta(seconds=2)
    key = world.kms.create_key(Description="a test")["KeyMetadata"]
    sealed = world.kms.encrypt(
        KeyId=key["KeyId"], Plaintext=b"x", EncryptionContext={"table": "orders"}
    )
    world.kms.decrypt(
        CiphertextBlob=sealed["CiphertextBlob"], EncryptionContext={"table": "orders"}
    )
    found = world.trail.lookup_events(
        LookupAttributes=[{"AttributeKey": "ResourceName", "AttributeValue": key["Arn"]}],
        StartTime=begin, EndTime=datetime.now(UTC),
    )  # fmt: skip
    assert [each["EventName"] for each in found["Events"]] == ["Decrypt", "Encrypt", "CreateKey"]
    assert "NextToken" not in found
    event = found["Events"][1]
    assert begin <= event["EventTime"] <= datetime.now(UTC)
    assert (event["Username"], event["AccessKeyId"]) == ("administrator", world.admin.id)
    record = json.loads(event["CloudTrailEvent"])
    assert record["requestParameters"]["encryptionContext"] == {"table": "orders"}
    assert record["eventID"] == event["EventId"]
    by_id = world.trail.lookup_events(
        LookupAttributes=[{"AttributeKey": "EventId", "AttributeValue": event["EventId"]}]
    )
    assert by_id["Events"] == [event]


def test_the_paginator_finds_every_event_once(world: World) -> None:
    for _ in range(12):
        world.kms.list_aliases()
    pages = list(
        world.trail.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "ListAliases"}],
            PaginationConfig={"PageSize": 5},
        )
    )
    assert [len(page["Events"]) for page in pages] == [5, 5, 2]
    assert len({each["EventId"] for page in pages for each in page["Events"]}) == 12


def test_regions_have_their_own(world: World) -> None:
    elsewhere = trail_of(world.server, world.admin, "eu-west-1")
    assert elsewhere.lookup_events()["Events"] == []
    elsewhere.close()


def test_who_may_not_sees_why(world: World) -> None:
    trail = trail_of(world.server, world.ada)
    with pytest.raises(ClientError, match="not authorized to perform: cloudtrail:LookupEvents"):
        trail.lookup_events()
    with pytest.raises(ClientError) as caught:
        world.trail.lookup_events(NextToken="made up")
    assert caught.value.response["Error"]["Code"] == "InvalidNextTokenException"
    trail.close()


def test_the_aws_command(world: World) -> None:
    world.kms.list_keys()
    command = [
        str(Path(sys.executable).with_name("aws")), "cloudtrail", "lookup-events",
        "--endpoint-url", world.server.url, "--region", "us-east-1", "--max-items", "1",
        "--lookup-attributes", "AttributeKey=EventName,AttributeValue=ListKeys",
        "--query", "Events[].EventName", "--output", "text",
    ]  # fmt: skip
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=120,
        env=kept | {"AWS_ACCESS_KEY_ID": world.admin.id, "AWS_SECRET_ACCESS_KEY":
                    world.admin.secret},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["ListKeys"]
