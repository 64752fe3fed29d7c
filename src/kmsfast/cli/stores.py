"""``kmsfast init``, ``doctor``, ``change-root`` and ``completion``."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kmsfast.cli.credentials import credentials_option, hand_out
from kmsfast.cli.session import Session, ask_passphrase, pass_session
from kmsfast.cli.show import json_option, print_json
from kmsfast.errors import ValidationError

if TYPE_CHECKING:
    from kmsfast.local import Kms
    from kmsfast.service.principals import NewAccessKey

__all__ = ["change_root", "completion", "doctor", "init"]

NEW_PASSPHRASE_VARIABLE = "KMSFAST_NEW_PASSPHRASE"  # noqa: S105 - the name of a variable


@click.command()
@click.option("--region", help="Region of the keys' ARNs.  [default: us-east-1]")
@click.option("--account", help="Account of the keys' ARNs.  [default: 000000000000]")
@click.option(
    "--root-key",
    type=click.Path(path_type=Path, readable=False),
    help="Keep the root key in this file.",
)
@click.option("--passphrase", is_flag=True, help="Derive the root key from a passphrase.")
@credentials_option
@pass_session
def init(
    session: Session,
    /,
    *,
    root_key: Path | None,
    passphrase: bool,
    credentials: Path | None,
    region: str | None,
    account: str | None,
) -> None:
    """Make an empty store, its root key, and an administrator with an access key.

    The access key is for requests over HTTP, and on a socket the user who makes the store is the
    administrator; who can open the store needs neither.
    """
    session.choose_root(root_key, passphrase)
    root = session.root(confirm=True)

    def made() -> NewAccessKey:
        with session.open(
            create=True,
            principal=None,
            root=root,
            region=region or session.region,
            account=account or session.account,
        ) as kms:
            click.echo(f"{session.store} is a key store now")
            _say_where(session, root)
            created = kms.principals.create_administrator()
            _map_me(kms, created.arn)
            return created

    hand_out(made, credentials)


def _map_me(kms: Kms, arn: str) -> None:
    """Whoever makes a store is its administrator on a socket as well, where the uid is one."""
    uid = os.getuid()
    with suppress(ValidationError):  # of a user namespace that does not know its user
        kms.principals.map_uid(uid, arn)
        click.echo(f"on a socket, uid {uid} is the administrator")


def _say_where(session: Session, root: Any) -> None:
    """Where the root key is, which is all that must not be lost."""
    import kmsfast

    if isinstance(root, kmsfast.Passphrase):
        click.echo("without the passphrase nothing in it can be opened; nobody can recover it")
        return
    path = Path(root.path if root is not None else session.store / "root.key").absolute()
    click.echo(
        f"root key: {path}; without this file nothing in the store can be opened: back it up"
    )


@click.command("change-root")
@click.option(
    "--new-root-key",
    type=click.Path(path_type=Path, readable=False),
    help="Keep it in this file; made when it is not there.",
)
@click.option(
    "--new-passphrase",
    is_flag=True,
    help=f"Derive it from a passphrase ({NEW_PASSPHRASE_VARIABLE}).",
)
@pass_session
def change_root(session: Session, new_root_key: Path | None, new_passphrase: bool) -> None:
    """Put the store under another root key; keys and blobs stay as they are."""
    import kmsfast

    if (new_root_key is None) != new_passphrase:
        raise click.UsageError("give either --new-root-key or --new-passphrase")
    if new_root_key is not None:
        root: Any = kmsfast.RootKeyFile(new_root_key)
    else:
        text = ask_passphrase("New passphrase", confirm=True, variable=NEW_PASSPHRASE_VARIABLE)
        root = kmsfast.Passphrase(text)
    session.own.change_root(root)
    click.echo("the store opens with the new root key only; backups still need the old one")


@click.command()
@json_option
@pass_session
def doctor(session: Session, as_json: bool) -> int:
    """Check the C core, the locking of memory, the store and its root key."""
    from kmsfast.cli.diagnosis import diagnose

    checks = diagnose(session)
    if as_json:
        print_json([{"check": c.name, "verdict": c.verdict, "facts": c.facts} for c in checks])
    else:
        for item in checks:
            click.echo(f"{item.verdict:<5} {item.name}: {item.facts}")
    return int(any(item.verdict == "FAIL" for item in checks))


@click.command()
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print a script that completes commands, options and file names.

    SHELL is bash, zsh or fish.
    """
    from click.shell_completion import get_completion_class

    from kmsfast.cli.main import cli

    made = get_completion_class(shell)
    if made is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(made(cli, {}, "kmsfast", "_KMSFAST_COMPLETE").source())
