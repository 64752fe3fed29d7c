"""An event: one request, as it is kept. Never plaintext, ciphertext, MACs or key bytes.

What may be kept of a request is the door's to say (for HTTP :mod:`kmsfast.wire.recorded`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from kmsfast.audit.frames import pack, unpack

__all__ = ["Caller", "Event"]


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
