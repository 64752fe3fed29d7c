"""Answers of the socket: what came of a request as frames.

Rules:
- codes and messages are those of every other door (:mod:`kmsfast.wire.faults`);
- an answer that is longer than a frame leaves in parts, where it has one bin, or one packed column,
  to be cut; any other is refused, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from kmsfast.errors import ValidationError
from kmsfast.wire.faults import worded
from kmsfast.wire.socket_frames import HEADER, MAX_FRAME, encode

__all__ = ["RETRYABLE", "answer", "error_frame", "fault", "plain"]

ANSWER: Final = 0
ERROR: Final = 1
PART: Final = 2

RETRYABLE: Final = frozenset(
    {
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",
        "ThrottlingException",
    }
)
"""Codes of errors that the same request may not meet a moment later."""

_AROUND: Final = 256  # bytes of an answer beside its data, its lengths and its errors


def fault(error: BaseException) -> list[Any]:
    """An error as ``[code, retryable, message]``."""
    code, message = worded(error)
    return [code, code in RETRYABLE, message]


def error_frame(request_id: int | None, error: BaseException) -> bytes:
    """The frame that refuses a request; None: the connection."""
    return encode(request_id, ERROR, fault(error))


def answer(request_id: int, body: Any, limit: int = MAX_FRAME) -> bytes:
    """The frames of an answer: one, or parts and the last one.

    Raises:
        ValidationError: it fits into no frame and cannot be cut.
    """
    whole = encode(request_id, ANSWER, body)
    if len(whole) - HEADER <= limit:
        return whole
    cut = _cuttable(body)
    if cut is None:
        raise ValidationError(
            f"The answer is longer than a frame of {limit} bytes and cannot be sent in parts; ask "
            "for fewer records, or use the packed form"
        )
    data, rest = cut
    return b"".join(
        _parts(request_id, data, rest, limit - (len(whole) - HEADER - len(data)), limit)
    )


def _parts(request_id: int, data: memoryview, rest: Any, room: int, limit: int) -> Iterator[bytes]:
    """Parts of at most a frame, then the answer with what is left.

    Args:
        room: bytes of data that fit beside the rest of the answer.
    """
    if room < 0:
        raise ValidationError("The answer's lengths and errors alone are longer than a frame")
    size = limit - _AROUND
    at, last = 0, max(0, len(data) - room)
    while at < last:
        end = min(at + size, last)
        yield encode(request_id, PART, data[at:end])
        at = end
    yield encode(request_id, ANSWER, rest(data[at:]))


def _cuttable(body: Any) -> tuple[memoryview, Any] | None:
    """The data of an answer, and what makes the answer with other data; None: it has no such."""
    if isinstance(body, bytes | memoryview):
        return memoryview(body).cast("B"), lambda data: data
    if isinstance(body, list) and len(body) == 2 and _is_packed(body[0]):
        (num, lengths, data), errors = body
        return memoryview(data).cast("B"), lambda left: [[num, lengths, left], errors]
    return None


def _is_packed(column: Any) -> bool:
    return isinstance(column, list) and len(column) == 3 and type(column[0]) is int


def plain(value: Any) -> Any:
    """Members of an answer by name: times as integers or ISO 8601, what is None left out."""
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items() if each is not None}
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | memoryview):
        return [plain(each) for each in value]
    return value


def _moment(value: datetime) -> int | str:
    utc = value.astimezone(UTC)
    return int(utc.timestamp()) if not utc.microsecond else utc.isoformat()
