"""The decision on one request: key policy, identity policies and grants together.

The order (pages "Policy evaluation logic", "Cross-account policy evaluation logic", "Default key
policy", "Retiring and revoking grants"):
1. a Deny that applies, in the key policy or in an identity policy, ends it;
2. in another account than the key's only some actions exist at all;
3. the key policy allows the caller by name: allowed in the key's account, and in another one when
   an identity policy allows as well;
4. the key policy allows the caller's account: allowed when an identity policy allows; identity
   policies allow nothing on a key without that;
5. a grant allows;
6. RetireGrant follows the grant instead of 3 to 5; actions that are on no key, and those on an
   alias, follow identity policies alone;
7. else it is denied.

The root user has no identity policies: where one would be asked, its account refuses it nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from kmsfast.model.policy_actions import CROSS_ACCOUNT
from kmsfast.model.policy_grant import Grant
from kmsfast.model.policy_request import Request, ValueOf
from kmsfast.model.policy_statement import Policy, Statement

__all__ = ["Decision", "Outcome", "Policies", "Source", "decide"]


class Outcome(StrEnum):
    """Allowed, denied by a statement, or denied because nothing allows."""

    ALLOWED = "allowed"
    EXPLICIT_DENY = "explicitDeny"
    IMPLICIT_DENY = "implicitDeny"


@dataclass(frozen=True, slots=True)
class Source:
    """A statement or a grant that made a decision.

    Attributes:
        policy: the policy's name, or ``grant``.
        index: the statement's place in its policy, from 0; None for a grant.
        sid: the statement's Sid, or the grant's id.
    """

    policy: str
    index: int | None
    sid: str | None
    effect: str


@dataclass(frozen=True, slots=True)
class Policies:
    """All that governs a request.

    Attributes:
        key: the key policy; None when there is no key, or no readable policy: then it allows
            nothing.
        identity: of the caller, its groups included.
        grants: on the key.
    """

    key: Policy | None = None
    identity: Sequence[Policy] = ()
    grants: Sequence[Grant] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, by what, and why in one sentence.

    Attributes:
        of_key_policy: the Deny that made it is the key policy's.
        trusted: the key policy leaves it to the caller's account, which does not allow it.
    """

    outcome: Outcome
    made_by: tuple[Source, ...]
    reason: str
    of_key_policy: bool = False
    trusted: bool = False

    @property
    def allowed(self) -> bool:
        """Whether the request may go on."""
        return self.outcome is Outcome.ALLOWED


_ROOT_USER: Final = Source("account", None, "root user", "Allow")


def decide(request: Request, policies: Policies) -> Decision:
    """Allowed or denied. Never raises for policies that were parsed."""
    of_key_policy, of_identity = request.lookups()
    key_policy = policies.key if request.key is not None else None
    by_key_policy = denied = _denial(key_policy, request, of_key_policy)
    for policy in policies.identity:
        denied = denied or _denial(policy, request, of_identity)
    if denied is not None:
        return Decision(
            Outcome.EXPLICIT_DENY, (denied,), "a Deny statement applies",
            of_key_policy=by_key_policy is not None,
        )  # fmt: skip
    if request.action == "RetireGrant" and request.grant is not None:
        return _retiring(request, request.grant, policies.identity, of_identity)
    if request.key is None:
        return _by_identity_alone(request, policies.identity, of_identity)
    return _on_key(request, policies, of_key_policy, of_identity)


def _on_key(
    request: Request, policies: Policies, of_key_policy: ValueOf, of_identity: ValueOf
) -> Decision:
    """Steps 2 to 5, when nothing denies."""
    foreign = _is_foreign(request)
    if foreign and request.action not in CROSS_ACCOUNT:
        return _refused(f"{request.action} is not possible on a key of another account")
    named, delegated = _key_allows(policies.key, request, of_key_policy)
    if named is not None and not foreign:
        return _allowed("the key policy allows the caller", named)
    trusted = named or delegated
    identity = _identity_allows(policies.identity, request, of_identity) if trusted else None
    if trusted is not None and identity is not None:
        return _allowed("the key policy and the caller's account allow", trusted, identity)
    granted = _grant_allows(policies.grants, request)
    if granted is not None:
        return _allowed("a grant allows", granted)
    if trusted is None:
        return _refused("neither the key policy nor a grant allows the caller or its account")
    return Decision(
        Outcome.IMPLICIT_DENY, (),
        "the key policy leaves it to identity policies, and none of them allows", trusted=True,
    )  # fmt: skip


def _allowed(reason: str, *sources: Source) -> Decision:
    return Decision(Outcome.ALLOWED, sources, reason)


def _refused(reason: str) -> Decision:
    return Decision(Outcome.IMPLICIT_DENY, (), reason)


def _source(policy: Policy, statement: Statement) -> Source:
    return Source(policy.name, statement.index, statement.sid, statement.effect)


def _is_foreign(request: Request) -> bool:
    """Whether the caller has an account, and it is not the key's."""
    account = request.principal.account
    return account is not None and request.key is not None and account != request.key.account


def _denial(policy: Policy | None, request: Request, value_of: ValueOf) -> Source | None:
    for statement in policy.denies if policy is not None else ():
        if statement.mismatch(request, value_of) is None and policy is not None:
            return _source(policy, statement)
    return None


def _key_allows(
    policy: Policy | None, request: Request, value_of: ValueOf
) -> tuple[Source | None, Source | None]:
    """The statement that allows the caller by name, or else one that allows its account."""
    delegated = None
    if policy is None:
        return None, None
    for statement in policy.allows:
        if statement.mismatch(request, value_of) is None:
            if statement.direct(request.principal):
                return _source(policy, statement), None
            delegated = delegated or _source(policy, statement)
    return None, delegated


def _identity_allows(
    policies: Iterable[Policy], request: Request, value_of: ValueOf
) -> Source | None:
    for policy in policies:
        for statement in policy.allows:
            if statement.mismatch(request, value_of) is None:
                return _source(policy, statement)
    return _ROOT_USER if request.principal.is_root else None


def _grant_allows(grants: Iterable[Grant], request: Request) -> Source | None:
    for grant in grants:
        refusal = grant.refusal(
            request.action, request.principal, request.context, request.grant_tokens,
            child=request.grant, source=request.source,
        )  # fmt: skip
        if refusal is None:
            return _grant_source(grant)
    return None


def _grant_source(grant: Grant) -> Source:
    return Source("grant", None, grant.id, "Allow")


def _by_identity_alone(request: Request, policies: Sequence[Policy], value_of: ValueOf) -> Decision:
    found = _identity_allows(policies, request, value_of)
    if found is None:
        return _refused("no identity policy allows")
    return _allowed("the caller's account allows", found)


def _retiring(
    request: Request, grant: Grant, policies: Sequence[Policy], value_of: ValueOf
) -> Decision:
    """RetireGrant: the grant says who may; accounts may say it of their own principals."""
    caller = request.principal
    if grant.retiring in caller.names:
        return _allowed("the caller is the grant's retiring principal", _grant_source(grant))
    if "RetireGrant" in grant.operations and grant.grantee in caller.names:
        return _allowed("the caller is the grantee, who may retire", _grant_source(grant))
    owner = not _is_foreign(request) and caller.account is not None
    if owner or grant.delegates_retiring_to(caller):
        found = _identity_allows(policies, request, value_of)
        if found is not None:
            return _allowed("the account that may retire the grant allows", found)
    return _refused("only the grant's retiring principal, a grantee with RetireGrant and the "
                    "account of the key retire it")  # fmt: skip
