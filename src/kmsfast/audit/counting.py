"""How often what was asked for: a whole log counted, from its binary records.

Rules:
- a record is taken apart once and nothing is made of it but a count; so a million take seconds;
- records count, not events: of a batch each record is a request, and so is each of several uses
  that were recorded as one event;
- what cannot be read ends its segment, as it does for other readers: ``verify`` says what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kmsfast.audit.event import Event, members_of
from kmsfast.audit.frames import event_bodies, segment_name
from kmsfast.audit.segments import segments
from kmsfast.errors import FrameError

__all__ = ["Counted", "Name", "count"]

_HOUR: Final = 3_600_000_000  # microseconds
_AT: Final = {name: place for place, name in enumerate(Event._fields)}
_TIME, _NAME, _REGION, _KEYS, _CALLER, _ERROR, _REQUEST, _RESPONSE, _RECORDS, _FAILED = (
    _AT[name]
    for name in ("time", "name", "region", "keys", "caller", "error", "request", "response",
                 "records", "failed")
)  # fmt: skip
_LAST: Final = max(_RECORDS, _FAILED)
_ACCOUNT: Final = 2  # of a caller
_PAIR_SPEC: Final = "KeyPairSpec"

Name = tuple[int, str, str, tuple[str, ...], str, str]
"""Hour since 1970-01-01 UTC, operation, region, ARNs of keys, account, KeyPairSpec."""


@dataclass(slots=True)
class Counted:
    """What a log says.

    Attributes:
        requests: how many, and how many failed, by what they have in common.
        first: when the first event was, microseconds since 1970-01-01 UTC; None: there is none.
        scheduled: when the deletion of a key was scheduled and not cancelled, by ARN.
        specs: of keys that were made, by ARN.
    """

    requests: dict[Name, list[int]] = field(default_factory=dict)
    first: int | None = None
    scheduled: dict[str, int] = field(default_factory=dict)
    specs: dict[str, str] = field(default_factory=dict)


def count(directory: Path) -> Counted:
    """Counts the log in a directory, which need not be there.

    Raises:
        OSError: a file cannot be read.
    """
    found = Counted()
    requests = found.requests
    for event in _events(directory) if directory.exists() else ():
        if found.first is None:
            found.first = event[_TIME]
        operation = event[_NAME]
        pair = event[_REQUEST].get(_PAIR_SPEC, "") if "KeyPair" in operation else ""
        name = (
            event[_TIME] // _HOUR, operation, event[_REGION], event[_KEYS],
            event[_CALLER][_ACCOUNT], pair,
        )  # fmt: skip
        total = requests.get(name)
        if total is None:
            total = requests[name] = [0, 0]
        total[0] += event[_RECORDS]
        total[1] += event[_RECORDS] if event[_ERROR] else event[_FAILED]
        if operation in _LIVES and not event[_ERROR]:
            _note(found, event)
    return found


def _events(directory: Path) -> Iterator[Any]:
    for number in segments(directory):
        data = (directory / segment_name(number)).read_bytes()
        for kind, body in event_bodies(data):
            try:
                events = members_of(kind, body)
            except FrameError:
                break
            if any(type(event) is not tuple or len(event) <= _LAST for event in events):
                break
            yield from events


_LIVES: Final = frozenset({"CreateKey", "ReplicateKey", "ScheduleKeyDeletion", "CancelKeyDeletion"})


def _note(found: Counted, event: Any) -> None:
    """What an event says of the life of a key."""
    operation, response = event[_NAME], event[_RESPONSE]
    for arn in event[_KEYS]:
        if operation == "ScheduleKeyDeletion":
            found.scheduled[arn] = event[_TIME]
        elif operation == "CancelKeyDeletion":
            found.scheduled.pop(arn, None)
    for member in ("KeyMetadata", "ReplicaKeyMetadata"):
        made = response.get(member)
        if made and "Arn" in made and "KeySpec" in made:
            found.specs[made["Arn"]] = made["KeySpec"]
