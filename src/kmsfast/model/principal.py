"""Who there is: accounts, users, roles and groups, their access keys, and the callers they make.

Source: IAM User Guide, "IAM identifiers" and "IAM and AWS STS quotas".
Rules:
- a principal is named by its ARN; a name alone is that of a user (role, group) of the account at
  hand; an account is its root user, ``arn:aws:iam::ACCOUNT:root``;
- a unique id is never used again: what AWS puts in front says of which sort it is;
- groups have policies and members; they make no requests and policies cannot name them;
- a caller is what policies are decided for (:mod:`.policy_principal`): the root user, a user, a
  role, or a session of a role;
- pure: ids are made of random bytes that the caller brings.
"""

from __future__ import annotations

import re
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from kmsfast.errors import LimitExceeded, ValidationError
from kmsfast.model.policy_principal import Kind, Principal, parsed_arn, root_arn

__all__ = [
    "ID_BYTES",
    "MAX_ACCESS_KEYS",
    "MAX_GROUPS",
    "AccessKey",
    "Identity",
    "IdentityKind",
    "access_key_id",
    "caller",
    "checked_policy_name",
    "identity_arn",
    "parsed_identity",
    "unique_id",
]

ID_BYTES: Final = 11  # 88 random bits are 17 letters
MAX_ACCESS_KEYS: Final = 2
MAX_GROUPS: Final = 10
MAX_TAGS: Final = 50
_POLICY_NAME: Final = 128  # characters
_GROUP: Final = re.compile(
    r"arn:(aws[a-z-]*):iam::([0-9]{12}):group/"
    r"(?:[\x21-\x29\x2b-\x3e\x40-\x7e]*/)?([\w+=,.@-]{1,128})",
    re.ASCII,
)
_NAME: Final = re.compile(r"[\w+=,.@-]+", re.ASCII)
_SESSION: Final = re.compile(r"[\w+=,.@-]{2,64}", re.ASCII)


class IdentityKind(StrEnum):
    """The sorts of identities; the values are the first word of their resource in an ARN."""

    ROOT = "root"
    USER = "user"
    ROLE = "role"
    GROUP = "group"


_KINDS: Final = {
    Kind.ROOT: IdentityKind.ROOT, Kind.USER: IdentityKind.USER, Kind.ROLE: IdentityKind.ROLE,
}  # fmt: skip
_PREFIXES: Final = {
    IdentityKind.USER: "AIDA", IdentityKind.ROLE: "AROA", IdentityKind.GROUP: "AGPA",
}  # fmt: skip
_LONGEST: Final = {IdentityKind.USER: 64, IdentityKind.ROLE: 64, IdentityKind.GROUP: 128}


@dataclass(frozen=True, slots=True)
class Identity:
    """The root user of an account, a user, a role or a group.

    Args:
        unique_id: AIDA…, AROA…, AGPA…; of the root user the number of its account.
        tags: ``aws:PrincipalTag/*`` of the requests that it makes.

    Raises:
        ValidationError: not the ARN of one.
    """

    arn: str
    unique_id: str
    created_at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)
    kind: IdentityKind = field(init=False)
    account: str = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        kind, account, name = parsed_identity(self.arn)
        for key, value in (("kind", kind), ("account", account), ("name", name)):
            object.__setattr__(self, key, value)
        if len(self.tags) > MAX_TAGS:
            raise LimitExceeded(f"an identity has at most {MAX_TAGS} tags, not {len(self.tags)}")


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key, without its secret.

    Attributes:
        id: AKIA and 16 letters and digits.
        arn: of the user, the root user or the role that it is of.
        session: name of the session, of a role's access key.
    """

    id: str
    arn: str
    created_at: datetime
    active: bool = True
    session: str | None = None


def parsed_identity(arn: str) -> tuple[IdentityKind, str, str]:
    """Kind, account and name of an identity's ARN.

    Raises:
        ValidationError: it is none.
    """
    known = parsed_arn(arn)
    if known is not None and known[0] in _KINDS:
        kind, _, account, names = known
        return _KINDS[kind], account, names[0] if names else "root"
    group = _GROUP.fullmatch(arn)
    if group is None:
        raise ValidationError(
            f"{arn!r} is no ARN of an identity; one looks like arn:aws:iam::111122223333:user/name"
        )
    return IdentityKind.GROUP, group[2], group[3]


def identity_arn(text: str, kind: IdentityKind, account: str, partition: str = "aws") -> str:
    """The ARN of an identity that is named by its ARN, or by its name in an account.

    Raises:
        ValidationError: a malformed name or ARN, or the ARN of another kind.
    """
    if text.startswith("arn:"):
        found = parsed_identity(text)[0]
        if found is not kind:
            raise ValidationError(f"{text} is a {found}, not a {kind}")
        return text
    if kind is IdentityKind.ROOT:
        return root_arn(account, partition)
    name = text.rpartition("/")[2]
    arn = f"arn:{partition}:iam::{account}:{kind}/{text}"
    if not _NAME.fullmatch(name) or len(name) > _LONGEST[kind]:
        raise ValidationError(
            f"{name!r} is no name of a {kind}: it has 1 to {_LONGEST[kind]} letters, digits and "
            "_+=,.@-"
        )
    parsed_identity(arn)
    return arn


def checked_policy_name(name: str) -> str:
    """The name of an identity policy.

    Raises:
        ValidationError: empty, too long, or with characters that do not print.
    """
    if not name or len(name) > _POLICY_NAME or not name.isprintable():
        raise ValidationError(
            f"the name of a policy has 1 to {_POLICY_NAME} printable characters, not {name!r}"
        )
    return name


def unique_id(kind: IdentityKind, account: str, random: bytes) -> str:
    """The unique id of a new identity."""
    return account if kind is IdentityKind.ROOT else _PREFIXES[kind] + _letters(random, 17)


def access_key_id(random: bytes) -> str:
    """The id of a new access key."""
    return "AKIA" + _letters(random, 16)


def caller(
    identity: Identity,
    session: str | None = None,
    session_tags: Mapping[str, str] | None = None,
) -> Principal:
    """The caller that an identity is when it makes a request.

    Args:
        session: a name, for a session of a role.
        session_tags: they go before those of the role.

    Raises:
        ValidationError: a group, a session of something else than a role, or a malformed name.
    """
    if identity.kind is IdentityKind.GROUP:
        raise ValidationError(f"{identity.arn} is a group; groups make no requests")
    if session is None:
        return Principal(identity.arn, user_id=identity.unique_id, tags=dict(identity.tags))
    if identity.kind is not IdentityKind.ROLE:
        raise ValidationError(f"{identity.arn} is no role, and has no sessions")
    if not _SESSION.fullmatch(session):
        raise ValidationError(
            f"{session!r} is no name of a session: it has 2 to 64 letters, digits and _+=,.@-"
        )
    partition = identity.arn.split(":", 2)[1]
    return Principal(
        f"arn:{partition}:sts::{identity.account}:assumed-role/{identity.name}/{session}",
        role_arn=identity.arn,
        user_id=f"{identity.unique_id}:{session}",
        tags={**identity.tags, **(session_tags or {})},
    )


def _letters(random: bytes, number: int) -> str:
    if len(random) != ID_BYTES:
        raise ValidationError(f"an id is made of {ID_BYTES} random bytes, not {len(random)}")
    return b32encode(random).decode()[:number]
