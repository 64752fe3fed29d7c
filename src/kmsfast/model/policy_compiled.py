"""What policies still ask of a request, once caller, action and key are known.

Rules:
- whatever these three and the time decide is decided here, once: statements about others fall away,
  conditions that hold fall away, statements with one that does not hold fall away;
- what is left depends on the request: a condition on any other key, or a policy variable. When
  nothing is left, all requests of this caller for this action on this key have one decision;
- a condition on the date holds until the next date that a policy names: so does what is decided;
- the reduced policies decide every request as the whole ones do: a property test says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from kmsfast.model.policy_condition import Condition
from kmsfast.model.policy_decision import Policies
from kmsfast.model.policy_grant import Grant
from kmsfast.model.policy_request import Request, ValueOf
from kmsfast.model.policy_statement import Policy, Statement

__all__ = ["Compiled", "compiled", "is_fixed"]

_OF_CALLER: Final = frozenset(
    {
        "aws:principalaccount", "aws:principalarn", "aws:principalisawsservice",
        "aws:principalservicename", "aws:principalservicenameslist", "aws:principaltype",
        "aws:userid", "aws:username", "kms:calleraccount",
    }
)  # fmt: skip
_OF_KEY: Final = frozenset(
    {
        "aws:requestedregion", "aws:resourceaccount", "kms:customermasterkeyspec",
        "kms:customermasterkeyusage", "kms:keyorigin", "kms:keyspec", "kms:keyusage",
        "kms:multiregion", "kms:multiregionkeytype", "kms:resourcealiases",
    }
)  # fmt: skip
_TIMES: Final = frozenset({"aws:currenttime", "aws:epochtime"})
_SECOND: Final = 1_000_000  # dates of policies are microseconds, those of requests whole seconds


@dataclass(frozen=True, slots=True)
class Compiled:
    """What is left of the policies that govern a caller, an action and a key.

    Attributes:
        settled: nothing depends on the request any more.
        until: Unix time from which it is to be compiled again, infinite when all dates are over;
            None: no date matters.
    """

    policies: Policies
    settled: bool
    until: float | None


def is_fixed(name: str, *, on_key: bool) -> bool:
    """Whether a condition key, in lower case, is the caller's, the key's or the clock's.

    A request cannot give it another value.
    """
    if name in _OF_CALLER or name in _TIMES or name.startswith("aws:principaltag/"):
        return True
    return on_key and (name in _OF_KEY or name.startswith("aws:resourcetag/"))


def compiled(request: Request, policies: Policies) -> Compiled:
    """What is left for requests of the caller of ``request``, for its action, on its key.

    Args:
        request: one without anything that only this request has.
    """
    reduction = _Reduction(request)
    of_key_policy, of_identity = request.lookups()
    key = None if policies.key is None else reduction.policy(policies.key, of_key_policy)
    identity = [reduction.policy(policy, of_identity) for policy in policies.identity]
    grants = reduction.grants(policies.grants)
    left = Policies(key, tuple(policy for policy in identity if policy.statements), grants)
    return Compiled(left, reduction.settled, reduction.until)


class _Reduction:
    """Reduces policies, and notes what the result depends on."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._now = _seconds(request.time)
        self.settled = True
        self.until: float | None = None

    def policy(self, policy: Policy, value_of: ValueOf) -> Policy:
        kept = (self._statement(statement, value_of) for statement in policy.statements)
        return Policy(policy.name, tuple(statement for statement in kept if statement is not None))

    def grants(self, grants: Iterable[Grant]) -> Sequence[Grant]:
        action, caller = self._request.action, self._request.principal
        kept = [
            grant
            for grant in grants
            if action in grant.operations and grant.grantee in caller.names
        ]
        # One that allows a request that brings nothing allows all of them.
        self.settled &= not kept or any(
            grant.refusal(action, caller, None, ()) is None for grant in kept
        )
        return tuple(kept)

    def _statement(self, statement: Statement, value_of: ValueOf) -> Statement | None:
        request, allow = self._request, statement.allow
        resources = statement.resources
        if statement.actions is None or resources is None:
            return None
        if request.action not in statement.actions:
            return None
        principals = statement.principals
        if principals is not None and not principals.match(request.principal, allow=allow):
            return None
        if resources.templates:
            self.settled = False
        elif not resources.match(request.resource, value_of, allow=allow):
            return None
        return self._conditions(statement, value_of)

    def _conditions(self, statement: Statement, value_of: ValueOf) -> Statement | None:
        left = []
        for condition in statement.conditions:
            if not self._is_known(condition):
                left.append(condition)
            elif not condition.holds(value_of, allow=statement.allow):
                return None
        if left:
            self.settled = False
        return replace(statement, conditions=tuple(left))

    def _is_known(self, condition: Condition) -> bool:
        """Whether it has been decided, at least for now."""
        if condition.test is None:
            return False
        if condition.name not in _TIMES:
            return is_fixed(condition.name, on_key=self._request.key is not None)
        if not condition.written.rpartition(":")[2].startswith("Date"):
            return False
        for moment in condition.parsed:
            # The value of a request is cut to the second: it can pass the moment at either.
            second = moment // _SECOND
            self._expire(second)
            self._expire(second + 1)
        return True

    def _expire(self, second: int) -> None:
        ends = second if second > self._now else math.inf
        self.until = ends if self.until is None else min(self.until, ends)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp() // 1)
