"""Verifying finds every change, and says where."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from audit_logs import Opener, event
from ring import STORE_ID

from kmsfast.audit.ends import read_mark
from kmsfast.audit.frames import MAGIC, NO_CHAIN, Frame, frames, segment_name
from kmsfast.audit.segments import segments
from kmsfast.audit.verify import Report, verify
from kmsfast.crypto.keys import StoreKey
from kmsfast.errors import AuditUnusable


@pytest.fixture
def check(opened: Opener, store_key: StoreKey, directory: Path) -> Callable[[], Report]:
    """A log of two segments, closed; what is checked is what lies there then."""
    log = opened(segment_bytes=2048)
    for number in range(12):
        log.append(event(number).pack())
    log.close()
    assert segments(directory) == [1, 2]
    public = log.public_key

    def run() -> Report:
        return verify(directory, STORE_ID, public, read_mark(directory / "end", store_key))

    assert run().findings == []
    return run


def records(path: Path) -> list[Frame]:
    return list(frames(path.read_bytes(), len(MAGIC), NO_CHAIN))


@pytest.mark.parametrize("name", [segment_name(1), segment_name(2)])
def test_each_byte_that_is_changed_is_found_where_it_is(
    check: Callable[[], Report], directory: Path, name: str
) -> None:
    path = directory / name
    data = path.read_bytes()
    bounds = [(frame.offset, frame.end) for frame in records(path)]
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        findings = check().findings
        assert findings, at
        begin, end = next(((a, b) for a, b in bounds if a <= at < b), (0, len(MAGIC)))
        first = findings[0]
        assert segment_name(first.segment) == name
        # The hash that a record carries is also what the next one follows.
        assert begin <= first.offset <= end, (at, str(first))
    path.write_bytes(data)
    assert check().findings == []


def test_each_length_that_it_is_cut_to_is_found(
    check: Callable[[], Report], directory: Path
) -> None:
    path = directory / segment_name(2)
    data = path.read_bytes()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        assert check().findings, size


def test_records_that_are_removed_or_swapped_are_found_at_their_place(
    check: Callable[[], Report], directory: Path
) -> None:
    path = directory / segment_name(1)
    data = path.read_bytes()
    parts = [data[frame.offset : frame.end] for frame in records(path)]
    for place in range(len(parts)):
        path.write_bytes(MAGIC + b"".join(parts[:place] + parts[place + 1 :]))
        first = check().findings[0]
        assert first.record == place + 1 or (place == len(parts) - 1 and first.segment == 2)
    for place in range(len(parts) - 1):
        order = [*parts[:place], parts[place + 1], parts[place], *parts[place + 2 :]]
        path.write_bytes(MAGIC + b"".join(order))
        assert check().findings[0].record == place + 1
    path.write_bytes(MAGIC + b"".join([*parts[:3], parts[2], *parts[3:]]))
    assert check().findings[0].record == 4


@pytest.mark.parametrize("number", [1, 2])
def test_a_segment_that_is_missing_is_found(
    check: Callable[[], Report], directory: Path, number: int
) -> None:
    (directory / segment_name(number)).unlink()
    assert check().findings


def test_one_in_the_middle_too(opened: Opener, store_key: StoreKey, directory: Path) -> None:
    log = opened(segment_bytes=2048)
    for number in range(40):
        log.append(event(number).pack())
    log.close()
    (directory / segment_name(2)).unlink()
    report = verify(directory, STORE_ID, log.public_key, read_mark(directory / "end", store_key))
    assert "segments 2 to 2 are missing" in str(report.findings[0])
    assert len(report.findings) == 2, "and its header has nothing to follow"


def test_a_log_that_is_written_anew_is_found(
    check: Callable[[], Report], opened: Opener, store_key: StoreKey, directory: Path
) -> None:
    """Hashes alone anybody can compute; the signature and the mark he cannot make."""
    kept = directory.with_name("kept")
    shutil.copytree(directory, kept)
    for path in directory.iterdir():
        path.unlink()
    forged = opened(segment_bytes=2048)  # of the same store, but with a signer of its own
    for number in range(12):
        forged.append(event(number + 100).pack())
    forged.close()
    for name in ("end", "signer"):
        shutil.copy(kept / name, directory / name)
    found = [finding.what for finding in check().findings]
    assert any("does not sign" in what for what in found)
    assert any("had this record" in what for what in found)


def test_an_auditor_with_the_public_key_alone_sees_what_is_signed(
    check: Callable[[], Report], opened: Opener, directory: Path
) -> None:
    log = opened(segment_bytes=2048)
    report = verify(directory, STORE_ID, log.public_key, None)
    assert (report.findings, report.signed) == ([], report.records - 1)
    other = verify(directory, STORE_ID, bytes(64), None)
    assert any("does not sign" in finding.what for finding in other.findings)


def test_a_mark_that_was_changed_is_refused(
    check: Callable[[], Report], directory: Path, store_key: StoreKey
) -> None:
    path = directory / "end"
    data = path.read_bytes()
    for at in range(72, len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(AuditUnusable, match="changed from outside"):
            check()
