"""A store of its own, and a clock that moves when told, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import kmsfast


class Clock:
    """Stands still at 2026-01-01 until it is moved."""

    def __init__(self) -> None:
        self.now = 1_767_225_600.0

    def __call__(self) -> float:
        return self.now

    def forward(self, *, days: float) -> None:
        self.now += days * 86_400


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def kms(path: Path, clock: Clock) -> Iterator[kmsfast.Kms]:
    with kmsfast.open(path, create=True, clock=clock) as opened:
        yield opened
