"""init, key and doctor: the life of a store on the command line."""

from __future__ import annotations

import json

import pytest
from cli_runner import Cli


def test_a_store_is_made_once(empty: Cli) -> None:
    assert empty("doctor").out.count("kmsfast init") == 1
    empty.refused(4, "key", "list")
    assert "root.key" in empty.ok("init")
    empty.refused(7, "init")
    root = empty.directory / "store" / "root.key"
    assert root.stat().st_mode & 0o777 == 0o600


def test_doctor_after_an_init_that_never_ended(empty: Cli) -> None:
    (empty.directory / "store").mkdir(mode=0o700)
    (empty.directory / "store" / "store.db").touch(0o600)
    shown = empty("doctor").out
    assert "never finished" in shown
    assert shown.count("kmsfast init") == 1


def test_a_root_key_without_a_store(empty: Cli) -> None:
    empty.ok("init")
    (empty.directory / "store" / "store.db").unlink()
    for command in ("init", "doctor"):
        result = empty(command)
        assert result.code == (7 if command == "init" else 1)
        assert "restore store.db from a backup" in result.out + result.err


def test_a_root_key_elsewhere(empty: Cli) -> None:
    empty.ok("init", "--root-key", "root.bin")
    empty.ok("key", "create")
    (empty.directory / "root.bin").rename(empty.directory / "moved.bin")
    assert "root.bin" in empty.refused(7, "key", "list")
    empty.ok("--root-key", "moved.bin", "key", "list")
    (empty.directory / "wrong.bin").write_bytes(b"kmsfast-root-v1\n" + bytes(32))
    (empty.directory / "wrong.bin").chmod(0o600)
    empty.refused(7, "--root-key", "wrong.bin", "key", "list")


def test_a_passphrase_comes_from_the_environment_or_a_terminal(empty: Cli) -> None:
    assert "KMSFAST_PASSPHRASE" in empty.refused(7, "init", "--passphrase")
    empty.ok("init", "--passphrase", KMSFAST_PASSPHRASE="correct horse")
    empty.ok("key", "create", KMSFAST_PASSPHRASE="correct horse")
    empty.refused(7, "key", "list", KMSFAST_PASSPHRASE="wrong")
    assert "passphrase" in empty.refused(7, "key", "list")


def test_the_root_can_be_changed(cli: Cli) -> None:
    cli.ok("change-root", "--new-passphrase", KMSFAST_NEW_PASSPHRASE="battery staple")
    cli.refused(7, "key", "list")
    assert "alias/orders" in cli.ok("key", "list", KMSFAST_PASSPHRASE="battery staple")
    cli.refused(2, "change-root", KMSFAST_PASSPHRASE="battery staple")


def test_the_life_of_a_key(cli: Cli) -> None:
    key = cli.ok("key", "create", "--description", "d", "--tag", "a=b=c").strip()
    (cli.directory / "f").write_text("secret")
    cli.ok("encrypt", "f", "-o", "f.kms", "-k", key)

    cli.ok("key", "disable", key)
    cli.refused(5, "decrypt", "f.kms", "-o", "out")
    cli.refused(5, "encrypt", "f", "-o", "out", "-k", key)
    cli.ok("key", "enable", key)
    cli.ok("decrypt", "f.kms", "-o", "out")

    assert "cancel-deletion" in cli.ok("key", "delete", key, "--days", "7")
    cli.refused(5, "decrypt", "f.kms", "-o", "out2")
    cli.refused(5, "key", "rotate", key)
    cli.ok("key", "cancel-deletion", key)
    assert _described(cli, key)["state"] == "Disabled"
    cli.refused(5, "key", "cancel-deletion", key)
    cli.refused(2, "key", "delete", key, "--days", "3")

    cli.ok("key", "enable", key)
    cli.ok("key", "rotate", key)
    cli.ok("key", "enable-rotation", key, "--days", "90")
    cli.ok("key", "update", key, "--description", "new")
    cli.ok("key", "tag", key, "x=y")
    cli.ok("key", "untag", key, "a")
    found = _described(cli, key)
    assert found["current_version"] == len(found["versions"]) == 2
    assert found["rotation"]["period_days"] == 90
    assert (found["description"], found["tags"]) == ("new", {"x": "y"})
    cli.ok("key", "disable-rotation", key)
    assert not _described(cli, key)["rotation"]["enabled"]


def test_aliases(cli: Cli) -> None:
    key = cli.ok("key", "create").strip()
    cli.ok("key", "alias", "create", "alias/a", key)
    cli.refused(5, "key", "alias", "create", "alias/a", key)
    cli.refused(2, "key", "alias", "create", "a", key)
    cli.ok("key", "alias", "update", "alias/orders", key)
    listed = json.loads(cli.ok("key", "alias", "list", "--json"))
    assert listed == [
        {"alias": "alias/a", "key_id": key},
        {"alias": "alias/orders", "key_id": key},
    ]
    cli.ok("key", "alias", "delete", "alias/a")
    cli.refused(4, "key", "describe", "alias/a")


@pytest.mark.parametrize("command", ["rotate", "enable", "disable", "delete", "describe"])
def test_unknown_keys(cli: Cli, command: str) -> None:
    cli.refused(4, "key", command, "alias/nobody")
    cli.refused(4, "key", command, "00000000-0000-0000-0000-000000000000")


def test_doctor(cli: Cli) -> None:
    checks = {item["check"]: item for item in json.loads(cli.ok("doctor", "--json"))}
    assert set(checks) == {"core", "locked memory", "store", "root key"}
    assert "self-test passed" in checks["core"]["facts"]
    (cli.directory / "store" / "root.key").chmod(0o644)
    result = cli("doctor")
    assert "chmod 600" in result.out
    (cli.directory / "store" / "root.key").unlink()
    result = cli("doctor")
    assert result.code == 1
    assert "FAIL" in result.out


def _described(cli: Cli, key: str) -> dict:
    return json.loads(cli.ok("key", "describe", key, "--json"))


def test_regions_and_replicas(cli: Cli) -> None:
    key = cli.ok("key", "create", "--multi-region").strip()
    arn = cli.ok("key", "replicate", key, "eu-west-1", "--tag", "where=there").strip()
    assert arn == f"arn:aws:kms:eu-west-1:000000000000:key/{key}"
    (there,) = json.loads(cli.ok("--region", "eu-west-1", "key", "list", "--json"))
    assert (there["arn"], there["tags"]) == (arn, {"where": "there"})
    assert there["regions"] == ["us-east-1", "eu-west-1"]
    assert "replica" not in cli.ok("--account", "1" * 12, "key", "list")
    assert "us-east-1, eu-west-1" in cli.ok("key", "describe", key)
    assert "not a multi-region primary" in cli.refused(
        2, "--region", "eu-west-1", "key", "rotate", key
    )
    assert "primary in eu-west-1" in cli.ok("key", "update-primary-region", key, "eu-west-1")
    said = cli.ok("--region", "eu-west-1", "key", "delete", key)
    assert "30 days after the last of its replicas" in said
    assert "is no region" in cli.refused(2, "--region", "x", "key", "list")


def test_policies_are_printed_and_put(cli: Cli) -> None:
    given = cli("key", "policy", "alias/orders")
    assert json.loads(given.out)["Id"] == "key-default-1"
    document = given.out.replace("key-default-1", "mine").strip()
    (cli.directory / "policy.json").write_text(document)
    assert cli("key", "put-policy", "alias/orders", "policy.json").code == 0
    assert cli("key", "policy", "alias/orders").out.strip() == document
    (cli.directory / "policy.json").write_text("{")
    refused = cli("key", "put-policy", "alias/orders", "policy.json")
    assert (refused.code, refused.out) == (2, "")
    assert "Syntax errors in policy" in refused.err
    assert cli("key", "policy", "alias/orders").out.strip() == document


def test_a_key_with_administrators_and_users(cli: Cli) -> None:
    cli.ok("principal", "create", "ops", "--kind", "role")
    for name in ("ada", "bob"):
        cli.ok("principal", "create", name)
    root = "arn:aws:iam::000000000000"
    made = cli.ok(
        "key", "create", "--administrator", f"{root}:role/ops", "--user", f"{root}:user/ada",
        "--user", "bob", "--user", "111122223333",
    ).strip()  # fmt: skip
    statements = json.loads(cli.ok("key", "policy", made))["Statement"]
    assert [each["Principal"]["AWS"] for each in statements[1:3]] == [
        f"{root}:role/ops",
        [f"{root}:user/ada", f"{root}:user/bob", "arn:aws:iam::111122223333:root"],
    ]
    for who, action, decision in (
        ("role/ops", "kms:PutKeyPolicy", "allowed"), ("role/ops", "kms:Decrypt", "implicitDeny"),
        ("user/bob", "kms:Decrypt", "allowed"), ("user/bob", "kms:PutKeyPolicy", "implicitDeny"),
    ):  # fmt: skip
        said = cli("policy", "simulate", "--principal", f"{root}:{who}", "--action", action,
                   "--key", made).out  # fmt: skip
        assert said.split("\n")[0].split() == ["decision", decision]
    cli.refused(4, "key", "create", "--user", "eve")
    assert "user/eve" in cli.refused(2, "key", "create", "--user", f"{root}:user/eve")
    cli.refused(2, "key", "create", "--administrator", "111122223333")
