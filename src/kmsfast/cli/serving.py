"""``kmsfast serve`` and ``env``: the HTTP server, and what AWS clients need to find it."""

from __future__ import annotations

import logging
import shlex
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kmsfast.cli.arguments import ColumnNames, OctalMode
from kmsfast.cli.moments import Age
from kmsfast.cli.session import Session, pass_session

if TYPE_CHECKING:
    from kmsfast.app import Application

__all__ = ["env", "serve"]

_ADDRESS = "127.0.0.1:4599"
_AWS = "aws"
_FOR_TESTS = "{} is for development and tests: it needs --insecure-no-auth"


@click.command(short_help="Serve the AWS KMS API over HTTP, or programs on a Unix socket.")
@click.option(
    "--http",
    "address",
    metavar="ADDRESS",
    help="Serve the AWS KMS API over HTTP at HOST:PORT, [IPV6]:PORT, unix:PATH or fd:NUMBER.",
)
@click.option(
    "--socket",
    "local",
    metavar="PATH",
    help="Serve programs of this machine on a Unix socket: PATH, systemd or systemd:NAME.",
)
@click.option(
    "--socket-mode",
    type=OctalMode(),
    help="Permissions of the socket: who may write to it may connect.  [default: 0600]",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="warning",
    show_default=True,
    help="What goes to standard error.",
)
@click.option("--socket-group", metavar="NAME", help="Group that the socket shall belong to.")
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
    address: str | None,
    local: str | None,
    socket_mode: int | None,
    socket_group: str | None,
    log_level: str,
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
    """Serve keys over HTTP, on a Unix socket, or both, until SIGTERM or SIGINT."""
    from kmsfast.model.arn import Home
    from kmsfast.server.addresses import Tls
    from kmsfast.server.doors import LocalSocket
    from kmsfast.server.running import serve as run

    recorded = audit or ("off" if insecure_no_auth else "on")
    for wrong, why in (
        (address is None and local is None, "give --http ADDRESS, --socket PATH, or both"),
        (
            local is None and not (socket_mode is None and socket_group is None),
            "--socket-mode and --socket-group need --socket",
        ),
        ((tls_cert is None) != (tls_key is None), "--tls-cert and --tls-key go together"),
        (seed is not None and not insecure_no_auth, _FOR_TESTS.format("--seed")),
        (allow_reset and not insecure_no_auth, _FOR_TESTS.format("--allow-reset")),
        (audit == "off" and not insecure_no_auth, _FOR_TESTS.format("--audit off")),
        (
            retention is not None and recorded == "off",
            "--audit-retention is for an audit log: add --audit on",
        ),
    ):
        if wrong:
            raise click.UsageError(why)
    tls = Tls(tls_cert, tls_key) if tls_cert and tls_key else None
    logging.basicConfig(format="kmsfast: %(message)s", level=log_level.upper())
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
        local=None if local is None else LocalSocket(local, socket_mode, socket_group),
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
    facts = session.own.describe()
    for name, value in (
        ("AWS_ENDPOINT_URL_KMS", f"{'https' if tls else 'http'}://{address}"),
        ("AWS_REGION", facts["region"]),
        ("AWS_DEFAULT_REGION", facts["region"]),
        ("AWS_ACCESS_KEY_ID", facts["account"]),
        ("AWS_SECRET_ACCESS_KEY", "unused"),
    ):
        click.echo(f"export {name}={shlex.quote(value)}")


def _announce(
    app: Application, places: list[str], metrics: list[str], *, authenticated: bool
) -> None:
    home = app.store.home
    how = "" if authenticated else "; INSECURE: requests are not authenticated"
    click.echo(
        f"serving {app.store.directory.path} at {' and '.join(places)}, region {home.region}, "
        f"account {home.account}{how}"
    )
    for place in metrics:
        click.echo(f"metrics at {place}")
