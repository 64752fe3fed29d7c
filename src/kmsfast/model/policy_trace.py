"""Why a request was decided as it was: every statement and grant, and what kept it from applying.

Made from the same comparison as the decision, when somebody asks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from kmsfast.model.policy_actions import full_name
from kmsfast.model.policy_condition import Condition
from kmsfast.model.policy_decision import Policies
from kmsfast.model.policy_request import Request, ValueOf
from kmsfast.model.policy_statement import Mismatch, Policy, Statement

__all__ = ["Step", "explained"]

_MISSING: Final = "it has no Action or no Resource, and so never applies"


@dataclass(frozen=True, slots=True)
class Step:
    """What became of one statement or grant.

    Attributes:
        policy, index, sid, effect: as in a decision's source.
        why: what kept it from applying, or what it does.
    """

    policy: str
    index: int | None
    sid: str | None
    effect: str
    applies: bool
    why: str


def explained(request: Request, policies: Policies) -> tuple[Step, ...]:
    """Every statement and grant, in the order in which they were given."""
    of_key_policy, of_identity = request.lookups()
    steps: list[Step] = []
    if policies.key is not None and request.key is not None:
        steps.extend(_of_policy(policies.key, request, of_key_policy))
    for policy in policies.identity:
        steps.extend(_of_policy(policy, request, of_identity))
    for grant in policies.grants:
        refusal = grant.refusal(
            request.action, request.principal, request.context, request.grant_tokens,
            child=request.grant, source=request.source,
        )  # fmt: skip
        steps.append(
            Step("grant", None, grant.id, "Allow", refusal is None, refusal or "the grant allows")
        )
    return tuple(steps)


def _of_policy(policy: Policy, request: Request, value_of: ValueOf) -> Iterator[Step]:
    for statement in policy.statements:
        found = statement.mismatch(request, value_of)
        why = (
            _effect(statement, request)
            if found is None
            else _words(found, request, value_of)
        )  # fmt: skip
        yield Step(
            policy.name, statement.index, statement.sid, statement.effect, found is None, why
        )


def _effect(statement: Statement, request: Request) -> str:
    if not statement.allow:
        return "denies"
    if statement.direct(request.principal):
        return "allows"
    return "leaves it to the identity policies of the caller's account"


def _words(found: Mismatch, request: Request, value_of: ValueOf) -> str:
    if isinstance(found, Condition):
        return found.explained(value_of)
    return {
        "element": _MISSING,
        "principal": f"it is not about {request.principal.arn}",
        "action": f"it is not about {full_name(request.action)}",
        "resource": f"it is not about {request.resource}",
    }[found]
