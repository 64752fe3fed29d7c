"""A store of its own, and a clock that moves when told, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clocks import Clock

import kmsfast


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
