"""A log in a directory of its own, and the store key that it belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from audit_logs import Opener
from ring import STORE_ID

from kmsfast.audit.log import AuditLog
from kmsfast.crypto import keys


@pytest.fixture
def store_key(tmp_path: Path) -> Iterator[keys.StoreKey]:
    keys.open_arena()
    root_file = str(tmp_path / "root.key")
    keys.RootKey.create_file(root_file)
    with keys.RootKey.load_file(root_file) as root:
        key, _ = keys.StoreKey.create(root, STORE_ID)
    with key:
        yield key


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def opened(directory: Path, store_key: keys.StoreKey) -> Iterator[Opener]:
    """Opens the log; what is still open at the end is closed."""
    logs: list[AuditLog] = []

    def open_log(**settings: int) -> AuditLog:
        logs.append(AuditLog(directory, store_key, STORE_ID, **settings))
        return logs[-1]

    yield open_log
    for log in logs:
        log.close()
