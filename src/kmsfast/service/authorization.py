"""Who may do what: the decision on one request, from what the store says at that moment.

Rules:
- policies, grants and principals are read while the store's epoch stands, and what was decided or
  compiled of them is used while it stands; so a change that was acknowledged holds for every
  operation that begins after it, in every process;
- one entry for each caller, action and key: the decision, when nothing of the request matters, else
  what of the policies is left to ask of a request (:mod:`kmsfast.model.policy_compiled`);
- an entry ends at the next date that a policy names, and where the clock was set back;
- a policy that cannot be read allows nothing; an error while deciding denies;
- what a door alone knows of a request (:class:`Asked`) is made only when something depends on it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from kmsfast.crypto.counters import DECISIONS_MADE, DECISIONS_USED, add, counter
from kmsfast.errors import AccessDenied, KmsError, ValidationError
from kmsfast.model.key import KeyMetadata
from kmsfast.model.policy_compiled import Compiled, compiled, is_fixed
from kmsfast.model.policy_decision import Decision, Policies, decide
from kmsfast.model.policy_denial import denial
from kmsfast.model.policy_document import default_policy, identity_policy, key_policy
from kmsfast.model.policy_grant import Grant
from kmsfast.model.policy_lockout import check_lockout
from kmsfast.model.policy_principal import Principal
from kmsfast.model.policy_request import KeyFacts, Request
from kmsfast.model.policy_statement import Policy
from kmsfast.model.policy_trace import Step, explained
from kmsfast.service.keyring import Keyring
from kmsfast.service.principals import Principals

__all__ = ["ALL", "NOTHING", "Asked", "Authorizer", "facts_of"]

ALL: Final = "*"
"""The resource of what is about no key."""

_MOST: Final = 4096
_DOCUMENTS: Final = 1024
_USED: Final = counter(DECISIONS_USED)
_MADE: Final = counter(DECISIONS_MADE)
_LOG: Final = logging.getLogger(__name__)
GrantsOf = Callable[[KeyMetadata, Principal], Sequence[Grant]]


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request brings beside caller, action and key.

    Attributes:
        context: the encryption context.
        alias: by which the key was named.
        grant: that CreateGrant would make, or that RetireGrant would end.
        tags: of the request.
        values: further condition keys; never those of the caller and the key
            (:func:`kmsfast.model.policy_compiled.is_fixed`).
    """

    context: Mapping[str, str] | None = None
    alias: str | None = None
    grant: Grant | None = None
    grant_tokens: tuple[str, ...] = ()
    tags: Mapping[str, str] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)


NOTHING: Final = Asked()


def _nothing() -> Asked:
    return NOTHING


class _Entry(NamedTuple):
    """What is known of a caller, an action and a key.

    Attributes:
        epoch: in which it is good.
        caller: the very object, so that no other has its id.
        decision: of all requests, or None.
        left: what decides each request otherwise.
        since, until: Unix times between which it is good; None: always.
    """

    epoch: int
    caller: Principal
    decision: Decision | None
    allowed: bool
    left: Policies
    facts: KeyFacts | None
    since: float
    until: float | None


class Authorizer:
    """Decides requests on the keys of one store.

    Args:
        grants_of: the grants on a key to a caller, as the store has them now.
    """

    def __init__(self, ring: Keyring, principals: Principals, grants_of: GrantsOf) -> None:
        self._ring, self._principals, self._grants_of = ring, principals, grants_of
        self._epoch = ring.epoch
        self._entries: dict[tuple[int, str, str], _Entry] = {}

    def check(
        self,
        caller: Principal,
        action: str,
        key: KeyMetadata | None = None,
        ask: Callable[[], Asked] = _nothing,
        *,
        alias_arn: str | None = None,
    ) -> None:
        """Passes when a request is allowed.

        Args:
            action: of :mod:`kmsfast.model.policy_actions`, without ``kms:``.
            key: for actions on one.
            ask: what the request brings; called when something depends on it.
            alias_arn: when what is done to an alias is decided, rather than to its key.

        Raises:
            AccessDenied: it is not. KeyNotFound: the key was deleted meanwhile.
        """
        resource = key.arn if key is not None else alias_arn or ALL
        if not self.allows_all(caller, action, resource):
            self._check(caller, action, key, ask, alias_arn)

    def allows_all(self, caller: Principal, action: str, resource: str) -> bool:
        """Whether it is known that a caller's requests are allowed whatever else they bring.

        False says nothing: then :meth:`check` decides.

        Args:
            resource: the ARN of a key or an alias, or ALL.
        """
        entry = self._entries.get((id(caller), resource, action))
        if (
            entry is None
            or not entry.allowed
            or entry.until is not None
            or entry.epoch != self._epoch[0]
            or entry.caller is not caller
        ):
            return False
        add(_USED, 1)
        return True

    def lasts(self, caller: Principal, action: str, key: KeyMetadata) -> bool:
        """Whether decisions stand until something in the store changes, and not by the clock."""
        return self._entry(caller, action, key, None).until is None

    def lasting(self, caller: Principal, action: str, key: KeyMetadata | None = None) -> int | None:
        """The epoch while which every request of this kind is allowed, whatever it brings.

        None: something of it matters, or time does, or it is denied.

        Raises:
            KeyNotFound: the key was deleted meanwhile.
        """
        entry = self._entry(caller, action, key, None)
        return entry.epoch if entry.allowed and entry.until is None else None

    def decide(
        self,
        caller: Principal,
        action: str,
        key: KeyMetadata | None = None,
        asked: Asked = NOTHING,
        *,
        alias_arn: str | None = None,
    ) -> Decision:
        """The decision on a request.

        Raises:
            ValidationError: an unknown action, or one that is not about a key, or only about one.
        """
        return self._decided(caller, action, key, lambda: asked, alias_arn)[1]

    def explain(
        self,
        caller: Principal,
        action: str,
        key: KeyMetadata | None = None,
        asked: Asked = NOTHING,
        *,
        alias_arn: str | None = None,
    ) -> tuple[Decision, tuple[Step, ...]]:
        """The decision, and what became of every statement and grant."""
        fresh = None if key is None else self._ring.key(key.raw_id)
        facts = None if fresh is None else facts_of(fresh)
        request = self._request(caller, action, facts, asked, alias_arn)
        policies = self._policies(caller, fresh)
        return decide(request, policies), explained(request, policies)

    def check_lockout(
        self,
        caller: Principal,
        document: str,
        key: KeyMetadata | None,
        asked: Asked,
        *,
        bypass: bool,
    ) -> None:
        """Passes when the caller could replace a new key policy again, or bypasses the check.

        Args:
            key: that gets the policy; None: one that is still to be made.

        Raises:
            MalformedPolicyDocument: it would lock itself out, or the document is malformed.
        """
        policy = key_policy(document, most=self._ring.quotas.key_policy_bytes)
        facts = KeyFacts(self._ring.store.home.arn("key/new")) if key is None else facts_of(key)
        request = self._request(caller, "PutKeyPolicy", facts, asked, None)
        check_lockout(policy, request, self._policies(caller, None).identity, bypass=bypass)

    def check_new_key(self, caller: Principal, action: str, facts: KeyFacts, asked: Asked) -> None:
        """Passes when identity policies allow an action on a key that is still to be made.

        Args:
            facts: of the key that it will be; it has no policy and no grants yet.

        Raises:
            AccessDenied: they do not.
        """
        request = self._request(caller, action, facts, asked, None)
        home = self._ring.store.home
        leaving_it_to_them = _default_policy(facts.account, home.partition)
        identity = self._policies(caller, None).identity
        decision = decide(request, Policies(leaving_it_to_them, identity))
        if not decision.allowed:
            raise denial(request, decision)

    # ---- within -----------------------------------------------------------------------------

    def _check(
        self,
        caller: Principal,
        action: str,
        key: KeyMetadata | None,
        ask: Callable[[], Asked],
        alias_arn: str | None,
    ) -> None:
        request, decision = self._decided(caller, action, key, ask, alias_arn)
        if not decision.allowed:
            raise denial(request, decision)

    def _decided(
        self,
        caller: Principal,
        action: str,
        key: KeyMetadata | None,
        ask: Callable[[], Asked],
        alias_arn: str | None,
    ) -> tuple[Request, Decision]:
        asked = ask()
        if action == "RetireGrant":  # follows the grant that it ends
            fresh = None if key is None else self._ring.key(key.raw_id)
            facts = None if fresh is None else facts_of(fresh)
            request = self._request(caller, action, facts, asked, alias_arn)
            return request, decide(request, self._policies(caller, fresh))
        entry = self._entry(caller, action, key, alias_arn)
        request = self._request(caller, action, entry.facts, asked, alias_arn)
        return request, entry.decision or decide(request, entry.left)

    def _entry(
        self, caller: Principal, action: str, key: KeyMetadata | None, alias_arn: str | None
    ) -> _Entry:
        """The entry that is good now."""
        name = id(caller), key.arn if key is not None else alias_arn or ALL, action
        entry, now = self._entries.get(name), self._ring.clock()
        if (
            entry is not None
            and entry.epoch == self._epoch[0]
            and entry.caller is caller
            and (entry.until is None or entry.since <= now < entry.until)
        ):
            add(_USED, 1)
            return entry
        epoch = self._ring.settled()  # before anything is read
        entry = self._made(epoch, now, caller, action, key, alias_arn)
        add(_USED, 1)
        add(_MADE, 1)
        if len(self._entries) >= _MOST:
            self._entries = {}
        self._entries[name] = entry
        return entry

    def _made(  # noqa: PLR0917 - in the order in which they come to be known
        self,
        epoch: int,
        now: float,
        caller: Principal,
        action: str,
        key: KeyMetadata | None,
        alias_arn: str | None,
    ) -> _Entry:
        # The caller's key may be of before the epoch: it is asked for again.
        fresh = None if key is None else self._ring.key(key.raw_id)
        facts = None if fresh is None else facts_of(fresh)
        request = self._request(caller, action, facts, NOTHING, alias_arn, now)
        found: Compiled = compiled(request, self._policies(caller, fresh))
        decision = decide(request, found.policies) if found.settled else None
        return _Entry(
            epoch, caller, decision, decision is not None and decision.allowed, found.policies,
            facts, now, found.until,
        )  # fmt: skip

    def _request(  # noqa: PLR0917 - likewise
        self,
        caller: Principal,
        action: str,
        facts: KeyFacts | None,
        asked: Asked,
        alias_arn: str | None,
        now: float | None = None,
    ) -> Request:
        if any(is_fixed(name.lower(), on_key=facts is not None) for name in asked.values):
            raise ValidationError("a request cannot say what its caller or its key is")
        moment = self._ring.clock() if now is None else now
        return Request(
            caller,
            action,
            datetime.fromtimestamp(moment, UTC),
            key=facts,
            alias_arn=alias_arn,
            context=asked.context,
            alias=asked.alias,
            grant=asked.grant,
            grant_tokens=asked.grant_tokens,
            tags=asked.tags,
            values=asked.values,
        )

    def _policies(self, caller: Principal, key: KeyMetadata | None) -> Policies:
        """All that governs requests of a caller on a key."""
        documents = self._principals.known().documents_for(caller)
        identity = []
        for name, text in documents:
            policy = _identity_policy(text, name)
            if policy is None:
                raise AccessDenied(f"the policy {name} of {caller.arn} cannot be read")
            identity.append(policy)
        if key is None:
            return Policies(identity=identity)
        return Policies(_key_policy(key), identity, tuple(self._grants_of(key, caller)))


def facts_of(key: KeyMetadata) -> KeyFacts:
    """What conditions can ask of a key."""
    return KeyFacts(
        key.arn,
        spec=str(key.spec),
        usage=str(key.usage),
        origin=str(key.origin),
        multi_region_type="PRIMARY" if key.multi_region else None,
        aliases=key.aliases,
        tags=dict(key.tags),
    )


def _key_policy(key: KeyMetadata) -> Policy | None:
    """The policy of a key; None when it cannot be read: then it allows nothing."""
    if key.policy is None:
        _, partition, _, _, account, _ = key.arn.split(":", 5)
        return _default_policy(account, partition)
    try:
        return _compiled_key_policy(key.policy)
    except KmsError as error:
        _LOG.warning("the policy of %s cannot be read and so allows nothing: %s", key.arn, error)
        return None


@lru_cache(maxsize=_DOCUMENTS)
def _compiled_key_policy(text: str) -> Policy:
    return key_policy(text, most=None)


_default_policy: Final = lru_cache(maxsize=_DOCUMENTS)(default_policy)


@lru_cache(maxsize=_DOCUMENTS)
def _identity_policy(text: str, name: str) -> Policy | None:
    try:
        return identity_policy(text, name)
    except KmsError as error:
        _LOG.warning("the identity policy %s cannot be read: %s", name, error)
        return None
