"""Grants of keys: made, listed, retired and revoked; their tokens.

Rules:
- a grant is made on a key that can be used, and listed and ended in any state of its key;
- whoever asks has been let in already: nothing here decides who may do what;
- all that can be wrong is found before anything changes; then the caller's ``meant`` is called, and
  what it raises ends the request, so that a dry run comes this far and no farther.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from kmsfast.errors import GrantNotFound
from kmsfast.model.grant import (
    GRANT_ID_LEN,
    checked_grant_id,
    checked_principal,
    require_grantable,
    same_request,
)
from kmsfast.model.key import KeyMetadata, require
from kmsfast.model.policy_grant import Grant
from kmsfast.model.policy_principal import Principal, root_arn
from kmsfast.model.quotas import exceeded
from kmsfast.service.grant_tokens import GrantName, make_token, read_token
from kmsfast.service.keyring import Keyring
from kmsfast.service.ports import Reader, Writer

__all__ = ["Grants", "IssuedGrant"]

Meant = Callable[[], None]


class IssuedGrant(NamedTuple):
    """What CreateGrant answers.

    Attributes:
        grant_id: 64 hexadecimal digits.
        grant_token: names the grant; another one with every request.
    """

    grant_id: str
    grant_token: str


def _meant() -> None:
    """The request is meant."""


class Grants:
    """The grants of one store's keys."""

    def __init__(self, ring: Keyring) -> None:
        self._ring, self._store = ring, ring.store

    def create(self, raw_id: bytes, wanted: Grant, meant: Meant = _meant) -> IssuedGrant:
        """A new grant, or the one that an earlier request with the same name and parameters made.

        Args:
            wanted: of :func:`kmsfast.model.grant.new_grant`.

        Raises:
            ValidationError: the key does not have such operations, or take such constraints.
            KeyDisabled, InvalidState, KeyNotFound: the key cannot be used.
            LimitExceeded: it has as many grants as it may.
        """
        require_grantable(self._ring.key(raw_id), wanted)
        with self._store.write() as rows:
            require(self._ring.writable(rows, raw_id), "use")
            grant_id = _made_before(rows, raw_id, wanted)
            if grant_id is None:
                self._check_limit(rows, raw_id)
                meant()
                grant_id = self._add(rows, raw_id, wanted)
            else:
                meant()
        return IssuedGrant(grant_id, self._token(GrantName(raw_id, grant_id)))

    def listed(
        self,
        raw_id: bytes,
        after: str | None = None,
        most: int = -1,
        grantee: str | None = None,
    ) -> list[Grant]:
        """So many of a key's grants, in the order of their ids.

        Args:
            after: only those behind this id.
            most: grants; -1: all of them.
            grantee: only those of this principal.
        """
        key = self._ring.key(raw_id)
        with self._store.read() as rows:
            self._ring.still(rows, key)
            return rows.grants(raw_id, after, most, grantee)

    def of_grantee(self, key: KeyMetadata, caller: Principal) -> list[Grant]:
        """The grants of a key to a caller, by any of its names."""
        found = (self.listed(key.raw_id, grantee=name) for name in sorted(caller.names))
        return [grant for each in found for grant in each]

    def find(self, raw_id: bytes, grant_id: str) -> Grant | None:
        """The key's grant of this id, or None.

        Raises:
            InvalidGrantId: it can be none. KeyNotFound: no such key.
        """
        checked_grant_id(grant_id)
        self._ring.key(raw_id)
        with self._store.read() as rows:
            return rows.grant(raw_id, grant_id)

    def retirable(
        self, principal: str, after: tuple[bytes, str] | None = None, most: int = -1
    ) -> list[tuple[bytes, Grant]]:
        """So many of the grants that name a retiring principal, with the ids of their keys.

        Args:
            after: only those behind this grant, by key and id.
            most: grants; -1: all of them.

        Raises:
            InvalidArn: no principal.
        """
        checked_principal(principal)
        self._ring.check_open()
        self._ring.purge_due()
        with self._store.read() as rows:
            return rows.retirable_grants(principal, after, most)

    def named_by(self, token: str) -> GrantName:
        """The grant that a token names.

        Raises:
            InvalidGrantToken: not made by this store.
        """
        self._ring.check_open()
        return read_token(self._store.store_key, token)

    def check_tokens(self, tokens: Iterable[str]) -> None:
        """Passes when all of them are grant tokens; their grants need not be there any more.

        Raises:
            InvalidGrantToken: one is none.
        """
        for token in tokens:
            self.named_by(token)

    def end(self, raw_id: bytes, grant_id: str, meant: Meant = _meant) -> None:
        """Retires or revokes a grant: it is gone at once.

        Raises:
            InvalidGrantId: it can be no grant's id. KeyNotFound: no such key. GrantNotFound: no
                such grant.
        """
        checked_grant_id(grant_id)
        self._ring.key(raw_id)
        with self._store.write() as rows:
            self._ring.writable(rows, raw_id)
            if rows.grant(raw_id, grant_id) is None:
                raise GrantNotFound(f"Grant ID {grant_id} not found")
            meant()
            rows.drop_grant(raw_id, grant_id)

    def _add(self, rows: Writer, raw_id: bytes, wanted: Grant) -> str:
        home, grant_id = self._store.home, os.urandom(GRANT_ID_LEN).hex()
        issuer = root_arn(home.account, home.partition)
        rows.add_grant(
            raw_id, replace(wanted, id=grant_id, issuing_account=issuer), self._ring.now()
        )
        return grant_id

    def _check_limit(self, rows: Reader, raw_id: bytes) -> None:
        usage, quota = rows.num_grants(raw_id), self._ring.quotas.grants_per_key
        if usage >= quota:
            raise exceeded("Grants per key", quota, usage)

    def _token(self, name: GrantName) -> str:
        return make_token(self._store.store_key, name)


def _made_before(rows: Reader, raw_id: bytes, wanted: Grant) -> str | None:
    """The id of the grant that a request with this name and these parameters made."""
    if wanted.name is None:
        return None
    found = (
        each.id for each in rows.grants_named(raw_id, wanted.name) if same_request(each, wanted)
    )
    return next(found, None)
