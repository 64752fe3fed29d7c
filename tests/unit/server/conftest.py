"""The API, and the socket's sessions, on a store of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from api import Api
from session_world import World

import kmsfast
from kmsfast import app
from kmsfast.server.session import Session


@pytest.fixture
def api(path: Path) -> Iterator[Api]:
    running = app.start(path, create=True)
    yield Api(running)
    running.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with kmsfast.open(tmp_path / "store", create=True, audit="off") as kms:
        yield World(kms)


@pytest.fixture
def admin(world: World) -> Session:
    return world.session()
