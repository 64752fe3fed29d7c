"""Requests to replies: which operation, for whom, and what comes of it. No sockets here.

Order: host, path, size, target, credential, then the checks of the operation itself. What can be
done at once is; for anything else the caller gets a function to call where waiting does no harm.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from kmsfast.app import Application
from kmsfast.errors import KmsError, Throttled, UnsupportedOperation
from kmsfast.model.arn import Home
from kmsfast.model.policy_principal import Principal
from kmsfast.operations import (
    MAX_CONTEXT,
    MISSING,
    OPERATIONS,
    Given,
    Operation,
    Usual,
    refuse_long_contexts,
)
from kmsfast.server.gate import Gate
from kmsfast.server.guard import Admitted, Guard
from kmsfast.server.lookups import TARGET, Lookups
from kmsfast.server.recording import Recording
from kmsfast.server.signed_usual import Seen, answer_usual
from kmsfast.server.throttling import limited, limited_usual
from kmsfast.service.request_quotas import RequestQuotas
from kmsfast.wire.credentials import Credential, credential_of, scope_of
from kmsfast.wire.faults import INTERNAL, fault_of
from kmsfast.wire.model import OperationShape, ServiceModel
from kmsfast.wire.refusals import (
    InvalidCredentialScope,
    RequestTooLarge,
    UnknownOperation,
    UnrecognizedClient,
)

__all__ = ["MAX_BODY", "Endpoint", "Later", "Reply", "Request"]

# A policy of 131,072 characters, each escaped as six, and the rest of its request.
MAX_BODY: Final = 1 << 20
# Of hosts and credential scopes that are remembered.
_MOST_KNOWN: Final = 1024
_LONGEST_KNOWN: Final = 256
# Of access keys, and of what they asked for.
_MOST_SEEN: Final = 8192
_KEYS: Final = ("KeyId", "SourceKeyId", "DestinationKeyId")
_BLOB_NAMES: Final = 24  # bytes that name the key version of a blob
# Regions and accounts that have a service, each some kilobytes as long as the server runs.
_MOST_HOMES: Final = 1024
_LOG: Final = logging.getLogger(__name__)


_JSON: Final = b"application/x-amz-json-1.1"
_new_tuple: Final = tuple.__new__  # a Reply in 0.6 of the time, where that counts


class Reply(NamedTuple):
    """What goes back.

    Attributes:
        error: the error's name, or empty.
        counted: the request was counted when it was answered (docs/metrics.md).
        event: must be written before it leaves (:meth:`Endpoint.write`); empty: none.
        retry_after: milliseconds after which the same request may succeed; 0: nobody knows.
    """

    status: int
    body: bytes
    error: str = ""
    content_type: bytes = _JSON
    counted: bool = False
    event: bytes = b""
    retry_after: int = 0

    def __repr__(self) -> str:
        """Without the body, which may have a plaintext or a key."""
        return f"Reply(status={self.status}, error={self.error!r})"


Later = Callable[[], Reply]
"""A reply that takes the disk, or another process."""


@dataclass(slots=True)
class Request:
    """What the HTTP layer read of a request.

    Attributes:
        too_long: the body is longer than MAX_BODY, and not here.
        keep_alive: the client may send another request on this connection.
        uri, headers: as they came, names in lower case; when requests are authenticated.
        peer: address of the client, unless it comes by a socket of this machine; likewise.
        secure: by TLS; likewise.
        home: the region and account that it was made in, once that is known.
        caller: who made it, once that is known; None: the account's root, unauthenticated.
        access_key: that signed it.
        given: its members, when nothing had to be waited for to read and permit them.
        settled: the same, with the ARN of its key; likewise.
        begun: when, as :func:`kmsfast.crypto.counters.begun` has it.
    """

    method: str = ""
    path: str = ""
    host: bytes = b""
    origin: bytes = b""
    target: bytes = b""
    authorization: bytes = field(default=b"", repr=False)
    body: bytes = field(default=b"", repr=False)
    too_long: bool = False
    request_id: str = ""
    keep_alive: bool = False
    uri: bytes = b""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list, repr=False)
    peer: str = ""
    secure: bool = False
    home: Home | None = None
    caller: Principal | None = None
    access_key: str = ""
    given: Given | None = field(default=None, repr=False)
    settled: Given | None = field(default=None, repr=False)
    begun: int = 0


@dataclass(frozen=True, slots=True)
class _Bound:
    """An operation of the model for a region and account, and how it is done; None: not offered.

    Attributes:
        usual: answers usual requests from body to body, when there are any.
        answer: the same in one step.
    """

    app: Application
    shape: OperationShape
    operation: Operation | None
    usual: Usual | None
    answer: Callable[[bytes], bytes | None] | None


Quotas = RequestQuotas | None
_Targets = Mapping[bytes, _Bound]
"""The operations of a region and account by the header X-Amz-Target."""


def _bound(
    app: Application,
    shape: OperationShape,
    operation: Operation | None,
    quotas: Quotas,
    *,
    guarded: bool,
) -> _Bound:
    make = None if operation is None else operation.usual
    usual = None if make is None else make(app, shape)
    answer: Callable[[bytes], bytes | None] | None = None if usual is None else usual.answer
    if operation is not None and quotas is not None:
        if guarded:  # the guard counts, and nothing goes round it
            return _Bound(app, shape, operation, None, None)
        operation = limited(operation, shape.name, quotas)
        answer = None if answer is None else limited_usual(answer, app.store.home, quotas)
    return _Bound(app, shape, operation, usual, answer)


class Endpoint:
    """Answers the requests of one deployment.

    Args:
        guard: asks who makes a request and whether it may; None: whoever connects is the owner.
        reset: empties the store, for ``POST /_kmsfast/reset``; None: nothing does.
        recording: writes the event of each request; None: nobody does.
        quotas: of requests; None: there are none. A guard of KMS has them as well.
        metrics: the page of metrics, for everyone on this machine; None: it is not here.
    """

    def __init__(
        self,
        app: Application,
        model: ServiceModel,
        guard: Guard | None = None,
        reset: Callable[[], object] | None = None,
        recording: Recording | None = None,
        *,
        quotas: Quotas = None,
        metrics: Later | None = None,
    ) -> None:
        self._app, self._home, self._guard = app, app.store.home, guard
        self._quotas = quotas
        self._lookups = Lookups(app, self._home_of, quotas, guarded=guard is not None)
        self._regions = {self._home.region, *app.deployment.served_regions()}
        self._model = model
        self._served: dict[Home, _Targets] = {}
        self._targets = self._targets_at(self._home)
        self._scopes: dict[bytes, _Targets] = {b"": self._targets}
        self._seen, self._recording = Seen(), recording
        self._hosts: dict[bytes, bool] = {b"": True}
        self._pages: Mapping[tuple[str, str], Callable[[], Reply] | Reply] = {
            ("GET", "/healthz"): Reply(200, b'{"status":"ok"}'),
            ("GET", "/readyz"): self._ready,
        }
        if metrics is not None:
            self._pages = {**self._pages, ("GET", "/metrics"): metrics}
        if recording is not None:
            self.answer = self._recorded  # type: ignore[method-assign]
        self._gate: Gate | None = None
        if reset is not None:
            self._gate = gate = Gate()
            page = ("POST", "/_kmsfast/reset")
            self._pages = {**self._pages, page: lambda: _alone(gate, reset)}

    def answer(self, request: Request) -> Reply | Later:
        """The reply, or what makes it."""
        try:
            return self._answer(request)
        except Exception as error:  # noqa: BLE001 - one request must not end the server
            return _refusal(error, request.request_id)

    def write(self, held: Sequence[tuple[Request, Reply]]) -> list[Reply]:
        """Writes the events of replies, together: the replies that may leave.

        One that cannot be written lets none of them leave.
        """
        events = [reply.event for _, reply in held if reply.event]
        if events and self._recording is not None:
            try:
                self._recording.write(events)
            except Exception as error:  # noqa: BLE001 - what is not recorded does not leave
                return [
                    _refusal(error, request.request_id) if reply.event else reply
                    for request, reply in held
                ]
        return [reply for _, reply in held]

    def _recorded(self, request: Request) -> Reply | Later:
        """The reply, or what makes it, once its event is written."""
        made, recording = Endpoint.answer(self, request), self._recording
        if recording is None:
            return made
        if isinstance(made, Reply):
            if made.event:
                return made
            if not recording.waits_for(request):
                return _with_event(recording, request, made)
            return lambda: _with_event(recording, request, made)
        return lambda: _with_event(recording, request, made())

    def _answer(self, request: Request) -> Reply | Later:
        if not (self._hosts.get(request.host) or self._guard or self._is_local(request.host)):
            return _FORBIDDEN
        if request.method != "POST" or request.path != "/":
            page = self._pages.get((request.method, request.path), _NOWHERE)
            if request.method == "POST" and request.origin:
                page = _NOT_FOR_BROWSERS
            return page if isinstance(page, Reply) else _guarded(page, request.request_id)
        if request.too_long:
            raise RequestTooLarge(f"The request has more than {MAX_BODY} bytes")
        if request.target not in self._targets:
            if request.target != TARGET:
                raise UnknownOperation
            lookups = self._lookups
            return _guarded(lambda: Reply(200, lookups.answer(request)), request.request_id)
        guard = self._guard
        if guard is not None:
            return self._signed(guard, request)
        scope = scope_of(request.authorization)
        bound = (self._scopes.get(scope) or self._chosen(scope))[request.target]
        request.home = bound.app.store.home
        body, bound.app.singles.request_id = None, request.request_id
        if bound.answer is not None and len(request.body) <= MAX_CONTEXT:
            body = bound.answer(request.body)
        if body is None:
            return self._in_general(bound, request)
        return _new_tuple(Reply, (200, body, "", _JSON, True, b"", 0))

    def _signed(self, guard: Guard, request: Request) -> Reply | Later:
        """Answers a request that is asked who makes it and whether it may.

        What an access key, an operation and a key needed of the disk is remembered while the store
        stands still, and so are the names of those that were asked for.
        """
        epoch, seen, name = self._app.ring.epoch[0], self._seen, request.request_id
        if epoch != seen.epoch or len(seen.asked) >= _MOST_SEEN:
            self._seen = seen = Seen(epoch)
        scope = scope_of(request.authorization)
        if not scope or scope not in seen.asked:
            bound = self._targets[request.target]
            return _guarded(
                lambda: _asked(bound, request, guard, _admitted(guard, request), seen), name
            )
        try:
            admitted = _admitted(guard, request)
        except KmsError as error:  # is refused as an access key is that nobody has: in a thread
            return partial(_refusal, error, name)
        app = admitted.app
        bound = self._targets_at(app.store.home)[request.target]
        if bound.usual is not None and len(request.body) <= MAX_CONTEXT:
            made = answer_usual(bound.usual, admitted, request, seen, self._recording)
            if made is not None:
                return Reply(200, made[0], counted=True, event=made[1])
        given = _read(bound.shape, request.body)
        operation = bound.operation
        if operation is None or _name_of(request, given) not in seen.asked:
            return _guarded(lambda: _asked(bound, request, guard, admitted, seen), name)
        app, settled = guard.permitted(admitted, bound.shape.name, given)
        request.given, request.settled = given, settled
        app.singles.request_id = name
        result, write = operation.at_once(app, settled), bound.shape.write
        if result is not None:
            return Reply(200, write(result))
        answer = operation.answer
        return _guarded(lambda: Reply(200, write(answer(app, settled, name))), name)

    def _in_general(self, bound: _Bound, request: Request) -> Reply | Later:
        """Answers what is not usual."""
        app, given = bound.app, _read(bound.shape, request.body)
        operation = bound.operation
        if operation is None:
            raise _not_offered(bound.shape.name)
        result, write = operation.at_once(app, given), bound.shape.write
        if result is not None:
            return Reply(200, write(result))
        answer, name = operation.answer, request.request_id
        work = _guarded(lambda: Reply(200, write(answer(app, given, name))), name)
        return work if self._gate is None else _through(self._gate, work)

    def _chosen(self, scope: bytes) -> _Targets:
        """The operations for the region and account that a credential scope names."""
        targets = self._targets_at(self._home_of(credential_of(scope)))
        if len(self._scopes) >= _MOST_KNOWN:
            self._scopes = {b"": self._scopes[b""]}
        if len(scope) <= _LONGEST_KNOWN:
            self._scopes[scope] = targets
        return targets

    def _targets_at(self, home: Home) -> _Targets:
        if home not in self._served:
            app = self._app.deployment.at(home)
            self._served[home] = {
                f"{self._model.target_prefix}.{name}".encode(): _bound(
                    app, shape, OPERATIONS.get(name), self._quotas, guarded=self._guard is not None
                )
                for name, shape in self._model.operations.items()
            }
        return self._served[home]

    def _home_of(self, credential: Credential) -> Home:
        """The region and account that are meant; without authentication any account is one.

        Raises:
            InvalidCredentialScope: the region is not served. UnrecognizedClient: too many accounts.
        """
        region = credential.region or self._home.region
        if region not in self._regions:
            raise InvalidCredentialScope(
                f"Credential should be scoped to a valid region, not '{region}'. "
                f"This server serves {', '.join(sorted(self._regions))}."
            )
        account = credential.account or self._home.account
        home = Home(region, account)
        if home not in self._served and len(self._served) >= _MOST_HOMES:
            raise UnrecognizedClient(
                "The security token included in the request is invalid. This server has been asked "
                f"for {_MOST_HOMES} accounts already; start it anew, or use fewer."
            )
        return home

    def _is_local(self, host: bytes) -> bool:
        """Whether the client means this machine.

        A page in a browser that had its own name resolved to 127.0.0.1 sends that name.
        """
        known = self._hosts.get(host)
        if known is None:
            known = _names_this_machine(host.decode("latin-1"))
            if len(self._hosts) < _MOST_KNOWN and len(host) <= _LONGEST_KNOWN:
                self._hosts[host] = known
        return known

    def _ready(self) -> Reply:
        try:
            with self._app.store.read() as rows:
                rows.store_row()
        except KmsError as error:
            _LOG.warning("not ready: %s", error)
            return Reply(503, b'{"status":"the store cannot be read"}')
        return Reply(200, b'{"status":"ready"}')


_NOWHERE: Final = Reply(404, b'{"__type":"UnknownOperationException"}', "UnknownOperationException")
_FORBIDDEN: Final = Reply(
    403,
    b'{"__type":"AccessDeniedException","message":"Without authentication only localhost is '
    b'served; the Host header names another machine"}',
    "AccessDeniedException",
)


_NOT_FOR_BROWSERS: Final = Reply(
    403,
    b'{"__type":"AccessDeniedException","message":"A page in a browser cannot do this"}',
    "AccessDeniedException",
)


_THIS_MACHINE: Final = re.compile(
    r"(\[::1\]|127(\.[0-9]{1,3}){3}\.?|([a-z0-9_-]+\.)*localhost\.?)(:[0-9]{0,5})?",
    re.ASCII | re.IGNORECASE,
)


def _names_this_machine(host: str) -> bool:
    return _THIS_MACHINE.fullmatch(host) is not None


def _read(shape: OperationShape, body: bytes) -> Given:
    """The members of a request, checked."""
    given = shape.read(body)
    if len(body) > MAX_CONTEXT:
        refuse_long_contexts(given)
    return given


def _admitted(guard: Guard, request: Request) -> Admitted:
    """What is known of a request whose signature is right; it is named in the request."""
    admitted = guard.admit(request)
    request.home, request.caller = admitted.app.store.home, admitted.caller
    request.access_key = admitted.access_key
    return admitted


def _with_event(recording: Recording, request: Request, reply: Reply) -> Reply:
    """The reply, whose event is written; or why there is none."""
    try:
        recording.record(request, reply)
    except Exception as error:  # noqa: BLE001 - what is not recorded does not leave
        return _refusal(error, request.request_id)
    return reply


def _asked(bound: _Bound, request: Request, guard: Guard, admitted: Admitted, seen: Seen) -> Reply:
    """The reply to a request whose signature is right; names it in ``seen``."""
    given = _read(bound.shape, request.body)
    operation = bound.operation
    if operation is None:
        raise _not_offered(bound.shape.name)
    app, settled = guard.permitted(admitted, bound.shape.name, given)
    result = operation.answer(app, settled, request.request_id)
    seen.asked.update((scope_of(request.authorization), _name_of(request, given)))
    if bound.usual is not None and app is admitted.app:
        seen.found(app.store.home, given.get("KeyId"), settled.get("KeyId"))
    return Reply(200, bound.shape.write(result))


def _name_of(request: Request, given: Given) -> tuple[Any, ...]:
    """What of a request decides which rows of the store it needs."""
    blob = given.get("CiphertextBlob")
    return (
        scope_of(request.authorization),
        request.target,
        *map(given.get, _KEYS),
        None if blob is None else bytes(blob[:_BLOB_NAMES]),
    )


def _not_offered(name: str) -> UnsupportedOperation:
    why = MISSING.get(name, "AWS has added it since")  # a botocore that is newer than the release
    return UnsupportedOperation(f"{name} is not supported by this release: {why}")


def _guarded(work: Later, request_id: str) -> Later:
    """The work, with a reply for every way in which it can fail."""

    def guarded() -> Reply:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - one request must not end the server
            return _refusal(error, request_id)

    return guarded


def _alone(gate: Gate, reset: Callable[[], object]) -> Reply:
    """Empties the store, when the requests that have begun are done and while none begins."""
    with gate.alone():
        reset()
    return Reply(200, b'{"status":"reset"}')


def _through(gate: Gate, work: Later) -> Later:
    """The work, done while the store is not being emptied."""

    def gated() -> Reply:
        with gate.passing():
            return work()

    return gated


def _refusal(error: Exception, request_id: str) -> Reply:
    fault = fault_of(error)
    if fault.code == INTERNAL:
        # Our own errors say what is wrong and what to do, as that the disk is full.
        trace = None if isinstance(error, KmsError) else error
        _LOG.error("request %s failed: %s", request_id, error, exc_info=trace)
    wait = error.retry_after if isinstance(error, Throttled) else 0
    return Reply(fault.status, fault.body, fault.code, retry_after=math.ceil(1000 * wait))
