"""Dates and times as arguments."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

__all__ = ["Age", "Moment"]


class Moment(click.ParamType):  # type: ignore[type-arg]
    """A date or a time of ISO 8601; without a zone it is UTC."""

    name = "TIME"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """The time."""
        try:
            found = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is no date or time, such as 2027-01-31T12:00Z", param, ctx)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found


class Age(click.ParamType):  # type: ignore[type-arg]
    """A number of days, weeks or hours, such as ``90d``."""

    name = "AGE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """The time."""
        if isinstance(value, timedelta):
            return value
        found = re.fullmatch(r"([1-9][0-9]{0,4})([hdw])", str(value))
        if found is None:
            self.fail(f"{value!r} is no age: a number with h, d or w, such as 90d", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
