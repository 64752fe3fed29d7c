"""Times as the store keeps them: whole microseconds since 1970-01-01 UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["from_micros", "to_micros"]

_ORIGIN: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def from_micros(micros: int) -> datetime:
    """A stored time."""
    return _ORIGIN + micros * _MICROSECOND


def to_micros(moment: datetime) -> int:
    """A time as it is stored: microseconds since 1970-01-01 UTC."""
    return (moment - _ORIGIN) // _MICROSECOND
