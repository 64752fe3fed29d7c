"""An event: one request, as it is kept. Never plaintext, ciphertext, MACs or key bytes.

What may be kept of a request is the door's to say (for HTTP :mod:`kmsfast.wire.recorded`).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from kmsfast.audit.frames import pack, unpack

__all__ = ["Caller", "Event", "Form"]

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
        """The event of a record's body.

        Raises:
            FrameError: it is none.
        """
        event: Event = unpack(cls, body)
        caller: Caller = unpack(Caller, pack(event.caller))
        return event._replace(caller=caller)


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
