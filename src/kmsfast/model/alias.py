"""Alias names: ``alias/`` and 1 to 250 letters, digits, ``/``, ``_`` and ``-``; as AWS has them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from kmsfast.errors import InvalidAliasName, NotAuthorized

__all__ = ["PREFIX", "RESERVED", "Alias", "checked_alias", "checked_own_alias"]

PREFIX = "alias/"
_NAME = re.compile(r"alias/[a-zA-Z0-9/_-]{1,250}")
RESERVED = "alias/aws/"


@dataclass(frozen=True, slots=True)
class Alias:
    """A name for a key that can be moved to another key.

    Attributes:
        raw_key_id: the 16 bytes of the key it names.
    """

    name: str
    arn: str
    key_id: str
    raw_key_id: bytes
    created_at: datetime
    updated_at: datetime


def checked_alias(name: str) -> str:
    """The alias name, when it is well-formed.

    Raises:
        InvalidAliasName: without the prefix ``alias/``, with other characters, or too long.
    """
    if not isinstance(name, str) or not name.startswith(PREFIX):
        raise InvalidAliasName(f'Alias must start with the prefix "alias/": {name!r}')
    if not _NAME.fullmatch(name):
        raise InvalidAliasName(
            f"{name!r} is no alias: after alias/ come 1 to 250 letters, digits, / _ and -"
        )
    return name


def checked_own_alias(name: str) -> str:
    """The alias name, when it is one that users write.

    Raises:
        InvalidAliasName: malformed. NotAuthorized: in ``alias/aws/``, which belongs to AWS.
    """
    if checked_alias(name).startswith(RESERVED):
        raise NotAuthorized(
            f"{name} is reserved for aliases of AWS; choose one that does not begin with {RESERVED}"
        )
    return name
