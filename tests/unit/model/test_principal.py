"""Identities, callers, and users of the operating system."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from kmsfast.errors import LimitExceeded, ValidationError
from kmsfast.model.peer import PeerKind, checked_peer, principal_of_peer
from kmsfast.model.policy_principal import Kind
from kmsfast.model.principal import (
    Identity,
    IdentityKind,
    access_key_id,
    caller,
    identity_arn,
    unique_id,
)

ACCOUNT = "111122223333"
ADA = f"arn:aws:iam::{ACCOUNT}:user/ada"
WHEN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "kind", "arn"),
    [
        ("ada", IdentityKind.USER, ADA),
        ("team/ada", IdentityKind.USER, f"arn:aws:iam::{ACCOUNT}:user/team/ada"),
        (ADA, IdentityKind.USER, ADA),
        ("nightly", IdentityKind.ROLE, f"arn:aws:iam::{ACCOUNT}:role/nightly"),
        ("devs", IdentityKind.GROUP, f"arn:aws:iam::{ACCOUNT}:group/devs"),
        ("", IdentityKind.ROOT, f"arn:aws:iam::{ACCOUNT}:root"),
    ],
)
def test_names_are_arns(text: str, kind: IdentityKind, arn: str) -> None:
    assert identity_arn(text, kind, ACCOUNT) == arn
    identity = Identity(arn, "id", WHEN)
    assert (identity.kind, identity.account) == (kind, ACCOUNT)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", IdentityKind.USER), ("a" * 65, IdentityKind.USER), ("a b", IdentityKind.USER),
        ("é", IdentityKind.ROLE), (ADA, IdentityKind.ROLE), ("a" * 129, IdentityKind.GROUP),
        (f"arn:aws:iam::{ACCOUNT}:group/devs", IdentityKind.USER), ("*", IdentityKind.USER),
        ("arn:aws:iam::1:user/ada", IdentityKind.USER), ("a/", IdentityKind.USER),
        (f"arn:aws:sts::{ACCOUNT}:assumed-role/a/b", IdentityKind.ROLE),
    ],
)  # fmt: skip
def test_other_names_are_none(text: str, kind: IdentityKind) -> None:
    with pytest.raises(ValidationError):
        identity_arn(text, kind, ACCOUNT)


def test_ids_say_what_they_are_of() -> None:
    random = bytes(range(11))
    for kind, start in (("user", "AIDA"), ("role", "AROA"), ("group", "AGPA")):
        made = unique_id(IdentityKind(kind), ACCOUNT, random)
        assert made.startswith(start)
        assert len(made) == 21
    assert unique_id(IdentityKind.ROOT, ACCOUNT, random) == ACCOUNT
    assert access_key_id(random).startswith("AKIA")
    assert len(access_key_id(random)) == 20
    with pytest.raises(ValidationError):
        access_key_id(b"short")


def test_callers() -> None:
    user = caller(Identity(ADA, "AIDAX", WHEN, {"team": "x"}))
    assert user.values["aws:userid"] == ("AIDAX",)
    assert user.values["aws:principaltag/team"] == ("x",)
    role = Identity(
        f"arn:aws:iam::{ACCOUNT}:role/path/nightly", "AROAX", WHEN, {"a": "1", "b": "2"}
    )
    session = caller(role, "host-1", {"b": "3"})
    assert session.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/nightly/host-1"
    assert (session.kind, session.role_arn) == (Kind.SESSION, role.arn)
    assert session.values["aws:userid"] == ("AROAX:host-1",)
    assert session.values["aws:principalarn"] == (role.arn,)
    assert session.values["aws:principaltag/a"] == ("1",)
    assert session.values["aws:principaltag/b"] == ("3",)
    assert caller(Identity(f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, WHEN)).is_root


def test_who_makes_no_requests() -> None:
    group = Identity(f"arn:aws:iam::{ACCOUNT}:group/devs", "AGPAX", WHEN)
    with pytest.raises(ValidationError, match="groups make no requests"):
        caller(group)
    with pytest.raises(ValidationError, match="no role"):
        caller(Identity(ADA, "AIDAX", WHEN), "session")
    role = Identity(f"arn:aws:iam::{ACCOUNT}:role/nightly", "AROAX", WHEN)
    for name in ("", "a", "a/b", "x" * 65, "a b"):
        with pytest.raises(ValidationError, match="no name of a session"):
            caller(role, name)
    with pytest.raises(LimitExceeded):
        Identity(ADA, "AIDAX", WHEN, {str(i): "" for i in range(51)})


PEERS = {
    (PeerKind.UID, 1001): "ada", (PeerKind.GID, 100): "users", (PeerKind.GID, 200): "devs",
    (PeerKind.GID, 201): "devs", (PeerKind.UID, 65_534): "nobody", (PeerKind.GID, 65_534): "nobody",
}  # fmt: skip


@pytest.mark.parametrize(
    ("uid", "gids", "expected"),
    [
        (1001, [], "ada"),
        (1001, [100], "ada"),
        (1002, [], None),
        (1002, [100], "users"),
        (1002, [100, 5], "users"),
        (1002, [200, 201], "devs"),
        (1002, [100, 200], None),
        (65_534, [], None),
        (65_534, [100], None),
        (1002, [65_534], None),
        (1002, [65_534, 100], "users"),
        (-1, [100], None),
        ((1 << 32) - 1, [100], None),
        (0, [], None),
    ],
)
def test_whom_a_peer_is(uid: int, gids: list[int], expected: str | None) -> None:
    assert principal_of_peer(PEERS, uid, gids) == expected


def test_nobody_is_root_without_being_mapped() -> None:
    assert principal_of_peer({}, 0, [0]) is None


@pytest.mark.parametrize("number", [-1, 65_534, (1 << 32) - 1, True, "1", 1.0])
def test_ids_that_cannot_be_mapped(number: object) -> None:
    with pytest.raises(ValidationError):
        checked_peer(PeerKind.UID, number)
