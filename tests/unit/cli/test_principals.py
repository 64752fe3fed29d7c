"""Principals on the command line."""

from __future__ import annotations

import configparser
import json
import stat

from cli_runner import Cli

import kmsfast

POLICY = {"Statement": {"Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*"}}
ADA = "arn:aws:iam::000000000000:user/ada"


def test_init_makes_an_administrator(empty: Cli) -> None:
    said = empty.ok("init")
    lines = dict(line.rsplit(maxsplit=1) for line in said.splitlines() if "access key" in line)
    with kmsfast.open(empty.directory / "store") as kms:
        (key,) = kms.principals.access_keys("administrator")
        assert lines["access key id"] == key.id
        secret = lines["secret access key"]
        assert kms._app.deployment.access.signing_key(key.id, "20260101", "us-east-1").known
    assert len(secret) == 40
    assert secret not in empty.ok("principal", "show", "administrator", "--json")


def test_init_writes_the_credentials_where_nobody_else_reads_them(empty: Cli) -> None:
    said = empty.ok("init", "--credentials", "credentials", "--account", "111122223333")
    path = empty.directory / "credentials"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    found = configparser.ConfigParser()
    found.read(path)
    secret = found["default"]["aws_secret_access_key"]
    assert secret not in said
    assert "arn:aws:iam::111122223333:user/administrator" in said
    with kmsfast.open(empty.directory / "store") as kms:
        (key,) = kms.principals.access_keys("administrator")
    assert found["default"]["aws_access_key_id"] == key.id


def test_credentials_never_replace_a_file(empty: Cli) -> None:
    (empty.directory / "credentials").write_text("mine")
    assert "there already" in empty.refused(2, "init", "--credentials", "credentials")
    assert not (empty.directory / "store").exists()
    assert (empty.directory / "credentials").read_text() == "mine"
    empty.ok("init")
    empty.refused(7, "init", "--credentials", "others")
    assert not (empty.directory / "others").exists()


def test_a_life(cli: Cli) -> None:
    (cli.directory / "use.json").write_text(json.dumps(POLICY))
    assert cli.ok("principal", "create", "ada", "--tag", "team=x").strip() == ADA
    made = json.loads(cli.ok("principal", "create", "devs", "--kind", "group", "--json"))
    assert made["kind"] == "group"
    cli.ok("principal", "create", "ops", "--kind", "role", "--administrator")
    cli.ok("principal", "create", "111122223333", "--kind", "account")
    cli.ok("principal", "attach-policy", "devs", "use.json")
    cli.ok("group", "add", "devs", "ada")
    cli.ok("principal", "map-uid", "1001", "ada")
    cli.ok("principal", "map-gid", "100", "ops")
    key = json.loads(cli.ok("access-key", "create", "ada", "--json"))
    assert "ops" in cli.ok("access-key", "create", "ops", "--session", "host-1")
    cli.ok("access-key", "deactivate", key["access_key_id"])
    (listed,) = json.loads(cli.ok("access-key", "list", "ada", "--json"))
    assert (listed["access_key_id"], listed["status"]) == (key["access_key_id"], "Inactive")
    cli.ok("access-key", "activate", key["access_key_id"])
    assert "Active" in cli.ok("access-key", "list", "ada")
    shown = json.loads(cli.ok("principal", "show", "ada", "--json"))
    assert (shown["tags"], shown["groups"]) == ({"team": "x"}, [made["arn"]])
    assert json.loads(cli.ok("principal", "show", "devs", "--json"))["members"] == [ADA]
    assert "use" in cli.ok("principal", "show", "devs")
    assert f"uid 1001 is {ADA}" in cli.ok("principal", "list")
    assert len(json.loads(cli.ok("principal", "list", "--json"))["mapped"]) == 2
    for command in (
        ("access-key", "delete", key["access_key_id"]), ("group", "remove", "devs", "ada"),
        ("principal", "detach-policy", "devs", "use"), ("principal", "unmap-uid", "1001"),
        ("principal", "unmap-gid", "100"), ("principal", "delete", "ada"),
    ):  # fmt: skip
        cli.ok(*command)
    said = cli.refused(4, "principal", "show", "ada")
    assert "'kmsfast principal list' shows" in said
    cli.refused(5, "principal", "create", "devs", "--kind", "group")


def test_what_makes_no_sense(cli: Cli) -> None:
    cli.refused(2, "principal", "create", "devs", "--kind", "group", "--tag", "a=b")
    cli.refused(2, "principal", "create", "1", "--kind", "account")
    cli.refused(2, "principal", "create", "111122223333", "--kind", "account", "--administrator")
    cli.refused(2, "principal", "create", "a b")
    cli.refused(4, "access-key", "create", "nobody")
    cli.ok("principal", "create", "ada")
    cli.refused(2, "principal", "attach-policy", "ada", "-")
    cli.refused(2, "principal", "map-uid", "65534", "ada")
    cli.refused(2, "access-key", "create", "ada", "--session", "x")


def test_simulations_know_the_principals_of_the_store(cli: Cli) -> None:
    asks = ("policy", "simulate", "--action", "kms:Encrypt", "--key", "alias/orders", "--principal")
    assert cli(*asks, ADA).code == 8
    (cli.directory / "use.json").write_text(json.dumps(POLICY))
    cli.ok("principal", "create", "ada")
    cli.ok("principal", "create", "devs", "--kind", "group")
    cli.ok("principal", "attach-policy", "devs", "use.json")
    cli.ok("group", "add", "devs", "ada")
    assert "devs/use" in cli.ok(*asks, ADA)
    cli.ok("principal", "create", "nightly", "--kind", "role", "--administrator")
    session = "arn:aws:sts::000000000000:assumed-role/nightly/host-1"
    assert "AdministratorAccess" in cli.ok(*asks, session)


def test_principals_from_a_file(cli: Cli) -> None:
    (cli.directory / "use.json").write_text(json.dumps(POLICY))
    (cli.directory / "who.toml").write_text(
        '[users.ada]\npolicies = {use = "use.json"}\nuids = [1001]\n'
    )
    planned = cli.ok("principal", "apply", "who.toml", "--dry-run").splitlines()
    assert planned[1] == f"+ user {ADA}"
    assert planned[-1] == "nothing was changed (--dry-run)"
    assert "ada" not in cli.ok("principal", "list")
    (root, user, policy, uid) = json.loads(cli.ok("principal", "apply", "who.toml", "--json"))
    assert (user["change"], user["what"], user["principal"]) == ("+", "principal", ADA)
    assert (policy["name"], uid["what"], root["detail"]) == ("use", "uid", None)
    assert cli.ok("principal", "apply", "who.toml") == "nothing to change\n"
    exported = cli.ok("principal", "export")
    (cli.directory / "again.toml").write_text(exported)
    assert cli.ok("principal", "apply", "again.toml", "--prune") == "nothing to change\n"
    (cli.directory / "none.toml").write_text("")
    assert f"- user {ADA}" in cli.ok("principal", "apply", "none.toml", "--prune")
    (cli.directory / "none.toml").write_text("[users.ada]\nuid = 1")
    assert "none.toml: users.ada: 'uid' is not known" in cli.refused(
        2, "principal", "apply", "none.toml"
    )
    cli.refused(6, "principal", "apply", "absent.toml")
