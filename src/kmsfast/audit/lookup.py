"""Events of a log, newest first, a page at a time.

Rules:
- records can be found from the front of a segment alone, so a page reads the segment that it is in
  by the lengths of its records, and nothing of the segments before it, which may be many;
- a page ends when it is full, or when as many bytes of records were looked at as one page may: then
  it has fewer events, perhaps none, and the place where the next one goes on;
- segments that begin after the last moment that is asked for are passed over, and nothing is read
  of those that end before the first one. Clocks of processes may differ by a minute;
- as with all reading no hashes are checked;
- of a caller of another account, who used a key of this one, an account sees what CloudTrail shows
  to the owner of a resource: account, principal id and where it came from, no name and no access
  key (user guide, "CloudTrail userIdentity element", type AWSAccount).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from kmsfast.audit.cloudtrail import event_id, source, user_name
from kmsfast.audit.event import Caller, Event, events_of
from kmsfast.audit.frames import EVENT_KINDS, KIND_AT, body_of, ends_of, segment_name
from kmsfast.audit.reading import Found
from kmsfast.audit.segments import read_header, segments
from kmsfast.errors import FrameError

__all__ = ["RESOURCE_TYPE", "Page", "Place", "Wanted", "newest_first"]

RESOURCE_TYPE: Final = "AWS::KMS::Key"
_BUDGET: Final = 8 << 20  # bytes of records that one page looks at
_APART: Final = 60_000_000  # µs by which clocks may differ


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are wanted, as CloudTrail's LookupEvents asks for them.

    Attributes:
        account: events of callers of this account, and of others with its keys.
        region: that they were in.
        since, until: microseconds since 1970-01-01 UTC, inclusive; None does not matter.
        attribute: its name and value; None: any.
    """

    account: str
    region: str
    since: int | None = None
    until: int | None = None
    attribute: tuple[str, str] | None = None

    def seen(self, event: Event) -> Event:
        """The event as the account may see it."""
        who = event.caller
        if who.account == self.account:
            return event
        stranger = Caller(
            "AWSAccount", "", who.account, who.principal_id, "", who.source, who.user_agent
        )
        return event._replace(caller=stranger, message="")  # which may have the caller's ARN

    def takes(self, found: Found, store_id: bytes) -> bool:
        """Whether the event is wanted, as the account sees it."""
        event = found.event
        return (
            event.region == self.region
            and (self.since is None or event.time >= self.since)
            and (self.until is None or event.time <= self.until)
            and self._may_see(event)
            and (self.attribute is None or _has(found, *self.attribute, store_id))
        )

    @property
    def needle(self) -> bytes:
        """What the record of every wanted event has in it; empty when nothing is known."""
        name, value = self.attribute or ("", "")
        return value.encode(errors="surrogatepass") if name in _LITERAL else b""

    def _may_see(self, event: Event) -> bool:
        account = self.account
        return event.caller.account == account or any(
            arn.split(":")[4] == account for arn in event.keys
        )


# Attributes whose value is in the record as it is.
_LITERAL: Final = frozenset({"EventName", "ResourceName", "AccessKeyId"})


def _has(found: Found, name: str, value: str, store_id: bytes) -> bool:
    if name == "EventId":
        return event_id(store_id, found.number, found.nth) == value
    return _ATTRIBUTES[name](found.event, value)


_ATTRIBUTES: Final[Mapping[str, Callable[[Event, str], bool]]] = {
    "EventName": lambda event, value: event.name == value,
    "ReadOnly": lambda event, value: event.is_read_only is (value == "true"),
    "Username": lambda event, value: user_name(event.caller) == value,
    "ResourceName": lambda event, value: any(
        arn == value or arn.endswith(f"/{value}") for arn in event.keys
    ),
    "ResourceType": lambda event, value: bool(event.keys) and value == RESOURCE_TYPE,
    "EventSource": lambda event, value: source(event.name) == value,
    "AccessKeyId": lambda event, value: event.caller.access_key_id == value,
}


class Place(NamedTuple):
    """Where a page goes on: with the last record of the segment that ends at or before there.

    Attributes:
        passed: the newest events of that record, which earlier pages have seen.
    """

    segment: int
    offset: int
    passed: int = 0


class Page(NamedTuple):
    """Some events, newest first.

    Attributes:
        rest: where the next page begins; None: there is none.
    """

    found: list[Found]
    rest: Place | None


def newest_first(
    directory: Path,
    store_id: bytes,
    wanted: Wanted,
    most: int,
    place: Place | None = None,
    *,
    budget: int = _BUDGET,
) -> Page:
    """A page of the wanted events.

    Args:
        store_id: 16 bytes, of the store whose log it is.
        most: events.
        place: where an earlier page said that it goes on; None: at the end of the log.
        budget: bytes of records that are looked at.
    """
    search = _Search(directory, store_id, wanted, most, budget)
    for number in reversed(segments(directory) if directory.exists() else ()):
        if place is None or number <= place.segment:
            start = place if place is not None and place.segment == number else None
            rest = search.segment(start or Place(number, _END))
            if rest is not None:
                return Page(search.found, rest)
        if search.is_over:
            break
    return Page(search.found, None)


_END: Final = 1 << 62


class _Search:
    """One page in the making.

    Attributes:
        is_over: no older segment has any wanted event.
    """

    def __init__(
        self, directory: Path, store_id: bytes, wanted: Wanted, most: int, budget: int
    ) -> None:
        self._directory, self._store_id, self._wanted = directory, store_id, wanted
        self._most, self._budget, self._needle = most, budget, wanted.needle
        self.found: list[Found] = []
        self.is_over = False

    def segment(self, start: Place) -> Place | None:
        """Looks at the records of a segment from a place on.

        Returns:
            Where the page ends; None: it goes on with the segment before.
        """
        since, until = self._wanted.since, self._wanted.until
        number, end, passed = start
        try:
            header = read_header(self._directory, number)
            if until is not None and header.time > until + _APART:
                return None
            if self._budget <= 0:
                return start
            with (self._directory / segment_name(number)).open("rb") as file:
                data = file.read(-1 if end == _END else end)
        except (FileNotFoundError, FrameError):  # removed meanwhile, or begun by a dead process
            return None
        self.is_over = since is not None and header.time < since - _APART
        return self._records(number, data, header.num_before, passed)

    def _records(self, segment: int, data: bytes, before: int, passed: int) -> Place | None:
        ends = list(ends_of(data))
        for index in range(len(ends) - 1, 0, -1):  # the first one is the header
            start, stop = ends[index - 1], ends[index]
            if self._budget <= 0:
                return Place(segment, stop, passed)
            self._budget -= stop - start
            for found in self._events(data, start, stop, before + index + 1)[passed:]:
                if self._wanted.takes(found, self._store_id):
                    if len(self.found) == self._most:
                        return Place(segment, stop, passed)
                    self.found.append(found)
                passed += 1
            passed = 0
        return None

    def _events(self, data: bytes, start: int, stop: int, number: int) -> list[Found]:
        """The events of a record, newest first, as the account may see them."""
        kind = data[start + KIND_AT]
        if kind not in EVENT_KINDS or data.find(self._needle, start, stop) < 0:
            return []
        try:
            events = events_of(kind, body_of(data, start, stop))
        except FrameError:
            return []
        seen = map(self._wanted.seen, events)
        return [Found(number, event, index) for index, event in enumerate(seen)][::-1]
