"""Events of a log, found and followed. Reading checks no hashes: that is what verifying is for."""

from __future__ import annotations

import fnmatch
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from kmsfast.audit.event import Event, events_of
from kmsfast.audit.frames import (
    EVENT_KINDS,
    MAGIC,
    NO_CHAIN,
    Header,
    Kind,
    frames,
    segment_name,
    unpack,
)
from kmsfast.audit.segments import segments
from kmsfast.errors import FrameError

__all__ = ["Filter", "Found", "follow", "read"]

_POLL: Final = 0.2  # s


class Found(NamedTuple):
    """An event and its place in the log.

    Attributes:
        number: of its record, from 1.
        nth: which of its record's events, from 0.
    """

    number: int
    event: Event
    nth: int = 0


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events are wanted; what is None does not matter.

    Attributes:
        key: a key's id, or its ARN; the end of one is enough.
        principal: ARN of the caller, with ``*`` and ``?`` as wildcards, or his access key id.
        operation: as AWS names it.
        since: microseconds since 1970-01-01 UTC, inclusive.
        until: the same, exclusive.
        errors: only what failed, wholly or in part.
        request_id: as the caller was told.
    """

    key: str | None = None
    principal: str | None = None
    operation: str | None = None
    since: int | None = None
    until: int | None = None
    errors: bool = False
    request_id: str | None = None

    def takes(self, event: Event) -> bool:
        """Whether the event is wanted."""
        caller = event.caller
        return (
            (self.since is None or event.time >= self.since)
            and (self.until is None or event.time < self.until)
            and self.operation in {None, event.name}
            and self.request_id in {None, event.request_id}
            and (not self.errors or bool(event.error) or event.failed > 0)
            and (self.key is None or any(arn.endswith(self.key) for arn in event.keys))
            and (
                self.principal is None
                or fnmatch.fnmatchcase(caller.arn, self.principal)
                or self.principal == caller.access_key_id
            )
        )


def read(directory: Path, wanted: Filter) -> Iterator[Found]:
    """The events of the log that are wanted, oldest first, up to its end of now.

    A record that cannot be read ends its segment: ``verify`` says what it is.

    Raises:
        OSError: a file cannot be read.
    """
    place = _Place(directory)
    for number in segments(directory):
        place.begin(number)
        with suppress(FileNotFoundError):  # it was removed meanwhile, as old ones are
            yield from (found for found in place.more() if wanted.takes(found.event))


def follow(
    directory: Path, wanted: Filter, *, wait: Callable[[float], object] = time.sleep
) -> Iterator[Found]:
    """The wanted events that are appended from now on, for ever."""
    place = _Place(directory)
    current = segments(directory)[-1]
    place.begin(current)
    for _ in place.more():
        pass
    while True:
        yield from (found for found in place.more() if wanted.takes(found.event))
        if current + 1 in segments(directory) and place.has_begun(current + 1):
            # What was appended between the last look and the next segment's beginning.
            yield from (found for found in place.more() if wanted.takes(found.event))
            current += 1
            place.begin(current)
        else:
            wait(_POLL)


class _Place:
    """How far a log was read."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path, self._offset, self._num = Path(), 0, 0

    def begin(self, segment: int) -> None:
        """Goes to the start of a segment."""
        self._path, self._offset = self._directory / segment_name(segment), len(MAGIC)

    def has_begun(self, segment: int) -> bool:
        """Whether records follow the segment's first one: until then it may be made anew."""
        data = (self._directory / segment_name(segment)).read_bytes()
        try:
            return len(list(islice(frames(data, len(MAGIC), NO_CHAIN), 2))) == 2
        except FrameError:
            return False

    def more(self) -> Iterator[Found]:
        """The events that follow in the segment; a record that is not whole yet comes later."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        begin = self._offset
        try:
            for frame in frames(data, 0, NO_CHAIN):
                self._offset = begin + frame.end
                if frame.kind == Kind.HEADER:
                    header: Header = unpack(Header, frame.body)
                    self._num = header.num_before
                self._num += 1
                if frame.kind in EVENT_KINDS:
                    for nth, event in enumerate(events_of(frame.kind, frame.body)):
                        yield Found(self._num, event, nth)
        except FrameError:
            return
