"""Whether the principals that a key policy names exist.

AWS refuses a policy that names somebody who does not exist (PutKeyPolicy, parameter Policy).
Rules:
- an account is managed here when the store knows anybody of it; of another one nobody can say who
  exists, and its principals are taken as they are. So a store without principals, which serves as
  an emulator, takes every policy;
- of a managed account: the account itself, and the users and roles that the store knows; a session
  when its role is known. Federated users and services are not principals of a store.
"""

from __future__ import annotations

from typing import Final

from kmsfast.errors import MalformedPolicyDocument
from kmsfast.model.identities import Identities
from kmsfast.model.policy_findings import INVALID_PRINCIPALS
from kmsfast.model.policy_principal import Kind, parsed_arn
from kmsfast.model.policy_statement import Policy
from kmsfast.model.principal import IdentityKind

__all__ = ["require_known"]

_CHECKED: Final = (Kind.USER, Kind.ROLE, Kind.SESSION)


def require_known(policy: Policy, identities: Identities) -> None:
    """Passes when every principal of a managed account that the policy names is known.

    Raises:
        MalformedPolicyDocument: one is not.
    """
    managed = {_place(arn) for arn in identities.known}
    roles = {
        (*_place(each.arn), each.name) for each in identities.of(IdentityKind.ROLE)
    }  # a session's ARN tells the name of its role, and not the path
    for statement in policy.statements:
        names = statement.principals.names if statement.principals is not None else ()
        for arn in sorted(names):
            found = parsed_arn(arn)
            if found is None or found[0] not in _CHECKED or found[1:3] not in managed:
                continue
            kind, partition, account, of = found
            session = kind is Kind.SESSION
            is_known = (partition, account, of[0]) in roles if session else arn in identities.known
            if not is_known:
                raise MalformedPolicyDocument(
                    f"{INVALID_PRINCIPALS} Statement[{statement.index}] names {arn}, which "
                    f"account {account} does not have: create it first, or correct the name"
                )


def _place(arn: str) -> tuple[str, str]:
    """Partition and account of an ARN."""
    _, partition, _, _, account, _ = arn.split(":", 5)
    return partition, account
