"""LookupEvents of AWS CloudTrail at the endpoint of KMS, for ``aws cloudtrail lookup-events``.

Order: signature (for the service cloudtrail), quota, members, permission. Identity policies allow
it, as cloudtrail:LookupEvents; without authentication everyone may. It is no request of KMS and is
not recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Final

from kmsfast.app import Application
from kmsfast.model.arn import Home
from kmsfast.model.policy_actions import LOOKUP_EVENTS
from kmsfast.operations.lookup import check_lookup, lookup_events
from kmsfast.server.guard import Guard
from kmsfast.server.service_model import load_service_model
from kmsfast.service.authorization import Asked
from kmsfast.service.request_quotas import Charge, RequestQuotas
from kmsfast.wire.credentials import Credential, credential_of, scope_of
from kmsfast.wire.document import parse_object
from kmsfast.wire.model import OperationShape

if TYPE_CHECKING:
    from kmsfast.server.endpoint import Request

__all__ = ["TARGET", "Lookups"]

TARGET: Final = b"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"
_SERVICE, _OPERATION = LOOKUP_EVENTS.split(":")
_CHARGES: Final = (Charge(_OPERATION),)


class Lookups:
    """Answers LookupEvents; it waits for the disk.

    Args:
        home_of: the region and account that are meant; without authentication.
        guarded: requests are authenticated.
        quotas: of requests; None: there are none.
    """

    def __init__(
        self,
        app: Application,
        home_of: Callable[[Credential], Home],
        quotas: RequestQuotas | None,
        *,
        guarded: bool,
    ) -> None:
        self._app, self._home_of, self._quotas = app, home_of, quotas
        self._guarded = guarded

    def answer(self, request: Request) -> bytes:
        """The body of the answer.

        Raises:
            KmsError: it cannot be answered, or not to whoever asks.
        """
        if not self._guarded:
            credential = credential_of(scope_of(request.authorization), _SERVICE)
            app = self._app.deployment.at(self._home_of(credential))
            self._count(app)
            return self._answered(app, request.body)
        admitted = self._guard.admit(request)
        self._count(admitted.app)
        admitted.app.authorizer.check(
            admitted.caller, LOOKUP_EVENTS, ask=lambda: Asked(values=admitted.values)
        )
        return self._answered(admitted.app, request.body)

    @cached_property
    def _guard(self) -> Guard:
        return Guard(self._app, _SERVICE)

    @cached_property
    def _shape(self) -> OperationShape:
        return load_service_model(_SERVICE, [_OPERATION]).operations[_OPERATION]

    def _count(self, app: Application) -> None:
        if self._quotas is not None:
            self._quotas.take(app.store.home.account, app.store.home.region, _CHARGES)

    def _answered(self, app: Application, body: bytes) -> bytes:
        check_lookup(parse_object(body))
        return self._shape.write(lookup_events(app, self._shape.read(body)))
