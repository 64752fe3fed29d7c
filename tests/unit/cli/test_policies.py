"""policy simulate and check: what a user sees of decisions and of mistakes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import golden
import pytest
from cli_runner import Cli

import kmsfast

ROOT = "arn:aws:iam::000000000000:root"
ADA = "arn:aws:iam::000000000000:user/ada"
SESSION = "arn:aws:sts::000000000000:assumed-role/app/run"
KEY = "arn:aws:kms:eu-west-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
USE = {"Sid": "use", "Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*"}


def written(directory: Path, name: str, *statements: dict[str, Any]) -> str:
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    (directory / name).write_text(json.dumps(document, indent=1))
    return name


def asked(cli: Cli, *options: str | Path, principal: str = ADA, action: str = "kms:Decrypt") -> Any:
    """The answer to --json, whose decision agrees with the exit code."""
    result = cli("policy", "simulate", "--json", "--principal", principal, "--action", action,
                 *options)  # fmt: skip
    assert result.err == ""
    answer = json.loads(result.out)
    assert result.code == (0 if answer["decision"] == "allowed" else 8)
    return answer


def test_a_key_without_policy_has_the_default_policy(cli: Cli) -> None:
    options = ("--key", "alias/orders")
    denied = asked(cli, *options)
    assert denied["decision"] == "implicitDeny"
    assert denied["steps"][0]["sid"] == "Enable IAM User Permissions"
    policy = written(cli.directory, "ada.json", USE)
    allowed = asked(cli, *options, "--identity-policy", policy)
    assert [item["policy"] for item in allowed["made_by"]] == ["default key policy", "ada.json"]
    assert asked(cli, *options, principal=ROOT)["decision"] == "allowed"


def test_the_table_says_which_statement_and_why_the_others_did_not(cli: Cli) -> None:
    policy = written(
        cli.directory, "ada.json",
        {**USE, "Condition": {"StringEquals": {"kms:EncryptionContext:table": "orders"}}},
        {"Sid": "net", "Effect": "Deny", "Action": "*", "Resource": "*",
         "Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}},
    )  # fmt: skip
    options = ["policy", "simulate", "--principal", ADA, "--action", "Decrypt",
               "--key", "alias/orders", "--identity-policy", policy]  # fmt: skip
    inside = [*options, "--request-key", "aws:SourceIp=10.1.2.3"]
    shown = cli.ok(*inside, "--context", "table=orders")
    assert "decision  allowed" in shown
    assert "made by   default key policy Statement[0]" in shown
    assert "'10.0.0.0/8'; the request has '10.1.2.3'" in shown
    outside = cli(*options, "--request-key", "aws:SourceIp=192.0.2.1")
    assert (outside.code, outside.err) == (8, "")
    assert "made by   ada.json Statement[1] (net)" in outside.out
    assert "'orders'; the request has 'people'" in cli(*inside, "--context", "table=people").out


def test_the_stored_policy_of_a_key_decides(cli: Cli) -> None:
    document = json.dumps({"Statement": [{**USE, "Principal": {"AWS": ADA}}]})
    with kmsfast.open(cli.directory / "store") as kms:
        key = kms.create_key(policy=document, alias="alias/own", tags={"team": "blue"})
        other = kms.create_key()
    assert asked(cli, "--key", key.id)["made_by"][0]["policy"] == "key policy"
    assert asked(cli, "--key", key.arn, principal=ROOT)["decision"] == "implicitDeny"
    by_alias = written(
        cli.directory, "alias.json",
        {**USE, "Principal": "*", "Condition": {"StringEquals": {"kms:RequestAlias": "alias/own"}}},
    )  # fmt: skip
    for name in ("alias/own", key.arn.replace(f"key/{key.id}", "alias/own")):
        assert asked(cli, "--key", name, "--policy", by_alias)["decision"] == "allowed"
    assert asked(cli, "--key", key.id, "--policy", by_alias)["decision"] == "implicitDeny"
    by_tag = written(
        cli.directory, "tag.json",
        {**USE, "Condition": {"StringEquals": {"aws:ResourceTag/team": "blue"}}},
    )  # fmt: skip
    account = written(cli.directory, "root.json", {**USE, "Principal": {"AWS": ROOT}})
    options = ("--policy", account, "--identity-policy", by_tag)
    assert asked(cli, "--key", key.id, *options)["decision"] == "allowed"
    assert asked(cli, "--key", other.id, *options)["decision"] == "implicitDeny"
    assert asked(cli, "--key", key.arn, *options)["decision"] == "allowed"


def test_a_stored_policy_that_cannot_be_read_allows_nothing(empty: Cli) -> None:
    shutil.copytree(golden.DIRECTORY / "0.1.0-schema-1" / "store", empty.directory / "store")
    for path in (empty.directory / "store", *(empty.directory / "store").iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o600)
    result = empty("policy", "simulate", "--principal", ROOT, "--action", "kms:Decrypt",
                   "--key", "alias/second-name")  # fmt: skip
    assert result.code == 8
    assert "cannot be read and so allows nothing: Syntax errors in policy." in result.err
    assert "neither the key policy nor a grant allows the caller" in result.out


def test_a_key_that_no_store_has(empty: Cli) -> None:
    policy = written(empty.directory, "key.json", {**USE, "Principal": {"AWS": ADA}})
    assert asked(empty, "--key", KEY, "--policy", policy)["decision"] == "allowed"
    empty.refused(4, "policy", "simulate", "--principal", ADA, "--action", "Decrypt", "--key", KEY)
    identity = written(empty.directory, "may.json", {**USE, "Action": "kms:CreateKey"})
    created = asked(empty, "--identity-policy", identity, action="kms:CreateKey")
    assert created["decision"] == "allowed"
    alias = KEY.replace("key/1234abcd", "alias/a")
    named = written(empty.directory, "alias.json", {**USE, "Action": "*", "Resource": alias})
    options = ("--alias", alias, "--identity-policy", named)
    assert asked(empty, *options, action="kms:CreateAlias")["decision"] == "allowed"


def test_grants_and_their_tokens(empty: Cli) -> None:
    silent = written(empty.directory, "key.json", {**USE, "Principal": {"AWS": ROOT}})
    entry = {"GrantId": "g1", "KeyId": KEY, "GranteePrincipal": ADA, "RetiringPrincipal": ROOT,
             "Operations": ["Decrypt", "CreateGrant"], "Settled": False, "GrantToken": "t",
             "Constraints": {"EncryptionContextSubset": {"a": "b"}}}  # fmt: skip
    (empty.directory / "grants.json").write_text(json.dumps({"Grants": [entry]}))
    child = {"GranteePrincipal": ROOT, "Operations": ["Decrypt"],
             "Constraints": {"EncryptionContextEquals": {"a": "b"}}}  # fmt: skip
    (empty.directory / "child.json").write_text(json.dumps(child))
    options = ("--key", KEY, "--policy", silent, "--grant", "grants.json", "--context", "a=b")
    assert "its token" in asked(empty, *options)["steps"][1]["why"]
    used = asked(empty, *options, "--grant-token", "t")
    assert used["made_by"] == [
        {"policy": "grant", "statement": None, "sid": "g1", "effect": "Allow"}
    ]
    make = ("--grant-token", "t", "--for-grant", "child.json")
    assert asked(empty, *options, *make, action="CreateGrant")["decision"] == "allowed"
    retire = ("--key", KEY, "--policy", silent, "--for-grant", "grants.json")
    assert asked(empty, *retire, principal=ROOT, action="RetireGrant")["decision"] == "allowed"
    assert asked(empty, *retire, action="RetireGrant")["decision"] == "implicitDeny"
    simulate = ("policy", "simulate", "--principal", ADA, "--action", "Decrypt")
    other = ("--key", KEY[:-1] + "c", "--policy", silent, "--grant", "grants.json")
    assert "a grant on another key" in empty.refused(2, *simulate, *other)


def test_sessions_and_the_time_of_the_request(empty: Cli) -> None:
    role = "arn:aws:iam::000000000000:role/path/app"
    policy = written(
        empty.directory, "key.json",
        {**USE, "Principal": {"AWS": role},
         "Condition": {"DateLessThan": {"aws:CurrentTime": "2020-01-01"},
                       "ForAllValues:StringEquals": {"aws:TagKeys": ["a", "b"]}}},
    )  # fmt: skip
    options = ["--key", KEY, "--policy", policy, "--role", role,
               "--request-key", "aws:TagKeys=a", "--request-key", "aws:TagKeys=b"]  # fmt: skip
    past = ["--request-key", "aws:CurrentTime=2019-12-31T23:59:59Z"]
    assert asked(empty, *options, principal=SESSION)["decision"] == "implicitDeny"
    assert asked(empty, *options, *past, principal=SESSION)["decision"] == "allowed"


WRONG = [
    (["--principal", "ada", "--action", "Decrypt", "--key", KEY], "is no principal"),
    (["--principal", ADA, "--action", "Fly", "--key", KEY], "is no action of AWS KMS"),
    (["--principal", ADA, "--action", "ReEncrypt", "--key", KEY], "kms:ReEncryptFrom on"),
    (["--principal", ADA, "--action", "ListKeys", "--key", KEY], "is not about a key"),
    (["--principal", ADA, "--action", "RetireGrant", "--key", KEY], "give the one to retire"),
    (["--principal", ADA, "--action", "Decrypt", "--key", KEY, "--grant", "good.json"],
     "GranteePrincipal of a grant is missing"),
    (["--principal", ADA, "--action", "Decrypt", "--key", KEY, "--grant", "bad.json"], "no JSON"),
    (["--principal", ADA, "--action", "Decrypt", "--key", KEY, "--identity-policy", "good.json"],
     "good.json: Policy document should not specify a principal."),
    (["--principal", ADA, "--action", "Decrypt", "--key", KEY, "--request-key",
      "aws:CurrentTime=noon"], "is no date"),
    (["--principal", ADA, "--action", "Decrypt", "--key", KEY, "--role", ADA], "is no session"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "says"), WRONG, ids=[says for _, says in WRONG])
def test_wrong_questions(empty: Cli, options: list[str], says: str) -> None:
    written(empty.directory, "good.json", {**USE, "Principal": "*"})
    (empty.directory / "bad.json").write_text("{")
    assert says in empty.refused(2, "policy", "simulate", "--policy", "good.json", *options)


def test_a_policy_without_mistake(empty: Cli) -> None:
    policy = written(empty.directory, "key.json", {**USE, "Principal": {"AWS": ROOT}})
    assert empty.ok("policy", "check", policy) == "key.json: nothing is wrong with it\n"
    assert json.loads(empty.ok("policy", "check", policy, "--json")) == []
    identity = written(empty.directory, "ada.json", USE)
    assert "nothing is wrong" in empty.ok("policy", "check", "--identity", identity)


def test_every_mistake_has_its_position(empty: Cli) -> None:
    text = '{"Statement": [\n {"Effect": "Perhaps",\n  "Principal": {"AWS": "ada"}}\n]}'
    (empty.directory / "key.json").write_text(text)
    result = empty("policy", "check", "key.json")
    assert (result.code, result.err) == (2, "")
    lines = result.out.splitlines()
    assert lines[0].startswith("key.json:2:2: warning: Statement[0]")
    assert lines[1].startswith("key.json:2:13: error: Syntax errors in policy. Statement[0].Effect")
    assert lines[2].startswith("key.json:3:24: error: Policy contains a statement with one or more")
    found = json.loads(empty("policy", "check", "--json", "key.json").out)
    assert [(item["level"], item["line"], item["column"]) for item in found] == [
        ("warning", 2, 2), ("error", 2, 13), ("error", 3, 24),
    ]  # fmt: skip
    text = '{"Statement": {"Sid": "\\u001b[2J", "Effect": "Perhaps", "Principal": "*"}}'
    (empty.directory / "key.json").write_text(text)
    assert "\x1b" not in empty("policy", "check", "key.json").out
    (empty.directory / "key.json").write_bytes(b"\xff")
    assert "not UTF-8 at byte 0" in empty.refused(2, "policy", "check", "key.json")
    (empty.directory / "key.json").write_text(" " * 40_000)
    assert "at most 32768" in empty.refused(5, "policy", "check", "key.json")
    empty.refused(6, "policy", "check", "missing.json")


def test_whoever_would_lock_himself_out_is_told(empty: Cli) -> None:
    policy = written(empty.directory, "key.json", {**USE, "Principal": {"AWS": ADA}})
    check = ("policy", "check", policy, "--principal", ADA)
    told = empty.refused(2, *check)
    assert "The new key policy will not allow you to update the key policy in the future." in told
    empty.ok(*check, "--bypass-policy-lockout-safety-check")
    delegating = written(
        empty.directory, "key.json", {**USE, "Action": "kms:*", "Principal": {"AWS": ROOT}}
    )
    identity = written(empty.directory, "ada.json", {**USE, "Action": "kms:Put*"})
    empty.refused(2, "policy", "check", delegating, "--principal", ADA)
    empty.ok("policy", "check", delegating, "--principal", ADA, "--identity-policy", identity)
    empty.ok("policy", "check", delegating, "--principal", ROOT)
    empty.refused(2, "policy", "check", "--identity", identity, "--principal", ADA)
    empty.refused(2, "policy", "check", policy, "--identity-policy", identity)
