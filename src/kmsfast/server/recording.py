"""The event of each request: who asked for what, of which keys, and what came of it.

Rules:
- an event is written before its reply leaves; if it cannot be, another reply says that, and what
  was computed stays here;
- of requests that nobody could be named for (a wrong signature) there is none: whoever reaches the
  port could fill the disk;
- names and values are those that the service model lets through (:mod:`kmsfast.wire.recorded`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from kmsfast.audit.event import Caller, Event
from kmsfast.audit.recorder import Recorder
from kmsfast.model.arn import Home
from kmsfast.model.policy_principal import Kind, Principal, root_arn
from kmsfast.wire.recorded import Recordable

if TYPE_CHECKING:
    from kmsfast.server.endpoint import Reply, Request

__all__ = ["Recording"]

_NAMING: Final = ("KeyId", "SourceKeyId", "DestinationKeyId", "TargetKeyId")
_METADATA: Final = ("KeyMetadata", "ReplicaKeyMetadata")
_LONGEST_AGENT: Final = 256
_UNNAMED: Final = "unix socket"


class Recording:
    """Makes events of requests and their replies.

    Args:
        kept: what may be recorded of each operation.
        clock: Unix time in seconds.
    """

    def __init__(
        self, recorder: Recorder, kept: Mapping[str, Recordable], clock: Callable[[], float]
    ) -> None:
        self._recorder, self._kept, self._clock = recorder, kept, clock
        self._names = {f"TrentService.{name}".encode(): name for name in kept}

    def record(self, request: Request, reply: Reply) -> None:
        """Writes the event of a request that somebody is named for.

        Raises:
            AuditUnusable: it could not be written.
        """
        name = self._names.get(request.target)
        if name is None or request.home is None:
            return
        kept = self._kept[name]
        given = kept.request(_members(request.body)) or {}
        answer = kept.answer(_members(reply.body)) or {} if not reply.error else {}
        changes = Recorder.is_change(name)
        self._recorder.record(
            Event(
                time=int(self._clock() * 1_000_000),
                name=name,
                region=request.home.region,
                keys=tuple(dict.fromkeys(_arns(given, answer))),
                caller=_caller(request, request.home),
                error=reply.error,
                message=_members(reply.body).get("message", "") if reply.error else "",
                request=given,
                response=answer if changes else {},
                is_read_only=not changes,
                request_id=request.request_id,
            )
        )


def _members(body: bytes) -> dict[str, Any]:
    """A JSON object's members; of anything else none: what was wrong with it is in the reply."""
    try:
        found = json.loads(body) if body else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _arns(given: Mapping[str, Any], answer: Mapping[str, Any]) -> Iterator[str]:
    """Key ARNs that the answer names, then those by which the request named keys."""
    for member in _METADATA:
        if member in answer:
            yield answer[member]["Arn"]
    for members in (answer, given):
        for name in _NAMING:
            value = members.get(name, "")
            if value.startswith("arn:") and ":key/" in value:
                yield value


def _caller(request: Request, home: Home) -> Caller:
    source = request.peer or _UNNAMED
    agent = next((value for name, value in request.headers if name == b"user-agent"), b"")
    user_agent = agent[:_LONGEST_AGENT].decode("latin-1")
    principal: Principal | None = request.caller
    if principal is None:
        arn = root_arn(home.account, home.partition)
        return Caller("Root", arn, home.account, home.account, "", source, user_agent)
    return Caller(
        _KINDS[principal.kind],
        principal.arn,
        principal.account or "",
        principal.user_id or "",
        request.access_key,
        source,
        user_agent,
    )


# As CloudTrail names them.
_KINDS: Final[Mapping[Kind, str]] = {
    Kind.ROOT: "Root",
    Kind.USER: "IAMUser",
    Kind.ROLE: "Role",
    Kind.SESSION: "AssumedRole",
    Kind.FEDERATED: "FederatedUser",
    Kind.SERVICE: "AWSService",
}
