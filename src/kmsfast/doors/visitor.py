"""Who comes by a door: the owner of the store, or a principal that the store knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from kmsfast.audit.event import Caller
from kmsfast.errors import PrincipalNotFound
from kmsfast.model.arn import Home
from kmsfast.model.policy_principal import Kind, Principal, parsed_arn, root_arn

if TYPE_CHECKING:
    from kmsfast.model.identities import Identities
    from kmsfast.service.principals import Principals

__all__ = ["KINDS", "Visitor"]

# As CloudTrail names them.
KINDS: Final[Mapping[Kind, str]] = {
    Kind.ROOT: "Root",
    Kind.USER: "IAMUser",
    Kind.ROLE: "Role",
    Kind.SESSION: "AssumedRole",
    Kind.FEDERATED: "FederatedUser",
    Kind.SERVICE: "AWSService",
}


class Visitor:
    """Whoever comes by a door, as policies and as events know him.

    Args:
        principals: gives those of the store, when they are needed.
        name: a name or ARN of a principal, or the ARN of a session of a role; None: the owner.
        source: where he comes from, as an event says it.
        agent: by which program.

    Raises:
        PrincipalNotFound: the store knows nobody of that name. ValidationError: a group.
    """

    def __init__(
        self, principals: Callable[[], Principals], name: str | None, *, source: str, agent: str
    ) -> None:
        self._principals, self._source, self._agent = principals, source, agent
        self._named: str | None = None
        self._session: str | None = None
        self._owners: dict[Home, Caller] = {}
        self._known: tuple[Identities, Principal, Caller] | None = None
        if name is not None:
            self._named, self._session = _parsed(principals(), name)
            self._seen(self._named)

    @property
    def is_named(self) -> bool:
        """Whether policies decide what he may do."""
        return self._named is not None

    @property
    def principal(self) -> Principal | None:
        """Whom policies decide about, as the store knows him now; None: the owner.

        Raises:
            PrincipalNotFound: he was deleted meanwhile.
        """
        return None if self._named is None else self._seen(self._named)[1]

    def caller(self, home: Home) -> Caller:
        """Who he is in an event of this region and account."""
        if self._named is None:
            return self._owners.get(home) or self._owners.setdefault(home, self._owner(home))
        try:
            return self._seen(self._named)[2]
        except PrincipalNotFound:
            if self._known is None:
                raise
            return self._known[2]

    def _seen(self, arn: str) -> tuple[Identities, Principal, Caller]:
        identities = self._principals().known()
        seen = self._known
        if seen is None or seen[0] is not identities:
            found = identities.caller(arn, self._session)
            self._known = seen = identities, found, self._event_caller(found)
        return seen

    def _owner(self, home: Home) -> Caller:
        arn = root_arn(home.account, home.partition)
        return Caller("Root", arn, home.account, home.account, "", self._source, self._agent)

    def _event_caller(self, who: Principal) -> Caller:
        return Caller(
            KINDS[who.kind], who.arn, who.account or "", who.user_id or "", "", self._source,
            self._agent,
        )  # fmt: skip


def _parsed(principals: Principals, name: str) -> tuple[str, str | None]:
    """The ARN of an identity that is known, and the name of the session."""
    parsed = parsed_arn(name)
    if parsed is None or parsed[0] is not Kind.SESSION:
        return principals.arn(name), None
    _, partition, account, (role, session) = parsed
    return principals.arn(f"arn:{partition}:iam::{account}:role/{role}"), session
