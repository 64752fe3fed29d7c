"""Requests to replies: which operation, for whom, and what comes of it. No sockets here.

Order: host, path, size, target, credential, then the checks of the operation itself. What can be
done at once is; for anything else the caller gets a function to call where waiting does no harm.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from kmsfast.app import Application
from kmsfast.errors import KmsError, UnsupportedOperation
from kmsfast.operations import MISSING, OPERATIONS, Operation
from kmsfast.wire.credentials import NOBODY, credential_of, scope_of
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
_LOG: Final = logging.getLogger(__name__)


class Reply(NamedTuple):
    """What goes back.

    Attributes:
        error: the error's name, or empty.
    """

    status: int
    body: bytes
    error: str = ""

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
    """

    method: str = ""
    path: str = ""
    host: bytes = b""
    target: bytes = b""
    authorization: bytes = field(default=b"", repr=False)
    body: bytes = field(default=b"", repr=False)
    too_long: bool = False
    request_id: str = ""
    keep_alive: bool = False


@dataclass(frozen=True, slots=True)
class _Bound:
    """An operation of the model, and how it is done; None: it is not offered.

    Attributes:
        usual: answers usual requests from body to body.
    """

    shape: OperationShape
    operation: Operation | None
    usual: Callable[[bytes], bytes | None] | None


def _bound(app: Application, shape: OperationShape, operation: Operation | None) -> _Bound:
    make = None if operation is None else operation.usual
    return _Bound(shape, operation, None if make is None else make(app, shape).answer)


class Endpoint:
    """Answers the requests of one deployment."""

    def __init__(self, app: Application, model: ServiceModel) -> None:
        self._app, self._home = app, app.store.home
        self._targets = {
            f"{model.target_prefix}.{name}".encode(): _bound(app, shape, OPERATIONS.get(name))
            for name, shape in model.operations.items()
        }
        self._scopes: set[bytes] = {b""}
        self._hosts: dict[bytes, bool] = {b"": True}
        self._pages: Mapping[tuple[str, str], Callable[[], Reply] | Reply] = {
            ("GET", "/healthz"): Reply(200, b'{"status":"ok"}'),
            ("GET", "/readyz"): self._ready,
        }

    def answer(self, request: Request) -> Reply | Later:
        """The reply, or what makes it."""
        try:
            return self._answer(request)
        except Exception as error:  # noqa: BLE001 - one request must not end the server
            return _refusal(error, request.request_id)

    def _answer(self, request: Request) -> Reply | Later:
        if not (self._hosts.get(request.host) or self._is_local(request.host)):
            return _FORBIDDEN
        if request.method != "POST" or request.path != "/":
            page = self._pages.get((request.method, request.path), _NOWHERE)
            return page if isinstance(page, Reply) else _guarded(page, request.request_id)
        if request.too_long:
            raise RequestTooLarge(f"The request has more than {MAX_BODY} bytes")
        bound = self._targets.get(request.target)
        if bound is None:
            raise UnknownOperation
        scope = scope_of(request.authorization)
        if scope not in self._scopes:
            self._check_scope(scope)
        body = None if bound.usual is None else bound.usual(request.body)
        return self._in_general(bound, request) if body is None else Reply(200, body)

    def _in_general(self, bound: _Bound, request: Request) -> Reply | Later:
        """Answers what is not usual."""
        given = bound.shape.read(request.body)
        operation = bound.operation
        if operation is None:
            raise _not_offered(bound.shape.name)
        if operation.warm is not None:
            result = operation.warm(self._app, given)
            if result is not None:
                return Reply(200, bound.shape.write(result))
        run, write = operation.run, bound.shape.write
        return _guarded(lambda: Reply(200, write(run(self._app, given))), request.request_id)

    def _check_scope(self, scope: bytes) -> None:
        """Passes for credentials of the region and account that are served.

        Raises:
            InvalidCredentialScope: of another region. UnrecognizedClient: of another account.
        """
        credential = credential_of(scope)
        if credential is not NOBODY:
            if credential.region != self._home.region:
                raise InvalidCredentialScope(
                    "Credential should be scoped to a valid region, not "
                    f"'{credential.region}'. This server serves {self._home.region}."
                )
            if credential.account not in {None, self._home.account}:
                raise UnrecognizedClient(
                    "The security token included in the request is invalid. This server serves "
                    f"account {self._home.account}."
                )
        if len(self._scopes) >= _MOST_KNOWN:
            self._scopes = {b""}
        if len(scope) <= _LONGEST_KNOWN:
            self._scopes.add(scope)

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


_THIS_MACHINE: Final = re.compile(
    r"(\[::1\]|127(\.[0-9]{1,3}){3}\.?|([a-z0-9_-]+\.)*localhost\.?)(:[0-9]{0,5})?",
    re.ASCII | re.IGNORECASE,
)


def _names_this_machine(host: str) -> bool:
    return _THIS_MACHINE.fullmatch(host) is not None


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


def _refusal(error: Exception, request_id: str) -> Reply:
    fault = fault_of(error)
    if fault.code == INTERNAL:
        _LOG.error("request %s failed", request_id, exc_info=error)
    return Reply(fault.status, fault.body, fault.code)
