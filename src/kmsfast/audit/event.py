"""An event: one request, as it is kept. Never plaintext, ciphertext, MACs or key bytes.

The request's parameters come in by :func:`redacted`, which leaves out bytes and whatever else is
not known to be harmless.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any, Final, NamedTuple

from kmsfast.audit.frames import pack, unpack

__all__ = ["Caller", "Event", "redacted"]

_PLAIN: Final = (str, int, bool, float, type(None))
_BYTES: Final = (bytes, bytearray, memoryview)


class Caller(NamedTuple):
    """Who asked.

    Attributes:
        kind: as CloudTrail names it: ``Root``, ``IAMUser``, ``AssumedRole``, ``AWSAccount``,
            ``Unknown``; or ``Owner``: whoever opened the store in a process of his own.
        arn: of the principal; empty when there is none.
        access_key_id: empty when there is none.
        source: IP address, or the door: ``in-process``, ``command line``, ``unix:UID``.
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
        request: the parameters, redacted.
        response: of operations that change something, redacted.
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


def redacted(value: Any, secret: Container[str] = ()) -> Any:
    """The value without bytes, at any depth; what cannot be kept as it is becomes text.

    Members that are bytes or that ``secret`` names go with their name; bytes in a list leave None.
    """
    if isinstance(value, int) and not -(1 << 63) <= value < 1 << 64:
        return str(value)
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, _BYTES):
        return None
    if isinstance(value, Mapping):
        return {
            str(name): redacted(one, secret)
            for name, one in value.items()
            if not isinstance(one, _BYTES) and name not in secret
        }
    if isinstance(value, Sequence | set | frozenset):
        return tuple(redacted(one, secret) for one in value)
    return str(value)
