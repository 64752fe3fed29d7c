"""Request quotas of a server: what stands between who makes a request and its operation.

Rules:
- without quotas nothing of this is in the way of a request;
- with authentication a request counts when its signature is right, whatever policies say, and for
  the account of its caller, whosever key it uses; without, for the account that it names;
- a way of an operation that gives no answer gives back what it took: the next way takes it;
- what a request counts towards is looked up in the store only where the operation may wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kmsfast.app import Application
from kmsfast.model.arn import Home
from kmsfast.operations import Given, Operation, Result
from kmsfast.operations.charges import SYMMETRIC, charges, known_charges
from kmsfast.server.guard import Guard
from kmsfast.server.permits import Asking
from kmsfast.service.request_quotas import RequestQuotas

__all__ = ["QuotaGuard", "Usual", "limited", "limited_usual"]

Usual = Callable[[bytes], bytes | None]


class QuotaGuard(Guard):
    """Admits requests as long as their accounts may make more."""

    def __init__(self, app: Application, quotas: RequestQuotas) -> None:
        super().__init__(app)
        self._quotas = quotas

    def permitted(
        self, admitted: Asking, operation: str, given: Mapping[str, Any]
    ) -> tuple[Application, Mapping[str, Any]]:
        """As of every guard.

        Raises:
            Throttled: the caller's account has made too many requests.
        """
        home = admitted.app.store.home
        there = self.service_of(admitted, given) or admitted.app
        self._quotas.take(home.account, home.region, charges(there, operation, given))
        return super().permitted(admitted, operation, given)


@dataclass(frozen=True, slots=True)
class _Limited(Operation):
    """An operation that counts."""

    name: str = ""
    quotas: RequestQuotas | None = None

    def at_once(self, app: Application, given: Given) -> Result | None:
        """As of every operation; None as well when what it counts towards is not known yet."""
        found = known_charges(app, self.name, given)
        if found is None or self.quotas is None:
            return None
        home = app.store.home
        self.quotas.take(home.account, home.region, found)
        made = Operation.at_once(self, app, given)
        if made is None:
            self.quotas.give_back(home.account, home.region, found)
        return made

    def answer(self, app: Application, given: Given, request_id: str) -> Result:
        """As of every operation."""
        if self.quotas is not None:
            home = app.store.home
            self.quotas.take(home.account, home.region, charges(app, self.name, given))
        return Operation.answer(self, app, given, request_id)


def limited(operation: Operation, name: str, quotas: RequestQuotas) -> Operation:
    """The operation, which counts for the account of its service."""
    return _Limited(operation.run, operation.warm, operation.usual, name, quotas)


def limited_usual(usual: Usual, home: Home, quotas: RequestQuotas) -> Usual:
    """What answers from body to body, for symmetric keys alone; it counts."""

    def counted(body: bytes) -> bytes | None:
        quotas.take(home.account, home.region, SYMMETRIC)
        answer = usual(body)
        if answer is None:
            quotas.give_back(home.account, home.region, SYMMETRIC)
        return answer

    return counted
