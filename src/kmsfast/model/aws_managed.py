"""AWS managed keys: those of the predefined aliases ``alias/aws/<service>``.

Rules (Developer Guide, AWS managed keys):
- the key of such an alias is made when the alias is first used;
- it is a symmetric encryption key with a policy that its account cannot change: principals of the
  account use it through its service, and read its metadata themselves;
- it rotates every year, and is neither disabled, tagged nor deleted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from kmsfast.model.alias import RESERVED
from kmsfast.model.arn import Home

__all__ = ["PREDEFINED", "ROTATION_DAYS", "description_of", "policy_of"]

ROTATION_DAYS: Final = 365

# The name that a service has in kms:ViaService, and what its key protects.
_SERVICES: Final[Mapping[str, tuple[str, str]]] = {
    "acm": ("acm", "ACM private keys"),
    "backup": ("backup", "Backup vaults"),
    "codecommit": ("codecommit", "CodeCommit repositories"),
    "dms": ("dms", "DMS replication storage"),
    "dynamodb": ("dynamodb", "DynamoDB tables"),
    "ebs": ("ec2", "EBS volumes"),
    "elasticfilesystem": ("elasticfilesystem", "EFS file systems"),
    "es": ("es", "Elasticsearch domains"),
    "fsx": ("fsx", "FSx file systems"),
    "glue": ("glue", "Glue data catalogs"),
    "kinesis": ("kinesis", "Kinesis streams"),
    "kinesisvideo": ("kinesisvideo", "Kinesis Video streams"),
    "lambda": ("lambda", "Lambda environment variables"),
    "rds": ("rds", "RDS database volumes"),
    "redshift": ("redshift", "Redshift clusters"),
    "s3": ("s3", "S3 objects"),
    "secretsmanager": ("secretsmanager", "Secrets Manager secrets"),
    "sns": ("sns", "SNS messages"),
    "sqs": ("sqs", "SQS messages"),
    "ssm": ("ssm", "SSM parameters"),
    "workspaces": ("workspaces", "WorkSpaces volumes"),
    "xray": ("xray", "X-Ray traces"),
}

PREDEFINED: Final = tuple(RESERVED + name for name in _SERVICES)
"""The aliases that every region and account has, with a key or still without."""


def description_of(alias: str) -> str:
    """The description of the key of a predefined alias."""
    return f"Default key that protects {_service(alias)[1]} when no other key is defined"


def policy_of(alias: str, home: Home) -> str:
    """The policy of the key of a predefined alias."""
    via, protected = _service(alias)
    suffix = "amazonaws.com.cn" if home.partition == "aws-cn" else "amazonaws.com"
    through = {
        "Sid": f"Use through {via} for {protected}, by principals of the account",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [
            "kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*",
            "kms:CreateGrant", "kms:DescribeKey",
        ],
        "Resource": "*",
        "Condition": {
            "StringEquals": {
                "kms:CallerAccount": home.account,
                "kms:ViaService": f"{via}.{home.region}.{suffix}",
            }
        },
    }  # fmt: skip
    directly = {
        "Sid": "Direct access to metadata for the account",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{home.partition}:iam::{home.account}:root"},
        "Action": ["kms:Describe*", "kms:Get*", "kms:List*", "kms:RevokeGrant"],
        "Resource": "*",
    }
    name = alias.removeprefix(RESERVED)
    policy = {"Version": "2012-10-17", "Id": f"auto-{name}", "Statement": [through, directly]}
    return json.dumps(policy, indent=2)


def _service(alias: str) -> tuple[str, str]:
    return _SERVICES[alias.removeprefix(RESERVED)]
