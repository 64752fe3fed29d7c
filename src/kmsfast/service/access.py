"""Access keys at work: the signing key of a request, and the caller that it makes.

Rules:
- the secret is unwrapped for the derivation of a signing key and wiped; the signing key, good for
  one day and region, is remembered while nobody and nothing of principals has changed;
- an access key that is unknown or inactive gets a signing key that nobody has, by the same work: a
  wrapped secret of this process's own is unwrapped in place of one from the store;
- both are remembered apart and bounded, so that made-up access keys push none of the real ones out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Final, TypeVar

from kmsfast.errors import PrincipalNotFound
from kmsfast.model.identities import Identities
from kmsfast.model.policy_principal import Principal
from kmsfast.model.signing_key import PREFIX, SERVICE, SigningKey, derived
from kmsfast.service.ports import IdentityStore
from kmsfast.service.principals import Principals

__all__ = ["Access"]

_MOST: Final = 1024
_LONGEST: Final = 128
_NOBODY: Final = "nobody"
_SECRET_BYTES: Final = 40
Name = TypeVar("Name")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was derived while the same principals were known."""

    known: Identities
    keys: dict[tuple[str, str, str, str], SigningKey] = field(default_factory=dict, repr=False)
    unknown: dict[tuple[str, str, str, str], SigningKey] = field(default_factory=dict, repr=False)
    callers: dict[str, Principal] = field(default_factory=dict)


class Access:
    """Signing keys and callers of one store."""

    def __init__(self, store: IdentityStore, principals: Principals) -> None:
        self._store, self._principals = store, principals
        self._nobody = store.store_key.wrap_access_key(PREFIX + os.urandom(_SECRET_BYTES), _NOBODY)
        self._seen = _Seen(principals.known())

    def signing_key(
        self, access_key_id: str, day: str, region: str, service: str = SERVICE
    ) -> SigningKey:
        """The signing key of an access key, a day (YYYYMMDD), a region and a service.

        Never raises for an access key that nobody has.
        """
        seen = self._current()
        name = access_key_id[:_LONGEST], day, region, service
        found = seen.keys.get(name) or seen.unknown.get(name)
        return self._derived(seen, *name) if found is None else found

    def caller(self, access_key_id: str) -> Principal:
        """Who makes the requests that an access key signs.

        Raises:
            PrincipalNotFound: nobody has it, or it is inactive.
        """
        seen = self._current()
        found = seen.callers.get(access_key_id)
        if found is None:
            key, _ = seen.known.access_key(access_key_id)
            if not key.active:
                raise PrincipalNotFound(f"the access key {access_key_id} is inactive")
            found = seen.known.caller(key.arn, key.session)
            _keep(seen.callers, access_key_id, found)
        return found

    def _current(self) -> _Seen:
        """What is good now: nothing of before when principals have changed."""
        known, seen = self._principals.known(), self._seen
        if known is not seen.known:
            seen = self._seen = _Seen(known)
        return seen

    def _derived(
        self, seen: _Seen, access_key_id: str, day: str, region: str, service: str
    ) -> SigningKey:
        entry = seen.known.access_keys.get(access_key_id)
        known = entry is not None and entry.key.active
        name, wrapped = _NOBODY, self._nobody
        if entry is not None and known:
            name, wrapped = entry.key.id, entry.wrapped
        with self._store.store_key.unwrapped_access_key(wrapped, name) as secret:
            made = SigningKey(derived(secret, day, region, service), known)
        _keep(seen.keys if known else seen.unknown, (access_key_id, day, region, service), made)
        return made


def _keep(kept: dict[Name, Value], name: Name, value: Value) -> None:
    if len(kept) >= _MOST:
        kept.clear()
    kept[name] = value
