"""Appending: by several logs at once, over segments, after a death, on a disk that fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from audit_logs import Opener, event
from ring import STORE_ID

from kmsfast.audit.ends import read_mark
from kmsfast.audit.frames import MAGIC, segment_name
from kmsfast.audit.log import AuditLog
from kmsfast.audit.reading import Filter, read
from kmsfast.audit.segments import segments
from kmsfast.audit.verify import Report, verify
from kmsfast.crypto.keys import StoreKey
from kmsfast.crypto.log import MAX_BODY
from kmsfast.errors import AuditUnusable


def times(directory: Path) -> list[int]:
    return [found.event.time for found in read(directory, Filter())]


def verified(log: AuditLog, store_key: StoreKey) -> Report:
    mark = read_mark(log.directory / "end", store_key)
    report = verify(log.directory, STORE_ID, log.public_key, mark)
    assert report.findings == []
    return report


def test_what_was_appended_is_read_back_whole(opened: Opener, store_key: StoreKey) -> None:
    log = opened()
    given = [
        event(1),
        event(2, error="DisabledException", message="x", request={"a": ["é", 1, None]}),
    ]
    assert [log.append(one.pack()) for one in given] == [2, 3], "the header is the first record"
    found = [one.event for one in read(log.directory, Filter())]
    assert found[0] == given[0]
    assert found[1]._replace(request={}) == given[1]._replace(request={})
    assert found[1].request == {"a": ("é", 1, None)}
    log.checkpoint()
    report = verified(log, store_key)
    assert (report.records, report.events, report.checkpoints, report.signed) == (4, 2, 1, 3)
    assert (log.directory.stat().st_mode & 0o777) == 0o700
    assert {path.stat().st_mode & 0o777 for path in log.directory.iterdir()} == {0o600}


def test_closing_signs_what_was_appended(opened: Opener, store_key: StoreKey) -> None:
    log = opened()
    log.append(event().pack())
    log.close()
    assert verified(log, store_key).signed == 2
    again = opened()
    assert again.end.num == 3
    again.append(event(2).pack())
    assert times(again.directory) == [1, 2]


def test_logs_of_one_directory_take_turns(opened: Opener, store_key: StoreKey) -> None:
    logs = [opened(segment_bytes=4096) for _ in range(3)]
    each = 200

    def run(start: int, log: AuditLog) -> None:
        for number in range(start, start + each):
            log.append(event(number).pack())

    threads = [
        threading.Thread(target=run, args=(1000 * place, log)) for place, log in enumerate(logs * 2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = times(logs[0].directory)
    assert sorted(found) == [1000 * place + n for place in range(6) for n in range(each)]
    for place in range(6):
        own = [number for number in found if number // 1000 == place]
        assert own == sorted(own), "each writer's records are in the order of its calls"
    assert len(segments(logs[0].directory)) > 20
    logs[0].checkpoint()
    assert verified(logs[0], store_key).events == 6 * each


def test_a_segment_ends_before_it_is_longer_than_it_may_be(opened: Opener) -> None:
    log = opened(segment_bytes=4096)
    for number in range(100):
        log.append(event(number).pack())
    log.close()
    sizes = [(log.directory / segment_name(n)).stat().st_size for n in segments(log.directory)]
    assert max(sizes) <= 4096
    assert min(sizes[:-1]) > 3000


def test_a_segment_can_end_ahead(opened: Opener, store_key: StoreKey) -> None:
    """When a quarter is left, and by one of those who ask."""
    log, other = opened(segment_bytes=16_384), opened(segment_bytes=16_384)
    number, began = 0, []
    while len(began) < 4:
        number += 1
        log.append(event(number).pack())
        began += [each.segment.number for each in (log, other) if each.begin_ahead()]
    assert began == [2, 3, 4, 5]
    sizes = [(log.directory / segment_name(n)).stat().st_size for n in segments(log.directory)]
    assert all(10_000 < size < 14_000 for size in sizes[:-1])
    log.checkpoint()
    assert verified(log, store_key).events == number


WRITER = """
import sys
sys.path[:0] = [sys.argv[3]]
from pathlib import Path
from ring import STORE_ID
from kmsfast.audit.log import AuditLog
from kmsfast.crypto import keys
keys.open_arena()
with keys.RootKey.load_file(sys.argv[1] + "/root.key") as root:
    key = keys.StoreKey.load(root, bytes.fromhex(sys.argv[2]), STORE_ID)
from audit_logs import event
log = AuditLog(Path(sys.argv[1]) / "audit", key, STORE_ID, segment_bytes=20_000)
number = 0
while True:
    number += 1
    log.append(event(number).pack())
    sys.stdout.write(f"{number}\\n")
    sys.stdout.flush()
"""


@pytest.fixture
def wrapped(tmp_path: Path) -> tuple[StoreKey, str]:
    from kmsfast.crypto import keys

    keys.open_arena()
    keys.RootKey.create_file(str(tmp_path / "root.key"))
    with keys.RootKey.load_file(str(tmp_path / "root.key")) as root:
        key, data = keys.StoreKey.create(root, STORE_ID)
    return key, data.hex()


def test_what_was_acknowledged_survives_a_kill(
    tmp_path: Path, wrapped: tuple[StoreKey, str]
) -> None:
    key, data = wrapped
    paths = str(Path(__file__).parents[2])
    acknowledged = []
    for round_ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), data, paths],
            stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(50 + 77 * round_)]
            os.kill(process.pid, signal.SIGKILL)
            lines += process.stdout.readlines()
        acknowledged.append(int(lines[-1] if lines[-1].endswith("\n") else lines[-2]))
    with_key = AuditLog(tmp_path / "audit", key, STORE_ID, segment_bytes=20_000)
    found = times(tmp_path / "audit")
    runs = [place for place, number in enumerate(found) if number == 1] + [len(found)]
    for run, last in enumerate(acknowledged):
        written = found[runs[run] : runs[run + 1]]
        assert written == list(range(1, len(written) + 1))
        assert len(written) >= last
    with_key.checkpoint()
    verified(with_key, key)
    with_key.close()
    key.close()


def test_a_record_that_a_dying_writer_left_is_cut_off_and_noted(
    opened: Opener, store_key: StoreKey
) -> None:
    log, other = opened(), opened()
    for number in (1, 2):
        log.append(event(number).pack())
    path = log.directory / segment_name(1)
    whole = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"\x20\x01\x00\x00\x01half of a record")
    log.end._shared.busy = 1  # as the writer left it
    other.append(event(3).pack())
    log.append(event(4).pack())
    assert times(log.directory) == [1, 2, 3, 4]
    log.checkpoint()
    (note,) = verified(log, store_key).notes
    assert (note.what, note.amount) == ("repaired", 21)
    assert path.stat().st_size > whole


def test_a_whole_record_behind_the_end_is_kept(opened: Opener, store_key: StoreKey) -> None:
    log = opened()
    log.append(event(1).pack())
    before = (log.end.segment, log.end.offset, log.end.num, log.end.chain)
    log.append(event(2).pack())
    log.end.move(*before)
    log.end._shared.busy = 1
    log.append(event(3).pack())
    assert times(log.directory) == [1, 2, 3]
    log.checkpoint()
    assert verified(log, store_key).notes == []


def test_an_end_that_a_crash_of_the_machine_left_behind_is_found_again(
    opened: Opener, store_key: StoreKey
) -> None:
    log = opened()
    log.append(event(1).pack(), sync=True)
    kept = (log.directory / "end").read_bytes()
    log.append(event(2).pack(), sync=True)
    log.close()
    (log.directory / "end").write_bytes(kept)
    again = opened()
    again.append(event(3).pack(), sync=True)
    assert times(log.directory) == [1, 2, 3]
    again.checkpoint()
    verified(again, store_key)


@pytest.mark.parametrize("cut", [1, 40, 400])
def test_a_log_that_was_cut_is_refused(opened: Opener, cut: int) -> None:
    log = opened()
    for number in range(20):
        log.append(event(number).pack(), sync=True)
    log.close()
    path = log.directory / segment_name(1)
    os.truncate(path, path.stat().st_size - cut)
    with pytest.raises(AuditUnusable, match=r"was cut or changed.*audit restart"):
        opened()


@pytest.mark.parametrize("name", ["end", "signer", segment_name(1)])
def test_a_file_that_is_missing_or_changed_is_refused_by_name(opened: Opener, name: str) -> None:
    log = opened()
    log.append(event().pack())
    log.close()
    path = log.directory / name
    data = path.read_bytes()
    if name != segment_name(1):  # a segment's bytes are for verify
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        with pytest.raises(AuditUnusable, match=name):
            opened()
    path.unlink()
    with pytest.raises(AuditUnusable, match=f"{name} is missing"):
        opened()


def test_a_full_disk_takes_nothing_and_a_later_append_goes_on(
    opened: Opener, store_key: StoreKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    import resource

    log = opened()
    log.append(event(1).pack(), sync=True)
    size = (log.directory / segment_name(1)).stat().st_size
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 30, before[1]))
    try:
        with pytest.raises(AuditUnusable, match="cannot be written: File too large"):
            log.append(event(2).pack())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    log.append(event(3).pack())
    assert times(log.directory) == [1, 3]
    log.checkpoint()
    assert verified(log, store_key).notes == []


def test_a_failed_sync_ends_all_appending(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    log = opened()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", _fail)
        with pytest.raises(AuditUnusable, match="Input/output error"):
            log.append(event(1).pack(), sync=True)
    with pytest.raises(AuditUnusable, match="Input/output error"):
        log.append(event(2).pack())
    log.close()


def _fail(_fd: int) -> None:
    raise OSError(5, os.strerror(5))


def test_old_segments_are_removed_and_the_log_says_so(opened: Opener, store_key: StoreKey) -> None:
    log = opened(segment_bytes=4096)
    for number in range(100):
        log.append(event(number).pack())
    there = segments(log.directory)
    for number in there[:3]:
        os.utime(log.directory / segment_name(number), (1_000, 1_000))
    assert log.remove_before(2_000_000_000) == there[:3]
    assert segments(log.directory) == there[3:]
    report = verified(log, store_key)
    assert [note.what for note in report.notes] == ["removed"]
    assert log.remove_before(2_000_000_000) == []
    log.append(event(100).pack())
    log.checkpoint()
    verified(log, store_key)


def test_a_segment_begins_as_documented(opened: Opener) -> None:
    log = opened()
    assert (log.directory / segment_name(1)).read_bytes().startswith(MAGIC)
    assert MAGIC == b"kmsfast audit 1\n"


@pytest.mark.parametrize("segment_bytes", [4096, 1 << 20])
def test_events_that_are_appended_together_are_those_that_are_appended_one_by_one(
    opened: Opener, store_key: StoreKey, segment_bytes: int
) -> None:
    """More than one write takes, and more than the rest of a segment holds."""
    log = opened(segment_bytes=segment_bytes)
    log.append_all([event(number).pack() for number in range(150)])
    log.append(event(150).pack())
    log.append_all([event(number).pack() for number in range(151, 160)])
    assert times(log.directory) == list(range(160))
    assert (len(segments(log.directory)) > 3) is (segment_bytes == 4096)
    assert verified(log, store_key).events == 160


def test_events_that_are_appended_together_are_all_refused_on_a_full_disk(
    opened: Opener, store_key: StoreKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened()
    log.append_all([event(1).pack(), event(2).pack()])
    with monkeypatch.context() as patch:
        patch.setattr(log, "_file_now", log._file_now._replace(fd=-1))  # each write fails
        with pytest.raises(AuditUnusable, match="cannot be written"):
            log.append_all([event(3).pack(), event(4).pack()])
    log.append_all([event(5).pack()])
    assert times(log.directory) == [1, 2, 5]
    with pytest.raises(AuditUnusable, match="too long"):
        log.append_all([event(6).pack(), bytes(MAX_BODY + 1)])
    assert times(log.directory) == [1, 2, 5]
    assert verified(log, store_key).events == 3
