"""Dates and times as arguments."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

__all__ = ["Moment"]


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
