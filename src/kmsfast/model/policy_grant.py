"""Grants: what they allow, to whom, under which encryption context.

Rules:
- a grant allows and never denies; it names one grantee, and holds for one key;
- EncryptionContextEquals asks for exactly its pairs, EncryptionContextSubset for at least its
  pairs; case matters; neither is consulted for DescribeKey and RetireGrant;
- CreateGrant by a grant makes a child: no further operations, constraints at least as strict;
- a grant that is not settled everywhere is used by requests that carry its token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from kmsfast.errors import ValidationError
from kmsfast.model.policy_actions import GRANTABLE
from kmsfast.model.policy_principal import SERVICE, Principal, parsed_arn

__all__ = ["Grant"]

MAX_PAIRS: Final = 8
_UNCONSTRAINED: Final = frozenset({"DescribeKey", "RetireGrant"})
_TYPES: Final = ("EncryptionContextEquals", "EncryptionContextSubset")
# Members of a grant as the API has it, their types, and what stands for one that is not there.
_MEMBERS: Final[tuple[tuple[str, type, Any], ...]] = (
    ("GranteePrincipal", str, None),
    ("Operations", list, None),
    ("GrantId", str, ""),
    ("RetiringPrincipal", str, ""),
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
    values: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        _check(self)
        values = {
            "kms:grantoperations": tuple(sorted(self.operations)),
            "kms:granteeprincipal": (self.grantee,),
        }
        if self.retiring is not None:
            values["kms:retiringprincipal"] = (self.retiring,)
        types = [
            name
            for name, pairs in zip(_TYPES, (self.equals, self.subset), strict=True)
            if pairs is not None
        ]
        if types:
            values["kms:grantconstrainttype"] = tuple(types)
        object.__setattr__(self, "values", values)

    @classmethod
    def of_api(cls, entry: Mapping[str, Any]) -> Grant:
        """The grant of an entry of ListGrants, or of the parameters of CreateGrant.

        Raises:
            ValidationError: a member is missing or of the wrong type.
        """
        for name, kind, absent in _MEMBERS:
            if not isinstance(entry.get(name, absent), kind):
                raise ValidationError(f"{name} of a grant is missing or no {kind.__name__}")
        constraints = entry.get("Constraints", {})
        unknown = set(constraints) - set(_TYPES)
        if unknown:
            raise ValidationError(f"{min(unknown)!r} is no constraint of a grant; {_TYPES} are")
        return cls(
            id=entry.get("GrantId", ""),
            operations=frozenset(map(str, entry["Operations"])),
            grantee=entry["GranteePrincipal"],
            retiring=entry.get("RetiringPrincipal"),
            equals=constraints.get(_TYPES[0]),
            subset=constraints.get(_TYPES[1]),
            token=entry.get("GrantToken"),
            settled=entry.get("Settled", True),
        )

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
        child: Grant | None,
    ) -> str | None:
        """Why the grant does not allow a request; None when it does."""
        if action not in self.operations:
            return f"the grant does not allow {action}"
        if self.grantee not in caller.names:
            return f"the grantee is {self.grantee}"
        if not self.settled and self.token not in tokens:
            return "the grant is new, and the request does not carry its token"
        if action in _UNCONSTRAINED:
            return None
        if action == "CreateGrant":
            return "no grant to make was given" if child is None else self._child_refusal(child)
        return self._context_refusal(context or {})

    def delegates_retiring_to(self, caller: Principal) -> bool:
        """Whether the account that may retire it is the caller's."""
        return self.retiring == caller.chain[0] != caller.arn

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
        return None


def _check(grant: Grant) -> None:
    unknown = sorted(grant.operations - GRANTABLE)
    if unknown or not grant.operations:
        raise ValidationError(
            f"{unknown[0]!r} is no operation of grants" if unknown
            else "a grant allows at least one operation"
        )  # fmt: skip
    for name, arn in (("GranteePrincipal", grant.grantee), ("RetiringPrincipal", grant.retiring)):
        if arn is not None and not _is_principal(arn):
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


def _is_principal(text: str) -> bool:
    """By its form; whether it exists is for whoever keeps principals to know."""
    return parsed_arn(text) is not None or SERVICE.fullmatch(text) is not None
