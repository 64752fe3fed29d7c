"""Who makes a request, and whether it may: what stands before every operation.

Order: signature, region, caller, permissions. Each failure is AWS's, and says no more than it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from kmsfast.app import Application
from kmsfast.errors import AccessDenied, ForeignArn, KeyNotFound, PrincipalNotFound
from kmsfast.model.arn import Home
from kmsfast.model.policy_principal import Principal
from kmsfast.model.signing_key import SERVICE
from kmsfast.operations.permissions import permitted
from kmsfast.wire.refusals import UnrecognizedClient
from kmsfast.wire.sigv4 import Signed, Verifier

if TYPE_CHECKING:
    from kmsfast.server.endpoint import Request

__all__ = ["Admitted", "Guard"]

_ELSEWHERE: Final = (
    "because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)
_NAMING: Final = ("KeyId", "SourceKeyId", "TargetKeyId")


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


class Guard:
    """Admits requests to one deployment.

    Args:
        service: for which they are signed.
    """

    def __init__(self, app: Application, service: str = SERVICE) -> None:
        self._deployment, self._clock = app.deployment, app.ring.clock
        self._access = app.deployment.access
        regions = {app.store.home.region, *app.deployment.served_regions()}
        keys = self._access.signing_key
        if service != SERVICE:
            keys = partial(keys, service=service)
        self._verifier = Verifier(regions, keys, service)
        self._apps: dict[tuple[str, str], Application] = {}  # of callers that there are
        self._homes: set[Home] = set()  # that have keys; they do for ever

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

    def permitted(
        self, admitted: Admitted, operation: str, given: Mapping[str, Any]
    ) -> tuple[Application, Mapping[str, Any]]:
        """The service that has the key, and the request with its key's ARN in it.

        Raises:
            AccessDenied: the caller may not do it; other errors as of the operation's names.
        """
        app, caller, values = admitted.app, admitted.caller, admitted.values
        there = self.service_of(admitted, given)
        if there is app:
            return app, permitted(app, caller, operation, given, values)
        # A key of another account: what is not there is refused like what is not allowed.
        try:
            if there is not None:
                return there, permitted(there, caller, operation, given, values)
        except (KeyNotFound, ForeignArn):
            pass
        arn = next(given[name] for name in _NAMING if name in given)
        raise AccessDenied(
            f"User: {caller.arn} is not authorized to perform: kms:{operation} on resource: {arn} "
            f"{_ELSEWHERE}"
        )

    def service_of(self, admitted: Admitted, given: Mapping[str, Any]) -> Application | None:
        """The service that has the key which a request names; None: nobody has it."""
        account = _account_in(given)
        if account in {None, admitted.caller.account}:
            return admitted.app
        home = Home(admitted.app.store.home.region, account or "")
        return self._deployment.at(home) if self._has_keys(home) else None

    def _has_keys(self, home: Home) -> bool:
        """Whether somebody has made a key there."""
        if home not in self._homes:
            self._homes.update(self._deployment.homes())
        return home in self._homes


def _address(peer: str) -> str:
    """The address of a peer: IPv4 as such, where a socket has it as IPv6 (RFC 4291, 2.5.5.2)."""
    plain = peer.partition("%")[0]
    return plain.removeprefix("::ffff:") if "." in plain else plain


def _account_in(given: Mapping[str, Any]) -> str | None:
    """The account of the ARN by which a request names its key, or None."""
    for name in _NAMING:
        parts = str(given.get(name, "")).split(":", 5)
        if len(parts) == 6 and parts[2] == "kms" and len(parts[4]) == 12 and parts[4].isdigit():
            return parts[4]
    return None


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
