"""One server with its store for all attacks of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from serving import served
from wire_attacks import World

import kmsfast


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    store = tmp_path_factory.mktemp("attacked") / "store"
    with kmsfast.open(store, create=True) as kms:
        admin = kms.principals.create_administrator()
        kms.create_key(alias="alias/a")
        with served(store, signed=True) as server:
            made = World(kms, server, store, admin)
            yield made
            for client in made.clients:
                client.close()
