"""``kmsfast principal``, ``access-key`` and ``group``: who there is, and how they are known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmsfast.cli.arguments import Pair, pairs
from kmsfast.cli.credentials import credentials_option, hand_out
from kmsfast.cli.documents import file_type, text_of
from kmsfast.cli.session import Session, pass_session
from kmsfast.cli.show import facts, json_option, moment, print_json, table

if TYPE_CHECKING:
    from kmsfast.model.principal import AccessKey, Identity

__all__ = ["access_key", "group", "principal"]

principal_argument = click.argument("name", metavar="PRINCIPAL")
access_key_argument = click.argument("access_key_id", metavar="ACCESS-KEY")


@click.group()
def principal() -> None:
    """Users, roles, groups and accounts, named by ARN or by name in the store's account."""


@principal.command()
@click.argument("name", metavar="NAME")
@click.option(
    "--kind", type=click.Choice(["user", "role", "group", "account"]), default="user",
    show_default=True, help="What to create; an account is named by its 12 digits.",
)  # fmt: skip
@click.option("--tag", "tags", type=Pair(), multiple=True, help="aws:PrincipalTag. Repeatable.")
@click.option("--administrator", is_flag=True, help="Let it do everything with keys.")
@json_option
@pass_session
def create(
    session: Session,
    /,
    name: str,
    *,
    kind: str,
    tags: tuple[tuple[str, str], ...],
    administrator: bool,
    as_json: bool,
) -> None:
    """Create a user, role, group or account; print its ARN."""
    known = session.own.principals
    given = pairs(tags, "--tag")
    if given and kind in {"group", "account"}:
        raise click.UsageError(f"--tag is for users and roles, not for a {kind}")
    if administrator and kind == "account":
        raise click.UsageError("the root user of an account has no policies; it may do everything")
    if kind == "account":
        made = known.create_account(name)
    elif kind == "group":
        made = known.create_group(name)
    else:
        made = (known.create_role if kind == "role" else known.create_user)(name, given)
    if administrator:
        from kmsfast.service.principals import ADMINISTRATOR, ADMINISTRATOR_POLICY

        known.attach_policy(made.arn, ADMINISTRATOR, ADMINISTRATOR_POLICY)
    if as_json:
        print_json(_described(made))
    else:
        click.echo(made.arn)


@principal.command("list")
@json_option
@pass_session
def list_principals(session: Session, as_json: bool) -> None:
    """List all principals, and the uids and gids that are mapped."""
    known = session.own.principals
    found = known.known()
    mapped = known.mapped()
    if as_json:
        print_json({
            "principals": [_described(each) for each in found],
            "mapped": [{"kind": kind, "number": number, "arn": arn}
                       for (kind, number), arn in mapped.items()],
        })  # fmt: skip
        return
    table(
        ("ARN", "ID", "ACCESS KEYS"),
        [(each.arn, each.unique_id, len(known.access_keys(each.arn))) for each in found],
    )
    for (kind, number), arn in mapped.items():
        click.echo(f"{kind} {number} is {arn}")


@principal.command()
@principal_argument
@json_option
@pass_session
def show(session: Session, name: str, as_json: bool) -> None:
    """Show a principal, its access keys, policies and groups."""
    known = session.own.principals
    found = known.get(name)
    keys, policies = known.access_keys(found.arn), known.policies(found.arn)
    groups = known.groups(found.arn)
    members = known.members(found.arn) if found.kind == "group" else []
    if as_json:
        described = {"access_keys": [_key(each) for each in keys], "policies": policies}
        print_json({**_described(found), **described, "groups": groups, "members": members})
        return
    facts(
        {
            "arn": found.arn,
            "id": found.unique_id,
            "created": moment(found.created_at),
            "tags": ", ".join(f"{key}={value}" for key, value in found.tags.items()),
            "access keys": ", ".join(
                each.id + ("" if each.active else " (inactive)") for each in keys
            ),
            "policies": ", ".join(policies),
            "groups": ", ".join(groups),
            "members": ", ".join(members),
        }
    )


@principal.command()
@principal_argument
@pass_session
def delete(session: Session, name: str) -> None:
    """Delete a principal and all that belongs to it."""
    session.own.principals.delete(name)


@principal.command("attach-policy")
@principal_argument
@click.argument("document", metavar="FILE", type=file_type)
@click.option("--name", "policy_name", help="Its name.  [default: that of the file]")
@pass_session
def attach_policy(session: Session, name: str, document: Path, policy_name: str | None) -> None:
    """Put an identity policy on a user, a role or a group."""
    if policy_name is None and str(document) == "-":
        raise click.UsageError("a policy from standard input needs --name")
    text = text_of(document)
    session.own.principals.attach_policy(name, policy_name or document.stem, text)


@principal.command("detach-policy")
@principal_argument
@click.argument("policy_name", metavar="POLICY")
@pass_session
def detach_policy(session: Session, name: str, policy_name: str) -> None:
    """Take an identity policy away."""
    session.own.principals.detach_policy(name, policy_name)


@principal.command("apply", short_help="Make principals what a file says.")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, readable=False))
@click.option("--dry-run", is_flag=True, help="Only print what would change.")
@click.option("--prune", is_flag=True, help="Also remove what the file does not have.")
@json_option
@pass_session
def apply_file(session: Session, file: Path, dry_run: bool, prune: bool, as_json: bool) -> None:
    """Make users, roles, groups, policies and mapped ids what FILE says, all or nothing.

    Prints a line for each change: + is added, ~ changed, - removed.
    """
    changes = session.kms.principals.apply(file, prune=prune, dry_run=dry_run)
    if as_json:
        print_json([
            {"change": str(each.sign), "what": each.what, "principal": each.arn,
             "name": each.name or None, "detail": each.detail or None}
            for each in changes
        ])  # fmt: skip
        return
    for each in changes:
        click.echo(str(each))
    if not changes:
        click.echo("nothing to change")
    elif dry_run:
        click.echo("nothing was changed (--dry-run)")


@principal.command()
@pass_session
def export(session: Session) -> None:
    """Print the file that makes these principals again; access keys are not in it."""
    click.echo(session.kms.principals.export(), nl=False)


def _mapping(kind: str, what: str) -> None:
    """The two commands on uids or on gids."""

    @principal.command(f"map-{kind}", short_help=f"Say which principal a {what} is.")
    @click.argument("number", metavar=kind.upper(), type=int)
    @principal_argument
    @pass_session
    def mapping(session: Session, number: int, name: str) -> None:
        known = session.own.principals
        (known.map_uid if kind == "uid" else known.map_gid)(number, name)

    @principal.command(f"unmap-{kind}", short_help=f"Say that a {what} is nobody.")
    @click.argument("number", metavar=kind.upper(), type=int)
    @pass_session
    def unmapping(session: Session, number: int) -> None:
        known = session.own.principals
        (known.unmap_uid if kind == "uid" else known.unmap_gid)(number)

    mapping.help = f"Say which principal a {what} of this machine is."
    unmapping.help = f"Say that a {what} of this machine is nobody."


_mapping("uid", "user")
_mapping("gid", "group")


# ---- access keys --------------------------------------------------------------------------------


@click.group("access-key")
def access_key() -> None:
    """Access keys, with which requests over HTTP are signed."""


@access_key.command("create")
@principal_argument
@click.option("--session", "session_name", help="Of a role: the name of the session.")
@credentials_option
@json_option
@pass_session
def create_access_key(
    session: Session, name: str, session_name: str | None, credentials: Path | None, as_json: bool
) -> None:
    """Make an access key; its secret is shown this once."""
    hand_out(
        lambda: session.own.principals.create_access_key(name, session_name),
        credentials,
        as_json=as_json,
    )


@access_key.command("list")
@principal_argument
@json_option
@pass_session
def list_access_keys(session: Session, name: str, as_json: bool) -> None:
    """List the access keys of a principal."""
    found = session.own.principals.access_keys(name)
    if as_json:
        print_json([_key(each) for each in found])
        return
    table(
        ("ACCESS KEY", "STATUS", "CREATED", "SESSION"),
        [(each.id, _status(each), moment(each.created_at), each.session) for each in found],
    )


@access_key.command()
@access_key_argument
@pass_session
def activate(session: Session, access_key_id: str) -> None:
    """Accept an access key again."""
    session.own.principals.set_access_key(access_key_id, active=True)


@access_key.command()
@access_key_argument
@pass_session
def deactivate(session: Session, access_key_id: str) -> None:
    """Accept an access key no more, until it is activated."""
    session.own.principals.set_access_key(access_key_id, active=False)


@access_key.command("delete")
@access_key_argument
@pass_session
def delete_access_key(session: Session, access_key_id: str) -> None:
    """Delete an access key."""
    session.own.principals.delete_access_key(access_key_id)


# ---- groups -------------------------------------------------------------------------------------


@click.group()
def group() -> None:
    """Members of groups; 'kmsfast principal create --kind group' makes one."""


@group.command()
@click.argument("name", metavar="GROUP")
@click.argument("user", metavar="USER")
@pass_session
def add(session: Session, name: str, user: str) -> None:
    """Put a user into a group."""
    session.own.principals.add_to_group(user, name)


@group.command()
@click.argument("name", metavar="GROUP")
@click.argument("user", metavar="USER")
@pass_session
def remove(session: Session, name: str, user: str) -> None:
    """Take a user out of a group."""
    session.own.principals.remove_from_group(user, name)


def _described(found: Identity) -> dict[str, Any]:
    return {
        "arn": found.arn,
        "id": found.unique_id,
        "kind": found.kind,
        "created_at": found.created_at,
        "tags": dict(found.tags),
    }


def _key(key: AccessKey) -> dict[str, Any]:
    return {
        "access_key_id": key.id,
        "status": _status(key),
        "created_at": key.created_at,
        "session": key.session,
    }


def _status(key: AccessKey) -> str:
    return "Active" if key.active else "Inactive"
