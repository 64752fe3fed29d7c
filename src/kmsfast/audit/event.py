"""An event: one request, as it is kept. Never plaintext, ciphertext, MACs or key bytes.

What may be kept of a request is the door's to say (for HTTP :mod:`kmsfast.wire.recorded`).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgpack

from kmsfast.audit.frames import Kind, pack
from kmsfast.errors import FrameError

__all__ = ["Caller", "Event", "Form", "events_of", "members_of"]

# msgpack: an array of as many members as an event has; then its time, as an integer of 64 bits.
_START: Final = struct.Struct(">BBQ").pack
_ARRAY, _UINT64, _STR8 = 0x90, 0xCF, 0xD9
_NUM_MEMBERS: Final = 13
_LONGEST_ID: Final = 255


class Caller(NamedTuple):
    """Who asked.

    Attributes:
        kind: as CloudTrail names it: ``Root``, which whoever opened the store is as well,
            ``IAMUser``, ``Role``, ``AssumedRole`` and so on.
        arn: of the principal.
        access_key_id: empty when there is none.
        source: IP address, or the door: ``in-process``, ``command line``, ``unix socket``.
    """

    kind: str
    arn: str
    account: str
    principal_id: str = ""
    access_key_id: str = ""
    source: str = ""
    user_agent: str = ""


class Event(NamedTuple):
    """A request and its outcome.

    Attributes:
        time: microseconds since 1970-01-01 UTC.
        name: of the operation, as AWS names it.
        region: that it was asked in.
        keys: ARNs of the keys that it used.
        caller: who asked.
        error: AWS's code; empty when it succeeded.
        message: of the error.
        request: the parameters, as far as they may be kept.
        response: of operations that change something, likewise.
        records: of a batch; 1 otherwise.
        failed: how many of them failed.
        is_read_only: as CloudTrail has it.
        request_id: as the caller was told.
    """

    time: int
    name: str
    region: str
    keys: tuple[str, ...]
    caller: Caller
    error: str = ""
    message: str = ""
    request: Mapping[str, Any] = {}
    response: Mapping[str, Any] = {}
    records: int = 1
    failed: int = 0
    is_read_only: bool = True
    request_id: str = ""

    def pack(self) -> bytes:
        """The body of the record."""
        return pack(self)

    @classmethod
    def unpack(cls, body: bytes) -> Event:
        """The event of a record that has one.

        Raises:
            FrameError: it is none.
        """
        return events_of(Kind.EVENT, body)[0]


_OWN: Final = tuple(
    Event._fields.index(name) for name in ("time", "request", "records", "failed", "request_id")
)
_REQUEST: Final = Event._fields.index("request")


def members_of(kind: int, body: bytes) -> Sequence[tuple[Any, ...]]:
    """The members of each event in a record, which need not be as many as an event has.

    A record of several has the first event whole, and behind it for each further one an array of
    what it has of its own: time, request (nil: the same), records, failed, request id.

    Args:
        kind: of the record, one of :data:`kmsfast.audit.frames.EVENT_KINDS`.

    Raises:
        FrameError: the body is not of that form.
    """
    try:
        if kind == Kind.EVENT:
            return (msgpack.unpackb(body, use_list=False, unicode_errors="surrogatepass"),)
        unpacker = msgpack.Unpacker(use_list=False, unicode_errors="surrogatepass")
        unpacker.feed(body)
        found, end = [], 0
        for each in unpacker:
            found.append(each)
            end = unpacker.tell()
        if end != len(body) or len(found) == 1:
            raise FrameError("a record does not hold several events")
        first, *others = found
        return [first, *(_with_own(first, own) for own in others)]
    except (ValueError, TypeError, IndexError, msgpack.exceptions.UnpackException) as error:
        raise FrameError("a record does not hold events") from error


def _with_own(first: tuple[Any, ...], own: tuple[Any, ...]) -> tuple[Any, ...]:
    made = list(first)
    for place, value in zip(_OWN, own, strict=True):
        if value is not None or place != _REQUEST:
            made[place] = value
    return tuple(made)


def events_of(kind: int, body: bytes) -> list[Event]:
    """The events of a record, in their order.

    Raises:
        FrameError: the body is not of that form.
    """
    try:
        found = [Event(*members) for members in members_of(kind, body)]
        return [each._replace(caller=Caller(*each.caller)) for each in found]
    except TypeError as error:
        raise FrameError("a record does not hold an event") from error


class Form:
    """Events of one operation, caller and key that succeed, but for what each has of its own.

    Args:
        event: one of them.
    """

    __slots__ = ("_after", "_before")

    def __init__(self, event: Event) -> None:
        self._before = pack(tuple(event[1:7]))[1:]  # without the byte that says how many
        self._after = pack(tuple(event[8:12]))[1:]

    def pack(self, time: int, request: bytes, request_id: str) -> bytes:
        """The body of the record of one.

        Args:
            time: microseconds since 1970-01-01 UTC.
            request: the parameters, packed.
            request_id: of ASCII characters, at most 255.
        """
        name = request_id.encode("ascii")
        if len(name) > _LONGEST_ID:
            raise ValueError(f"a request id of {len(name)} characters")
        start = _START(_ARRAY | _NUM_MEMBERS, _UINT64, time)
        return b"%b%b%b%b%c%c%b" % (
            start, self._before, request, self._after, _STR8, len(name), name
        )  # fmt: skip
