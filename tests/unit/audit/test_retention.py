"""Old events go, and the log shows that it was done by somebody who may."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from audit_logs import Opener, event

import kmsfast
from kmsfast.audit import reading
from kmsfast.audit.frames import segment_name
from kmsfast.audit.log import AuditLog
from kmsfast.audit.reading import Filter
from kmsfast.audit.segments import read_header, segments
from kmsfast.errors import AuditUnusable, FrameError, ValidationError
from kmsfast.server.retention import retain

DAY = 86_400_000_000


class Time:
    def __init__(self) -> None:
        self.now = 1_000_000_000.0

    def __call__(self) -> float:
        return self.now


def age(directory: Path, number: int, seconds: float) -> None:
    os.utime(directory / segment_name(number), (seconds, seconds))


def test_a_segment_begins_anew_when_it_is_old_and_has_records(opened: Opener) -> None:
    time = Time()
    log = opened(clock=time)
    assert not log.begin_anew(log.now + 1)  # has none
    log.append(event(1).pack())
    assert not log.begin_anew(log.now)  # began at that time, not before it
    time.now += 1
    assert log.begin_anew(log.now)
    assert not log.begin_anew(log.now + 1)
    assert segments(log.directory) == [1, 2]
    log.append(event(2).pack())
    header = read_header(log.directory, 2)
    assert (header.segment, header.time) == (2, log.now)
    found = list(reading.read(log.directory, Filter()))
    assert [each.event.time for each in found] == [1, 2]
    assert found[1].number == header.num_before + 2


def test_another_process_goes_on_in_the_new_segment(opened: Opener) -> None:
    time = Time()
    one, other = opened(clock=time), opened(clock=time)
    one.append(event(1).pack())
    other.append(event(2).pack())
    time.now += 10
    assert one.begin_anew(one.now)
    assert not other.begin_anew(one.now - 1)
    other.append(event(3).pack())
    one.append(event(4).pack())
    assert [each.event.time for each in reading.read(one.directory, Filter())] == [1, 2, 3, 4]


def test_what_begins_with_no_header_is_none(tmp_path: Path) -> None:
    (tmp_path / segment_name(1)).write_bytes(b"kmsfast audit 1\n" + bytes(100))
    with pytest.raises(FrameError):
        read_header(tmp_path, 1)


def test_days_of_a_server(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        time = Time()
        recorder = kms._app.deployment.recorder()
        recorder._log = log = _log(kms, time)
        for day in range(6):
            recorder.record(event(day))
            last, begun = segments(log.directory)[-1], time.now
            time.now += 86_401
            recorder.retain(3)
            age(log.directory, last, begun)  # the files have the time of this machine
        assert [each["eventTime"] for each in kms.audit.search()] == ["1970-01-01T00:00:00Z"] * 2
        report = kms.audit.verify()
        assert not report.findings
        assert {note.what for note in report.notes} == {"removed"}


def _log(kms: kmsfast.Kms, time: Time) -> AuditLog:
    trail = kms.audit
    return AuditLog(trail.directory, trail._store_key, trail._store_id, clock=time)


def test_programs_remove(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        with pytest.raises(AuditUnusable, match="there is no audit log"):
            kms.audit.remove_before(datetime.now(UTC))
        with pytest.raises(ValidationError, match="needs a zone"):
            kms.audit.remove_before(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused
        assert not kms.audit.has_log
        time = Time()
        log = _log(kms, time)
        for number in range(3):
            log.append(event(number).pack())
            time.now += 1
            log.begin_anew(log.now)
        for number in segments(log.directory):
            age(log.directory, number, number * 1000)
        removed = kms.audit.remove_before(datetime.fromtimestamp(2500, UTC))  # the log is open
        assert removed == [1, 2]
        assert kms.audit.remove_before(datetime.fromtimestamp(2500, UTC)) == []
        log.append(event(7).pack())
        log.close()
        assert kms.audit.has_log
        assert not kms.audit.verify().findings
        assert len(list(kms.audit.search())) == 2


def test_reading_passes_over_a_segment_that_goes(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(segment_bytes=4096)
    for number in range(60):
        log.append(event(number).pack())
    there = segments(log.directory)
    assert len(there) > 2
    found = reading.read(log.directory, Filter())
    next(found)
    (log.directory / segment_name(there[1])).unlink()
    assert 0 < len(list(found)) < 59


def test_the_server_does_it_again_and_again(caplog: pytest.LogCaptureFixture) -> None:
    done = threading.Event()

    class Recorder:
        asked: list[float] = []  # noqa: RUF012 - of this one test

        def retain(self, days: float) -> list[int]:
            self.asked.append(days)
            if len(self.asked) == 1:
                raise AuditUnusable("the disk is full")
            if len(self.asked) == 3:
                done.set()
            return [1, 2]

    async def run() -> None:
        task = asyncio.create_task(retain(Recorder(), 90, every=0.01))  # type: ignore[arg-type]
        await asyncio.to_thread(done.wait, 10)
        task.cancel()

    with caplog.at_level(logging.WARNING):
        asyncio.run(run())
    assert Recorder.asked[:3] == [90, 90, 90]
    assert "not removed: the disk is full" in caplog.text
    assert "removed 2 old segments" in caplog.text
