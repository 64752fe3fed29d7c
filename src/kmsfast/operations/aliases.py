"""Aliases of keys."""

from __future__ import annotations

from typing import Any, Final

from kmsfast.app import Application
from kmsfast.errors import NotAuthorized, ValidationError
from kmsfast.model.alias import PREFIX, RESERVED, Alias
from kmsfast.model.aws_managed import PREDEFINED
from kmsfast.operations.names import id_or_arn
from kmsfast.operations.pages import Listing
from kmsfast.operations.requests import Given, Operation, Result

__all__ = ["OPERATIONS"]

_ALIASES: Final[Listing[dict[str, Any]]] = Listing(
    "Aliases", lambda alias: str(alias["AliasName"]), 50, 100
)


def create_alias(app: Application, given: Given) -> Result:
    """A new name for a key."""
    name = _own_alias(given)
    app.management.create_alias(name, id_or_arn(app, given["TargetKeyId"]).raw_id)
    return {}


def update_alias(app: Application, given: Given) -> Result:
    """Points an alias to another key."""
    name = _own_alias(given)
    app.management.update_alias(name, id_or_arn(app, given["TargetKeyId"]).raw_id)
    return {}


def delete_alias(app: Application, given: Given) -> Result:
    """Removes an alias; its key stays."""
    app.management.delete_alias(_own_alias(given))
    return {}


def list_aliases(app: Application, given: Given) -> Result:
    """All aliases, with those of AWS that have no key yet, or the aliases of one key."""
    only = id_or_arn(app, given["KeyId"]).raw_id if "KeyId" in given else None

    def read() -> list[dict[str, Any]]:
        found = app.management.aliases()
        shown = [_shown(each) for each in found if only in {None, each.raw_key_id}]
        if only is None:
            home, taken = app.store.home, {each.name for each in found}
            free = (name for name in PREDEFINED if name not in taken)
            shown += [{"AliasName": name, "AliasArn": home.arn(name)} for name in free]
        return shown

    return _ALIASES.long_page(app, given, read)


OPERATIONS: Final = {
    "CreateAlias": Operation(create_alias),
    "UpdateAlias": Operation(update_alias),
    "DeleteAlias": Operation(delete_alias),
    "ListAliases": Operation(list_aliases),
}


def _own_alias(given: Given) -> str:
    """The alias that a request writes.

    Raises:
        ValidationError: no alias. NotAuthorized: one of AWS's.
    """
    name: str = given["AliasName"]
    if not name.startswith(PREFIX):
        raise ValidationError(
            'Alias must start with the prefix "alias/". Please see '
            "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
        )
    if name.startswith(RESERVED):
        raise NotAuthorized(f"{name} is reserved for aliases of AWS")
    return name


def _shown(alias: Alias) -> dict[str, Any]:
    return {
        "AliasName": alias.name,
        "AliasArn": alias.arn,
        "TargetKeyId": alias.key_id,
        "CreationDate": alias.created_at,
        "LastUpdatedDate": alias.updated_at,
    }
