"""Principals by a file: what is made of it, what it refuses, and the file made of a store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import kmsfast
from kmsfast.errors import LimitExceeded, PrincipalNotFound, ValidationError
from kmsfast.model.peer import PeerKind

ACCOUNT = "000000000000"
POLICY = json.dumps({"Statement": {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}})
WIDER = POLICY.replace("Encrypt", "*")
FILE = f"""
[accounts.111122223333]
[users.ada]
tags = {{team = "payments", stage = "prod"}}
groups = ["developers"]
uids = [1001, 1002]
policies = {{use = "use.json"}}
[users."arn:aws:iam::444455556666:user/eve"]
[roles."ci/nightly"]
gids = [100]
[roles."ci/nightly".policies]
inline = '''{WIDER}'''
[groups.developers]
policies = {{"read and write" = "use.json"}}
"""


def arn(resource: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:{resource}"


def written(directory: Path, text: str = FILE) -> Path:
    (directory / "use.json").write_text(POLICY)
    path = directory / "principals.toml"
    path.write_text(text)
    return path


def lines(kms: kmsfast.Kms, path: Path, **how: bool) -> list[str]:
    return [str(each) for each in kms.principals.apply(path, **how)]


def test_a_file_is_applied_once(kms: kmsfast.Kms, tmp_path: Path) -> None:
    path = written(tmp_path)
    planned = lines(kms, path, dry_run=True)
    assert kms.principals.known() == []
    assert lines(kms, path) == planned
    assert planned[:3] == [
        f"+ account {arn('root', '111122223333')}", f"+ account {arn('root')}",
        f"+ account {arn('root', '444455556666')}",
    ]  # fmt: skip
    assert f"+ {arn('user/ada')} in group {arn('group/developers')}" in planned
    assert f"+ uid 1001 is {arn('user/ada')}" in planned
    assert f"+ policy inline of {arn('role/ci/nightly')}" in planned
    for again in ({}, {"prune": True}):
        assert lines(kms, path, **again) == []
    known = kms.principals
    assert known.get("ada").tags == {"team": "payments", "stage": "prod"}
    assert known.policies("ada") == {"use": POLICY}
    assert known.policies("ci/nightly") == {"inline": WIDER}
    assert known.groups("ada") == [arn("group/developers")]
    assert known.mapped()[PeerKind.GID, 100] == arn("role/ci/nightly")
    assert known.get(arn("user/eve", "444455556666")).unique_id.startswith("AIDA")


def test_nothing_is_removed_unless_pruned(kms: kmsfast.Kms, tmp_path: Path) -> None:
    path = written(tmp_path)
    kms.principals.apply(path)
    known = kms.principals
    before = known.get("ada").unique_id
    for name in ("bob", "carl"):
        known.create_user(name)
    known.create_access_key("bob")
    known.attach_policy("ada", "more", WIDER)
    known.create_group("others")
    known.add_to_group("ada", "others")
    known.map_uid(7, "bob")
    known.map_uid(8, "ada")
    known.create_account("999999999999")
    less = FILE.replace('stage = "prod"', 'team2 = "x"').replace("[1001, 1002]", "[1001]")
    assert lines(kms, written(tmp_path, less)) == [
        f"~ tags of {arn('user/ada')} (stage=prod, team=payments, team2=x)"
    ]
    pruned = lines(kms, path, prune=True)
    assert pruned == [
        f"~ tags of {arn('user/ada')} (team=payments, team2=x)",
        f"- policy more of {arn('user/ada')}",
        f"- uid 8 is {arn('user/ada')}",
        f"- uid 1002 is {arn('user/ada')}",
        f"- group {arn('group/others')}",
        f"- user {arn('user/bob')} (with 1 access key)",
        f"- user {arn('user/carl')}",
        f"- account {arn('root', '999999999999')}",
    ]
    assert lines(kms, path, prune=True) == []
    assert known.groups("ada") == [arn("group/developers")]
    assert [kind for kind, _ in known.mapped()] == ["gid", "uid"]
    assert known.get("ada").unique_id == before


def test_changes_of_what_is_there(kms: kmsfast.Kms, tmp_path: Path) -> None:
    kms.principals.apply(written(tmp_path))
    moved = FILE.replace(", 1002", "").replace("gids = [100]", "gids = [100]\nuids = [1002]")
    path = written(tmp_path, moved)
    (tmp_path / "use.json").write_text(WIDER)
    assert lines(kms, path) == [
        f"~ policy use of {arn('user/ada')}",
        f"~ policy read and write of {arn('group/developers')}",
        f"~ uid 1002 is {arn('role/ci/nightly')} (was {arn('user/ada')})",
    ]
    assert kms.principals.of_peer(1002, []) == arn("role/ci/nightly")


def test_the_own_account_and_memberships_are_pruned_rightly(
    kms: kmsfast.Kms, tmp_path: Path
) -> None:
    kms.principals.apply(written(tmp_path))
    kms.principals.map_uid(0, arn("root"))
    less = "[groups.developers]\n[users.ada]\n"
    removed = lines(kms, written(tmp_path, less), prune=True)
    assert f"- {arn('user/ada')} in group {arn('group/developers')}" in removed
    assert f"- uid 0 is {arn('root')}" in removed
    left = [each.arn for each in kms.principals.known()]
    assert left == [arn("group/developers"), arn("root"), arn("user/ada")]
    assert len(lines(kms, written(tmp_path, ""), prune=True)) == 2
    assert [each.arn for each in kms.principals.known()] == [arn("root")]


REFUSED = {
    "[user.ada]": "the file: 'user' is not known; there are accounts, users, roles, groups",
    "users = 1": "users: must be a table, not 1",
    "[users]\nada = 1": "users.ada: must be a table",
    "[users.ada]\npolicy = 1": "users.ada: 'policy' is not known",
    "[users.'a b']": "users.a b: 'a b' is no name of a user",
    "[roles.'arn:aws:iam::000000000000:user/a']": "is a user, not a role",
    "[accounts.12]": "accounts.12: '12' is no account",
    "[users.ada]\ntags = 1": "users.ada.tags: must be a table",
    "[users.ada]\ntags = {a = 1}": "users.ada.tags: a tag's value is str",
    "[users.ada]\nuids = [65534]": "users.ada.uids: uid 65534 stands for",
    "[users.ada]\nuids = [true]": "users.ada.uids: must be a list of numbers",
    "[users.ada]\nuids = [1, 1]": "users.ada.uids: one of them is given twice",
    "[users.ada]\ngids = 1": "users.ada.gids: must be a list of numbers",
    "[users.ada]\ngroups = ['a b']": "users.ada.groups: 'a b' is no name of a group",
    "[users.ada]\npolicies = {a = 1}": "users.ada.policies: a: must be a text",
    "[users.ada]\npolicies = {a = '{}'}": "users.ada.policies: Syntax errors in policy.",
    "[groups.a]\nuids = [1]": "groups.a: 'uids' is not known",
    "[users.ada]\n[users.'arn:aws:iam::000000000000:user/ada']": "is given twice",
    "[users.ada]\nuids=[1]\n[users.bob]\nuids=[1]": "uid 1 is given twice",
    "[users.ada": "is no TOML",
}  # fmt: skip


@pytest.mark.parametrize("text", list(REFUSED))
def test_what_is_refused(kms: kmsfast.Kms, tmp_path: Path, text: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ValidationError) as caught:
        kms.principals.apply(path)
    assert str(caught.value).startswith(str(path))
    assert REFUSED[text] in str(caught.value)
    assert kms.principals.known() == []


def test_what_the_store_refuses_changes_nothing(kms: kmsfast.Kms, tmp_path: Path) -> None:
    path = written(tmp_path, FILE.replace('"developers"', '"nobody"'))
    for prune in (False, True):
        with pytest.raises(PrincipalNotFound, match="group/nobody, which is not in the file"):
            kms.principals.apply(path, prune=prune)
    assert kms.principals.known() == []
    kms.principals.create_group("nobody")
    kms.principals.apply(path)
    assert kms.principals.groups("ada") == [arn("group/nobody")]
    with pytest.raises(PrincipalNotFound):  # it would go
        kms.principals.apply(path, prune=True)
    many = "\n".join(f"[groups.g{i}]" for i in range(10))
    names = json.dumps([f"g{i}" for i in range(10)])
    with pytest.raises(LimitExceeded, match="11 groups"):
        kms.principals.apply(written(tmp_path, f"{many}\n[users.ada]\ngroups = {names}"))
    assert kms.principals.groups("ada") == [arn("group/nobody")]
    with pytest.raises(FileNotFoundError):
        kms.principals.apply(written(tmp_path, "[users.ada]\npolicies = {a = 'none.json'}"))


def test_a_store_is_exported_as_the_file_that_makes_it(kms: kmsfast.Kms, tmp_path: Path) -> None:
    kms.principals.apply(written(tmp_path))
    odd = POLICY.replace("{", "{\r\n\t", 1).replace('"Effect"', '"Sid": "", "Effect"')
    for name, text in {"crlf": odd, 'it\'s "odd" \u00e9': POLICY + "\n", "end": POLICY}.items():
        kms.principals.attach_policy("developers", name, text)
    kms.principals.create_access_key("ada")
    text = kms.principals.export()
    path = written(tmp_path, text)
    assert lines(kms, path, prune=True) == []
    with kmsfast.open(tmp_path / "other", create=True) as other:
        other.principals.apply(path)
        assert other.principals.export() == text
        for name in ("ada", "developers", "ci/nightly"):
            assert other.principals.policies(name) == kms.principals.policies(name)
        assert other.principals.access_keys("ada") == []
