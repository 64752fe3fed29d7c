"""``kmsfast grant``: who else may use a key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from kmsfast.cli.arguments import Pair, pairs
from kmsfast.cli.keys import key_argument
from kmsfast.cli.session import Session, pass_session
from kmsfast.cli.show import json_option, moment, print_json, table

if TYPE_CHECKING:
    from kmsfast.model.policy_grant import Grant

__all__ = ["grant"]


@click.group()
def grant() -> None:
    """Grants: let others use a key, list, retire, revoke. They decide over HTTP."""


def _operations(_context: Any, _parameter: Any, begun: str) -> list[str]:
    from kmsfast.model.policy_actions import GRANTABLE

    return sorted(name for name in GRANTABLE if name.lower().startswith(begun.lower()))


@grant.command()
@key_argument
@click.option("--grantee", "grantee_principal", metavar="ARN", help="Who may use the key.")
@click.option(
    "--grantee-service", "grantee_service_principal", metavar="NAME",
    help="Or a service, as ec2.amazonaws.com; with --source-arn and who retires the grant.",
)  # fmt: skip
@click.option(
    "-o", "--operation", "operations", multiple=True, required=True, metavar="NAME",
    shell_complete=_operations,
    help="What it allows, as AWS names it: Decrypt, GenerateDataKey, Sign... Repeatable.",
)  # fmt: skip
@click.option("--retiring", "retiring_principal", metavar="ARN", help="Who may retire it.")
@click.option(
    "--retiring-service", "retiring_service_principal", metavar="NAME", help="Or a service."
)
@click.option(
    "--context-equals", type=Pair(), multiple=True,
    help="A pair of exactly the encryption context that requests must have. Repeatable.",
)  # fmt: skip
@click.option(
    "--context-subset", type=Pair(), multiple=True,
    help="A pair that the encryption context must have among others. Repeatable.",
)  # fmt: skip
@click.option("--source-arn", metavar="ARN", help="On whose behalf requests must be made.")
@click.option("--name", help="The same name and options again give the same grant.")
@json_option
@pass_session
def create(
    session: Session,
    /,
    key_name: str,
    *,
    operations: tuple[str, ...],
    context_equals: tuple[tuple[str, str], ...],
    context_subset: tuple[tuple[str, str], ...],
    as_json: bool,
    **given: str | None,
) -> None:
    """Create a grant, and print its id and a token that names it."""
    made = session.kms.key(key_name).create_grant(
        operations,
        encryption_context_equals=pairs(context_equals, "--context-equals"),
        encryption_context_subset=pairs(context_subset, "--context-subset"),
        **given,
    )
    if as_json:
        print_json({"grant_id": made.grant_id, "grant_token": made.grant_token})
    else:
        click.echo(made.grant_id)
        click.echo(f"token {made.grant_token}")


@grant.command("list")
@click.argument("key_name", metavar="[KEY]", required=False)
@click.option("--grantee", metavar="ARN", help="Only those of this grantee.")
@click.option(
    "--retiring", metavar="ARN",
    help="Those of all keys that this principal may retire, instead of those of a key.",
)  # fmt: skip
@json_option
@pass_session
def list_grants(
    session: Session, key_name: str | None, grantee: str | None, retiring: str | None, as_json: bool
) -> None:
    """List the grants of a key, or those that a principal may retire."""
    if (key_name is None) == (retiring is None):
        raise click.UsageError("name a KEY, or a principal with --retiring")
    if key_name is None:
        if grantee is not None:
            raise click.UsageError("--grantee is for the grants of a KEY")
        found = session.kms.retirable_grants(str(retiring))
    else:
        found = session.kms.key(key_name).grants(grantee)
    _show(sorted(found, key=lambda each: (each.created_at, each.id)), as_json)


@grant.command()
@click.argument("key_name", metavar="[KEY]", required=False)
@click.argument("grant_id", metavar="[GRANT]", required=False)
@click.option("--token", help="A token of the grant, instead of KEY and GRANT.")
@pass_session
def retire(session: Session, key_name: str | None, grant_id: str | None, token: str | None) -> None:
    """End a grant whose work is done."""
    if (token is None) == (key_name is None) or (key_name is None) != (grant_id is None):
        raise click.UsageError("name a KEY and the id of a GRANT, or give a --token")
    if token is not None:
        session.kms.retire_grant(token)
    else:
        session.kms.key(str(key_name)).retire_grant(str(grant_id))
    click.echo("retired")


@grant.command()
@key_argument
@click.argument("grant_id", metavar="GRANT")
@pass_session
def revoke(session: Session, key_name: str, grant_id: str) -> None:
    """End a grant, whoever needs it."""
    session.kms.key(key_name).revoke_grant(grant_id)
    click.echo(f"{grant_id} is revoked")


def _show(grants: Iterable[Grant], as_json: bool) -> None:
    if as_json:
        # The form of ListGrants, which 'kmsfast policy simulate --grant' reads.
        print_json({"Grants": [each.to_api() for each in grants]})
        return
    table(
        ("GRANT", "KEY", "NAME", "GRANTEE", "OPERATIONS", "RETIRING", "CREATED"),
        [
            (
                each.id,
                str(each.key_arn).rpartition("/")[2],
                each.name,
                each.grantee,
                ",".join(sorted(each.operations)),
                each.retiring,
                moment(each.created_at),
            )
            for each in grants
        ],
    )
