"""The event of each request on the socket; a batch is one event that counts its records.

Rules: those of :mod:`kmsfast.server.recording`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from kmsfast.audit.event import Caller, Event
from kmsfast.audit.recorder import Recorder
from kmsfast.model.arn import Home
from kmsfast.wire.faults import worded
from kmsfast.wire.recorded import Recordable
from kmsfast.wire.socket_members import recorded_times

__all__ = ["Outcome", "SocketRecording"]

_NAMING: Final = ("KeyId", "SourceKeyId", "DestinationKeyId", "TargetKeyId")
_METADATA: Final = ("KeyMetadata", "ReplicaKeyMetadata")


@dataclass(slots=True)
class Outcome:
    """What there is to record of a request.

    Attributes:
        given: its members by their AWS names, as far as they could be read.
        result: the members of the answer.
        keys: ARNs, where they are known from elsewhere than from these.
        error: why it was refused, or the answer that says no.
        records, failed: of a batch.
    """

    name: str
    given: Mapping[str, Any] = field(default_factory=dict, repr=False)
    result: Mapping[str, Any] = field(default_factory=dict, repr=False)
    keys: Sequence[str] = ()
    error: BaseException | None = None
    records: int = 1
    failed: int = 0


class SocketRecording:
    """Writes events.

    Args:
        kept: what may be recorded of each operation.
        clock: Unix time in seconds.
    """

    def __init__(
        self, recorder: Recorder, kept: Mapping[str, Recordable], clock: Callable[[], float]
    ) -> None:
        self._recorder, self._kept, self._clock = recorder, kept, clock
        self.waits_for = recorder.waits_for

    def record(self, outcome: Outcome, home: Home, caller: Caller, request_id: str) -> None:
        """Writes the event of a request for an operation that there is.

        Raises:
            AuditUnusable: it could not be written; then its answer must not leave.
        """
        kept = self._kept.get(outcome.name)
        if kept is None:
            return
        changes = Recorder.is_change(outcome.name)
        code, message = ("", "") if outcome.error is None else worded(outcome.error)
        given = kept.request(recorded_times(outcome.given)) or {}
        answer = kept.answer(recorded_times(outcome.result)) or {}
        self._recorder.record(
            Event(
                int(self._clock() * 1_000_000),
                outcome.name,
                home.region,
                tuple(dict.fromkeys(outcome.keys)) or _arns(given, answer),
                caller,
                code,
                message,
                given,
                answer if changes and not code else {},
                outcome.records,
                outcome.failed,
                not changes,
                request_id,
            )
        )


def _arns(given: Mapping[str, Any], answer: Mapping[str, Any]) -> tuple[str, ...]:
    """ARNs of the keys that the answer names, then of those that the request does."""
    found = [answer.get(name) for name in _NAMING[:3]]
    found += [answer[member].get("Arn") for member in _METADATA if member in answer]
    found += [given.get(name) for name in _NAMING]
    keys = (each for each in found if each and each.startswith("arn:") and ":key/" in each)
    return tuple(dict.fromkeys(keys))
