"""``kmsfast key-store``: custom key stores. Secrets come from the environment or the terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from kmsfast.cli.session import Session, ask_passphrase, pass_session
from kmsfast.cli.show import json_option, moment, print_json, table
from kmsfast.errors import CustomKeyStoreInvalidState

if TYPE_CHECKING:
    from kmsfast.model.key_store import CustomKeyStore, ProxyCredential

__all__ = ["key_store"]

SECRET_VARIABLE: Final = "KMSFAST_KEY_STORE_SECRET"  # noqa: S105 - the name of a variable
_CLOUDHSM: Final = "AWS_CLOUDHSM"

id_argument = click.argument("key_store_id", metavar="ID")
cluster_option = click.option(
    "--cluster-id", metavar="ID", help="CloudHSM cluster that a configured token stands for."
)
endpoint_option = click.option(
    "--uri-endpoint", metavar="URL", help="https:// and the host of the XKS proxy."
)
path_option = click.option(
    "--uri-path", metavar="PATH", help="Path of the XKS proxy, which ends with /kms/xks/v1."
)
access_key_option = click.option(
    "--access-key-id", metavar="ID", help="Signs requests to the XKS proxy, with a secret."
)


@click.group("key-store")
def key_store() -> None:
    """Custom key stores: PKCS#11 tokens and XKS proxies that keep the material of keys."""


@key_store.command()
@click.argument("name")
@click.option(
    "--type", "kind", type=click.Choice([_CLOUDHSM, "EXTERNAL_KEY_STORE"]), default=_CLOUDHSM,
    show_default=True, help="AWS_CLOUDHSM: a PKCS#11 token. EXTERNAL_KEY_STORE: an XKS proxy.",
)  # fmt: skip
@cluster_option
@click.option(
    "--trust-anchor",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Certificate of the CloudHSM cluster (PEM).",
)
@endpoint_option
@path_option
@access_key_option
@pass_session
def create(
    session: Session,
    /,
    *,
    name: str,
    kind: str,
    cluster_id: str | None,
    trust_anchor: Path | None,
    uri_endpoint: str | None,
    uri_path: str | None,
    access_key_id: str | None,
) -> None:
    """Create a custom key store and print its id. It is not connected yet.

    The PIN of the token's user, or the secret access key, is asked for, unless
    KMSFAST_KEY_STORE_SECRET has it.
    """
    password = _secret("PIN of the token's user") if kind == _CLOUDHSM else None
    made = session.kms.create_custom_key_store(
        name,
        type=kind,
        cluster_id=cluster_id,
        password=password,
        trust_anchor=None if trust_anchor is None else trust_anchor.read_text(),
        uri_endpoint=uri_endpoint,
        uri_path=uri_path,
        credential=_credential(access_key_id),
    )
    click.echo(made.id)


@key_store.command("list")
@json_option
@pass_session
def list_key_stores(session: Session, as_json: bool) -> None:
    """List all custom key stores."""
    found = session.kms.custom_key_stores()
    if as_json:
        print_json([_described(each) for each in found])
        return
    table(
        ("KEY STORE", "NAME", "TYPE", "STATE", "ERROR", "BEHIND"),
        [(each.id, each.name, each.type, each.state, each.error, _behind(each)) for each in found],
    )


@key_store.command()
@id_argument
@pass_session
def connect(session: Session, key_store_id: str) -> None:
    """Connect a custom key store, so that keys can be made in it and used."""
    found = session.kms.connect_custom_key_store(key_store_id)
    if found.error is not None:
        raise CustomKeyStoreInvalidState(
            f"{found.id} did not connect: {found.error}; set right what is wrong, then "
            f"'kmsfast key-store disconnect {found.id}' and connect it again"
        )
    click.echo(f"{found.id} is connected")


@key_store.command()
@id_argument
@pass_session
def disconnect(session: Session, key_store_id: str) -> None:
    """Disconnect a custom key store; its keys cannot be used until it is connected again."""
    session.kms.disconnect_custom_key_store(key_store_id)
    click.echo(f"{key_store_id} is disconnected")


@key_store.command()
@id_argument
@click.option("--name", "new_name", help="The new name.")
@cluster_option
@click.option("--password", is_flag=True, help="Ask for the new PIN of the token's user.")
@endpoint_option
@path_option
@access_key_option
@pass_session
def update(
    session: Session,
    /,
    *,
    key_store_id: str,
    new_name: str | None,
    cluster_id: str | None,
    password: bool,
    uri_endpoint: str | None,
    uri_path: str | None,
    access_key_id: str | None,
) -> None:
    """Change a custom key store; secrets are asked for as by create."""
    session.kms.update_custom_key_store(
        key_store_id,
        new_name=new_name,
        cluster_id=cluster_id,
        password=_secret("PIN of the token's user") if password else None,
        uri_endpoint=uri_endpoint,
        uri_path=uri_path,
        credential=_credential(access_key_id),
    )


@key_store.command()
@id_argument
@pass_session
def delete(session: Session, key_store_id: str) -> None:
    """Delete a custom key store that is disconnected and has no keys."""
    session.kms.delete_custom_key_store(key_store_id)


def _secret(prompt: str) -> str:
    return ask_passphrase(prompt, confirm=False, variable=SECRET_VARIABLE)


def _credential(access_key_id: str | None) -> ProxyCredential | None:
    if access_key_id is None:
        return None
    from kmsfast.model.key_store import ProxyCredential

    return ProxyCredential(access_key_id, _secret("Secret access key"))


def _behind(each: CustomKeyStore) -> str | None:
    return each.cluster_id if each.proxy is None else each.proxy.uri


def _described(each: CustomKeyStore) -> dict[str, Any]:
    """A custom key store as JSON shows it."""
    proxy = each.proxy
    return {
        "id": each.id,
        "name": each.name,
        "type": str(each.type),
        "state": str(each.state),
        "error": each.error,
        "created_at": moment(each.created_at),
        "cluster_id": each.cluster_id,
        "trust_anchor": each.trust_anchor,
        "uri_endpoint": None if proxy is None else proxy.endpoint,
        "uri_path": None if proxy is None else proxy.path,
        "access_key_id": None if proxy is None else proxy.access_key_id,
    }
