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
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from kmsfast.audit.event import Caller, Event, Form
from kmsfast.audit.recorder import Recorder
from kmsfast.model.arn import Home
from kmsfast.model.policy_principal import Kind, Principal, root_arn
from kmsfast.wire.recorded import Recordable

if TYPE_CHECKING:
    from kmsfast.server.endpoint import Reply, Request

__all__ = ["UNIX_SOCKET", "Recording", "caller_of"]

_NAMING: Final = ("KeyId", "SourceKeyId", "DestinationKeyId", "TargetKeyId")
_METADATA: Final = ("KeyMetadata", "ReplicaKeyMetadata")
_LONGEST_AGENT: Final = 256
_MOST_CALLERS: Final = 1024
# No string of an answer has an unescaped quotation mark, so these are members, at any depth but
# beside blobs, whose text has none of these characters.
_NAMED: Final = re.compile(
    rb'"(?:KeyId|SourceKeyId|DestinationKeyId)":"(arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[0-9a-z-]+)"'
)
_decode: Final = json.JSONDecoder().decode
UNIX_SOCKET: Final = "unix socket"


class Recording:
    """Makes events of requests and their replies.

    Args:
        kept: what may be recorded of each operation.
        clock: Unix time in seconds.
    """

    def __init__(
        self, recorder: Recorder, kept: Mapping[str, Recordable], clock: Callable[[], float]
    ) -> None:
        self._recorder, self._clock = recorder, clock
        self._kept = {name: (each, Recorder.is_change(name)) for name, each in kept.items()}
        self._callers: dict[tuple[Any, ...], Caller] = {}
        self._forms: dict[tuple[Any, ...], tuple[Principal | None, Form]] = {}
        self._names = {f"TrentService.{name}".encode(): name for name in kept}

    def waits_for(self, request: Request) -> bool:
        """Whether recording a request waits for the disk."""
        name = self._names.get(request.target)
        return name is not None and request.home is not None and self._recorder.waits_for(name)

    def record(self, request: Request, reply: Reply) -> None:
        """Writes the event of a request that somebody is named for.

        Raises:
            AuditUnusable: it could not be written.
        """
        name = self._names.get(request.target)
        if name is None or request.home is None:
            return
        kept, changes = self._kept[name]
        # What changes something may have times among its members, which a reader has made other
        # objects of: it is recorded as it came.
        known = None if changes else request.given
        given = kept.request(_members(request.body) if known is None else known) or {}
        answer: Mapping[str, Any] = {}
        message = ""
        if reply.error:
            message = _members(reply.body).get("message", "")
        elif changes:
            answer = kept.answer(_members(reply.body)) or {}
        self._recorder.record(
            Event(
                int(self._clock() * 1_000_000),
                name,
                request.home.region,
                _settled_arns(request) or _key_arns(given, reply.body, answer),
                self._caller(request, request.home),
                reply.error,
                message,
                given,
                answer,
                1,
                0,
                not changes,
                request.request_id,
            )
        )

    def event_of(self, request: Request, operation: str, key_arn: str, parameters: bytes) -> bytes:
        """The event of a usual request that has succeeded, for :meth:`write`.

        Args:
            key_arn: of the key that it used; empty: none.
            parameters: that may be recorded, packed.
        """
        agent = _agent(request)
        name = request.access_key, operation, key_arn, request.home, request.peer, agent
        known = self._forms.get(name)
        if known is not None and known[0] is request.caller:
            form = known[1]
        else:
            form = self._form(request, operation, key_arn)
            if len(agent) <= _LONGEST_AGENT:
                if len(self._forms) >= _MOST_CALLERS:
                    self._forms.clear()
                self._forms[name] = request.caller, form
        return form.pack(int(self._clock() * 1_000_000), parameters, request.request_id)

    def write(self, events: Sequence[bytes]) -> None:
        """Writes such events, together.

        Raises:
            AuditUnusable: one could not be written; then the reply of none must leave.
        """
        self._recorder.append(events)

    def _form(self, request: Request, operation: str, key_arn: str) -> Form:
        home = request.home
        if home is None:
            raise ValueError("nobody is named for a request that is answered")
        keys = (key_arn,) if key_arn else ()
        return Form(Event(0, operation, home.region, keys, self._caller(request, home)))

    def _caller(self, request: Request, home: Home) -> Caller:
        """Who asked; callers of lately are known."""
        agent = _agent(request)
        who = request.caller
        named = None if who is None else (who.arn, who.user_id)
        key = (request.access_key, named, home, request.peer, agent)
        known = self._callers.get(key)
        if known is None:
            known = _caller(request, home, agent[:_LONGEST_AGENT].decode("latin-1"))
            if len(self._callers) >= _MOST_CALLERS:
                self._callers.clear()
            if len(agent) <= _LONGEST_AGENT:
                self._callers[key] = known
        return known


def _agent(request: Request) -> bytes:
    for name, value in request.headers:
        if name == b"user-agent":
            return value
    return b""


def _members(body: bytes) -> dict[str, Any]:
    """A JSON object's members; of anything else none: what was wrong with it is in the reply."""
    try:
        found = _decode(body.decode()) if body else {}
    except (ValueError, RecursionError):
        return {}
    return found if type(found) is dict else {}


def _settled_arns(request: Request) -> tuple[str, ...]:
    """The ARN of the key for which a request was permitted; none where it is not known yet."""
    name = None if request.settled is None else request.settled.get("KeyId")
    return (name,) if name is not None and name.startswith("arn:") else ()


def _key_arns(given: Mapping[str, Any], body: bytes, answer: Mapping[str, Any]) -> tuple[str, ...]:
    """ARNs of the keys that the answer names, then of those that the request does."""
    arns = [found.decode() for found in _NAMED.findall(body)]
    arns += [answer[member]["Arn"] for member in _METADATA if member in answer]
    for name in _NAMING:
        value = given.get(name)
        if value is not None and value.startswith("arn:") and ":key/" in value:
            arns.append(value)
    return tuple(arns) if len(arns) < 2 else tuple(dict.fromkeys(arns))


def _caller(request: Request, home: Home, user_agent: str) -> Caller:
    source = request.peer or UNIX_SOCKET
    return caller_of(request.caller, home, source, user_agent, request.access_key)


def caller_of(
    principal: Principal | None, home: Home, source: str, user_agent: str, access_key: str = ""
) -> Caller:
    """Who asked, as events have it; None: the root user of the account, unauthenticated."""
    if principal is None:
        arn = root_arn(home.account, home.partition)
        return Caller("Root", arn, home.account, home.account, "", source, user_agent)
    return Caller(
        _KINDS[principal.kind],
        principal.arn,
        principal.account or "",
        principal.user_id or "",
        access_key,
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
