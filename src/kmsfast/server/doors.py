"""The doors of one process, each with its listening socket: HTTP, and the Unix socket."""

from __future__ import annotations

import asyncio
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kmsfast.app import Application
from kmsfast.crypto.reactor import Reactor
from kmsfast.errors import ValidationError
from kmsfast.server.activation import activated
from kmsfast.server.addresses import Address, url_of
from kmsfast.server.socket_door import Door
from kmsfast.server.socket_reactor import ReactorServer
from kmsfast.server.socket_recording import SocketRecording
from kmsfast.server.unix import PER_UID, UnixServer
from kmsfast.server.unix_place import Place, UnixPlace, claim
from kmsfast.wire.model import ServiceModel
from kmsfast.wire.socket_members import socket_model

if TYPE_CHECKING:
    from collections.abc import Callable

    from kmsfast.audit.recorder import Recorder
    from kmsfast.server.endpoint import Endpoint
    from kmsfast.server.guard import Guard
    from kmsfast.server.metering import Metering
    from kmsfast.server.metrics_door import MetricsEndpoint
    from kmsfast.service.request_quotas import RequestQuotas

__all__ = [
    "HttpDoor",
    "LocalSocket",
    "MetricsDoor",
    "Running",
    "SocketDoor",
    "http_door",
    "metrics_door",
    "socket_door",
]

_ACTIVATED = "systemd"


class Serving(Protocol):
    """What has connections."""

    async def sweep(self) -> None:
        """Cuts off connections whose time is over; for ever."""

    async def drain(self) -> None:
        """Ends all connections."""


class Running(Protocol):
    """A door of a process that runs."""

    @property
    def where(self) -> str:
        """What clients are told."""

    async def begin(self) -> Serving:
        """Lets clients connect."""

    def end(self) -> None:
        """Lets no more of them connect."""


@dataclass(slots=True)
class HttpDoor:
    """HTTP, on a socket that listens."""

    endpoint: Endpoint
    listening: socket.socket
    context: ssl.SSLContext | None
    keep_headers: bool
    metering: Metering
    _listener: asyncio.AbstractServer | None = field(default=None, init=False)

    @property
    def where(self) -> str:
        """The URL."""
        return url_of(self.listening, tls=self.context is not None)

    async def begin(self) -> Serving:
        """Lets clients connect."""
        from kmsfast.server.hub import Server

        loop = asyncio.get_running_loop()
        server = Server(self.endpoint, loop, keep_headers=self.keep_headers, metering=self.metering)
        self._listener = await loop.create_server(
            server.connection, sock=self.listening, ssl=self.context
        )
        return server

    def end(self) -> None:
        """Lets no more of them connect."""
        if self._listener is not None:
            self._listener.close()


@dataclass(slots=True)
class MetricsDoor:
    """Metrics for Prometheus, on a socket that listens."""

    endpoint: MetricsEndpoint
    listening: socket.socket
    _listener: asyncio.AbstractServer | None = field(default=None, init=False)

    @property
    def where(self) -> str:
        """What Prometheus is told; of a Unix socket its path."""
        at = url_of(self.listening, tls=False)
        return at if self.listening.family == socket.AF_UNIX else f"{at}/metrics"

    async def begin(self) -> Serving:
        """Lets Prometheus connect."""
        from kmsfast.server.hub import Server

        loop = asyncio.get_running_loop()
        server = Server(self.endpoint, loop)
        self._listener = await loop.create_server(server.connection, sock=self.listening)
        return server

    def end(self) -> None:
        """Lets it connect no more."""
        if self._listener is not None:
            self._listener.close()


@dataclass(slots=True)
class SocketDoor:
    """The Unix socket of docs/socket.md.

    Attributes:
        in_c: by the reactor, where the system has what that needs; else by the event loop alone.
    """

    door: Door
    place: Place
    recorder: Recorder | None = None
    per_uid: int = PER_UID
    in_c: bool = True
    _listener: asyncio.AbstractServer | None = field(default=None, init=False)

    @property
    def where(self) -> str:
        """The path."""
        return f"socket {self.place.path}"

    async def begin(self) -> Serving:
        """Lets clients connect."""
        loop = asyncio.get_running_loop()
        if self.in_c and Reactor.is_available():
            reactor = ReactorServer(self.door, self.place, self.recorder, per_uid=self.per_uid)
            reactor.begin(loop)
            return reactor
        server = UnixServer(self.door, loop, per_uid=self.per_uid)
        self._listener = await loop.create_unix_server(server.connection, sock=self.place.listening)
        return server

    def end(self) -> None:
        """Lets no more of them connect."""
        if self._listener is not None:
            self._listener.close()


@dataclass(frozen=True, slots=True)
class LocalSocket:
    """Where the Unix socket shall be: a path, ``systemd``, or ``systemd:NAME``."""

    where: str
    mode: int | None = None
    group: str | None = None

    def open(self, *, open_to_all: bool) -> Place:
        """The socket, listening.

        Raises:
            ValidationError: the place is taken or unfit, or others could use a socket on which
                nobody is asked who it is. OSError: it cannot be made.
        """
        kind, _, name = self.where.partition(":")
        if kind == _ACTIVATED:
            if self.mode is not None or self.group is not None:
                raise ValidationError(
                    "mode and group of a socket that systemd opens are those of its .socket unit "
                    "(SocketMode=, SocketGroup=): leave --socket-mode and --socket-group out"
                )
            place = activated(name or None)
            if open_to_all and Path(place.path).stat().st_mode & 0o077:
                raise ValidationError(
                    f"--insecure-no-auth makes everybody who can open {place.path!r} its owner: "
                    "set SocketMode=0600 in the .socket unit"
                )
            return place
        if open_to_all and (self.mode or 0o600) & 0o077:
            raise ValidationError(
                "--insecure-no-auth makes everybody who can open the socket its owner, so its mode "
                f"is 0600, not {self.mode:04o}"
            )
        return claim(UnixPlace(self.where, self.mode or 0o600, self.group))


def http_door(  # noqa: PLR0917 - in the order in which they come to be
    app: Application,
    model: ServiceModel,
    recorder: Recorder | None,
    listening: socket.socket,
    context: ssl.SSLContext | None,
    guard: Guard | None,
    reset: Callable[[], object] | None,
    quotas: RequestQuotas | None,
    metrics_keys: int,
) -> HttpDoor:
    """HTTP for a store.

    Args:
        metrics_keys: how many keys that end are in its metrics by name.
    """
    from kmsfast.server.endpoint import Endpoint
    from kmsfast.server.metering import Metering
    from kmsfast.server.metrics_page import metrics_page
    from kmsfast.server.recording import Recording

    recording = None
    if recorder is not None:
        recording = Recording(recorder, model.recordable(), app.ring.clock)
    metrics = metrics_page(app, metrics_keys) if guard is None else None
    endpoint = Endpoint(app, model, guard, reset, recording, quotas=quotas, metrics=metrics)
    keep_headers = guard is not None or recording is not None
    return HttpDoor(endpoint, listening, context, keep_headers, Metering("http", model))


def metrics_door(
    app: Application, address: Address, listening: socket.socket, most_keys: int
) -> MetricsDoor:
    """Metrics of a store, by themselves.

    Args:
        most_keys: how many keys that end are in them by name.

    Raises:
        ValidationError: the packages of ``kmsfast[metrics]`` are not there.
    """
    try:
        from kmsfast.server.metrics_door import MetricsEndpoint
        from kmsfast.server.metrics_page import metrics_page
    except ImportError as error:
        raise ValidationError(
            f"metrics need {error.name}, which is not installed: pip install 'kmsfast[http]'"
        ) from error
    return MetricsDoor(MetricsEndpoint(metrics_page(app, most_keys), address.host), listening)


def socket_door(
    app: Application,
    model: ServiceModel,
    recorder: Recorder | None,
    place: Place,
    *,
    open_to_all: bool,
    quotas: RequestQuotas | None = None,
) -> SocketDoor:
    """The Unix socket for a store.

    Args:
        quotas: of requests; None: there are none.

    Raises:
        ValidationError: nobody could connect.
    """
    if not open_to_all and not app.deployment.principals.known().peers:
        raise ValidationError(
            "no uid or gid is a principal of the store, so nobody could connect: map one with "
            "'kmsfast principal map-uid UID PRINCIPAL', or serve whoever can open the socket with "
            "--insecure-no-auth"
        )
    recording = None
    if recorder is not None:
        recording = SocketRecording(recorder, model.recordable(), app.ring.clock)
    door = Door(app, socket_model(model), not open_to_all, recording, quotas)
    return SocketDoor(door, place, recorder)
