"""Whether a caller may make a request, on the keys of its own account and of others.

Every door that knows callers asks here; how it came to know them is its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

from kmsfast.app import Application, Deployment
from kmsfast.errors import AccessDenied, ForeignArn, KeyNotFound
from kmsfast.model.arn import Home
from kmsfast.model.policy_principal import Principal
from kmsfast.operations.permissions import permitted

__all__ = ["Admitted", "Asking", "Permits"]

_ELSEWHERE: Final = (
    "because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)
_NAMING: Final = ("KeyId", "SourceKeyId", "TargetKeyId")


class Asking(Protocol):
    """What is known of a request whose caller is known."""

    @property
    def app(self) -> Application:
        """The service of the region and the caller's account."""

    @property
    def caller(self) -> Principal:
        """Who makes it."""

    @property
    def values(self) -> Mapping[str, Any]:
        """Condition keys that the door knows."""


class Admitted(NamedTuple):
    """The same, said; see :class:`Asking`."""

    app: Application
    caller: Principal
    values: Mapping[str, Any]


class Permits:
    """Asks for permissions in one deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._homes: set[Home] = set()  # that have keys; they do for ever

    def permitted(
        self, admitted: Asking, operation: str, given: Mapping[str, Any]
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

    def service_of(self, admitted: Asking, given: Mapping[str, Any]) -> Application | None:
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


def _account_in(given: Mapping[str, Any]) -> str | None:
    """The account of the ARN by which a request names its key, or None."""
    for name in _NAMING:
        parts = str(given.get(name, "")).split(":", 5)
        if len(parts) == 6 and parts[2] == "kms" and len(parts[4]) == 12 and parts[4].isdigit():
            return parts[4]
    return None
