"""boto3 on a server with request quotas: with retries it gets through, without it sees why."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from aws_clients import client_of
from botocore.config import Config
from botocore.exceptions import ClientError
from serving import Served, served

QUOTAS = "[requests]\nsymmetric = 4\nDescribeKey = 4\nCreateKey = 0.5\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("quotas")
    (folder / "quotas.toml").write_text(QUOTAS)
    options = ("--quotas", str(folder / "quotas.toml"), "--audit", "on")
    with served(folder / "store", *options) as running:
        yield running


def retrying(server: Served, mode: str, account: str) -> Any:
    config = Config(retries={"mode": mode, "total_max_attempts": 8})
    session = boto3.Session(account, "unused", region_name="us-east-1")
    return session.client("kms", endpoint_url=server.url, config=config)


def test_without_retries_the_exception_is_seen(server: Served) -> None:
    kms = client_of(server.url, account="1" * 12)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    with pytest.raises(ClientError) as caught:
        kms.create_key()
    error = caught.value.response
    assert error["Error"]["Code"] == "ThrottlingException"
    assert error["Error"]["Message"] == (
        "You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls."
    )
    metadata = error["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == 400
    assert 1000 < int(metadata["HTTPHeaders"]["x-amz-retry-after"]) <= 2000
    assert kms.describe_key(KeyId=key)["KeyMetadata"]["Enabled"]


@pytest.mark.parametrize(
    ("mode", "account"),
    [("legacy", "2" * 12), ("standard", "3" * 12), ("adaptive", "4" * 12)],
)
def test_with_retries_a_client_gets_through(server: Served, mode: str, account: str) -> None:
    kms = retrying(server, mode, account)
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    begin, retries = time.monotonic(), 0
    for _ in range(8):
        done = kms.encrypt(KeyId=key, Plaintext=b"x")
        retries += done["ResponseMetadata"]["RetryAttempts"]
    assert time.monotonic() - begin > 0.9  # four at once, four in a second
    assert retries > 0


def test_the_hint_is_honoured(server: Served) -> None:
    kms = retrying(server, "standard", "5" * 12)
    kms.create_key()
    begin = time.monotonic()
    done = kms.create_key()
    # The first retry would come within a second if it were not for the hint.
    assert done["ResponseMetadata"]["RetryAttempts"] == 1
    assert time.monotonic() - begin > 1.5
