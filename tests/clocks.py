"""A clock for tests."""

from __future__ import annotations

__all__ = ["Clock"]


class Clock:
    """Stands still at 2026-01-01 until it is moved."""

    def __init__(self) -> None:
        self.now = 1_767_225_600.0

    def __call__(self) -> float:
        return self.now

    def forward(self, *, days: float = 0, seconds: float = 0) -> None:
        self.now += days * 86_400 + seconds
