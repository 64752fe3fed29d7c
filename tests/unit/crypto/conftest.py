"""A ring of key versions for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import reference
from ring import STORE_ID, Ring

from kmsfast.crypto import keys


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    keys.open_arena()
    path = str(tmp_path / "root.key")
    keys.RootKey.create_file(path)
    with keys.RootKey.load_file(path) as root:
        store, wrapped = keys.StoreKey.create(root, STORE_ID)
    seen = reference.unwrap_store_key(Path(path).read_bytes(), wrapped, STORE_ID)
    with store:
        yield Ring(store, seen)
