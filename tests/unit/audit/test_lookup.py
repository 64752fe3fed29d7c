"""Events newest first, by pages, without reading more of the log than a page needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from audit_logs import ARN, CALLER, Opener, event
from hypothesis import given
from hypothesis import strategies as st
from ring import STORE_ID

from kmsfast.audit import lookup, reading
from kmsfast.audit.cloudtrail import event_id
from kmsfast.audit.event import Caller, Event
from kmsfast.audit.frames import MAGIC, NO_CHAIN, ends_of, frames, segment_name
from kmsfast.audit.log import AuditLog
from kmsfast.audit.lookup import Place, Wanted, newest_first
from kmsfast.audit.reading import Filter, Found
from kmsfast.audit.segments import segments

ACCOUNT, OTHER = "000000000000", "111122223333"
HERE = "us-east-1"
MINE = Wanted(ACCOUNT, HERE)
SECOND = 1_000_000


@pytest.fixture
def log(opened: Opener) -> AuditLog:
    """100 events in several segments."""
    made = opened(segment_bytes=4096)
    for number in range(1, 101):
        made.append(event(number).pack())
    assert len(segments(made.directory)) > 4
    return made


def times(found: list[Found]) -> list[int]:
    return [each.event.time for each in found]


def all_pages(
    directory: Path, wanted: Wanted, most: int, **more: Any
) -> tuple[list[Found], list[int]]:
    """What all pages have together, and how much each has."""
    place: Place | None = None
    found: list[Found] = []
    sizes = []
    for _ in range(1000):
        page = newest_first(directory, STORE_ID, wanted, most, place, **more)
        assert len(page.found) <= most
        found += page.found
        sizes.append(len(page.found))
        if page.rest is None:
            return found, sizes
        place = page.rest
    raise AssertionError("no end")


@pytest.mark.parametrize("most", [1, 7, 50, 100])
def test_pages_have_every_event_once(log: AuditLog, most: int) -> None:
    found, sizes = all_pages(log.directory, MINE, most)
    assert times(found) == list(range(100, 0, -1))
    assert sizes == [most] * (100 // most) + ([100 % most] if 100 % most else [])
    oldest_first = list(reading.read(log.directory, Filter()))
    assert found == oldest_first[::-1]  # their numbers too


def test_a_page_goes_on_where_the_last_one_ended_though_events_come(log: AuditLog) -> None:
    first = newest_first(log.directory, STORE_ID, MINE, 10)
    for number in range(101, 140):
        log.append(event(number).pack())
    second = newest_first(log.directory, STORE_ID, MINE, 10, first.rest)
    assert times(first.found + second.found) == list(range(100, 80, -1))


def test_a_page_looks_at_no_more_than_it_may(log: AuditLog) -> None:
    rare = Wanted(ACCOUNT, HERE, attribute=("EventName", "Nothing"))
    found, sizes = all_pages(log.directory, rare, 50, budget=2000)
    assert found == []
    assert len(sizes) > 10
    found, sizes = all_pages(log.directory, MINE, 50, budget=2000)
    assert times(found) == list(range(100, 0, -1))
    assert max(sizes) < 50


def test_what_cannot_have_a_wanted_event_is_not_read(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []
    open_ = Path.open

    def counting(path: Path, *arguments: Any, **more: Any) -> Any:
        read.append(path.name)
        return open_(path, *arguments, **more)

    monkeypatch.setattr(Path, "open", counting)
    assert times(newest_first(log.directory, STORE_ID, MINE, 5).found) == [100, 99, 98, 97, 96]
    assert set(read) <= {segment_name(each) for each in segments(log.directory)[-2:]}
    read.clear()
    long_ago = Wanted(ACCOUNT, HERE, until=5)  # all segments began after that
    assert newest_first(log.directory, STORE_ID, long_ago, 5).found == []
    assert len(read) == len(segments(log.directory))  # the header of each
    read.clear()
    late = Wanted(ACCOUNT, HERE, since=log.now + 3600 * SECOND)
    assert newest_first(log.directory, STORE_ID, late, 5) == ([], None)
    assert len(set(read)) == 1


def of(**members: Any) -> Event:
    return event(**{"number": 10 * SECOND, **members})


ANN = CALLER._replace(access_key_id="AKIA1")
ROOT = Caller("Root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT)
SESSION = Caller("AssumedRole", f"arn:aws:sts::{ACCOUNT}:assumed-role/r/bob", ACCOUNT)
STRANGER = Caller("IAMUser", f"arn:aws:iam::{OTHER}:user/eve", OTHER)


@pytest.mark.parametrize(
    ("kept", "wanted", "expected"),
    [
        (of(), MINE, True),
        (of(), Wanted(OTHER, HERE), False),
        (of(), Wanted(ACCOUNT, "eu-west-1"), False),
        (of(region="eu-west-1"), MINE, False),
        (of(caller=STRANGER), MINE, True),  # of another account, with this one's key
        (of(caller=STRANGER), Wanted(OTHER, HERE), True),
        (of(caller=STRANGER, keys=()), MINE, False),
        (of(), Wanted(ACCOUNT, HERE, since=10 * SECOND, until=10 * SECOND), True),
        (of(), Wanted(ACCOUNT, HERE, since=10 * SECOND + 1), False),
        (of(), Wanted(ACCOUNT, HERE, until=10 * SECOND - 1), False),
        (of(), ("EventName", "Encrypt"), True),
        (of(), ("EventName", "Enc"), False),
        (of(), ("ReadOnly", "true"), True),
        (of(), ("ReadOnly", "false"), False),
        (of(is_read_only=False), ("ReadOnly", "false"), True),
        (of(), ("Username", "ann"), True),
        (of(), ("Username", "bob"), False),
        (of(caller=ROOT), ("Username", "root"), True),
        (of(caller=SESSION), ("Username", "bob"), True),
        (of(), ("ResourceName", ARN), True),
        (of(), ("ResourceName", ARN.rpartition("/")[2]), True),
        (of(), ("ResourceName", "1234abcd"), False),
        (of(), ("ResourceType", "AWS::KMS::Key"), True),
        (of(keys=()), ("ResourceType", "AWS::KMS::Key"), False),
        (of(), ("EventSource", "kms.amazonaws.com"), True),
        (of(), ("EventSource", "s3.amazonaws.com"), False),
        (of(caller=ANN), ("AccessKeyId", "AKIA1"), True),
        (of(), ("AccessKeyId", "AKIA1"), False),
        (of(), ("EventId", event_id(STORE_ID, 2)), True),
        (of(), ("EventId", event_id(STORE_ID, 1)), False),
    ],
)  # fmt: skip
def test_which_events_are_wanted(
    opened: Opener, kept: Event, wanted: Wanted | tuple[str, str], expected: bool
) -> None:
    log = opened(clock=lambda: 10.0)
    log.append(kept.pack())
    if isinstance(wanted, tuple):
        wanted = Wanted(ACCOUNT, HERE, attribute=wanted)
    page = newest_first(log.directory, STORE_ID, wanted, 5)
    assert [each.event for each in page.found] == ([kept] if expected else [])
    assert page.rest is None


def test_a_log_that_is_not_there_and_one_that_loses_segments(
    log: AuditLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert newest_first(tmp_path / "none", STORE_ID, MINE, 5) == ([], None)
    page = newest_first(log.directory, STORE_ID, MINE, 60)
    for number in segments(log.directory)[:2]:
        (log.directory / segment_name(number)).unlink()
    rest = newest_first(log.directory, STORE_ID, MINE, 60, page.rest)
    assert rest.rest is None
    assert 0 < len(rest.found) < 40
    there = segments(log.directory)
    monkeypatch.setattr(lookup, "segments", lambda _: [1, *there])  # gone since they were listed
    assert len(newest_first(log.directory, STORE_ID, MINE, 100).found) < 100


@given(st.binary(max_size=200), st.integers(0, 5))
def test_ends_are_those_of_the_records_that_are_whole(rest: bytes, number: int) -> None:
    """Whatever follows the whole records."""
    from kmsfast.audit.frames import Kind, record

    data, before = MAGIC, NO_CHAIN
    for body in range(number):
        made, before = record(Kind.EVENT, bytes(body), before)
        data += made
    expected = [frame.end for frame in frames(data, len(MAGIC), NO_CHAIN)]
    found = list(ends_of(data + rest))
    assert found[:number] == expected
    assert all(end <= len(data + rest) for end in found)
