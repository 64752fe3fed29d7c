"""The API on a store and a clock of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api import Api
from clocks import Clock

from kmsfast import app

REGION, ACCOUNT = "eu-central-1", "111122223333"


@pytest.fixture
def api(path: Path, clock: Clock) -> Iterator[Api]:
    running = app.start(path, create=True, region=REGION, account=ACCOUNT, clock=clock)
    yield Api(running)
    running.close()
