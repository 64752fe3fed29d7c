"""Grants: what they allow, to whom, under which encryption context.

Rules:
- a grant allows and never denies; it names one grantee, and holds for one key;
- EncryptionContextEquals asks for exactly its pairs, EncryptionContextSubset for at least its
  pairs; case matters; neither is consulted for DescribeKey and RetireGrant;
- SourceArn asks for a request on behalf of that resource (``aws:SourceArn``), whatever the
  operation but RetireGrant;
- CreateGrant by a grant makes a child: no further operations, constraints at least as strict;
- a grant that is not settled everywhere is used by requests that carry its token.

There is one type of grant: the store keeps it, listings show it, and requests are decided by it.
What a new grant must be beside well-formed is said by :mod:`.grant`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from kmsfast.errors import ValidationError
from kmsfast.model.policy_actions import GRANTABLE
from kmsfast.model.policy_principal import SERVICE, Principal, parsed_arn

__all__ = ["MAX_PAIRS", "Grant", "is_principal"]

MAX_PAIRS: Final = 8
_UNCONSTRAINED: Final = frozenset({"DescribeKey", "RetireGrant"})
_TYPES: Final = ("EncryptionContextEquals", "EncryptionContextSubset")
_SOURCE: Final = "SourceArn"
# Members of a grant as the API has it, their types, and what stands for one that is not there.
_MEMBERS: Final[tuple[tuple[str, type, Any], ...]] = (
    ("GranteePrincipal", str, ""),
    ("GranteeServicePrincipal", str, ""),
    ("Operations", list, None),
    ("GrantId", str, ""),
    ("Name", str, ""),
    ("RetiringPrincipal", str, ""),
    ("RetiringServicePrincipal", str, ""),
    ("GrantToken", str, ""),
    ("Constraints", dict, {}),
    ("Settled", bool, True),
)


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant on one key.

    Args:
        operations: at least one of those that grants can allow.
        grantee: ARN of a principal, or a service's name.
        retiring: who may retire it; an account's ARN delegates to its identity policies.
        equals, subset: the constraints, each of 8 pairs at most.
        settled: False while servers may not know it yet; then a request needs its token.
        source_arn: the resource on whose behalf requests are made.
        name: what its maker calls it, so that a request that comes twice makes one grant.
        issuing_account: ARN of the account whose principal made it.
        key_arn: of the key that it is on.
        to_service, by_service: whether the grantee, and the retiring principal, were given as
            service principals (GranteeServicePrincipal, RetiringServicePrincipal).

    Attributes:
        values: the condition keys of a CreateGrant that makes it.

    Raises:
        ValidationError: an unknown operation, principal or constraint.
    """

    id: str
    operations: frozenset[str]
    grantee: str
    retiring: str | None = None
    equals: Mapping[str, str] | None = None
    subset: Mapping[str, str] | None = None
    token: str | None = None
    settled: bool = True
    source_arn: str | None = None
    name: str | None = None
    created_at: datetime | None = None
    issuing_account: str | None = None
    key_arn: str | None = None
    to_service: bool = False
    by_service: bool = False
    values: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check(self)
        values = {
            "kms:grantoperations": tuple(sorted(self.operations)),
            "kms:granteeprincipal": (self.grantee,),
        }
        if self.retiring is not None:
            values["kms:retiringprincipal"] = (self.retiring,)
        given = zip((*_TYPES, _SOURCE), (self.equals, self.subset, self.source_arn), strict=True)
        types = [name for name, constraint in given if constraint is not None]
        if types:
            values["kms:grantconstrainttype"] = tuple(types)
        object.__setattr__(self, "values", values)

    @classmethod
    def of_api(cls, entry: Mapping[str, Any]) -> Grant:
        """The grant of an entry of ListGrants, or of the parameters of CreateGrant.

        Raises:
            ValidationError: a member is missing or of the wrong type.
        """
        grantee, to_service = _either(entry, "Grantee")
        retiring, by_service = _either(entry, "Retiring")
        if grantee is None:
            raise ValidationError("GranteePrincipal of a grant is missing")
        for name, kind, absent in _MEMBERS:
            if not isinstance(entry.get(name, absent), kind):
                raise ValidationError(f"{name} of a grant is missing or no {kind.__name__}")
        constraints = entry.get("Constraints", {})
        unknown = set(constraints) - {*_TYPES, _SOURCE}
        if unknown:
            known = ", ".join((*_TYPES, _SOURCE))
            raise ValidationError(f"{min(unknown)!r} is no constraint of a grant; {known} are")
        return cls(
            id=entry.get("GrantId", ""),
            operations=frozenset(map(str, entry["Operations"])),
            grantee=grantee,
            retiring=retiring,
            equals=constraints.get(_TYPES[0]),
            subset=constraints.get(_TYPES[1]),
            token=entry.get("GrantToken"),
            settled=entry.get("Settled", True),
            source_arn=constraints.get(_SOURCE),
            name=entry.get("Name"),
            to_service=to_service,
            by_service=by_service,
        )

    def to_api(self) -> dict[str, Any]:
        """The entry of ListGrants; members that do not apply are absent."""
        pairs = zip(_TYPES, (self.equals, self.subset), strict=True)
        constraints: dict[str, Any] = {name: dict(of) for name, of in pairs if of is not None}
        if self.source_arn is not None:
            constraints[_SOURCE] = self.source_arn
        entry = {
            "KeyId": self.key_arn,
            "GrantId": self.id,
            "Name": self.name,
            "CreationDate": self.created_at,
            _member("Grantee", self.to_service): self.grantee,
            _member("Retiring", self.by_service): self.retiring,
            "IssuingAccount": self.issuing_account,
            "Operations": sorted(self.operations),
            "Constraints": constraints or None,
        }
        return {name: value for name, value in entry.items() if value is not None}

    @property
    def constraint_context(self) -> Mapping[str, str]:
        """The pairs without which the grant allows nothing."""
        return {**(self.subset or {}), **(self.equals or {})}

    def refusal(
        self,
        action: str,
        caller: Principal,
        context: Mapping[str, str] | None,
        tokens: tuple[str, ...],
        *,
        child: Grant | None = None,
        source: tuple[str, ...] = (),
    ) -> str | None:
        """Why the grant does not allow a request; None when it does.

        Args:
            child: the grant that CreateGrant would make.
            source: on whose behalf it is made, if the request says so.
        """
        if action not in self.operations:
            return f"the grant does not allow {action}"
        if self.grantee not in caller.names:
            return f"the grantee is {self.grantee}"
        if not self.settled and self.token not in tokens:
            return "the grant is new, and the request does not carry its token"
        return self._constraint_refusal(action, context or {}, child, source)

    def delegates_retiring_to(self, caller: Principal) -> bool:
        """Whether the account that may retire it is the caller's."""
        return self.retiring == caller.chain[0] != caller.arn

    def _constraint_refusal(
        self, action: str, context: Mapping[str, str], child: Grant | None, source: tuple[str, ...]
    ) -> str | None:
        if self.source_arn is not None and action != "RetireGrant" and source != (self.source_arn,):
            return f"the request is not made on behalf of {self.source_arn}"
        if action in _UNCONSTRAINED:
            return None
        if action == "CreateGrant":
            return "no grant to make was given" if child is None else self._child_refusal(child)
        return self._context_refusal(context)

    def _context_refusal(self, context: Mapping[str, str]) -> str | None:
        if self.equals is not None and dict(context) != dict(self.equals):
            return "the encryption context is not that of EncryptionContextEquals"
        if self.subset is not None and not self.subset.items() <= context.items():
            return "the encryption context does not contain EncryptionContextSubset"
        return None

    def _child_refusal(self, child: Grant) -> str | None:
        more = child.operations - self.operations
        if more:
            return f"a child of the grant cannot allow {', '.join(sorted(more))}"
        if self.equals is not None and (
            child.equals is None or dict(child.equals) != dict(self.equals)
        ):
            return "a child of the grant needs the same EncryptionContextEquals"
        if self.subset is not None and not (
            self.subset.items() <= child.constraint_context.items()
        ):
            return "a child of the grant needs at least the pairs of its EncryptionContextSubset"
        if self.source_arn is not None and child.source_arn != self.source_arn:
            return "a child of the grant needs the same SourceArn"
        return None


def _member(role: str, service: bool) -> str:
    return f"{role}{'Service' if service else ''}Principal"


def _either(entry: Mapping[str, Any], role: str) -> tuple[str | None, bool]:
    """The principal in a role of a grant, and whether it was given as a service principal.

    Raises:
        ValidationError: it was given as both.
    """
    plain, service = (_member(role, each) for each in (False, True))
    if plain in entry and service in entry:
        raise ValidationError(f"You must specify either {plain} or {service}, but not both.")
    return (entry[service], True) if service in entry else (entry.get(plain), False)


def _check(grant: Grant) -> None:
    unknown = sorted(grant.operations - GRANTABLE)
    if unknown or not grant.operations:
        raise ValidationError(
            f"{unknown[0]!r} is no operation of grants" if unknown
            else "a grant allows at least one operation"
        )  # fmt: skip
    for name, arn in (("GranteePrincipal", grant.grantee), ("RetiringPrincipal", grant.retiring)):
        if arn is not None and not is_principal(arn):
            raise ValidationError(f"{name} {arn!r} is no ARN of a principal and no service")
    for pairs in (grant.equals, grant.subset):
        if pairs is None:
            continue
        if not isinstance(pairs, Mapping) or not all(
            isinstance(key, str) and isinstance(value, str) for key, value in pairs.items()
        ):
            raise ValidationError("the constraint of a grant is a mapping of str to str")
        if not 1 <= len(pairs) <= MAX_PAIRS:
            raise ValidationError(
                f"the constraint of a grant has 1 to {MAX_PAIRS} pairs, not {len(pairs)}"
            )


def is_principal(text: str) -> bool:
    """By its form; whether it exists is for whoever keeps principals to know."""
    return parsed_arn(text) is not None or SERVICE.fullmatch(text) is not None
