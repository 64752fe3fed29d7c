"""What a grant must be when it is made, and how it is named afterwards.

Rules (API reference, CreateGrant and GrantConstraints; developer guide, "Grants in AWS KMS"):
- the operations are those that keys of the spec and usage have, and more than CreateGrant alone;
- constraints on the encryption context are for symmetric encryption keys; one of the two kinds, of
  1 to 8 pairs and 384 characters; an empty one is as none;
- a grantee that is a service principal needs SourceArn and a retiring principal;
- principals are ARNs of accounts, users, roles, sessions and federated users, or services;
- a grant's id is 64 hexadecimal digits. A second request with the same name and otherwise the same
  parameters is a retry and names the grant that is there.

The type is :class:`kmsfast.model.policy_grant.Grant`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from kmsfast.errors import InvalidArn, InvalidGrantId, ValidationError
from kmsfast.model.key import KeyMetadata
from kmsfast.model.keyspec import KeySpec, KeyUsage
from kmsfast.model.policy_actions import GRANTABLE
from kmsfast.model.policy_grant import MAX_PAIRS, Grant, is_principal

__all__ = [
    "GRANT_ID_LEN",
    "checked_grant_id",
    "checked_principal",
    "either_principal",
    "new_grant",
    "operations_for",
    "require_grantable",
    "required_principal",
    "same_request",
]

#: Bytes of a grant's id, which is written in hexadecimal digits.
GRANT_ID_LEN: Final = 32
_EITHER: Final = "You must specify either {0}Principal or {0}ServicePrincipal, but not both."
_MAX_CHARACTERS: Final = 384
_ID: Final = re.compile(f"[0-9a-f]{{{2 * GRANT_ID_LEN}}}")
_NAME: Final = re.compile(r"[a-zA-Z0-9:/_-]{1,256}")
_SOURCE_ARN: Final = re.compile(r"arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+", re.DOTALL)
_SOURCE_ARN_LENGTHS: Final = range(20, 513)
_ANY_KEY: Final = frozenset({"CreateGrant", "DescribeKey", "RetireGrant"})
_ENCRYPTING: Final = frozenset({"Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo"})
_DATA_KEYS: Final = frozenset(name for name in GRANTABLE if name.startswith("GenerateDataKey"))
_OF_USAGE: Final[Mapping[KeyUsage, frozenset[str]]] = {
    KeyUsage.ENCRYPT_DECRYPT: _ENCRYPTING,
    KeyUsage.SIGN_VERIFY: frozenset({"Sign", "Verify"}),
    KeyUsage.GENERATE_VERIFY_MAC: frozenset({"GenerateMac", "VerifyMac"}),
    KeyUsage.KEY_AGREEMENT: frozenset({"DeriveSharedSecret"}),
    KeyUsage.ENCAPSULATE_DECAPSULATE: frozenset({"Encapsulate", "Decapsulate"}),
}


def operations_for(key: KeyMetadata) -> frozenset[str]:
    """What a grant on the key can allow."""
    more = _DATA_KEYS if key.spec is KeySpec.SYMMETRIC_DEFAULT else frozenset()
    public = frozenset({"GetPublicKey"}) if key.is_asymmetric else frozenset()
    return _ANY_KEY | _OF_USAGE[key.usage] | more | public


def either_principal(
    principal: str | None, service: str | None, role: str
) -> tuple[str | None, bool]:
    """The principal in a role, Grantee or Retiring, and whether it is a service principal.

    Raises:
        ValidationError: both were given.
    """
    if principal is not None and service is not None:
        raise ValidationError(_EITHER.format(role))
    return (principal, False) if service is None else (service, True)


def required_principal(principal: str | None, role: str) -> str:
    """The principal in a role that a request needs.

    Raises:
        ValidationError: none was given. InvalidArn: as :func:`checked_principal`.
    """
    if principal is None:
        raise ValidationError(_EITHER.format(role))
    return checked_principal(principal)


def new_grant(
    grantee: str | None,
    operations: Iterable[str],
    *,
    retiring: str | None = None,
    equals: Mapping[str, str] | None = None,
    subset: Mapping[str, str] | None = None,
    source_arn: str | None = None,
    name: str | None = None,
    to_service: bool = False,
    by_service: bool = False,
) -> Grant:
    """A grant that can be made, but for what its key says of it.

    Args:
        to_service, by_service: as of :class:`Grant`.

    Raises:
        ValidationError: a parameter is missing, too much, or out of range.
        InvalidArn: an ARN that is that of no principal.
    """
    to = required_principal(grantee, "Grantee")
    if to_service and (source_arn is None or retiring is None):
        raise ValidationError(
            "A GranteeServicePrincipal needs a SourceArn constraint, and a RetiringPrincipal or "
            "RetiringServicePrincipal."
        )
    allowed = _checked_operations(operations)
    if equals and subset:
        raise ValidationError("More than one constraint supplied")
    return Grant(
        id="",
        operations=allowed,
        grantee=to,
        retiring=None if retiring is None else checked_principal(retiring),
        equals=_checked_pairs(equals, "EncryptionContextEquals"),
        subset=_checked_pairs(subset, "EncryptionContextSubset"),
        source_arn=_checked_source(source_arn),
        name=_checked_name(name),
        to_service=to_service,
        by_service=by_service,
    )


def require_grantable(key: KeyMetadata, grant: Grant) -> None:
    """Passes when the key has the operations of a grant, and takes its constraints.

    Raises:
        ValidationError: it does not.
    """
    foreign = sorted(grant.operations - operations_for(key))
    if foreign:
        raise ValidationError(
            f"Grant operations [{', '.join(foreign)}] are not valid for a key with key spec "
            f"{key.spec} and key usage {key.usage}."
        )
    symmetric = key.spec is KeySpec.SYMMETRIC_DEFAULT
    if not symmetric and (grant.equals is not None or grant.subset is not None):
        raise ValidationError(
            "Encryption context constraints are only valid for symmetric encryption keys; the key "
            f"spec is {key.spec}."
        )


def same_request(one: Grant, other: Grant) -> bool:
    """Whether two requests for a grant have the same parameters, the name among them."""
    blank = [
        replace(each, id="", created_at=None, issuing_account=None, key_arn=None)
        for each in (one, other)
    ]
    return blank[0] == blank[1]


def checked_grant_id(text: Any) -> str:
    """The id of a grant, when it can be one.

    Raises:
        InvalidGrantId: not 64 hexadecimal digits.
    """
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise InvalidGrantId(
            f"Invalid grantId {text!r}", hint="the id of a grant is 64 hexadecimal digits"
        )
    return text


def checked_principal(text: Any) -> str:
    """The principal, when it can be that of a grant.

    Raises:
        InvalidArn: neither the ARN of a principal nor the name of a service.
    """
    if not isinstance(text, str) or not text:
        raise ValidationError(f"a principal is given as its ARN, not as {text!r}")
    if not is_principal(text):
        raise InvalidArn(
            f"ARN does not refer to a valid principal: {text}",
            hint="it is that of an account (arn:aws:iam::ACCOUNT:root), a user, a role, a session "
            "of a role or a federated user, or a service as ec2.amazonaws.com",
        )
    return text


def _checked_operations(operations: Iterable[str]) -> frozenset[str]:
    if isinstance(operations, str) or not isinstance(operations, Collection):
        raise ValidationError(f"the operations of a grant are several names, not {operations!r}")
    unknown = [name for name in operations if name not in GRANTABLE]
    if unknown:
        raise ValidationError(
            f"{unknown[0]!r} is no operation of grants; these are: {', '.join(sorted(GRANTABLE))}"
        )
    if not operations:
        raise ValidationError("A grant must allow at least one operation.")
    if set(operations) == {"CreateGrant"}:
        raise ValidationError("Grants must not contain only the CreateGrant operation.")
    return frozenset(operations)


def _checked_pairs(pairs: Mapping[str, str] | None, what: str) -> dict[str, str] | None:
    if not pairs:
        return None
    if not isinstance(pairs, Mapping) or not all(
        isinstance(text, str) for pair in pairs.items() for text in pair
    ):
        raise ValidationError(f"{what} is a mapping of str to str, not {pairs!r}")
    if len(pairs) > MAX_PAIRS:
        raise ValidationError(
            f"{what} has {len(pairs)} pairs; a grant constraint has at most {MAX_PAIRS}"
        )
    size = sum(len(name) + len(value) for name, value in pairs.items())
    if size > _MAX_CHARACTERS:
        raise ValidationError(
            f"{what} has {size} characters; a grant constraint has at most {_MAX_CHARACTERS}"
        )
    try:
        "".join((*pairs, *pairs.values())).encode()
    except UnicodeEncodeError:
        raise ValidationError(f"{what} has text that is not valid Unicode") from None
    return dict(pairs)


def _checked_source(arn: str | None) -> str | None:
    if arn is not None and (
        not isinstance(arn, str)
        or len(arn) not in _SOURCE_ARN_LENGTHS
        or not _SOURCE_ARN.fullmatch(arn)
        or not arn.isprintable()
    ):
        raise ValidationError(
            f"SourceArn {arn!r} is no ARN of a resource; it has 20 to 512 characters, and looks "
            "like arn:aws:s3:us-east-1:111122223333:bucket"
        )
    return arn


def _checked_name(name: str | None) -> str | None:
    if name is not None and (not isinstance(name, str) or not _NAME.fullmatch(name)):
        raise ValidationError(
            f"{name!r} is no name of a grant: it has 1 to 256 letters, digits, : / _ and -"
        )
    return name
