"""Statements and policies, compiled: immutable, and quick to compare with a request.

Rules:
- all that does not depend on a request is worked out when a policy is compiled;
- one comparison serves decisions and explanations alike, so that they cannot disagree;
- an account as a principal delegates: in a Deny it stands for everyone in it, in an Allow for its
  root user, and for the others as far as identity policies allow;
- NotPrincipal with Deny exempts who is named with account, role and session; with Allow it leaves
  out who is named by any of them (page "NotPrincipal").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal

from kmsfast.model.policy_condition import Condition
from kmsfast.model.policy_glob import Token, glob, resolved
from kmsfast.model.policy_principal import Principal
from kmsfast.model.policy_request import Request, ValueOf

__all__ = ["Mismatch", "Policy", "Principals", "Resources", "Statement"]

Mismatch = Literal["element", "principal", "action", "resource"] | Condition
_NONE: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Principals:
    """Principal or NotPrincipal.

    Attributes:
        names: ARNs and services.
        accounts: account numbers given as digits.
    """

    everyone: bool = False
    names: frozenset[str] = _NONE
    accounts: frozenset[str] = _NONE
    negated: bool = False

    def match(self, caller: Principal, *, allow: bool) -> bool:
        """Whether a statement of that effect is about the caller."""
        if not self.negated:
            return self.by_name(caller) or self._account(caller)
        if self.everyone:
            return False
        listed = [name in self.names for name in caller.chain]
        if caller.account in self.accounts:
            listed[0] = True
        return not (any(listed) if allow else all(listed))

    def by_name(self, caller: Principal) -> bool:
        """Whether the caller itself is meant, rather than its account."""
        return (
            self.negated
            or self.everyone
            or not self.names.isdisjoint(caller.names)
            or (caller.is_root and self._account(caller))
        )

    def _account(self, caller: Principal) -> bool:
        return caller.chain[0] in self.names or caller.account in self.accounts


@dataclass(frozen=True, slots=True)
class Resources:
    """Resource or NotResource.

    Attributes:
        tests: patterns without variables.
        templates: patterns with variables.
    """

    everything: bool
    tests: tuple[Callable[[str], bool], ...] = ()
    templates: tuple[tuple[Token, ...], ...] = ()
    negated: bool = False

    def match(self, resource: str, value_of: ValueOf, *, allow: bool) -> bool:
        """Whether a statement of that effect is about the resource."""
        if self.everything:
            return not self.negated
        found = any(test(resource) for test in self.tests)
        for template in self.templates:
            tokens = resolved(template, value_of)
            if tokens is None and allow:
                return False
            found = found or (tokens is not None and glob(tokens)(resource))
        return found is not self.negated


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement.

    Attributes:
        index: its place in the document, from 0.
        principals: None in identity policies, which apply to whom they are attached to.
        actions: the actions that it covers, Action and NotAction resolved.
        resources: None when the element is missing: the statement never applies.
    """

    index: int
    sid: str | None
    allow: bool
    principals: Principals | None
    actions: frozenset[str] | None
    resources: Resources | None
    conditions: tuple[Condition, ...] = ()

    def mismatch(self, request: Request, value_of: ValueOf) -> Mismatch | None:
        """What keeps the statement from applying to a request; None when it applies."""
        allow = self.allow
        if self.actions is None or self.resources is None:
            return "element"
        if request.action not in self.actions:
            return "action"
        if self.principals is not None and not self.principals.match(
            request.principal, allow=allow
        ):
            return "principal"
        if not self.resources.match(request.resource, value_of, allow=allow):
            return "resource"
        for condition in self.conditions:
            if not condition.holds(value_of, allow=allow):
                return condition
        return None

    def direct(self, caller: Principal) -> bool:
        """Whether an Allow that applies is the caller's own, not a delegation to its account."""
        return self.principals is None or self.principals.by_name(caller)

    @property
    def effect(self) -> str:
        """Allow or Deny."""
        return "Allow" if self.allow else "Deny"


@dataclass(frozen=True, slots=True)
class Policy:
    """A compiled policy.

    Attributes:
        name: by which decisions speak of it.
    """

    name: str
    statements: tuple[Statement, ...]
    denies: tuple[Statement, ...] = field(init=False, repr=False, compare=False)
    allows: tuple[Statement, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name, allow in (("allows", True), ("denies", False)):
            chosen = tuple(item for item in self.statements if item.allow is allow)
            object.__setattr__(self, name, chosen)
