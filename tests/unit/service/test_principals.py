"""Principals: what is kept of them, what is refused, and where no secret is."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
from pathlib import Path

import pytest
from clocks import Clock
from signing import derived
from store_files import files_of

import kmsfast
from kmsfast.errors import (
    LimitExceeded,
    MalformedPolicyDocument,
    PrincipalExists,
    PrincipalNotFound,
    StoreIntegrity,
    TagError,
    ValidationError,
)
from kmsfast.model.peer import PeerKind
from kmsfast.service.principals import ADMINISTRATOR_POLICY
from kmsfast.store import schema

ACCOUNT = "000000000000"
ADA = f"arn:aws:iam::{ACCOUNT}:user/ada"
POLICY = json.dumps({"Statement": {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}})


def test_a_new_store_knows_nobody(kms: kmsfast.Kms) -> None:
    assert kms.principals.known() == []
    with pytest.raises(PrincipalNotFound, match="no user or role or group 'ada'"):
        kms.principals.get("ada")


def test_the_first_administrator(kms: kmsfast.Kms) -> None:
    made = kms.principals.create_administrator()
    assert made.arn == f"arn:aws:iam::{ACCOUNT}:user/administrator"
    assert len(made.secret) == 40
    assert made.secret not in repr(made)
    assert [each.arn for each in kms.principals.known()] == [
        f"arn:aws:iam::{ACCOUNT}:root", made.arn
    ]  # fmt: skip
    assert kms.principals.policies("administrator") == {"AdministratorAccess": ADMINISTRATOR_POLICY}
    assert [key.id for key in kms.principals.access_keys("administrator")] == [made.id]
    with pytest.raises(PrincipalExists):
        kms.principals.create_administrator("another")


def test_what_is_kept_is_there_when_the_store_is_opened_again(path: Path, clock: Clock) -> None:
    with kmsfast.open(path, create=True, clock=clock) as kms:
        known = kms.principals
        known.create_user("ada", {"team": "x"})
        known.create_group("devs")
        known.create_role("team/nightly")
        known.attach_policy("devs", "use", POLICY)
        known.add_to_group("ada", "devs")
        known.map_uid(1001, "ada")
        known.map_gid(100, f"arn:aws:iam::{ACCOUNT}:role/team/nightly")
        made = known.create_access_key("ada")
        before = known.known()
    with kmsfast.open(path, clock=clock) as kms:
        known = kms.principals
        assert known.known() == before
        assert known.get("ada").tags == {"team": "x"}
        assert known.groups("ada") == [f"arn:aws:iam::{ACCOUNT}:group/devs"]
        assert known.members("devs") == [ADA]
        assert known.policies("devs") == {"use": POLICY}
        assert known.of_peer(1001, []) == ADA
        assert known.of_peer(5, [100]) == f"arn:aws:iam::{ACCOUNT}:role/team/nightly"
        assert known.mapped()[PeerKind.UID, 1001] == ADA
        assert [key.id for key in known.access_keys(ADA)] == [made.id]
        key = kms._app.deployment.access.signing_key(made.id, "20260101", "us-east-1")
        assert key == (derived(made.secret, "20260101", "us-east-1"), True)


def test_whoever_is_deleted_leaves_nothing(kms: kmsfast.Kms) -> None:
    known = kms.principals
    known.create_user("ada")
    known.create_group("devs")
    known.add_to_group("ada", "devs")
    known.attach_policy("ada", "use", POLICY)
    known.map_uid(1001, "ada")
    made = known.create_access_key("ada")
    known.delete("ada")
    assert known.members("devs") == []
    assert known.mapped() == {}
    assert not kms._app.deployment.access.signing_key(made.id, "20260101", "us-east-1").known
    known.create_user("ada")
    assert known.access_keys("ada") == []
    assert known.policies("ada") == {}
    assert known.groups("ada") == []
    known.add_to_group("ada", "devs")
    known.delete("devs")
    assert known.groups("ada") == []
    with pytest.raises(ValidationError, match="delete them first"):
        known.delete(f"arn:aws:iam::{ACCOUNT}:root")
    known.delete("ada")
    known.delete(f"arn:aws:iam::{ACCOUNT}:root")
    assert known.known() == []


def test_what_is_refused(kms: kmsfast.Kms) -> None:
    known = kms.principals
    known.create_user("ada")
    known.create_group("devs")
    known.create_role("nightly")
    root = f"arn:aws:iam::{ACCOUNT}:root"
    for error, call in (
        (PrincipalExists, lambda: known.create_user("ada")),
        (PrincipalExists, lambda: known.create_account(ACCOUNT)),
        (ValidationError, lambda: known.create_account("1")),
        (ValidationError, lambda: known.create_user("a b")),
        (TagError, lambda: known.create_user("bob", {"aws:x": "y"})),
        (ValidationError, lambda: known.create_access_key("devs")),
        (ValidationError, lambda: known.create_access_key("nightly")),
        (ValidationError, lambda: known.create_access_key("ada", "session")),
        (PrincipalNotFound, lambda: known.create_access_key("bob")),
        (PrincipalNotFound, lambda: known.set_access_key("AKIANOBODY", active=False)),
        (PrincipalNotFound, lambda: known.delete_access_key("AKIANOBODY")),
        (MalformedPolicyDocument, lambda: known.attach_policy("ada", "use", "{}")),
        (ValidationError, lambda: known.attach_policy(root, "use", POLICY)),
        (ValidationError, lambda: known.attach_policy("ada", "", POLICY)),
        (PrincipalNotFound, lambda: known.detach_policy("ada", "use")),
        (PrincipalNotFound, lambda: known.add_to_group("nightly", "devs")),
        (ValidationError, lambda: known.add_to_group(root, "devs")),
        (PrincipalNotFound, lambda: known.remove_from_group("ada", "devs")),
        (ValidationError, lambda: known.map_uid(65_534, "ada")),
        (ValidationError, lambda: known.map_uid(1001, "devs")),
        (PrincipalNotFound, lambda: known.unmap_gid(1001)),
    ):  # fmt: skip
        with pytest.raises(error):
            call()


def test_limits_of_iam(kms: kmsfast.Kms) -> None:
    known = kms.principals
    known.create_user("ada")
    first, second = (known.create_access_key("ada") for _ in range(2))
    with pytest.raises(LimitExceeded, match="2 access keys"):
        known.create_access_key("ada")
    known.delete_access_key(first.id)
    assert known.create_access_key("ada").id != second.id
    for number in range(11):
        known.create_group(f"g{number}")
        if number < 10:
            known.add_to_group("ada", f"g{number}")
    known.add_to_group("ada", "g3")  # again
    with pytest.raises(LimitExceeded, match="10 groups"):
        known.add_to_group("ada", "g10")


def test_an_access_key_that_is_not_active_is_nobodys(kms: kmsfast.Kms) -> None:
    known, access = kms.principals, kms._app.deployment.access
    known.create_user("ada")
    made = known.create_access_key("ada")
    name = made.id, "20260101", "us-east-1"
    right = derived(made.secret, *name[1:])
    assert access.signing_key(*name) == (right, True)
    assert access.caller(made.id).arn == ADA
    known.set_access_key(made.id, active=False)
    refused = access.signing_key(*name)
    assert not refused.known
    assert refused.key != right
    with pytest.raises(PrincipalNotFound, match="inactive"):
        access.caller(made.id)
    known.set_access_key(made.id, active=True)
    assert access.signing_key(*name) == (right, True)
    assert access.signing_key(made.id, "20260102", "us-east-1").key != right
    assert access.signing_key(made.id, "20260101", "eu-west-1").key != right


def test_a_change_of_another_process_is_seen(path: Path) -> None:
    with kmsfast.open(path, create=True) as one, kmsfast.open(path) as two:
        made = one.principals.create_administrator()
        name = made.id, "20260101", "us-east-1"
        assert two._app.deployment.access.signing_key(*name).known
        one.principals.delete_access_key(made.id)
        assert not two._app.deployment.access.signing_key(*name).known


def test_made_up_access_keys_push_nobody_out(kms: kmsfast.Kms) -> None:
    made, access = kms.principals.create_administrator(), kms._app.deployment.access
    right = access.signing_key(made.id, "20260101", "us-east-1")
    for number in range(3000):
        assert not access.signing_key(f"AKIA{number}", "20260101", "us-east-1").known
    seen = access._current()
    assert len(seen.unknown) <= 1024
    assert seen.keys == {(made.id, "20260101", "us-east-1", "kms"): right}


def test_a_sessions_access_key_makes_its_caller(kms: kmsfast.Kms) -> None:
    kms.principals.create_role("nightly")
    made = kms.principals.create_access_key("nightly", "host-1")
    found = kms._app.deployment.access.caller(made.id)
    assert found.arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/nightly/host-1"
    assert kms._app.deployment.access.caller(made.id) is found


def test_no_secret_is_in_the_files(path: Path) -> None:
    with kmsfast.open(path, create=True) as kms:
        made = kms.principals.create_administrator()
        kms.principals.delete_access_key(kms.principals.create_access_key("administrator").id)
        found = [
            entry.read_bytes() for entry in files_of(path) if entry.name not in {"epoch", "end"}
        ]
    assert any(made.id.encode() in data for data in found)
    assert not any(made.secret.encode() in data for data in found)
    known = kms._app.principals
    assert made.secret not in repr(known.__dict__)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a row of everything."""
    path = tmp_path_factory.mktemp("filled") / "store"
    with kmsfast.open(path, create=True) as kms:
        kms.principals.create_role("nightly", {"team": "x"})
        kms.principals.create_user("ada")
        kms.principals.create_group("devs")
        kms.principals.add_to_group("ada", "devs")
        kms.principals.attach_policy("ada", "use", POLICY)
        kms.principals.map_uid(1001, "ada")
        kms.principals.create_access_key("nightly", "host-1")
    return path


CELLS = [(table.name, column) for table in schema.IDENTITIES for column in table.columns]


@pytest.mark.parametrize(("table", "column"), CELLS)
def test_every_cell_is_authenticated(filled: Path, path: Path, table: str, column: str) -> None:
    shutil.copytree(filled, path)
    with contextlib.closing(sqlite3.connect(path / "store.db")) as db, db:
        db.execute("PRAGMA foreign_keys = OFF")
        rowid, value = db.execute(f"SELECT rowid, {column} FROM {table} LIMIT 1").fetchone()
        changed = value + 7 if isinstance(value, int) else value + type(value)(value[:1])
        db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (changed, rowid))
    with kmsfast.open(path) as kms, pytest.raises(StoreIntegrity):
        kms.principals.known()


CHANGES = [
    "UPDATE access_keys SET active = 1",
    "UPDATE access_keys SET wrapped = (SELECT wrapped FROM access_keys ORDER BY rowid DESC)",
    "DELETE FROM identity_policies",
    "UPDATE identity_policies SET document = document || ' '",
    "DELETE FROM memberships",
    "UPDATE peers SET number = 0",
    "DELETE FROM principals WHERE arn LIKE '%group%'",
    'UPDATE principals SET tags = \'{"team": "y"}\'',
    "INSERT INTO memberships SELECT arn, 'x', mac FROM memberships",
]


@pytest.mark.parametrize("change", [*CHANGES, "put back"])
def test_what_is_changed_from_outside_is_noticed(path: Path, change: str) -> None:
    with kmsfast.open(path, create=True) as kms:
        known = kms.principals
        known.create_user("ada", {"team": "x"})
        known.create_group("devs")
        known.add_to_group("ada", "devs")
        known.attach_policy("ada", "use", POLICY)
        known.map_uid(1001, "ada")
        first = known.create_access_key("ada")
        known.create_access_key("ada")
        known.set_access_key(first.id, active=False)
    with contextlib.closing(sqlite3.connect(path / "store.db")) as db:
        deleted = db.execute("SELECT * FROM access_keys").fetchone()
    if change == "put back":
        with kmsfast.open(path) as kms:
            kms.principals.delete_access_key(deleted[1])
    with contextlib.closing(sqlite3.connect(path / "store.db")) as db, db:
        db.execute("PRAGMA foreign_keys = OFF")
        if change == "put back":
            db.execute("INSERT INTO access_keys VALUES (?, ?, ?, ?, ?, ?, ?)", deleted)
        else:
            db.execute(change)
    with kmsfast.open(path) as kms, pytest.raises(StoreIntegrity, match="changed from outside"):
        kms.principals.known()
