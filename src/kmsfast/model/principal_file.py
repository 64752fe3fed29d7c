"""Principals as a file says them: plain data to what is wanted, and what must change for it.

    [users.ada]
    tags = {team = "payments"}
    groups = ["developers"]
    policies = {orders = "orders.json"}
    uids = [1001]

Rules:
- four tables, ``accounts``, ``users``, ``roles`` and ``groups``; what is in them is named by name
  in the store's account, or by ARN; unknown names and values of another type are errors that say
  where;
- what is not in the file is left as it is, member by member; to prune removes it, so that the store
  has what the file has, and nothing else. Accounts of anything in the file stay, and so does the
  store's own;
- access keys are not in files: they are secrets, and go with their principal alone;
- pure: policies are documents by now, whoever read the file has read theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from kmsfast.errors import KmsError, LimitExceeded, PrincipalNotFound, ValidationError
from kmsfast.model.arn import Home
from kmsfast.model.identities import Identities
from kmsfast.model.peer import PeerKind, checked_peer
from kmsfast.model.policy_document import identity_policy
from kmsfast.model.policy_principal import ACCOUNT, root_arn
from kmsfast.model.principal import (
    MAX_GROUPS,
    IdentityKind,
    checked_policy_name,
    identity_arn,
    parsed_identity,
)
from kmsfast.model.tags import checked_tags, merged

__all__ = ["SECTIONS", "Change", "Sign", "Wanted", "WantedPrincipal", "changes", "parsed"]

SECTIONS: Final[Mapping[IdentityKind, str]] = {
    IdentityKind.ROOT: "accounts", IdentityKind.USER: "users", IdentityKind.ROLE: "roles",
    IdentityKind.GROUP: "groups",
}  # fmt: skip
_MEMBERS: Final[Mapping[IdentityKind, tuple[str, ...]]] = {
    IdentityKind.ROOT: ("uids", "gids"),
    IdentityKind.USER: ("tags", "policies", "groups", "uids", "gids"),
    IdentityKind.ROLE: ("tags", "policies", "uids", "gids"),
    IdentityKind.GROUP: ("policies",),
}


class Sign(StrEnum):
    """What happens to it."""

    ADD = "+"
    CHANGE = "~"
    REMOVE = "-"


class Change(NamedTuple):
    """One change of a store.

    Attributes:
        what: ``principal``, ``tags``, ``policy``, ``membership``, ``uid`` or ``gid``.
        arn: of the principal that it is about.
        name: of the policy; ARN of the group; the number.
        value: the tags, or the document.
        detail: what a person may want to know of it.
    """

    sign: Sign
    what: str
    arn: str
    name: str = ""
    value: Any = None
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.sign} {_WORDS[self.what](self)}" + (self.detail and f" ({self.detail})")


_WORDS: Final[Mapping[str, Callable[[Change], str]]] = {
    "principal": lambda it: f"{parsed_identity(it.arn)[0].replace('root', 'account')} {it.arn}",
    "tags": lambda it: f"tags of {it.arn}",
    "policy": lambda it: f"policy {it.name} of {it.arn}",
    "membership": lambda it: f"{it.arn} in group {it.name}",
    "uid": lambda it: f"uid {it.name} is {it.arn}",
    "gid": lambda it: f"gid {it.name} is {it.arn}",
}


@dataclass(frozen=True, slots=True)
class WantedPrincipal:
    """What a file says of a principal; None: nothing.

    Attributes:
        policies: documents by name.
        groups: ARNs.
    """

    arn: str
    kind: IdentityKind
    tags: Mapping[str, str] | None = None
    policies: Mapping[str, str] | None = field(default=None, repr=False)
    groups: frozenset[str] | None = None
    peers: frozenset[tuple[PeerKind, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a file says, by ARN, in its order.

    Attributes:
        own: the root of the store's account.
    """

    own: str
    principals: Mapping[str, WantedPrincipal]


# ---- from plain data ----------------------------------------------------------------------------


def parsed(document: Any, home: Home) -> Wanted:
    """What plain data, such as that of a TOML file, says of principals.

    Args:
        home: whose account names without an ARN are of.

    Raises:
        ValidationError: anything in it is not as docs/principals.md has it.
    """
    top = _table(document, "the file", tuple(SECTIONS.values()))
    found: dict[str, WantedPrincipal] = {}
    for kind, section in SECTIONS.items():
        for name, given in _said(section, _mapping, top.get(section, {})).items():
            where = f"{section}.{name}"
            one = _principal(given, kind, name, where, home)
            if one.arn in found:
                raise ValidationError(f"{where}: {one.arn} is given twice")
            found[one.arn] = one
    _check_peers(found)
    return Wanted(root_arn(home.account, home.partition), found)


def _principal(
    given: Any, kind: IdentityKind, name: str, where: str, home: Home
) -> WantedPrincipal:
    members = _table(given, where, _MEMBERS[kind])
    arn = _said(where, _arn, name, kind, home)
    values = {
        member: _said(f"{where}.{member}", _READERS[member], members[member]) for member in members
    }
    peers = {(PeerKind.UID, each) for each in values.get("uids", ())}
    peers |= {(PeerKind.GID, each) for each in values.get("gids", ())}
    groups = values.get("groups")
    if groups is not None:
        inside = f"{where}.groups"
        groups = frozenset(_said(inside, _arn, each, IdentityKind.GROUP, home) for each in groups)
        _said(inside, _check_groups, arn, groups)
    return WantedPrincipal(
        arn, kind, values.get("tags"), values.get("policies"), groups, frozenset(peers)
    )


def _arn(name: str, kind: IdentityKind, home: Home) -> str:
    if kind is IdentityKind.ROOT and not name.startswith("arn:"):
        if ACCOUNT.fullmatch(name) is None:
            raise ValidationError(f"{name!r} is no account; one has 12 digits")
        return root_arn(name, home.partition)
    return identity_arn(name, kind, home.account, home.partition)


def _table(value: Any, where: str, names: tuple[str, ...]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _said(where, _mapping, value)
    for name in found:
        if name not in names:
            raise ValidationError(f"{where}: {name!r} is not known; there are {', '.join(names)}")
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValidationError(f"must be a table, not {value!r}")
    return value


def _said(where: str, read: Callable[..., Any], *values: Any) -> Any:
    """What a reader makes of a value; its error with the place in front."""
    try:
        return read(*values)
    except KmsError as error:
        raise ValidationError(f"{where}: {error}") from error


def _list_of(kind: type, what: str) -> Callable[[Any], list[Any]]:
    def read(value: Any) -> list[Any]:
        if not isinstance(value, list) or not all(type(each) is kind for each in value):
            raise ValidationError(f"must be a list of {what}, not {value!r}")
        if len(set(value)) != len(value):
            raise ValidationError("one of them is given twice")
        return value

    return read


def _ids(kind: PeerKind) -> Callable[[Any], list[int]]:
    numbers = _list_of(int, "numbers")
    return lambda value: [checked_peer(kind, each)[1] for each in numbers(value)]


def _tags(value: Any) -> dict[str, str]:
    return checked_tags(_mapping(value))


def _policies(value: Any) -> dict[str, str]:
    documents = _mapping(value)
    for name, text in documents.items():
        checked_policy_name(name)
        if not isinstance(text, str):
            raise ValidationError(f"{name}: must be a text, not {text!r}")
        identity_policy(text, name)
    return dict(documents)


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "tags": _tags,
    "policies": _policies,
    "groups": _list_of(str, "names"),
    "uids": _ids(PeerKind.UID),
    "gids": _ids(PeerKind.GID),
}


def _check_groups(arn: str, groups: frozenset[str]) -> None:
    if len(groups) > MAX_GROUPS:
        raise LimitExceeded(f"{arn} would be in {len(groups)} groups; {MAX_GROUPS} is the most")


def _check_peers(found: Mapping[str, WantedPrincipal]) -> None:
    seen: dict[tuple[PeerKind, int], str] = {}
    for one in found.values():
        for kind, number in sorted(one.peers):
            other = seen.setdefault((kind, number), one.arn)
            if other != one.arn:
                raise ValidationError(f"{kind} {number} is given twice: of {other} and {one.arn}")


# ---- to changes ---------------------------------------------------------------------------------


def changes(wanted: Wanted, known: Identities, *, prune: bool) -> list[Change]:
    """What must change in a store for what is wanted, in the order in which it can be done.

    Raises:
        PrincipalNotFound: a group that neither the file nor the store has.
        LimitExceeded, TagError: more groups or tags than one can have.
    """
    return list(_changes(wanted, known, prune=prune))


def _changes(wanted: Wanted, known: Identities, *, prune: bool) -> Iterator[Change]:
    staying = dict.fromkeys((*map(_root_of, wanted.principals), *wanted.principals))
    for arn in staying:
        if arn not in known.known:
            yield Change(Sign.ADD, "principal", arn, value=_tags_of(wanted, arn))
    for one in wanted.principals.values():
        yield from _tag_changes(one, known, prune=prune)
        yield from _policy_changes(one, known, prune=prune)
    for one in wanted.principals.values():
        yield from _membership_changes(one, wanted, known, prune=prune)
    yield from _peer_changes(wanted, known)
    if prune:
        yield from _removals(wanted, known, kept={wanted.own, *staying})


def _tags_of(wanted: Wanted, arn: str) -> Mapping[str, str]:
    one = wanted.principals.get(arn)
    return one.tags or {} if one is not None else {}


def _tag_changes(one: WantedPrincipal, known: Identities, *, prune: bool) -> Iterator[Change]:
    there = known.known.get(one.arn)
    if there is None:
        return
    given = one.tags or {}
    new = dict(given) if prune else merged(there.tags, given)
    if new != dict(there.tags):
        shown = ", ".join(f"{key}={value}" for key, value in sorted(new.items())) or "none"
        yield Change(Sign.CHANGE, "tags", one.arn, value=new, detail=shown)


def _policy_changes(one: WantedPrincipal, known: Identities, *, prune: bool) -> Iterator[Change]:
    there, given = known.policies_of(one.arn), one.policies or {}
    for name, text in given.items():
        if there.get(name) != text:
            sign = Sign.CHANGE if name in there else Sign.ADD
            yield Change(sign, "policy", one.arn, name, text)
    for name in sorted(there.keys() - given.keys()) if prune else ():
        yield Change(Sign.REMOVE, "policy", one.arn, name)


def _membership_changes(
    one: WantedPrincipal, wanted: Wanted, known: Identities, *, prune: bool
) -> Iterator[Change]:
    there, given = set(known.groups_of(one.arn)), one.groups or frozenset()
    for group in sorted(there - given) if prune else ():
        if group in wanted.principals:  # else it goes with the group
            yield Change(Sign.REMOVE, "membership", one.arn, group)
    if not prune:
        _check_groups(one.arn, given | there)
    for group in sorted(given):
        if group not in wanted.principals and (prune or group not in known.known):
            nor = "" if prune else " and not in the store"
            raise PrincipalNotFound(f"{one.arn} is to be in {group}, which is not in the file{nor}")
        if group not in there:
            yield Change(Sign.ADD, "membership", one.arn, group)


def _peer_changes(wanted: Wanted, known: Identities) -> Iterator[Change]:
    for peer, arn in sorted(_peers_of(wanted).items()):
        before = known.peers.get(peer)
        if before == arn:
            continue
        sign = Sign.ADD if before is None else Sign.CHANGE
        detail = "" if before is None else f"was {before}"
        yield Change(sign, str(peer[0]), arn, str(peer[1]), detail=detail)


def _removals(wanted: Wanted, known: Identities, *, kept: set[str]) -> Iterator[Change]:
    """Mapped ids and principals that the file does not have; accounts after who is in them."""
    given = _peers_of(wanted)
    for peer, arn in sorted(known.peers.items()):
        if peer not in given and arn in kept:  # else it goes with the principal
            yield Change(Sign.REMOVE, str(peer[0]), arn, str(peer[1]))
    gone = [each for each in known.of() if each.arn not in kept]
    for each in sorted(gone, key=lambda one: one.kind is IdentityKind.ROOT):
        keys = len(known.access_keys_of(each.arn))
        detail = f"with {keys} access key{'s' * (keys > 1)}" if keys else ""
        yield Change(Sign.REMOVE, "principal", each.arn, detail=detail)


def _peers_of(wanted: Wanted) -> dict[tuple[PeerKind, int], str]:
    return {peer: one.arn for one in wanted.principals.values() for peer in one.peers}


def _root_of(arn: str) -> str:
    return root_arn(parsed_identity(arn)[1], arn.split(":", 2)[1])
