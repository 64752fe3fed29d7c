"""What all connections of the socket share: who may connect, what they may ask, what is recorded.

Rules:
- a peer is the principal that its uid or gids are mapped to, asked again whenever somebody changes
  a principal; a peer that is mapped no more is refused its next request;
- without authentication whoever can open the socket is its owner.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from kmsfast.app import Application, Deployment
from kmsfast.audit.event import Caller
from kmsfast.errors import AccessDenied, ValidationError
from kmsfast.model.arn import Home
from kmsfast.model.identities import Identities
from kmsfast.model.peer import principal_of_peer
from kmsfast.model.policy_principal import Principal, root_arn
from kmsfast.operations.charges import charges
from kmsfast.operations.requests import Given
from kmsfast.server.permits import Admitted, Permits
from kmsfast.server.recording import UNIX_SOCKET, caller_of
from kmsfast.server.request_ids import RequestIds
from kmsfast.server.socket_chunks import Announced
from kmsfast.server.socket_metering import SocketMetering
from kmsfast.server.socket_recording import SocketRecording
from kmsfast.service.request_quotas import RequestQuotas
from kmsfast.wire.model import ServiceModel

__all__ = ["Door", "Peer", "Visitor"]

_MOST_THREADS: Final = 4
# The socket does not leave the machine, and nobody but the kernel sees what passes.
_VALUES: Final[Mapping[str, Any]] = {"aws:SecureTransport": "true"}


class Peer(NamedTuple):
    """Who has connected, as the kernel says.

    Attributes:
        gids: its group and its supplementary groups.
    """

    uid: int
    gids: tuple[int, ...]


@dataclass(slots=True)
class Door:
    """One deployment, for a socket.

    Attributes:
        model: operations by name, in the form that the socket has them.
        authenticated: peers are principals; else everybody is the owner.
        recording: writes events; None: nobody does.
        quotas: of requests, of which a batch is one for each key; None: there are none.
        threads: of the C core for a batch.
        announced: payloads in chunks that have begun.
        before_usage: called before somebody asks when a key was last used.
    """

    app: Application
    model: ServiceModel
    authenticated: bool
    recording: SocketRecording | None = None
    quotas: RequestQuotas | None = None
    threads: int = field(default_factory=lambda: min(_MOST_THREADS, usable_processors()))
    announced: Announced = field(default_factory=Announced)
    before_usage: Callable[[], object] = lambda: None
    metering: SocketMetering = field(init=False)
    permits: Permits = field(init=False)
    next_id: Callable[[], str] = field(init=False)

    def __post_init__(self) -> None:
        self.metering = SocketMetering(self.model.operations)
        self.permits = Permits(self.app.deployment)
        self.next_id = RequestIds().next

    @property
    def deployment(self) -> Deployment:
        """The store."""
        return self.app.deployment

    def home_of(self, region: str | None, caller: Principal | None) -> Home:
        """The region and account that a connection is about.

        Raises:
            ValidationError: the region is not served.
        """
        own = self.app.store.home
        regions = dict.fromkeys((own.region, *self.deployment.served_regions()))
        chosen = region or own.region
        if chosen not in regions:
            raise ValidationError(
                f"The region {chosen!r} is not served; this server serves {', '.join(regions)}"
            )
        account = own.account if caller is None else caller.account or own.account
        return Home(chosen, account)


def usable_processors() -> int:
    """Processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Visitor:
    """A peer in a region: its caller now, and what it may ask.

    Raises:
        AccessDenied: it is nobody. ValidationError: the region is not served.
    """

    def __init__(self, door: Door, peer: Peer, region: str | None, client: str) -> None:
        self._door, self._peer, self._client = door, peer, client
        self._known: Identities | None = None
        self._caller: Principal | None = None
        self._event_caller: Caller | None = None
        self.home = door.home_of(region, self.caller())
        self.app = door.deployment.at(self.home)

    def caller(self) -> Principal | None:
        """Who asks, by the mapping that holds now; None: the owner, where nobody is asked.

        Raises:
            AccessDenied: the peer is nobody.
        """
        if not self._door.authenticated:
            return None
        known = self._door.deployment.principals.known()
        if known is not self._known:
            arn = principal_of_peer(known.peers, self._peer.uid, self._peer.gids)
            if arn is None:
                raise AccessDenied(
                    f"uid {self._peer.uid} is no principal of this store: map it with 'kmsfast "
                    f"principal map-uid {self._peer.uid} PRINCIPAL'"
                )
            found = known.caller(arn)
            if self._caller is not None and self._caller.arn != found.arn:
                raise AccessDenied(
                    f"uid {self._peer.uid} is {found.arn} since this connection began, which was "
                    f"made for {self._caller.arn}: connect anew"
                )
            # The same object while it is the same, since decisions are kept by it.
            if self._caller != found:
                self._caller, self._event_caller = found, None
            self._known = known
        return self._caller

    @property
    def arn(self) -> str:
        """Of the caller."""
        caller = self.caller()
        return root_arn(self.home.account, self.home.partition) if caller is None else caller.arn

    def permitted(self, operation: str, given: Mapping[str, Any]) -> tuple[Application, Given]:
        """The service that has the key, and the request with its ARN, when it may be made.

        Raises:
            AccessDenied: it may not. Errors of the names of keys. Throttled: its account has made
                too many.
        """
        caller, quotas = self.caller(), self._door.quotas
        if quotas is not None:
            home = self.home
            quotas.take(home.account, home.region, charges(self.app, operation, given))
        if caller is None:
            return self.app, given
        return self._door.permits.permitted(Admitted(self.app, caller, _VALUES), operation, given)

    def event_caller(self) -> Caller:
        """Who asks, as events have it."""
        if self._event_caller is None:
            source = f"{UNIX_SOCKET}, uid {self._peer.uid}"
            self._event_caller = caller_of(self._caller, self.home, source, self._client)
        return self._event_caller
