"""Who makes a request, and by which names policies know it.

Rules:
- a role session goes by two names, its own ARN and that of its role; ``aws:PrincipalArn`` is the
  role's (page "Global condition keys");
- ``arn:aws:iam::ACCOUNT:root`` as the caller is the account's root user; as a principal of a policy
  it is the account, which delegates to its identity policies (page "Default key policy");
- ``aws:username`` exists for users only, ``aws:userid`` where the unique id is known;
- groups are no principals.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from kmsfast.errors import ValidationError
from kmsfast.model.policy_keys import family

__all__ = ["ACCOUNT", "SERVICE", "Kind", "Principal", "parsed_arn", "root_arn"]

ACCOUNT: Final = re.compile(r"[0-9]{12}")
SERVICE: Final = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com(?:\.cn)?")
_ARN: Final = re.compile(r"arn:(aws[a-z-]*):(iam|sts)::([0-9]{12}):(.+)")
_NAME: Final = r"[\w+=,.@-]{1,128}"
_PATH: Final = r"(?:[\x21-\x29\x2b-\x3e\x40-\x7e]*/)?"


class Kind(StrEnum):
    """The sorts of principals, by the names of ``aws:PrincipalType`` where it has one."""

    ROOT = "Account"
    USER = "User"
    ROLE = "Role"
    SESSION = "AssumedRole"
    FEDERATED = "FederatedUser"
    SERVICE = "Service"


# What comes after the account, with the name of the user, role or session as the last group.
_RESOURCES: Final = (
    ("iam", re.compile("root"), Kind.ROOT),
    ("iam", re.compile(f"user/{_PATH}({_NAME})", re.ASCII), Kind.USER),
    ("iam", re.compile(f"role/{_PATH}({_NAME})", re.ASCII), Kind.ROLE),
    ("sts", re.compile(f"assumed-role/({_NAME})/({_NAME})", re.ASCII), Kind.SESSION),
    ("sts", re.compile(f"federated-user/({_NAME})", re.ASCII), Kind.FEDERATED),
)


def parsed_arn(text: str) -> tuple[Kind, str, str, tuple[str, ...]] | None:
    """Kind, partition, account and names of a principal's ARN; None for any other text."""
    found = _ARN.fullmatch(text)
    if found is None:
        return None
    partition, service, account, resource = found.groups()
    for of, shape, kind in _RESOURCES:
        names = shape.fullmatch(resource) if of == service else None
        if names is not None:
            return kind, partition, account, names.groups()
    return None


def root_arn(account: str, partition: str = "aws") -> str:
    """The ARN of an account, and of its root user."""
    return f"arn:{partition}:iam::{account}:root"


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller.

    Args:
        arn: of a user, a role, a session of a role, a federated user or the root user; twelve
            digits for the root user of an account; or the name of a service.
        role_arn: of a session's role, when it has a path, which the ARN of a session does not tell.
        user_id: the unique id (``aws:userid``), of a session ``<id of the role>:<session>``.
        tags: ``aws:PrincipalTag/*``.

    Attributes:
        account: None for services.
        names: the ARNs by which a Principal element can name it.
        chain: account, role, session: NotPrincipal exempts who is named with all of them.
        values: condition keys of the principal, in lower case, with their values.

    Raises:
        ValidationError: the ARN is that of no principal.
    """

    arn: str
    role_arn: str | None = None
    user_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    kind: Kind = field(init=False)
    account: str | None = field(init=False)
    partition: str = field(init=False)
    names: frozenset[str] = field(init=False)
    chain: tuple[str, ...] = field(init=False)
    values: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if ACCOUNT.fullmatch(self.arn):
            object.__setattr__(self, "arn", root_arn(self.arn))
        known = parsed_arn(self.arn)
        if known is not None:
            kind, partition, account, names = known
            role = self._role(kind, partition, account, names)
            chain = (root_arn(account, partition), *([role] if role else []), self.arn)
            chain = chain[:1] if kind is Kind.ROOT else chain
        elif SERVICE.fullmatch(self.arn):
            kind, partition, account, names, role = Kind.SERVICE, "aws", None, (), None
            chain = (self.arn,)
        else:
            raise ValidationError(
                f"{self.arn!r} is no principal: give the ARN of a user, a role or a session of "
                "one, 12 digits for the root user of an account, or a service's name"
            )
        values = _values(self, kind, account, names, role)
        for name, value in (
            ("kind", kind), ("account", account), ("partition", partition), ("chain", chain),
            ("names", frozenset({self.arn, role or self.arn})), ("values", values),
        ):  # fmt: skip
            object.__setattr__(self, name, value)

    @property
    def is_root(self) -> bool:
        """Whether it is the root user, whose account refuses it nothing."""
        return self.kind is Kind.ROOT

    def _role(self, kind: Kind, partition: str, account: str, names: tuple[str, ...]) -> str | None:
        if kind is not Kind.SESSION:
            if self.role_arn is not None:
                raise ValidationError(f"{self.arn} is no session of a role; leave role_arn out")
            return None
        if self.role_arn is None:
            return f"arn:{partition}:iam::{account}:role/{names[0]}"
        role = parsed_arn(self.role_arn)
        if role is None or role != (Kind.ROLE, partition, account, names[:1]):
            raise ValidationError(f"{self.role_arn} is not the role of the session {self.arn}")
        return self.role_arn


def _values(
    principal: Principal, kind: Kind, account: str | None, names: tuple[str, ...], role: str | None
) -> dict[str, tuple[str, ...]]:
    service = kind is Kind.SERVICE
    shown = Kind.SESSION if kind is Kind.ROLE else kind
    user_id = principal.user_id
    if user_id is None and kind is Kind.ROOT:
        user_id = account
    if user_id is None and kind is Kind.FEDERATED:
        user_id = f"{account}:{names[0]}"
    values = {
        "aws:principalisawsservice": str(service).lower(),
        "aws:principalarn": None if service else role or principal.arn,
        "aws:principalaccount": account,
        "aws:principaltype": None if service else str(shown),
        "aws:principalservicename": principal.arn if service else None,
        "aws:principalservicenameslist": principal.arn if service else None,
        "aws:userid": user_id,
        "aws:username": names[0] if kind is Kind.USER else None,
    }
    known = {name: (value,) for name, value in values.items() if value is not None}
    return {**known, **family("aws:principaltag/", principal.tags)}
