"""Records of several events: readers see them as if each had a record of its own."""

from __future__ import annotations

from pathlib import Path

import pytest
from audit_logs import Opener, event
from ring import STORE_ID

from kmsfast.audit import reading
from kmsfast.audit.cloudtrail import event_id
from kmsfast.audit.counting import count
from kmsfast.audit.ends import read_mark
from kmsfast.audit.event import Event, events_of
from kmsfast.audit.frames import Kind, pack
from kmsfast.audit.log import AuditLog
from kmsfast.audit.lookup import Place, Wanted, newest_first
from kmsfast.audit.reading import Filter
from kmsfast.audit.verify import verify
from kmsfast.crypto.keys import StoreKey
from kmsfast.errors import FrameError

MINE = Wanted("000000000000", "us-east-1")


def several(events: list[Event]) -> bytes:
    """The body of their record, as docs/audit.md has it."""
    first = events[0]
    own = [
        (each.time, None if each.request == first.request else each.request, each.records,
         each.failed, each.request_id)
        for each in events[1:]
    ]  # fmt: skip
    return pack(first) + b"".join(map(pack, own))


def made(time: int, **members: object) -> Event:
    return event(time, request={"KeyId": "a"}, request_id=f"1-{time}", **members)


EVENTS = [
    made(1), made(2), made(3, records=5, failed=2), made(4)._replace(request={"KeyId": "b"}),
    made(5), made(6),
]  # fmt: skip


@pytest.fixture
def log(opened: Opener) -> AuditLog:
    """One event, four in one record, one event, with a segment's header before them."""
    found = opened()
    found.append(EVENTS[0].pack())
    with found.end.locked():
        found._append_locked(Kind.EVENTS, several(EVENTS[1:5]))
    found.append(EVENTS[5].pack())
    return found


def test_each_is_read(log: AuditLog) -> None:
    found = list(reading.read(log.directory, Filter()))
    assert [each.event for each in found] == EVENTS
    places = [(each.number, each.nth) for each in found]
    assert places == [(2, 0), (3, 0), (3, 1), (3, 2), (3, 3), (4, 0)]
    ids = [event_id(STORE_ID, *place) for place in places]
    assert len(set(ids)) == len(EVENTS)
    assert ids[0] == event_id(STORE_ID, 2)


@pytest.mark.parametrize("most", [1, 2, 3, 4, 6])
def test_pages_may_end_within_a_record(log: AuditLog, most: int) -> None:
    place: Place | None = None
    found: list[Event] = []
    while True:
        page = newest_first(log.directory, STORE_ID, MINE, most, place)
        assert len(page.found) <= most
        found += [each.event for each in page.found]
        place = page.rest
        if place is None:
            break
    assert found == EVENTS[::-1]


def test_each_is_found_by_its_id(log: AuditLog) -> None:
    for each in reading.read(log.directory, Filter()):
        wanted = MINE.__class__(
            MINE.account, MINE.region,
            attribute=("EventId", event_id(STORE_ID, each.number, each.nth)),
        )  # fmt: skip
        assert newest_first(log.directory, STORE_ID, wanted, 10).found == [each]


def test_each_is_counted_and_verified(log: AuditLog, directory: Path, store_key: StoreKey) -> None:
    public = log.public_key
    log.close()
    totals = list(count(directory).requests.values())
    assert [sum(each) for each in zip(*totals, strict=True)] == [10, 2]
    report = verify(directory, STORE_ID, public, read_mark(directory / "end", store_key))
    assert (report.findings, report.events) == ([], len(EVENTS))


@pytest.mark.parametrize(
    "body",
    [
        pack(EVENTS[0]), b"", pack(EVENTS[0]) + pack((1, None, 1, 0)),
        several(EVENTS[:2])[:-1], several(EVENTS[:2]) + b"\x93",
        pack(1) + pack((1, None, 1, 0, "")),
        several(EVENTS[:2]) + pack(7), pack((1,)) + pack((1, None, 1, 0, "")),
    ],
    ids=[
        "one", "none", "a member too few", "cut", "more begun", "no event", "a number behind",
        "a short one before",
    ],
)  # fmt: skip
def test_what_is_no_record_of_several_is_found(body: bytes) -> None:
    with pytest.raises(FrameError):
        events_of(Kind.EVENTS, body)
