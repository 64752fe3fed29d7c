"""Grants of keys. Keys are named by id or ARN: AWS takes no aliases here."""

from __future__ import annotations

from functools import partial
from typing import Final

from kmsfast.app import Application
from kmsfast.errors import ValidationError
from kmsfast.model.grant import (
    checked_principal,
    either_principal,
    new_grant,
    required_principal,
)
from kmsfast.model.policy_grant import Grant
from kmsfast.operations.names import id_or_arn
from kmsfast.operations.pages import Listing
from kmsfast.operations.requests import Given, Operation, Result, refuse_dry_run

__all__ = ["OPERATIONS", "retired_grant", "wanted_grant"]

_Retirable = tuple[bytes, Grant]
_OF_KEY: Final[Listing[Grant]] = Listing("Grants", lambda grant: grant.id, 50, 100)
_RETIRABLE: Final[Listing[_Retirable]] = Listing(
    "Grants", lambda found: f"{found[0].hex()} {found[1].id}", 50, 100
)


def wanted_grant(given: Given) -> Grant:
    """The grant that a request to make one describes."""
    grantee, to_service = _principal(given, "Grantee")
    retiring, by_service = _principal(given, "Retiring")
    constraints = given.get("Constraints", {})
    return new_grant(
        grantee,
        given["Operations"],
        retiring=retiring,
        equals=constraints.get("EncryptionContextEquals"),
        subset=constraints.get("EncryptionContextSubset"),
        source_arn=constraints.get("SourceArn"),
        name=given.get("Name"),
        to_service=to_service,
        by_service=by_service,
    )


def create_grant(app: Application, given: Given) -> Result:
    """A new grant, or the one that the same request with its name made before."""
    wanted = wanted_grant(given)
    raw_id = id_or_arn(app, given["KeyId"]).raw_id
    made = app.grants.create(raw_id, wanted, partial(refuse_dry_run, given))
    return {"GrantId": made.grant_id, "GrantToken": made.grant_token}


def list_grants(app: Application, given: Given) -> Result:
    """The grants of a key: all, those of one grantee, or the one of an id."""
    grantee, _ = _principal(given, "Grantee")
    if grantee is not None:
        checked_principal(grantee)
    raw_id = id_or_arn(app, given["KeyId"]).raw_id
    if "GrantId" in given:
        found = app.grants.find(raw_id, given["GrantId"])
        wanted = found is not None and grantee in {None, found.grantee}
        return _OF_KEY.page(app, given, [found] if found and wanted else [], Grant.to_api)

    def fetch(after: str | None, most: int) -> list[Grant]:
        return app.grants.listed(raw_id, after, most, grantee)

    return _OF_KEY.fetched_page(app, given, fetch, Grant.to_api)


def list_retirable_grants(app: Application, given: Given) -> Result:
    """The grants of all keys that name a retiring principal."""
    principal = required_principal(_principal(given, "Retiring")[0], "Retiring")

    def fetch(after: str | None, most: int) -> list[_Retirable]:
        behind = None
        if after is not None:
            key_id, _, grant_id = after.partition(" ")
            behind = (bytes.fromhex(key_id), grant_id)
        return app.grants.retirable(principal, behind, most)

    return _RETIRABLE.fetched_page(app, given, fetch, lambda found: found[1].to_api())


def retired_grant(app: Application, given: Given) -> tuple[bytes, str]:
    """Id of the key, and of the grant, that a request to retire one names."""
    token = given.get("GrantToken")
    if token is not None:
        if "KeyId" in given or "GrantId" in given:
            raise ValidationError(_HOW_TO_RETIRE)
        return app.grants.named_by(token)
    if "KeyId" not in given or "GrantId" not in given:
        raise ValidationError(_HOW_TO_RETIRE)
    return id_or_arn(app, given["KeyId"]).raw_id, given["GrantId"]


def retire_grant(app: Application, given: Given) -> Result:
    """Ends a grant that a token names, or its id and its key."""
    key_id, grant_id = retired_grant(app, given)
    app.grants.end(key_id, grant_id, partial(refuse_dry_run, given))
    return {}


def revoke_grant(app: Application, given: Given) -> Result:
    """Ends a grant."""
    raw_id = id_or_arn(app, given["KeyId"]).raw_id
    app.grants.end(raw_id, given["GrantId"], partial(refuse_dry_run, given))
    return {}


OPERATIONS: Final = {
    "CreateGrant": Operation(create_grant),
    "ListGrants": Operation(list_grants),
    "ListRetirableGrants": Operation(list_retirable_grants),
    "RetireGrant": Operation(retire_grant),
    "RevokeGrant": Operation(revoke_grant),
}

_HOW_TO_RETIRE: Final = "You must specify either a GrantToken, or both a KeyId and a GrantId."


def _principal(given: Given, role: str) -> tuple[str | None, bool]:
    """The principal in a role, and whether it was given as a service principal."""
    plain, service = given.get(f"{role}Principal"), given.get(f"{role}ServicePrincipal")
    return either_principal(plain, service, role)
