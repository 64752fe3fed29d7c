"""Fixtures that several parts of the suite share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from kmsfast.crypto import native


@pytest.fixture(params=native.describe()["available"])
def implementation(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each implementation that this CPU can run, in turn."""
    before = native.describe()["implementation"]
    native.force(request.param)
    yield request.param
    native.force(before)
