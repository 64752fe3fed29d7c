"""The epoch: moves with every commit, is seen by every process, survives writers that die."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

import kmsfast
from kmsfast.errors import KeyDisabled, StoreBusy, StoreUnusable
from kmsfast.store.epoch import Epoch


@pytest.fixture
def epoch(tmp_path: Path) -> Epoch:
    return Epoch(tmp_path / "epoch")


def test_it_is_odd_during_a_commit_and_even_after_it(epoch: Epoch) -> None:
    before = epoch.word[0]
    with epoch.locked(1), epoch.moving():
        assert epoch.word[0] % 2 == 1
        assert epoch.word[0] > before
    assert epoch.word[0] == before + 2


def test_a_failed_commit_moves_it_as_well(epoch: Epoch) -> None:
    before = epoch.word[0]
    with pytest.raises(OSError), epoch.locked(1), epoch.moving():
        raise OSError
    assert epoch.word[0] == before + 2


def test_others_see_it_move(tmp_path: Path, epoch: Epoch) -> None:
    other = Epoch(tmp_path / "epoch")
    with epoch.locked(1), epoch.moving():
        pass
    assert other.word[0] == epoch.word[0] != 0


def test_the_file_keeps_its_count(tmp_path: Path, epoch: Epoch) -> None:
    with epoch.locked(1), epoch.moving():
        pass
    count = epoch.word[0]
    epoch.close()
    assert Epoch(tmp_path / "epoch").word[0] == count
    assert (tmp_path / "epoch").stat().st_mode & 0o777 == 0o600


def test_one_writer_at_a_time(tmp_path: Path, epoch: Epoch) -> None:
    other = Epoch(tmp_path / "epoch")
    with epoch.locked(1):
        started = time.monotonic()
        with pytest.raises(StoreBusy, match=r"0\.05 seconds"), other.locked(0.05):
            pass
        assert time.monotonic() - started < 1
    with other.locked(0):
        pass


def _die_in_a_commit(path: Path) -> None:
    epoch = Epoch(path)
    with epoch.locked(1), epoch.moving():
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_writer_that_died_is_settled(tmp_path: Path, epoch: Epoch) -> None:
    child = multiprocessing.get_context("fork").Process(
        target=_die_in_a_commit, args=(tmp_path / "epoch",)
    )
    before = epoch.word[0]
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert epoch.word[0] == before + 1
    epoch.settle()
    assert epoch.word[0] == before + 2


def test_a_writer_at_work_is_left_alone(tmp_path: Path, epoch: Epoch) -> None:
    other, before = Epoch(tmp_path / "epoch"), epoch.word[0]
    with epoch.locked(1), epoch.moving():
        other.settle()
        assert other.word[0] == before + 1


def test_nothing_is_remembered_while_it_is_odd(kms: kmsfast.Kms) -> None:
    key = kms.create_key(description="before")
    epoch = kms._app.store.directory._epoch
    holder = Epoch(kms._app.store.directory.path / "epoch")
    with holder.locked(1), holder.moving():
        assert key.description == "before"
        key.encrypt(b"x")
        assert epoch.word[0] % 2 == 1
        assert kms._ring._seen.epoch != epoch.word[0]
        assert key._sealing.epoch != epoch.word[0]


@pytest.mark.parametrize("change", ["removed", "replaced", "cut"])
def test_a_file_that_is_no_longer_there(path: Path, change: str) -> None:
    """Nobody would hear of this process's changes, nor it of theirs."""
    with kmsfast.open(path, create=True) as kms:
        key = kms.create_key()
        if change == "cut":
            os.truncate(path / "epoch", 4)  # the page stays mapped
        else:
            (path / "epoch").unlink()
        if change == "replaced":
            kmsfast.open(path).close()
        for use in (key.rotate, kms.keys, kms.create_key):
            with pytest.raises(StoreUnusable, match="removed, replaced or cut"):
                use()
    with kmsfast.open(path) as kms:
        kms.key(key.id).rotate()


def test_one_that_was_cut_and_filled_again_counts_anew(path: Path) -> None:
    """It must not come back to a count at which something is remembered."""
    with kmsfast.open(path, create=True) as kms:
        key = kms.create_key()
        blob = key.encrypt(b"x")
        assert kms.decrypt(blob) == b"x"
        moved = kms._app.store.epoch[0]
        os.truncate(path / "epoch", 0)
        with kmsfast.open(path) as other:
            other.key(key.id).disable()
            while kms._app.store.epoch[0] < moved < 100:  # as a count from 0 would
                other.key(key.id).update_description("")
        for use in (lambda: key.encrypt(b"x"), lambda: kms.decrypt(blob)):
            with pytest.raises(KeyDisabled):
                use()


def _read(epoch: Epoch) -> None:
    faulthandler.disable()
    _ = epoch.word[0]


def test_one_that_was_cut_to_nothing_ends_who_reads_it(tmp_path: Path, epoch: Epoch) -> None:
    """By a signal, and not with what is remembered; a store that is opened fills it again."""
    os.truncate(tmp_path / "epoch", 0)
    child = multiprocessing.get_context("fork").Process(target=_read, args=(epoch,))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGBUS
    filled = Epoch(tmp_path / "epoch")
    assert epoch.word[0] == filled.word[0]


def test_a_closed_file_locks_no_other(epoch: Epoch, tmp_path: Path) -> None:
    epoch.close()
    with (tmp_path / "another").open("w"), pytest.raises((OSError, ValueError)):
        epoch._try_lock()
