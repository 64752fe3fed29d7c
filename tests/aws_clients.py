"""boto3's client on a server of ours."""

from __future__ import annotations

from typing import Any


def client_of(
    url: str, credentials: tuple[str, str] = ("000000000000", "unused"), **options: Any
) -> Any:
    import boto3
    from botocore.config import Config

    session = boto3.Session(*credentials, region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=10, read_timeout=30)
    return session.client("kms", endpoint_url=url, config=config, **options)
