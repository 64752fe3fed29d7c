"""boto3's client on a server of ours."""

from __future__ import annotations

from typing import Any


def client_of(
    url: str,
    region: str = "us-east-1",
    account: str = "000000000000",
    secret: str = "unused",
    config: dict[str, Any] | None = None,
    **options: Any,
) -> Any:
    import boto3
    from botocore.config import Config

    session = boto3.Session(account, secret, region_name=region)
    usual = {"retries": {"total_max_attempts": 1}, "connect_timeout": 10, "read_timeout": 30}
    made = Config(**usual, **(config or {}))
    return session.client("kms", endpoint_url=url, config=made, **options)
