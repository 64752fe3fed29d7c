"""The key policy that the AWS console writes when somebody makes a key there.

Source: developer guide, page "Default key policy"; of HMAC keys also "Controlling access to HMAC
KMS keys". Rules:
- four statements, under the Sids by which the console finds them again: the account, who
  administers the key, who uses it, and who may let AWS services use it on his behalf;
- administrators manage and cannot use, users use and cannot manage. An administrator can put
  another policy, and so let himself use the key;
- what users may do follows the type of the key; HMAC keys have no fourth statement;
- a statement about nobody is left out;
- ML-KEM keys, of which the page says nothing, are treated as the other key pairs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from kmsfast.errors import ValidationError
from kmsfast.model.keyspec import KeySpec, KeyUsage, Origin, is_asymmetric
from kmsfast.model.policy_actions import PREFIX
from kmsfast.model.policy_principal import ACCOUNT, Kind, parsed_arn, root_arn

__all__ = ["NewKey", "console_policy"]

_ADMINISTRATION: Final = (
    "Create*", "Describe*", "Enable*", "List*", "Put*", "Update*", "Revoke*", "Disable*", "Get*",
    "Delete*", "TagResource", "UntagResource", "ScheduleKeyDeletion", "CancelKeyDeletion",
    "RotateKeyOnDemand",
)  # fmt: skip
_OF_IMPORTED: Final = ("ImportKeyMaterial",)
_OF_MULTI_REGION: Final = ("ReplicateKey", "UpdatePrimaryRegion")
_USE_OF_SYMMETRIC: Final = ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey*", "ReEncrypt*")
_USE: Final[Mapping[KeyUsage, tuple[str, ...]]] = {
    KeyUsage.ENCRYPT_DECRYPT: ("Encrypt", "Decrypt", "ReEncrypt*", "DescribeKey", "GetPublicKey"),
    KeyUsage.SIGN_VERIFY: ("DescribeKey", "GetPublicKey", "Sign", "Verify"),
    KeyUsage.GENERATE_VERIFY_MAC: ("DescribeKey", "GenerateMac", "VerifyMac"),
    KeyUsage.KEY_AGREEMENT: ("DescribeKey", "GetPublicKey", "DeriveSharedSecret"),
    KeyUsage.ENCAPSULATE_DECAPSULATE: (
        "DescribeKey", "GetPublicKey", "Encapsulate", "Decapsulate",
    ),
}  # fmt: skip
_FOR_SERVICES: Final = ("CreateGrant", "ListGrants", "RevokeGrant")
_IS_FOR_SERVICE: Final = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
_PEOPLE: Final = (Kind.USER, Kind.ROLE)


class NewKey(NamedTuple):
    """What the policy of a key depends on."""

    account: str
    partition: str
    spec: KeySpec
    usage: KeyUsage
    origin: Origin = Origin.AWS_KMS
    multi_region: bool = False


def console_policy(key: NewKey, administrators: Iterable[str], users: Iterable[str]) -> str:
    """The key policy as JSON.

    Args:
        administrators: ARNs of users and roles of the key's account.
        users: ARNs of users and roles; of other accounts also their root ARN or 12 digits.

    Raises:
        ValidationError: another principal.
    """
    managing = tuple(dict.fromkeys(_administrator(text, key) for text in administrators))
    using = tuple(dict.fromkeys(_user(text, key) for text in users))
    administration = (
        *_ADMINISTRATION,
        *(_OF_IMPORTED if key.origin is Origin.EXTERNAL else ()),
        *(_OF_MULTI_REGION if key.multi_region else ()),
    )
    own = (root_arn(key.account, key.partition),)
    statements = [_statement("Enable IAM User Permissions", own, ("*",))]
    if managing:
        statements.append(
            _statement("Allow access for Key Administrators", managing, administration)
        )
    if using:
        symmetric = key.usage is KeyUsage.ENCRYPT_DECRYPT and not is_asymmetric(key.spec)
        use = _USE_OF_SYMMETRIC if symmetric else _USE[key.usage]
        statements.append(_statement("Allow use of the key", using, use))
        if key.usage is not KeyUsage.GENERATE_VERIFY_MAC:
            granting = _statement("Allow attachment of persistent resources", using, _FOR_SERVICES)
            statements.append({**granting, "Condition": _IS_FOR_SERVICE})
    document = {"Version": "2012-10-17", "Id": "key-consolepolicy-3", "Statement": statements}
    return json.dumps(document, indent=2)


def _administrator(text: str, key: NewKey) -> str:
    found = parsed_arn(text)
    if found is None or found[0] not in _PEOPLE or found[1:3] != (key.partition, key.account):
        raise ValidationError(
            f"{text!r} cannot administer the key: give the ARN of a user or a role of account "
            f"{key.account}"
        )
    return text


def _user(text: str, key: NewKey) -> str:
    if ACCOUNT.fullmatch(text):
        return root_arn(text, key.partition)
    found = parsed_arn(text)
    if found is None or found[0] not in (*_PEOPLE, Kind.ROOT):
        raise ValidationError(
            f"{text!r} cannot be a user of the key: give the ARN of a user, a role or an account, "
            "or an account's 12 digits"
        )
    return text


def _statement(sid: str, principals: tuple[str, ...], actions: tuple[str, ...]) -> dict[str, Any]:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_all(principals)},
        "Action": _one_or_all([f"{PREFIX}{name}" for name in actions]),
        "Resource": "*",
    }


def _one_or_all(texts: Iterable[str]) -> str | list[str]:
    found = list(texts)
    return found[0] if len(found) == 1 else found
