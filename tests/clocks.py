"""A clock for tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["Clock", "in_days"]


class Clock:
    """Stands still at 2026-01-01 until it is moved."""

    def __init__(self) -> None:
        self.now = 1_767_225_600.0

    def __call__(self) -> float:
        return self.now

    def forward(self, *, days: float = 0, seconds: float = 0) -> None:
        self.now += days * 86_400 + seconds


def in_days(clock: Clock, days: float) -> datetime:
    """The time that is so many days after the clock's."""
    return datetime.fromtimestamp(clock(), UTC) + timedelta(days=days)
