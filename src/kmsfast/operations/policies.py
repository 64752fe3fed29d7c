"""Key policies, kept as they were given."""

from __future__ import annotations

from typing import Final

from kmsfast.app import Application
from kmsfast.operations.names import id_or_arn
from kmsfast.operations.pages import Listing
from kmsfast.operations.requests import Given, Operation, Result
from kmsfast.service.policies import POLICY_NAME

__all__ = ["OPERATIONS"]

_NAMES: Final[Listing[str]] = Listing("PolicyNames", str, 100, 1000)


def put_key_policy(app: Application, given: Given) -> Result:
    """Another policy for a key."""
    raw_id = id_or_arn(app, given["KeyId"]).raw_id
    app.policies.put(raw_id, given["Policy"], given.get("PolicyName", POLICY_NAME))
    return {}


def get_key_policy(app: Application, given: Given) -> Result:
    """The policy of a key."""
    name = given.get("PolicyName", POLICY_NAME)
    policy = app.policies.get(id_or_arn(app, given["KeyId"]).raw_id, name)
    return {"Policy": policy, "PolicyName": name}


def list_key_policies(app: Application, given: Given) -> Result:
    """The names of a key's policies, of which there is one."""
    id_or_arn(app, given["KeyId"])
    return _NAMES.page(app, given, [POLICY_NAME], str)


OPERATIONS: Final = {
    "PutKeyPolicy": Operation(put_key_policy),
    "GetKeyPolicy": Operation(get_key_policy),
    "ListKeyPolicies": Operation(list_key_policies),
}
