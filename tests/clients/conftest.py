"""A server as a process, and boto3's client on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aws_clients import client_of
from serving import Served, served


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("clients") / "store") as running:
        yield running


@pytest.fixture(scope="session")
def kms(server: Served) -> Iterator[Any]:
    client = client_of(server.url)
    yield client
    client.close()


@pytest.fixture
def key(kms: Any) -> str:
    """The ARN of a new key."""
    return kms.create_key(Description="a test")["KeyMetadata"]["Arn"]
