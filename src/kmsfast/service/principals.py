"""Principals: one method per operation, each one transaction, and whom the store knows now.

Rules:
- whom the store knows is read once and kept; when the store's epoch has moved, one row says whether
  anything of it has changed;
- limits are those of IAM: 2 access keys for each principal, 10 groups for each user;
- the secret of an access key is given out once, by the call that makes it, and kept wrapped;
- a principal goes with all that belongs to it. Its ARN stays in key policies and grants, and means
  whoever gets it next: choose another name (AWS turns it into the unique id there).
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from kmsfast.errors import LimitExceeded, PrincipalExists, PrincipalNotFound, ValidationError
from kmsfast.model.arn import Home
from kmsfast.model.identities import Identities
from kmsfast.model.peer import PeerKind, checked_peer
from kmsfast.model.policy_actions import LOOKUP_EVENTS
from kmsfast.model.policy_document import identity_policy
from kmsfast.model.policy_principal import ACCOUNT, root_arn
from kmsfast.model.principal import (
    ID_BYTES,
    MAX_ACCESS_KEYS,
    MAX_GROUPS,
    AccessKey,
    Identity,
    IdentityKind,
    access_key_id,
    caller,
    checked_policy_name,
    identity_arn,
    unique_id,
)
from kmsfast.model.principal_file import Change, Sign, Wanted, changes
from kmsfast.model.signing_key import PREFIX
from kmsfast.model.tags import checked_tags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kmsfast.service.ports import Clock, IdentityStore, IdentityWriter

__all__ = ["ADMINISTRATOR_POLICY", "NewAccessKey", "Principals"]

NEVER: Final = -1
_SECRET_BYTES: Final = 30  # 40 characters of base64
ADMINISTRATOR: Final = "AdministratorAccess"
ADMINISTRATOR_POLICY: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["kms:*", LOOKUP_EVENTS], "Resource": "*"}],
    }
)


class NewAccessKey(NamedTuple):
    """An access key and its secret, which nobody can ask for again."""

    id: str
    secret: str
    arn: str

    def __repr__(self) -> str:
        return f"NewAccessKey(id={self.id!r}, secret=<secret>, arn={self.arn!r})"


class Principals:
    """Creates, changes and lists principals of one store.

    Args:
        home: whose account names without an ARN are of.
    """

    def __init__(self, store: IdentityStore, home: Home, clock: Clock) -> None:
        self._store, self._home, self._clock = store, home, clock
        self._seen: tuple[int, Identities | None] = NEVER, None  # the epoch, and what was read

    def known(self) -> Identities:
        """Whom the store knows.

        Raises:
            StoreIntegrity: something of it was changed from outside.
        """
        when, seen = self._seen
        epoch = self._store.epoch[0]
        if seen is not None and when == epoch:
            return seen
        self._store.check_process()
        with self._store.read_identities() as rows:
            if seen is None or rows.version() != seen.version:
                seen = rows.all()
        self._seen = epoch if epoch % 2 == 0 else NEVER, seen
        return seen

    def arn(self, text: str, kind: IdentityKind | None = None) -> str:
        """The ARN of a principal that the store knows, by its ARN or its name.

        Args:
            kind: of a name; without it a user goes before a role, and a role before a group.

        Raises:
            PrincipalNotFound: nobody has it. ValidationError: it is none.
        """
        known = self.known()
        if text.startswith("arn:"):
            return known.identity(text).arn
        kinds = tuple(_NAMED) if kind is None else (kind,)
        for each in kinds:
            arn = self._arn(text, each)
            if arn in known.known:
                return arn
        raise PrincipalNotFound(
            f"the store knows no {' or '.join(kinds)} {text!r} in account {self._home.account}"
        )

    # ---- principals -------------------------------------------------------------------------

    def create(
        self,
        name: str,
        kind: IdentityKind = IdentityKind.USER,
        tags: Mapping[str, str] | None = None,
    ) -> Identity:
        """A new principal, and its account if that is new as well.

        Args:
            name: a name, with a path if need be, or an ARN.

        Raises:
            PrincipalExists: there is one. ValidationError, TagError: a name or tag is not allowed.
        """
        arn = self._arn(name, kind)
        pairs = checked_tags(tags or {})
        with self._writing() as (rows, known):
            made = self._identity(arn, pairs)
            if arn in known.known:
                raise PrincipalExists(f"there is a {made.kind} {arn} already")
            root = root_arn(made.account, arn.split(":", 2)[1])
            if root not in known.known and arn != root:
                rows.add(self._identity(root, {}))
            rows.add(made)
        return made

    def create_account(self, account: str) -> Identity:
        """The root user of a new account, by its 12 digits.

        Raises:
            PrincipalExists: the store knows the account. ValidationError: it is none.
        """
        if ACCOUNT.fullmatch(account) is None:
            raise ValidationError(f"{account!r} is no account; one has 12 digits")
        return self.create(root_arn(account, self._home.partition), IdentityKind.ROOT)

    def delete(self, arn: str) -> None:
        """Removes a principal with its access keys, policies, memberships and mapped ids.

        Raises:
            PrincipalNotFound: there is none. ValidationError: an account that has principals.
        """
        with self._writing() as (rows, known):
            gone = known.identity(arn)
            others = [each for each in known.of() if each.account == gone.account]
            if gone.kind is IdentityKind.ROOT and len(others) > 1:
                raise ValidationError(
                    f"{arn} is an account with {len(others) - 1} principals; delete them first"
                )
            rows.drop(arn)

    def found(self, name: str = "administrator") -> NewAccessKey:
        """An administrator with an access key, in a store that knows nobody yet.

        Raises:
            PrincipalExists: it knows somebody.
        """
        arn = self._arn(name, IdentityKind.USER)
        with self._writing() as (rows, known):
            if known.known:
                raise PrincipalExists(
                    f"the store knows {len(known.known)} principals already; create others"
                )
            rows.add(self._identity(root_arn(self._home.account, self._home.partition), {}))
            rows.add(self._identity(arn, {}))
            rows.put_policy(arn, ADMINISTRATOR, ADMINISTRATOR_POLICY)
            return self._new_access_key(rows, arn, None)

    # ---- access keys ------------------------------------------------------------------------

    def create_access_key(self, arn: str, session: str | None = None) -> NewAccessKey:
        """A new access key; its secret is in what this returns and nowhere else.

        Args:
            session: of a role's access key: the name of the session that its requests are of.

        Raises:
            LimitExceeded: the principal has two. ValidationError: a group, or a role without the
                name of a session.
        """
        with self._writing() as (rows, known):
            owner = known.identity(arn)
            caller(owner, session)
            if owner.kind is IdentityKind.ROLE and session is None:
                raise ValidationError(f"{arn} is a role: its access keys need a name of a session")
            if len(known.access_keys_of(arn)) >= MAX_ACCESS_KEYS:
                raise LimitExceeded(
                    f"{arn} has {MAX_ACCESS_KEYS} access keys already; delete one of them first"
                )
            return self._new_access_key(rows, arn, session)

    def set_access_key(self, key_id: str, *, active: bool) -> AccessKey:
        """Activates or deactivates an access key.

        Raises:
            PrincipalNotFound: there is none.
        """
        with self._writing() as (rows, known):
            key, wrapped = known.access_key(key_id)
            changed = replace(key, active=active)
            rows.put_access_key(changed, wrapped)
        return changed

    def delete_access_key(self, key_id: str) -> None:
        """Removes an access key.

        Raises:
            PrincipalNotFound: there is none.
        """
        with self._writing() as (rows, known):
            known.access_key(key_id)
            rows.drop_access_key(key_id)

    # ---- policies and groups ----------------------------------------------------------------

    def attach_policy(self, arn: str, name: str, document: str) -> None:
        """Puts an identity policy on a user, a role or a group, in place of one of that name.

        Raises:
            MalformedPolicyDocument, LimitExceeded: see
                :func:`kmsfast.model.policy_document.identity_policy`.
            ValidationError: the root user, or a name that is empty or too long.
        """
        checked_policy_name(name)
        identity_policy(document, name)
        with self._writing() as (rows, known):
            if known.identity(arn).kind is IdentityKind.ROOT:
                raise ValidationError(f"{arn} is an account; its root user has no policies")
            rows.put_policy(arn, name, document)

    def detach_policy(self, arn: str, name: str) -> None:
        """Takes an identity policy away.

        Raises:
            PrincipalNotFound: there is none of that name.
        """
        with self._writing() as (rows, known):
            known.identity(arn)
            if (arn, name) not in known.policies:
                raise PrincipalNotFound(f"{arn} has no policy {name!r}")
            rows.drop_policy(arn, name)

    def add_to_group(self, arn: str, group: str) -> None:
        """Puts a user into a group.

        Raises:
            ValidationError: no user, or no group. LimitExceeded: it is in ten.
        """
        with self._writing() as (rows, known):
            _check_membership(known, arn, group)
            mine = known.groups_of(arn)
            if len(mine) >= MAX_GROUPS and group not in mine:
                raise LimitExceeded(f"{arn} is in {MAX_GROUPS} groups already")
            rows.put_membership(arn, group)

    def remove_from_group(self, arn: str, group: str) -> None:
        """Takes a user out of a group.

        Raises:
            PrincipalNotFound: it is not in it.
        """
        with self._writing() as (rows, known):
            _check_membership(known, arn, group)
            if (arn, group) not in known.memberships:
                raise PrincipalNotFound(f"{arn} is not in {group}")
            rows.drop_membership(arn, group)

    # ---- uids and gids ----------------------------------------------------------------------

    def map_peer(self, kind: PeerKind, number: int, arn: str) -> None:
        """Whom a user or group of the operating system is.

        Raises:
            ValidationError: an id that cannot be mapped, or a group of principals.
        """
        checked_peer(kind, number)
        with self._writing() as (rows, known):
            caller(known.identity(arn))
            rows.put_peer(kind, number, arn)

    def unmap_peer(self, kind: PeerKind, number: int) -> None:
        """A user or group of the operating system is nobody from now on.

        Raises:
            PrincipalNotFound: it is nobody.
        """
        with self._writing() as (rows, known):
            if (kind, number) not in known.peers:
                raise PrincipalNotFound(f"{kind} {number} is not mapped")
            rows.drop_peer(kind, number)

    # ---- files ------------------------------------------------------------------------------

    def apply(self, wanted: Wanted, *, prune: bool, dry_run: bool) -> list[Change]:
        """Makes the store have what a file says, in one transaction; returns what changed.

        Args:
            prune: remove what the file does not say.
            dry_run: only say what would change.

        Raises:
            PrincipalNotFound, LimitExceeded, TagError: see
                :func:`kmsfast.model.principal_file.changes`.
        """
        found = changes(wanted, self.known(), prune=prune)
        if dry_run or not found:
            return found
        with self._writing() as (rows, known):
            found = changes(wanted, known, prune=prune)
            for each in found:
                self._apply(rows, known, each)
        return found

    def _apply(self, rows: IdentityWriter, known: Identities, change: Change) -> None:
        arn, name, removed = change.arn, change.name, change.sign is Sign.REMOVE
        if change.what == "principal":
            rows.drop(arn) if removed else rows.add(self._identity(arn, change.value))
        elif change.what == "tags":
            rows.add(replace(known.identity(arn), tags=change.value))
        elif change.what == "policy":
            rows.drop_policy(arn, name) if removed else rows.put_policy(arn, name, change.value)
        elif change.what == "membership":
            (rows.drop_membership if removed else rows.put_membership)(arn, name)
        elif removed:
            rows.drop_peer(PeerKind(change.what), int(name))
        else:
            rows.put_peer(PeerKind(change.what), int(name), arn)

    # ---- within -----------------------------------------------------------------------------

    @contextmanager
    def _writing(self) -> Iterator[tuple[IdentityWriter, Identities]]:
        self._store.check_process()
        with self._store.write_identities() as rows:
            yield rows, rows.all()

    def _arn(self, name: str, kind: IdentityKind) -> str:
        return identity_arn(name, kind, self._home.account, self._home.partition)

    def _identity(self, arn: str, tags: Mapping[str, str]) -> Identity:
        made = Identity(arn, "", self._now(), tags)
        chosen = unique_id(made.kind, made.account, os.urandom(ID_BYTES))
        return replace(made, unique_id=chosen)

    def _new_access_key(self, rows: IdentityWriter, arn: str, session: str | None) -> NewAccessKey:
        key = AccessKey(access_key_id(os.urandom(ID_BYTES)), arn, self._now(), session=session)
        secret = b64encode(os.urandom(_SECRET_BYTES))
        rows.put_access_key(key, self._store.store_key.wrap_access_key(PREFIX + secret, key.id))
        return NewAccessKey(key.id, secret.decode(), arn)

    def _now(self) -> datetime:
        return datetime.fromtimestamp(int(self._clock()), UTC)


_NAMED: Final = (IdentityKind.USER, IdentityKind.ROLE, IdentityKind.GROUP)


def _check_membership(known: Identities, arn: str, group: str) -> None:
    for each, kind in ((arn, IdentityKind.USER), (group, IdentityKind.GROUP)):
        found = known.identity(each)
        if found.kind is not kind:
            raise ValidationError(f"{each} is a {found.kind}, not a {kind}")
