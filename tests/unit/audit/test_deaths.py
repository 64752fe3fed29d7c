"""A process that dies at any step leaves a log that goes on, and that verifies before and after."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from audit_logs import Opener, event
from ring import STORE_ID

from kmsfast.audit.ends import EndFile
from kmsfast.audit.frames import MAGIC, Header, Kind, pack, record, segment_name
from kmsfast.audit.log import AuditLog
from kmsfast.audit.reading import Filter, read
from kmsfast.audit.segments import segments
from kmsfast.audit.trail import Trail
from kmsfast.crypto.keys import StoreKey
from kmsfast.crypto.log import End
from kmsfast.errors import AuditUnusable

BYTES = 4096  # of a segment


class Died(BaseException):
    """The process was killed."""


class Steps:
    """Counts the steps that others could see a process die between, and dies at one of them."""

    def __init__(self, patch: pytest.MonkeyPatch, last: int) -> None:
        self.left = last
        for owner, name in (
            (os, "pwrite"), (os, "fsync"), (os, "fdatasync"), (os, "ftruncate"),
            (Path, "replace"), (Path, "unlink"), (End, "begin"), (End, "move"),
            (End, "append_locked"), (EndFile, "move_mark"),
        ):  # fmt: skip
            patch.setattr(owner, name, self.counted(getattr(owner, name)))

    def counted(self, done: Callable[..., object]) -> Callable[..., object]:
        def step(*given: object, **named: object) -> object:
            self.count()
            found = done(*given, **named)
            self.count()
            return found

        return step

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Died


def events(directory: Path) -> list[int]:
    return [found.event.time for found in read(directory, Filter())]


def begun(opened: Opener) -> None:
    opened(segment_bytes=BYTES)


def full(opened: Opener) -> None:
    log = opened(segment_bytes=BYTES)
    for number in range(1, 30):
        log.append(event(number).pack())


def repaired(opened: Opener) -> None:
    log = opened(segment_bytes=BYTES)
    with (log.directory / segment_name(1)).open("ab") as file:
        file.write(b"\x20\x01\x00\x00\x01half of a record")
    log.end.begin()
    opened(segment_bytes=BYTES).append(event(1).pack())


def removed(opened: Opener) -> None:
    log = opened(segment_bytes=BYTES)
    for number in range(1, 70):
        log.append(event(number).pack())
    for path in log.directory.glob("*.log"):
        os.utime(path, (1_000, 1_000))
    log.remove_before(2_000_000_000)


@pytest.mark.parametrize("what", [begun, full, repaired, removed])
def test_a_death_at_any_step_leaves_a_log_that_goes_on(
    tmp_path: Path, store_key: StoreKey, monkeypatch: pytest.MonkeyPatch,
    what: Callable[[Opener], None],
) -> None:  # fmt: skip
    monkeypatch.setattr(AuditLog, "_start_syncer", lambda _log: None)  # it would count as well
    last, ended = 0, False
    while not ended:
        last += 1
        directory = tmp_path / f"audit{last}"
        dead: list[AuditLog] = []

        def open_log(
            directory: Path = directory, dead: list[AuditLog] = dead, **said: int
        ) -> AuditLog:
            dead.append(AuditLog(directory, store_key, STORE_ID, **said))
            return dead[-1]

        with monkeypatch.context() as patch:
            Steps(patch, last)
            try:
                what(open_log)
                ended = True
            except Died:
                ended = False
        there = events(directory) if directory.exists() else []
        trail = Trail(directory, store_key, STORE_ID)
        if there or (directory.exists() and segments(directory)):
            assert trail.verify().findings == [], last
        again = AuditLog(directory, store_key, STORE_ID, segment_bytes=BYTES)
        for number in range(100, 150):
            again.append(event(number).pack())
        again.close()
        assert trail.verify().findings == [], last
        after = events(directory)
        assert after == there + list(range(100, 150)), last
        for log in dead:
            log._close_files()
    assert last > 10


def test_a_file_end_that_says_nothing_takes_nothing_from_the_log(opened: Opener) -> None:
    log = opened()
    for number in range(5):
        log.append(event(number).pack())
    log.close()
    path = log.directory / "end"
    data = path.read_bytes()
    for end in bytes(64), b"\x01" * 64, b"\xff" * 64:  # not authenticated
        path.write_bytes(data[:8] + end + data[72:])
        opened().close()
        assert events(log.directory) == [0, 1, 2, 3, 4]


def test_a_segment_that_was_made_up_does_not_hide_that_the_one_before_it_was_cut(
    opened: Opener, store_key: StoreKey
) -> None:
    log = opened()
    for number in range(5):
        log.append(event(number).pack())
    kept = log.end.offset, log.end.num, log.end.chain
    log.append(event(5).pack())
    log.close()
    offset, num, chain = kept
    os.truncate(log.directory / segment_name(1), offset)
    header = Header(2, num, STORE_ID, log.public_key, 1)
    first, chain = record(Kind.HEADER, pack(header), chain)
    (log.directory / segment_name(2)).write_bytes(MAGIC + first)
    file = EndFile(log.directory / "end", store_key)
    file.end.move(2, len(MAGIC + first), num + 1, chain)
    file.close()
    with pytest.raises(AuditUnusable, match="was cut or changed"):
        opened()
    assert Trail(log.directory, store_key, STORE_ID).verify().findings


def test_events_behind_the_last_segment_are_found(opened: Opener, store_key: StoreKey) -> None:
    log = opened()
    log.append(event(1).pack())
    log.close()
    second, _ = record(Kind.EVENT, event(2).pack(), log.end.chain)
    (log.directory / segment_name(2)).write_bytes(MAGIC + second)
    (finding,) = Trail(log.directory, store_key, STORE_ID).verify().findings
    assert str(finding) == "00000002.log, byte 0: the segment is behind the end of the log"


def test_a_log_that_was_removed_and_begun_again_has_another_key(opened: Opener) -> None:
    log = opened()
    log.close()
    for name in "end", segment_name(1):
        (log.directory / name).unlink()
    assert opened().public_key != log.public_key


def test_a_disk_that_is_full_at_the_end_of_a_segment_leaves_none_without_a_header(
    opened: Opener, store_key: StoreKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(segment_bytes=BYTES)
    done = 0
    with monkeypatch.context() as patch:
        patch.setattr("kmsfast.audit.log.create_segment", _fail)
        with pytest.raises(AuditUnusable, match="No space left"):
            for number in range(50):
                log.append(event(number).pack())
                done += 1
    assert segments(log.directory) == [1]
    log.append(event(50).pack())
    log.close()
    assert events(log.directory) == [*range(done), 50]
    assert Trail(log.directory, store_key, STORE_ID).verify().findings == []


def test_a_sync_that_fails_at_the_end_of_a_segment_ends_all_appending(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AuditLog, "_start_syncer", lambda _log: None)
    log = opened(segment_bytes=BYTES)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", _fail)
        with pytest.raises(AuditUnusable, match="No space left"):
            for number in range(50):
                log.append(event(number).pack())
    with pytest.raises(AuditUnusable, match="No space left"):
        log.append(event(50).pack())


def test_what_a_dying_writer_left_never_becomes_the_mark(
    opened: Opener, store_key: StoreKey
) -> None:
    log, other = opened(), opened()
    log.append(event(1).pack())
    log.end.begin()
    log.end._shared.num += 1
    log.end._shared.chain[0] ^= 1
    other.checkpoint()
    assert Trail(log.directory, store_key, STORE_ID).verify().findings == []
    log.append(event(2).pack())
    assert events(log.directory) == [1, 2]


def test_a_closed_log_writes_to_no_file(opened: Opener, tmp_path: Path) -> None:
    log = opened()
    log.close()
    with (tmp_path / "other").open("w+b") as file:
        with pytest.raises(AuditUnusable, match="was closed"):
            log.append(event(1).pack())
        assert file.read() == b""


def _fail(*_given: object) -> None:
    raise OSError(28, os.strerror(28))


def test_a_lock_of_a_process_that_died_does_not_live_on_with_its_child(
    directory: Path, store_key: StoreKey
) -> None:
    log = AuditLog(directory, store_key, STORE_ID)
    ready, go_on = os.pipe(), os.pipe()
    with log.end.locked():
        child = os.fork()
        if child == 0:
            os.write(ready[1], b"x")
            os.read(go_on[0], 1)
            os._exit(0)
        os.read(ready[0], 1)
        try:
            log._file.close()  # as the kernel does when the process is killed
            descriptor = os.open(log.directory / "end", os.O_RDWR)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.close(descriptor)
        finally:
            os.write(go_on[1], b"x")
            os.waitpid(child, 0)
            log.end._lock_fd = os.open(log.directory / "end", os.O_RDWR)
    log._close_files()
    for each in log.end._lock_fd, *ready, *go_on:
        os.close(each)
