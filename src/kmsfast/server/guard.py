"""Who makes a request, and whether it may: what stands before every operation.

Order: signature, region, caller, permissions. Each failure is AWS's, and says no more than it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kmsfast.app import Application
from kmsfast.errors import PrincipalNotFound
from kmsfast.model.arn import Home
from kmsfast.model.policy_principal import Principal
from kmsfast.model.signing_key import SERVICE
from kmsfast.server.permits import Permits
from kmsfast.wire.refusals import UnrecognizedClient
from kmsfast.wire.sigv4 import Signed, Verifier

if TYPE_CHECKING:
    from kmsfast.server.endpoint import Request

__all__ = ["Admitted", "Guard"]


class Admitted(NamedTuple):
    """What is known of a request whose signature is right.

    Attributes:
        app: the service of the region and the caller's account.
        access_key: that signed it.
    """

    app: Application
    caller: Principal
    access_key: str
    request: Request

    @property
    def values(self) -> Mapping[str, Any]:
        """Condition keys of the connection and the headers."""
        return _values(self.request)


class Guard(Permits):
    """Admits requests to one deployment.

    Args:
        service: for which they are signed.
    """

    def __init__(self, app: Application, service: str = SERVICE) -> None:
        super().__init__(app.deployment)
        self._clock = app.ring.clock
        self._access = app.deployment.access
        regions = {app.store.home.region, *app.deployment.served_regions()}
        keys = self._access.signing_key
        if service != SERVICE:
            keys = partial(keys, service=service)
        self._verifier = Verifier(regions, keys, service)
        self._apps: dict[tuple[str, str], Application] = {}  # of callers that there are

    def admit(self, request: Request) -> Admitted:
        """Who makes a request.

        Raises:
            MissingAuthenticationToken, IncompleteSignature, SignatureMismatch, UnrecognizedClient:
                see :meth:`kmsfast.wire.sigv4.Verifier.check`.
        """
        signed = Signed(request.method, request.uri, request.headers, request.body)
        signer = self._verifier.check(signed, self._clock())
        try:
            caller = self._access.caller(signer.access_key)
        except PrincipalNotFound:  # deleted since
            raise UnrecognizedClient(
                "The security token included in the request is invalid."
            ) from None
        place = signer.region, caller.account or ""
        app = self._apps.get(place)
        if app is None:
            app = self._apps[place] = self._deployment.at(Home(*place))
        return Admitted(app, caller, signer.access_key, request)


def _address(peer: str) -> str:
    """The address of a peer: IPv4 as such, where a socket has it as IPv6 (RFC 4291, 2.5.5.2)."""
    plain = peer.partition("%")[0]
    return plain.removeprefix("::ffff:") if "." in plain else plain


def _values(request: Request) -> Mapping[str, Any]:
    """Condition keys that the connection and the headers say."""
    found = {"aws:SecureTransport": "true" if request.secure else "false"}
    if request.peer:
        found["aws:SourceIp"] = _address(request.peer)
    for name, value in request.headers:
        if name in _OF_HEADERS:
            found[_OF_HEADERS[name]] = value.decode("latin-1")
    return found


_OF_HEADERS: Final[Mapping[bytes, str]] = {
    b"user-agent": "aws:UserAgent",
    b"referer": "aws:referer",
}
