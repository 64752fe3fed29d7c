"""Whom a store knows, as a whole: a value that is read once and kept while nothing has changed.

Rules:
- the identity policies of a user are its own and those of its groups (IAM User Guide, "Identity-
  based policies"); a role, and a session of it, has its own;
- who is not known has no policies; that somebody is named in a key policy makes nobody known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from kmsfast.errors import PrincipalNotFound
from kmsfast.model.peer import PeerKind
from kmsfast.model.policy_principal import Kind, Principal
from kmsfast.model.principal import AccessKey, Identity, IdentityKind, caller

__all__ = ["Identities", "KeyOfAccess"]


class KeyOfAccess(NamedTuple):
    """An access key and its wrapped secret."""

    key: AccessKey
    wrapped: bytes

    def __repr__(self) -> str:
        return f"KeyOfAccess({self.key!r})"


@dataclass(frozen=True, slots=True)
class Identities:
    """All principals of a store and what belongs to them.

    Attributes:
        version: another one whenever something has changed.
        known: by ARN.
        access_keys: by their ids.
        policies: documents by the ARN of their owner and their name.
        memberships: users and their groups.
        peers: ARNs by uid and gid.
    """

    version: bytes
    known: Mapping[str, Identity]
    access_keys: Mapping[str, KeyOfAccess] = field(repr=False)
    policies: Mapping[tuple[str, str], str] = field(repr=False)
    memberships: frozenset[tuple[str, str]] = field(repr=False)
    peers: Mapping[tuple[PeerKind, int], str] = field(repr=False)

    def identity(self, arn: str) -> Identity:
        """The identity of an ARN.

        Raises:
            PrincipalNotFound: nobody has it.
        """
        found = self.known.get(arn)
        if found is None:
            raise PrincipalNotFound(f"the store knows nobody by the ARN {arn}")
        return found

    def caller(self, arn: str, session: str | None = None) -> Principal:
        """The caller that an identity is.

        Raises:
            PrincipalNotFound: nobody has the ARN. ValidationError: it is a group.
        """
        return caller(self.identity(arn), session)

    def of(self, kind: IdentityKind | None = None) -> list[Identity]:
        """All of a kind, or all, by ARN."""
        found = (each for each in self.known.values() if kind in (None, each.kind))
        return sorted(found, key=lambda each: each.arn)

    def access_keys_of(self, arn: str) -> list[AccessKey]:
        """An identity's access keys, oldest first."""
        found = (each.key for each in self.access_keys.values() if each.key.arn == arn)
        return sorted(found, key=lambda each: (each.created_at, each.id))

    def access_key(self, access_key_id: str) -> KeyOfAccess:
        """An access key.

        Raises:
            PrincipalNotFound: there is none.
        """
        found = self.access_keys.get(access_key_id)
        if found is None:
            raise PrincipalNotFound(f"the store knows no access key {access_key_id}")
        return found

    def groups_of(self, arn: str) -> list[str]:
        """ARNs of the groups that a user is in."""
        return sorted(group for member, group in self.memberships if member == arn)

    def members_of(self, group: str) -> list[str]:
        """ARNs of the users in a group."""
        return sorted(member for member, each in self.memberships if each == group)

    def policies_of(self, arn: str) -> dict[str, str]:
        """An identity's own policies by name."""
        return {name: text for (owner, name), text in sorted(self.policies.items()) if owner == arn}

    def as_known(self, principal: Principal) -> Principal:
        """The caller with the unique id and the tags that it has here, if it is known."""
        session = principal.kind is Kind.SESSION
        found = self.known.get(principal.chain[1] if session else principal.arn)
        if found is None:
            return principal
        return caller(found, principal.arn.rpartition("/")[2] if session else None)

    def documents_for(self, principal: Principal) -> list[tuple[str, str]]:
        """Names and documents of the identity policies that govern a caller."""
        arn = principal.chain[1] if principal.kind is Kind.SESSION else principal.arn
        owners = (arn, *self.groups_of(arn))
        return [
            (name if owner == arn else f"{owner.rpartition('/')[2]}/{name}", text)
            for owner in owners
            for name, text in self.policies_of(owner).items()
        ]
