"""ARNs of keys and aliases: ``arn:aws:kms:<region>:<account>:key/<id>`` and ``...:alias/<name>``.

The partition follows from the region, as in AWS. A service is that of one region and account; an
ARN of another one names nothing in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from kmsfast.errors import ForeignArn, InvalidArn, ValidationError

__all__ = ["Home"]

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}")
_ACCOUNT = re.compile(r"[0-9]{12}")


@dataclass(frozen=True, slots=True)
class Home:
    """A region and an account.

    Raises:
        ValidationError: a malformed region or account.
    """

    region: str = "us-east-1"
    account: str = "000000000000"

    def __post_init__(self) -> None:
        if not _REGION.fullmatch(self.region):
            raise ValidationError(f"{self.region!r} is no region; it looks like us-east-1")
        if not _ACCOUNT.fullmatch(self.account):
            raise ValidationError(f"{self.account!r} is no account; it has 12 digits")

    @property
    def partition(self) -> str:
        """aws, aws-cn or aws-us-gov."""
        for start, partition in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")):
            if self.region.startswith(start):
                return partition
        return "aws"

    def arn(self, resource: str) -> str:
        """The ARN of ``key/<id>`` or ``alias/<name>``."""
        return f"arn:{self.partition}:kms:{self.region}:{self.account}:{resource}"

    def resource(self, arn: str) -> str:
        """The resource that an ARN names: ``key/<id>`` or ``alias/<name>``.

        Raises:
            InvalidArn: malformed, or of another service.
            ForeignArn: of another partition, region or account.
        """
        parts = arn.split(":", 5)
        if len(parts) != 6 or parts[0] != "arn":
            raise InvalidArn(f"Invalid arn {arn!r}: it has six parts, starting with arn:")
        _, partition, service, region, account, resource = parts
        if service != "kms" or not resource.startswith(("key/", "alias/")):
            raise InvalidArn(f"Invalid arn {arn!r}: not that of a KMS key or alias")
        if region != self.region or partition != self.partition:
            raise ForeignArn(f"Invalid arn {region}", hint=f"this store is of {self.region}")
        if account != self.account:
            what = "Key" if resource.startswith("key/") else "Alias"
            raise ForeignArn(
                f"{what} {arn!r} does not exist", hint=f"this store is of account {self.account}"
            )
        return resource
