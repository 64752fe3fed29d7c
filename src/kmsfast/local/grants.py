"""Grants on a key.

Rules: those of :mod:`kmsfast.local`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from kmsfast import app
from kmsfast.doors import Door, Outcome
from kmsfast.local.members import names, pairs
from kmsfast.local.recorded import operation

if TYPE_CHECKING:
    from kmsfast.model.policy_grant import Grant
    from kmsfast.service.grants import IssuedGrant

__all__ = ["GrantUses"]

_CONSTRAINTS: Final = ("EncryptionContextEquals", "EncryptionContextSubset", "SourceArn")


def _of_grant(made: IssuedGrant) -> Outcome:
    return Outcome({"GrantId": made.grant_id})


class GrantUses:
    """The part of :class:`kmsfast.Key` for grants."""

    __slots__ = ()

    _app: app.Application
    _door: Door
    _raw_id: bytes

    @operation(
        "CreateGrant",
        members={
            "operations": ("Operations", names),
            "grantee_principal": "GranteePrincipal",
            "grantee_service_principal": "GranteeServicePrincipal",
            "retiring_principal": "RetiringPrincipal",
            "retiring_service_principal": "RetiringServicePrincipal",
            "encryption_context_equals": ("EncryptionContextEquals", pairs),
            "encryption_context_subset": ("EncryptionContextSubset", pairs),
            "source_arn": "SourceArn",
            "name": "Name",
        },
        nested={"Constraints": _CONSTRAINTS},
        outcome=_of_grant,
    )
    def create_grant(
        self,
        operations: Iterable[str],
        *,
        grantee_principal: str | None = None,
        grantee_service_principal: str | None = None,
        retiring_principal: str | None = None,
        retiring_service_principal: str | None = None,
        encryption_context_equals: Mapping[str, str] | None = None,
        encryption_context_subset: Mapping[str, str] | None = None,
        source_arn: str | None = None,
        name: str | None = None,
    ) -> IssuedGrant:
        """Lets a principal use the key; who may do so is decided where callers are known.

        Args:
            operations: that it allows, as Decrypt; those that the key has.
            grantee_principal: to whom: an ARN, as arn:aws:iam::111122223333:role/app.
            grantee_service_principal: or a service, with ``source_arn`` and someone to retire it.
            retiring_principal, retiring_service_principal: who may retire it.
            encryption_context_equals, encryption_context_subset: the pairs that a request must
                have, exactly or at least; one of the two, of at most 8 pairs and 384 characters.
            source_arn: the resource on whose behalf requests must be made.
            name: a second call with the same name and parameters gives the same grant.

        Returns:
            The grant's id, and a token that names it; another token with every call.

        Raises:
            ValidationError, InvalidArn: a parameter is missing, or not possible for this key.
            LimitExceeded: the key has 50,000 grants.
            KeyDisabled, InvalidState, KeyNotFound: the key cannot be used.
        """
        from kmsfast.model.grant import either_principal, new_grant

        grantee, to_service = either_principal(
            grantee_principal, grantee_service_principal, "Grantee"
        )
        retiring, by_service = either_principal(
            retiring_principal, retiring_service_principal, "Retiring"
        )
        wanted = new_grant(
            grantee, list(operations), retiring=retiring, equals=encryption_context_equals,
            subset=encryption_context_subset, source_arn=source_arn, name=name,
            to_service=to_service, by_service=by_service,
        )  # fmt: skip
        return self._app.grants.create(self._raw_id, wanted)

    @operation("ListGrants", members={"grantee_principal": "GranteePrincipal"})
    def grants(self, grantee_principal: str | None = None) -> list[Grant]:
        """The key's grants, or those of one grantee, in the order of their ids.

        Raises:
            KeyNotFound: the key is gone. StoreIntegrity: they were changed from outside.
        """
        return self._app.grants.listed(self._raw_id, grantee=grantee_principal)

    @operation("RetireGrant", members={"grant_id": "GrantId"})
    def retire_grant(self, grant_id: str) -> None:
        """Ends a grant whose work is done. It is gone at once.

        Raises:
            GrantNotFound: there is none of this id. InvalidGrantId: it cannot be an id.
        """
        self._app.grants.end(self._raw_id, grant_id)

    @operation("RevokeGrant", members={"grant_id": "GrantId"})
    def revoke_grant(self, grant_id: str) -> None:
        """Ends a grant, whoever needs it. It is gone at once.

        Raises:
            As :meth:`retire_grant`.
        """
        self._app.grants.end(self._raw_id, grant_id)
