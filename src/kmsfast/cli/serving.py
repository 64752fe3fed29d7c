"""``kmsfast serve`` and ``env``: the HTTP server, and what AWS clients need to find it."""

from __future__ import annotations

import logging
import shlex
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kmsfast.cli.arguments import ColumnNames
from kmsfast.cli.moments import Age
from kmsfast.cli.session import Session, pass_session

if TYPE_CHECKING:
    from kmsfast.app import Application

__all__ = ["env", "serve"]

_ADDRESS = "127.0.0.1:4599"
_AWS = "aws"


@click.command(short_help="Serve the AWS KMS API over HTTP.")
@click.option(
    "--http",
    "address",
    metavar="ADDRESS",
    required=True,
    help="Where to listen: HOST:PORT, [IPV6]:PORT, unix:PATH or fd:NUMBER.",
)
@click.option(
    "--store",
    type=click.Path(path_type=Path, readable=False),
    help="Directory of the key store, as before the command.",
)
@click.option(
    "--insecure-no-auth",
    is_flag=True,
    help="Serve everyone on this machine, without asking who it is; make the store if need be.",
)
@click.option(
    "--regions",
    type=ColumnNames(),
    metavar="REGION,...",
    help="The regions that are served; the first is --region, unless that says another."
    "  [default: those that have had keys]",
)
@click.option(
    "--region",
    help="Region of requests without a signature, and of a new store.  [default: the store's, "
    "us-east-1 for a new one]",
)
@click.option(
    "--account",
    help="Account of requests that name none, and of a new store.  [default: the store's, "
    "000000000000 for a new one]",
)
@click.option(
    "--tls-cert",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Certificate of the server with its chain (PEM); needs --tls-key.",
)
@click.option(
    "--tls-key",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Private key of the certificate (PEM).",
)
@click.option(
    "--seed",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A YAML file of keys with given ids, aliases and material; those not there are made.",
)
@click.option(
    "--allow-reset",
    is_flag=True,
    help="POST /_kmsfast/reset empties the store, and fills it with the seed again.",
)
@click.option(
    "--audit",
    type=click.Choice(["off", "on", "strict"]),
    help="Record each request in the audit log; strict: on the disk before it is answered."
    "  [default: on, without authentication off]",
)
@click.option(
    "--audit-retention",
    "retention",
    type=Age(),
    help="Remove events of the audit log that are older than this, such as 90d, every day.",
)
@click.option(
    "--quotas",
    metavar="aws|FILE",
    help="Limit the requests per second of each account, as AWS does. FILE (TOML) says which quotas"
    " are not AWS's, instead of quotas.toml of the store.",
)
@click.option(
    "--metrics",
    metavar="ADDRESS",
    help="Serve metrics for Prometheus at GET /metrics of this address as well, to everyone who "
    "reaches it: HOST:PORT, [IPV6]:PORT, unix:PATH or fd:NUMBER.",
)
@click.option(
    "--metrics-keys",
    type=click.IntRange(0, 1_000_000),
    default=1000,
    show_default=True,
    metavar="NUMBER",
    help="How many keys that expire or are deleted the metrics name at most; the first to end.",
)
@pass_session
def serve(
    session: Session,
    /,
    *,
    address: str,
    store: Path | None,
    insecure_no_auth: bool,
    regions: tuple[str, ...] | None,
    region: str | None,
    account: str | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    seed: Path | None,
    allow_reset: bool,
    audit: str | None,
    retention: timedelta | None,
    quotas: str | None,
    metrics: str | None,
    metrics_keys: int,
) -> None:
    """Serve the AWS KMS API over HTTP until SIGTERM or SIGINT."""
    from kmsfast.model.arn import Home
    from kmsfast.server.addresses import Tls
    from kmsfast.server.running import serve as run

    if (tls_cert is None) != (tls_key is None):
        raise click.UsageError("--tls-cert and --tls-key go together")
    for given, name in ((seed is not None, "--seed"), (allow_reset, "--allow-reset")):
        if given and not insecure_no_auth:
            raise click.UsageError(
                f"{name} is for development and tests: it needs --insecure-no-auth"
            )
    if audit == "off" and not insecure_no_auth:
        raise click.UsageError(
            "--audit off is for development and tests: it needs --insecure-no-auth"
        )
    recorded = audit or ("off" if insecure_no_auth else "on")
    if retention is not None and recorded == "off":
        raise click.UsageError("--audit-retention is for an audit log: add --audit on")
    tls = Tls(tls_cert, tls_key) if tls_cert and tls_key else None
    logging.basicConfig(format="kmsfast: %(message)s", level=logging.WARNING)
    session.store = store or session.store
    session.quotas = None if quotas in {None, _AWS} else Path(quotas or "")
    if regions and region and region not in regions:
        raise click.UsageError(f"--region {region} is not one of --regions {','.join(regions)}")
    usual = Home()
    for each in (region, *(regions or ())):
        Home(each or usual.region, account or usual.account)  # refused before a store is made
    session.region = region or (regions[0] if regions else session.region)
    session.account = account or session.account

    def opened() -> Application:
        app = session.application(create=insecure_no_auth)
        app.deployment.serve_regions(regions or ())
        return app

    run(
        opened,
        address,
        insecure_no_auth=insecure_no_auth,
        tls=tls,
        started=partial(_announce, authenticated=not insecure_no_auth),
        seed=seed,
        allow_reset=allow_reset,
        audit=recorded,
        retention=None if retention is None else retention / timedelta(days=1),
        limited=quotas is not None,
        metrics=metrics,
        metrics_keys=metrics_keys,
    )


@click.command(short_help="Print the exports with which AWS clients find the server.")
@click.option(
    "--http",
    "address",
    metavar="ADDRESS",
    default=_ADDRESS,
    show_default=True,
    help="Where the server listens: HOST:PORT.",
)
@click.option("--tls", is_flag=True, help="The server has a certificate.")
@pass_session
def env(session: Session, address: str, tls: bool) -> None:
    """Print the exports with which AWS clients find the server.

    For a shell: eval "$(kmsfast env)"
    """
    from kmsfast.server.addresses import parse_address

    if not parse_address(address).host:
        raise click.UsageError("AWS clients connect to HOST:PORT alone")
    facts = session.kms.describe()
    for name, value in (
        ("AWS_ENDPOINT_URL_KMS", f"{'https' if tls else 'http'}://{address}"),
        ("AWS_REGION", facts["region"]),
        ("AWS_DEFAULT_REGION", facts["region"]),
        ("AWS_ACCESS_KEY_ID", facts["account"]),
        ("AWS_SECRET_ACCESS_KEY", "unused"),
    ):
        click.echo(f"export {name}={shlex.quote(value)}")


def _announce(app: Application, url: str, metrics: str = "", *, authenticated: bool) -> None:
    home = app.store.home
    how = "" if authenticated else "; INSECURE: requests are not authenticated"
    click.echo(
        f"serving {app.store.directory.path} at {url}, region {home.region}, account "
        f"{home.account}{how}"
    )
    if metrics:
        click.echo(f"metrics at {metrics}")
