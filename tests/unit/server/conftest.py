"""The API on a store of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api import Api

from kmsfast import app


@pytest.fixture
def api(path: Path) -> Iterator[Api]:
    running = app.start(path, create=True)
    yield Api(running)
    running.close()
