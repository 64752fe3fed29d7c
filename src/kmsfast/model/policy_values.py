"""Values of conditions: how each type is read, of policies and of requests.

Rules:
- what a policy says must be readable, or the policy is refused; a value of a request that is not
  readable is equal to nothing, and neither less nor greater than anything;
- numbers are compared exactly, dates to the microsecond, addresses within their family;
- dates are those of the W3C note that the reference names, or seconds since 1970; four digits are a
  year;
- ARNs are compared by their six fields, so that no wildcard reaches across a colon.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Final, NamedTuple

from kmsfast.model.policy_glob import Token, glob

__all__ = ["Range", "address", "arn_pattern", "binary", "boolean", "moment", "network", "number"]


class Range(NamedTuple):
    """Addresses of one family as numbers, both ends included."""

    version: int
    first: int
    last: int


_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")
_DATE: Final = re.compile(
    r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6})[0-9]*)?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2}))?)?)?"
)
_SECONDS: Final = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,6})?")
_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TICK: Final = timedelta(microseconds=1)
ARN_FIELDS: Final = 6
MAPPED, MASK = 0xFFFF, 0xFFFFFFFF  # ::ffff:0:0/96, RFC 4291 section 2.5.5.2


def number(text: str) -> Decimal:
    """An integer or decimal number.

    Raises:
        ValueError: it is none.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is no number")
    return Decimal(text)


def moment(text: str) -> int:
    """A date in microseconds since 1970.

    Raises:
        ValueError: neither a date of the W3C note (2026-01-31T12:00:00Z) nor seconds since 1970.
    """
    found = _DATE.fullmatch(text)
    if found is None:
        if not _SECONDS.fullmatch(text):
            raise ValueError(f"{text!r} is no date; one looks like 2026-01-31T12:00:00Z")
        return int(Decimal(text) * 1_000_000)
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    when = datetime(
        int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0),
        int(second or 0), int((fraction or "0").ljust(6, "0")), tzinfo=UTC,
    )  # fmt: skip
    return (when - _START - _offset(zone)) // _TICK


def _offset(zone: str | None) -> timedelta:
    if zone is None or zone == "Z":
        return timedelta()
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(f"{zone} is no offset from UTC")
    size = timedelta(hours=hours, minutes=minutes)
    return -size if zone[0] == "-" else size


def boolean(text: str) -> bool:
    """True or false, in any case.

    Raises:
        ValueError: neither.
    """
    lower = text.lower()
    if lower not in ("true", "false"):
        raise ValueError(f"{text!r} is neither true nor false")
    return lower == "true"


def binary(text: str) -> bytes:
    """Bytes from base64.

    Raises:
        ValueError: no base64.
    """
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise ValueError(f"{text!r} is no base64") from None


def network(text: str) -> Range:
    """A range of addresses, of one when there is no prefix length; mapped IPv4 is IPv4.

    Raises:
        ValueError: no address and no range.
    """
    found = ip_network(text, strict=False)
    return _range(found.version, int(found.network_address), int(found.broadcast_address))


@lru_cache(maxsize=256)
def address(text: str) -> Range:
    """One address, as a range of one. A request's is compared with many policies' ranges.

    Raises:
        ValueError: no address.
    """
    found = ip_address(text)
    return _range(found.version, int(found), int(found))


def _range(version: int, first: int, last: int) -> Range:
    if version == 6 and first >> 32 == last >> 32 == MAPPED:
        return Range(4, first & MASK, last & MASK)
    return Range(version, first, last)


def arn_pattern(tokens: Sequence[Token]) -> Callable[[str], bool]:
    """A test whether an ARN matches, field by field; ``*`` alone matches any."""
    fields: list[list[Token]] = [[]]
    for token in tokens:
        if not isinstance(token, str):
            fields[-1].append(token)
            continue
        first, *others = token.split(":", ARN_FIELDS - len(fields))
        fields[-1].append(first)
        fields.extend([other] for other in others)
    if len(fields) == 1 and glob(tokens)(""):
        return lambda _text: True
    if len(fields) != ARN_FIELDS:
        return lambda _text: False
    tests = [glob(field) for field in fields]

    def matches(text: str) -> bool:
        parts = text.split(":", ARN_FIELDS - 1)
        return len(parts) == ARN_FIELDS and all(
            test(part) for test, part in zip(tests, parts, strict=True)
        )

    return matches
