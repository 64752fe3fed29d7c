"""The command ``kmsfast``: its groups, the options in front of every command, and the way out."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import click

from kmsfast.cli.exits import run
from kmsfast.cli.lazily import Commands
from kmsfast.cli.session import Session, default_store

__all__ = ["cli", "main"]

#: Imports make tens of thousands of objects that all stay; to look at them again and again is slow.
_COLLECT_AFTER = 100_000
#: Where each command is, and what it does.
_COMMANDS = {
    "init": ("stores.init", "Make an empty store."),
    "key": ("keys.key", "Keys: create, list, rotate, disable, delete."),
    "grant": ("grants.grant", "Grants: let others use a key, list, retire, revoke."),
    "principal": ("principals.principal", "Users, roles and groups: create, list, delete."),
    "access-key": ("principals.access_key", "Access keys: create, list, deactivate, delete."),
    "group": ("principals.group", "Put users into groups."),
    "key-store": ("key_stores.key_store", "Custom key stores: tokens and XKS proxies."),
    "policy": ("policies.policy", "Check policies, and ask what they decide."),
    "material": ("materials.material", "Import key material from elsewhere."),
    "encrypt": ("files.encrypt", "Encrypt columns of a table, or a file."),
    "decrypt": ("files.decrypt", "Decrypt columns of a table, or a file."),
    "rewrap": ("files.rewrap", "Bring a file to the newest key version."),
    "inspect": ("inspecting.inspect", "Show keys and versions of a file."),
    "sign": ("signatures.sign", "Sign a file, a directory of files, or digests."),
    "verify": ("signatures.verify", "Verify signatures; wrong ones end with code 3."),
    "mac": ("macs.mac", "Make or verify the MAC of a file, or of lines."),
    "public-key": ("pairs.public_key", "Print the public key of a key pair."),
    "derive": ("pairs.derive", "Derive a shared secret from two keys."),
    "encapsulate": ("pairs.encapsulate", "Make a shared secret for whoever has a key."),
    "decapsulate": ("pairs.decapsulate", "Recover a shared secret that was sent."),
    "data-key-pair": ("pairs.data_key_pair", "Make a key pair for use elsewhere."),
    "audit": ("auditing.audit", "Who did what: search and verify the audit log."),
    "quota": ("quotas.quota", "Quotas: what there may be, and what there is."),
    "cost": ("costs.cost", "What the recorded use would have cost on AWS."),
    "serve": ("serving.serve", "Serve the AWS KMS API over HTTP."),
    "env": ("serving.env", "Print the exports with which AWS clients find the server."),
    "bench": ("bench.bench", "Measure this machine, or a running server."),
    "doctor": ("stores.doctor", "Check core, memory, store and root key."),
    "change-root": ("stores.change_root", "Put the store under another root key."),
    "completion": ("stores.completion", "Print a script of shell completion."),
}
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


def _version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"kmsfast {version('kmsfast')}")
        context.exit()


@click.group(cls=Commands, places=_COMMANDS, context_settings=_SETTINGS)
@click.option(
    "--store",
    type=click.Path(path_type=Path, readable=False),
    envvar="KMSFAST_STORE",
    default=default_store,
    show_default="~/.local/share/kmsfast",
    help="Directory of the key store.  [env: KMSFAST_STORE]",
)
@click.option(
    "--root-key",
    type=click.Path(path_type=Path, readable=False),
    envvar="KMSFAST_ROOT_KEY",
    help="File with the root key, if it lies elsewhere than the store remembers."
    "  [env: KMSFAST_ROOT_KEY]",
)
@click.option(
    "--passphrase",
    is_flag=True,
    help="Ask for the passphrase that opens the store, unless KMSFAST_PASSPHRASE has it.",
)
@click.option("--region", help="Region whose keys are meant.  [default: the store's]")
@click.option("--account", help="Account whose keys are meant.  [default: the store's]")
@click.option(
    "--key-stores",
    type=click.Path(path_type=Path, readable=False),
    envvar="KMSFAST_KEY_STORES",
    help="File that says what stands behind custom key stores.  [env: KMSFAST_KEY_STORES]",
)
@click.option(
    "--principal",
    metavar="NAME",
    envvar="KMSFAST_PRINCIPAL",
    help="Name or ARN of the principal that policies decide about, instead of the owner."
    "  [env: KMSFAST_PRINCIPAL]",
)
@click.option(
    "--audit",
    type=click.Choice(["on", "off", "strict"]),
    envvar="KMSFAST_AUDIT",
    default="on",
    show_default=True,
    help="Whether operations are recorded.  [env: KMSFAST_AUDIT]",
)
@click.option(
    "--socket",
    type=click.Path(path_type=Path, readable=False),
    envvar="KMSFAST_SOCKET",
    help="Socket of a running server whose keys are meant, instead of a store."
    "  [env: KMSFAST_SOCKET]",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
@click.pass_context
def cli(
    context: click.Context,
    /,
    *,
    store: Path,
    root_key: Path | None,
    passphrase: bool,
    region: str | None,
    account: str | None,
    key_stores: Path | None,
    principal: str | None,
    audit: str,
    socket: Path | None,
) -> None:
    """Keys that rotate, and columns, tables and files encrypted under them."""
    context.obj = Session(
        store, root_key, passphrase, region=region, account=account, key_stores=key_stores,
        socket=socket, principal=principal, audit=audit,
    )  # fmt: skip
    context.call_on_close(context.obj.close)


def main() -> None:
    """Entry point of the program, which for most commands is half of what they do."""
    # numpy's linear algebra starts a thread per processor, which spins; nothing here asks for any.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(_COLLECT_AFTER)
    try:
        sys.exit(run(lambda: cli.main(prog_name="kmsfast", standalone_mode=False)))
    finally:
        gc.freeze()  # the interpreter would look for cycles among the modules, which go anyway


if __name__ == "__main__":
    main()
