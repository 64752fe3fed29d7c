"""grant create, list, retire, revoke."""

from __future__ import annotations

import json
from typing import Any

from cli_runner import Cli

ADA, BOB = (f"arn:aws:iam::000000000000:user/{name}" for name in ("ada", "bob"))
DECRYPT = ("-o", "Decrypt")


def listed(cli: Cli, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(cli.ok("grant", "list", "--json", *arguments))[
        "Grants"
    ]
    return found


def test_the_life_of_a_grant(cli: Cli) -> None:
    options = ("--grantee", ADA, *DECRYPT, "--operation", "GenerateDataKey", "--retiring", BOB,
               "--context-subset", "table=orders", "--name", "app")  # fmt: skip
    grant_id, token = cli.ok("grant", "create", "alias/orders", *options).split("\ntoken ")
    again = json.loads(cli.ok("grant", "create", "alias/orders", *options, "--json"))
    assert again["grant_id"] == grant_id
    (found,) = listed(cli, "alias/orders")
    assert (found["GrantId"], found["Name"], found["GranteePrincipal"]) == (grant_id, "app", ADA)
    assert found["Operations"] == ["Decrypt", "GenerateDataKey"]
    assert found["Constraints"] == {"EncryptionContextSubset": {"table": "orders"}}
    assert listed(cli, "--retiring", BOB) == [found]
    assert listed(cli, "alias/orders", "--grantee", BOB) == listed(cli, "--retiring", ADA) == []
    shown = cli.ok("grant", "list", "alias/orders").splitlines()
    assert shown[0].split() == [
        "GRANT", "KEY", "NAME", "GRANTEE", "OPERATIONS", "RETIRING", "CREATED",
    ]  # fmt: skip
    assert shown[1].split()[:1] == [grant_id]
    assert cli.ok("grant", "retire", "--token", token.strip()) == "retired\n"
    assert "kmsfast grant list" in cli.refused(4, "grant", "retire", "--token", token.strip())
    assert listed(cli, "alias/orders") == []


def test_grants_are_ended_by_id(cli: Cli) -> None:
    made = [
        cli.ok("grant", "create", "alias/orders", "--grantee", ADA, *DECRYPT).split()[0]
        for _ in range(3)
    ]
    assert cli.ok("grant", "revoke", "alias/orders", made[1]) == f"{made[1]} is revoked\n"
    cli.ok("grant", "retire", "alias/orders", made[0])
    assert [grant["GrantId"] for grant in listed(cli, "alias/orders")] == [made[2]]
    cli.refused(4, "grant", "revoke", "alias/orders", made[1])
    assert "64 hexadecimal digits" in cli.refused(2, "grant", "revoke", "alias/orders", "x")


def test_a_grant_for_a_service(cli: Cli) -> None:
    service = ("grant", "create", "alias/orders", "--grantee-service", "ec2.amazonaws.com",
               *DECRYPT, "--retiring-service", "ec2.amazonaws.com")  # fmt: skip
    assert "SourceArn" in cli.refused(2, *service)
    source = "arn:aws:s3:us-east-1:000000000000:bucket"
    cli.ok(*service, "--source-arn", source, "--context-equals", "a=b")
    (found,) = listed(cli, "alias/orders")
    assert found["GranteeServicePrincipal"] == found["RetiringServicePrincipal"]
    assert found["Constraints"] == {"EncryptionContextEquals": {"a": "b"}, "SourceArn": source}


def test_wrong_usage(cli: Cli) -> None:
    create = ("grant", "create", "alias/orders")
    for arguments, words in (
        ((*create, *DECRYPT), "You must specify either GranteePrincipal"),
        ((*create, "--grantee", "ada", *DECRYPT), "ARN does not refer to a valid principal: ada"),
        ((*create, "--grantee", ADA, "-o", "Sign"), "Grant operations [Sign] are not valid"),
        ((*create, "--grantee", ADA, "-o", "Shout"), "'Shout' is no operation of grants"),
        (("grant", "list"), "name a KEY"),
        (("grant", "list", "alias/orders", "--retiring", BOB), "name a KEY"),
        (("grant", "list", "--retiring", BOB, "--grantee", ADA), "for the grants of a KEY"),
        (("grant", "retire"), "name a KEY and the id of a GRANT"),
        (("grant", "retire", "alias/orders"), "name a KEY and the id of a GRANT"),
        (("grant", "retire", "alias/orders", "--token", "x"), "name a KEY and the id"),
        (("grant", "retire", "--token", "x"), "The grant token is not valid."),
    ):
        assert words in cli.refused(2, *arguments)


def test_stored_grants_decide_a_simulation(cli: Cli) -> None:
    ask = ("policy", "simulate", "--json", "--principal", ADA, "--action", "kms:Decrypt",
           "--key", "alias/orders")  # fmt: skip
    assert cli(*ask).code == 8
    options = ("--grantee", ADA, *DECRYPT, "--context-equals", "table=orders")
    made = cli.ok("grant", "create", "alias/orders", *options).split()[0]
    assert cli(*ask).code == 8
    allowed = json.loads(cli.ok(*ask, "--context", "table=orders"))
    assert [(by["policy"], by["sid"]) for by in allowed["made_by"]] == [("grant", made)]
    (cli.directory / "none.json").write_text("[]")
    assert cli(*ask, "--context", "table=orders", "--grant", "none.json").code == 8
