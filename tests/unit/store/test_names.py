"""The names of all keys, for which what belongs to the keys is not read."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from clocks import Clock

import kmsfast
from kmsfast.errors import StoreIntegrity


def _filled(path: Path, clock: Clock) -> list[str]:
    """A store with keys of each kind; the ids of those that exist."""
    with kmsfast.open(path, create=True, clock=clock) as kms:
        made = [kms.create_key(alias="alias/one"), kms.create_key(multi_region=True)]
        gone = kms.create_key()
        gone.schedule_deletion(7)
        clock.forward(days=8)
        waiting = kms.create_key()
        waiting.schedule_deletion(7)
        return sorted(key.id for key in [*made, waiting])


def test_they_are_those_of_the_keys(tmp_path: Path) -> None:
    clock = Clock()
    there = _filled(tmp_path / "s", clock)
    with kmsfast.open(tmp_path / "s", clock=clock) as kms:
        found = kms._app.management.key_ids()
        assert sorted(found) == there == sorted(key.id for key in kms.keys())
        assert sum(name.startswith("mrk-") for name in found) == 1


@pytest.mark.parametrize(
    "change", ["DELETE FROM keys WHERE rowid = 2", "UPDATE keys SET state = 'Deleted'"]
)
def test_a_key_that_was_taken_away_is_noticed(tmp_path: Path, change: str) -> None:
    clock = Clock()
    _filled(tmp_path / "s", clock)
    with kmsfast.open(tmp_path / "s", clock=clock) as kms:
        with sqlite3.connect(tmp_path / "s" / "store.db") as db:
            db.execute(change)
        db.close()
        with pytest.raises(StoreIntegrity):
            kms._app.management.key_ids()
