"""Signed requests of which all is known: who may make them, with which key, and how to answer them.

Rules:
- the signature of each was right (:mod:`kmsfast.server.guard`); what is answered here is usual
  (:mod:`kmsfast.operations.usual`), and allowed whatever else it brings (:meth:`kmsfast.service.
  authorization.Authorizer.allows_all`). Anything else is None, and is asked in the general way:
  conditions on the request, grants with constraints, keys of other accounts, whatever is refused;
- names of keys are known by what the general way found in the same epoch of the store, and decided
  for the key that they led to; every step compares the epoch as it is then;
- the event that is recorded is the one that the general way would record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kmsfast.errors import KmsError
from kmsfast.model.arn import Home
from kmsfast.operations import Usual
from kmsfast.service.authorization import ALL

if TYPE_CHECKING:
    from kmsfast.server.endpoint import Request
    from kmsfast.server.guard import Admitted
    from kmsfast.server.recording import Recording

__all__ = ["Seen", "answer_usual"]


@dataclass(slots=True)
class Seen:
    """What requests needed of the disk, while the store stands still.

    Attributes:
        epoch: of the store.
        asked: access keys, and what they asked for.
        names: ARNs of keys, by the names that requests gave them, in each region and account.
    """

    epoch: int = -1
    asked: set[Any] = field(default_factory=set)
    names: dict[Home, dict[bytes, bytes]] = field(default_factory=dict)

    def found(self, home: Home, name: str | None, arn: str | None) -> None:
        """Learns that a usual operation found a key by this name, or that it had none."""
        names = self.names.setdefault(home, {})
        if name is not None and arn is not None:
            names[name.encode()] = arn.encode()


def answer_usual(
    usual: Usual, admitted: Admitted, request: Request, seen: Seen, recording: Recording | None
) -> tuple[bytes, bytes] | None:
    """The body of the answer, and the event that is still to be written before it leaves.

    None: the general way has it.

    Args:
        usual: answers the operation for the caller's region and account.
        recording: None: nothing is recorded, and the event is empty.
    """
    app, body = admitted.app, request.body
    names = seen.names.get(app.store.home)
    if names is None or (recording is not None and recording.waits_for(request)):
        return None
    try:
        found = usual.find(body, names)
    except KmsError:  # of a parameter; the general way says so after what comes before
        return None
    if found is None or not app.authorizer.allows_all(
        admitted.caller, usual.operation, found.key_arn or ALL
    ):
        return None
    app.singles.request_id = request.request_id
    answer = usual.make(found, body)
    if answer is None or recording is None:
        return None if answer is None else (answer, b"")
    parameters = usual.recorded(found, body)
    return answer, recording.event_of(request, usual.operation, found.key_arn, parameters)
