"""Whom the store knows, in this process: users, roles, groups, access keys, policies, uids.

Rules: those of :mod:`kmsfast.local`. The owner of the store may do all this, and nobody else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from kmsfast.doors import Door, Outcome
from kmsfast.errors import KmsError
from kmsfast.local.members import Member
from kmsfast.local.members import tags as tag_members
from kmsfast.local.recorded import operation
from kmsfast.model.peer import PeerKind, principal_of_peer
from kmsfast.model.policy_principal import Principal
from kmsfast.model.principal import AccessKey, Identity, IdentityKind, parsed_identity

if TYPE_CHECKING:
    from kmsfast.model.principal_file import Change
    from kmsfast.service.principals import NewAccessKey

__all__ = ["Principals"]

_NAME: Final[dict[str, Member]] = {"name": "Name"}
_MEMBER: Final[dict[str, Member]] = {"user": "UserName", "group": "GroupName"}


def _of_kind(form: str) -> Callable[[Any, Mapping[str, Any]], str]:
    """IAM has an operation for each kind of principal; what nobody has is taken for a user."""

    def name(of: Principals, given: Mapping[str, Any]) -> str:
        kind = IdentityKind.USER
        with suppress(KmsError):
            kind = parsed_identity(of._service.arn(given.get("Name", "")))[0]
        return form.format(kind.capitalize())

    return name


def _of_access_key(made: NewAccessKey) -> Outcome:
    return Outcome({"AccessKey": {"AccessKeyId": made.id, "UserName": made.arn}})


class Principals:
    """The principals of an open store (:attr:`kmsfast.Kms.principals`).

    A principal is named by its ARN, or by its name in the store's account; a user goes before a
    role of the same name, and a role before a group. Every method that names one raises
    PrincipalNotFound when the store does not know it.
    """

    __slots__ = ("_door", "_home", "_service")

    def __init__(self, door: Door) -> None:
        self._door, self._service = door, door.app.principals
        self._home = door.app.store.home

    # ---- principals -------------------------------------------------------------------------

    @operation(
        "CreateUser", members={"name": "UserName", "tags": ("Tags", tag_members)}, service="iam"
    )
    def create_user(self, name: str, tags: Mapping[str, str] | None = None) -> Identity:
        """A new user, without policies and access keys.

        Raises:
            PrincipalExists: there is one. ValidationError, TagError: a name or tag is not allowed.
        """
        return self._service.create(name, IdentityKind.USER, tags)

    @operation(
        "CreateRole", members={"name": "RoleName", "tags": ("Tags", tag_members)}, service="iam"
    )
    def create_role(self, name: str, tags: Mapping[str, str] | None = None) -> Identity:
        """A new role; raises as :meth:`create_user`."""
        return self._service.create(name, IdentityKind.ROLE, tags)

    @operation("CreateGroup", members={"name": "GroupName"}, service="iam")
    def create_group(self, name: str) -> Identity:
        """A new group; raises as :meth:`create_user`."""
        return self._service.create(name, IdentityKind.GROUP)

    @operation("CreateAccount", members={"account": "AccountId"}, service="kmsfast")
    def create_account(self, account: str) -> Identity:
        """The root user of a new account, by its 12 digits; raises as :meth:`create_user`."""
        return self._service.create_account(account)

    @operation("CreateUser", members={"name": "UserName"}, outcome=_of_access_key, service="iam")
    def create_administrator(self, name: str = "administrator") -> NewAccessKey:
        """The first user, who may do everything with keys, and its access key.

        Raises:
            PrincipalExists: the store knows somebody already.
        """
        return self._service.found(name)

    @operation("GetAccountAuthorizationDetails", service="iam")
    def known(self) -> list[Identity]:
        """All principals, by ARN."""
        return self._service.known().of()

    @operation(_of_kind("Get{}"), members=_NAME, service="iam")
    def get(self, name: str) -> Identity:
        """One principal."""
        return self._service.known().identity(self._service.arn(name))

    @operation(_of_kind("Delete{}"), members=_NAME, service="iam")
    def delete(self, name: str) -> None:
        """Removes a principal with its access keys, policies, memberships and mapped ids."""
        self._service.delete(self._service.arn(name))

    # ---- access keys ------------------------------------------------------------------------

    @operation(
        "CreateAccessKey",
        members={**_NAME, "session": "RoleSessionName"},
        outcome=_of_access_key,
        service="iam",
    )
    def create_access_key(self, name: str, session: str | None = None) -> NewAccessKey:
        """A new access key; its secret is never told again.

        Args:
            session: of a role's: the name of the session that requests with it are of.

        Raises:
            LimitExceeded: the principal has two already. ValidationError: it can have none.
        """
        return self._service.create_access_key(self._service.arn(name), session)

    @operation("ListAccessKeys", members=_NAME, service="iam")
    def access_keys(self, name: str) -> list[AccessKey]:
        """The access keys of a principal, oldest first."""
        return self._service.known().access_keys_of(self._service.arn(name))

    @operation(
        "UpdateAccessKey",
        members={"access_key_id": "AccessKeyId", "active": "Active"},
        service="iam",
    )
    def set_access_key(self, access_key_id: str, *, active: bool) -> AccessKey:
        """Activates or deactivates an access key.

        Raises:
            PrincipalNotFound: there is none.
        """
        return self._service.set_access_key(access_key_id, active=active)

    @operation("DeleteAccessKey", members={"access_key_id": "AccessKeyId"}, service="iam")
    def delete_access_key(self, access_key_id: str) -> None:
        """Removes an access key.

        Raises:
            PrincipalNotFound: there is none.
        """
        self._service.delete_access_key(access_key_id)

    # ---- policies and groups ----------------------------------------------------------------

    @operation(
        _of_kind("Put{}Policy"),
        members={**_NAME, "policy_name": "PolicyName", "document": "PolicyDocument"},
        service="iam",
    )
    def attach_policy(self, name: str, policy_name: str, document: str) -> None:
        """Puts an identity policy on a user, a role or a group, or replaces the one of that name.

        Raises:
            MalformedPolicyDocument, LimitExceeded: the document is malformed or too long.
            ValidationError: the root user, who has none.
        """
        self._service.attach_policy(self._service.arn(name), policy_name, document)

    @operation(
        _of_kind("Delete{}Policy"), members={**_NAME, "policy_name": "PolicyName"}, service="iam"
    )
    def detach_policy(self, name: str, policy_name: str) -> None:
        """Takes an identity policy away.

        Raises:
            PrincipalNotFound: there is none of that name.
        """
        self._service.detach_policy(self._service.arn(name), policy_name)

    @operation(_of_kind("Get{}Policy"), members=_NAME, service="iam")
    def policies(self, name: str) -> dict[str, str]:
        """A principal's own identity policies by name."""
        return self._service.known().policies_of(self._service.arn(name))

    @operation("GetAccountAuthorizationDetails", service="iam")
    def governing(self, principal: Principal) -> tuple[Principal, dict[str, str]]:
        """A caller with what the store knows of it, and its identity policies by name.

        Those of its groups are among them; one that the store does not know has none.
        """
        known = self._service.known()
        return known.as_known(principal), dict(known.documents_for(principal))

    @operation("AddUserToGroup", members=_MEMBER, service="iam")
    def add_to_group(self, user: str, group: str) -> None:
        """Puts a user into a group.

        Raises:
            LimitExceeded: it is in ten already.
        """
        self._service.add_to_group(*self._member(user, group))

    @operation("RemoveUserFromGroup", members=_MEMBER, service="iam")
    def remove_from_group(self, user: str, group: str) -> None:
        """Takes a user out of a group.

        Raises:
            PrincipalNotFound: it is not in it.
        """
        self._service.remove_from_group(*self._member(user, group))

    @operation("ListGroupsForUser", members={"user": "UserName"}, service="iam")
    def groups(self, user: str) -> list[str]:
        """ARNs of the groups that a user is in."""
        return self._service.known().groups_of(self._service.arn(user))

    @operation("GetGroup", members={"group": "GroupName"}, service="iam")
    def members(self, group: str) -> list[str]:
        """ARNs of the users in a group."""
        return self._service.known().members_of(self._service.arn(group, IdentityKind.GROUP))

    # ---- uids and gids ----------------------------------------------------------------------

    @operation("PutPeer", members={"uid": "Uid", "name": "Principal"}, service="kmsfast")
    def map_uid(self, uid: int, name: str) -> None:
        """Whom a user of the operating system is when it comes by a socket.

        Raises:
            ValidationError: an id that cannot be mapped, 65534 among them; a group of principals.
        """
        self._service.map_peer(PeerKind.UID, uid, self._service.arn(name))

    @operation("PutPeer", members={"gid": "Gid", "name": "Principal"}, service="kmsfast")
    def map_gid(self, gid: int, name: str) -> None:
        """Whom a group of the operating system is; raises as :meth:`map_uid`."""
        self._service.map_peer(PeerKind.GID, gid, self._service.arn(name))

    @operation("DeletePeer", members={"uid": "Uid"}, service="kmsfast")
    def unmap_uid(self, uid: int) -> None:
        """A user of the operating system is nobody from now on.

        Raises:
            PrincipalNotFound: it is nobody.
        """
        self._service.unmap_peer(PeerKind.UID, uid)

    @operation("DeletePeer", members={"gid": "Gid"}, service="kmsfast")
    def unmap_gid(self, gid: int) -> None:
        """A group of the operating system is nobody from now on; raises as :meth:`unmap_uid`."""
        self._service.unmap_peer(PeerKind.GID, gid)

    @operation("ListPeers", service="kmsfast")
    def mapped(self) -> dict[tuple[PeerKind, int], str]:
        """ARNs by kind and number."""
        return dict(sorted(self._service.known().peers.items()))

    @operation("GetPeer", members={"uid": "Uid"}, service="kmsfast")
    def of_peer(self, uid: int, gids: Iterable[int]) -> str | None:
        """The ARN of whom a process of this user and these groups is; None: nobody."""
        return principal_of_peer(self._service.known().peers, uid, gids)

    # ---- files ------------------------------------------------------------------------------

    @operation("PutPrincipals", members={"prune": "Prune", "dry_run": "DryRun"}, service="kmsfast")
    def apply(
        self, file: str | os.PathLike[str], *, prune: bool = False, dry_run: bool = False
    ) -> list[Change]:
        """Makes the store have what a TOML file says (docs/principals.md), all of it or nothing.

        Args:
            prune: also remove what the file does not say; without it nothing is ever removed.
            dry_run: change nothing.

        Returns:
            What has changed, or would change; applied again, nothing does.

        Raises:
            ValidationError: the file is wrong; the message says where.
            PrincipalNotFound: it names a group that is nowhere.
            LimitExceeded, TagError: more groups or tags than a principal can have.
            OSError: it, or a policy that it names, cannot be read.
        """
        from kmsfast.local.principal_files import read_principals

        wanted = read_principals(file, self._home)
        return self._service.apply(wanted, prune=prune, dry_run=dry_run)

    @operation("GetAccountAuthorizationDetails", service="iam")
    def export(self) -> str:
        """The TOML file that makes these principals again; access keys are not in it."""
        from kmsfast.model.principal_export import exported

        return exported(self._service.known(), self._home)

    def _member(self, user: str, group: str) -> tuple[str, str]:
        return (
            self._service.arn(user, IdentityKind.USER),
            self._service.arn(group, IdentityKind.GROUP),
        )
