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
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from kmsfast.model.policy_glob import Token, glob

__all__ = ["address", "arn_pattern", "binary", "boolean", "moment", "number"]

Network = IPv4Network | IPv6Network
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
MAPPED_BITS: Final = 96  # ::ffff:0:0/96, RFC 4291 section 2.5.5.2


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
    return (when - _offset(zone) - _START) // _TICK


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


def address(text: str) -> Network:
    """A network, of one address when there is no prefix length; mapped IPv4 is IPv4.

    Raises:
        ValueError: no address.
    """
    network = ip_network(text, strict=False)
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < MAPPED_BITS:
        return network
    return ip_network((mapped, network.prefixlen - MAPPED_BITS), strict=False)


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
