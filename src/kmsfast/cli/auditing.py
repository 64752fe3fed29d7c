"""``kmsfast audit``: who did what with the keys of the store."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from kmsfast.cli.moments import Age, Moment
from kmsfast.cli.records import read_one
from kmsfast.cli.session import Session, pass_session
from kmsfast.cli.show import facts, json_option, moment, print_json

if TYPE_CHECKING:
    from kmsfast.audit.reading import Filter
    from kmsfast.audit.trail import Trail

__all__ = ["audit"]

_CHANGED = 3  # as of a signature that does not verify


@click.group()
def audit() -> None:
    """Who did what with the keys: search, follow and verify the audit log."""


def _filters(command: Any) -> Any:
    options = [
        click.option("--key", metavar="KEY", help="Only this key: its id or ARN."),
        click.option(
            "--principal", metavar="ARN",
            help="Only this caller: ARN, with * and ? as wildcards, or access key id.",
        ),
        click.option("--operation", metavar="NAME", help="Only this operation, such as Decrypt."),
        click.option("--errors", is_flag=True, help="Only what failed."),
        click.option("--request-id", metavar="ID", help="Only this request."),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@audit.command()
@_filters
@click.option("--since", type=Moment(), help="Not before this time (UTC, unless it says its zone).")
@click.option("--until", type=Moment(), help="Before this time.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="No more than the last N.")
@pass_session
def search(session: Session, /, limit: int | None, **wanted: Any) -> None:
    """Print events, oldest first: one CloudTrail record as JSON on each line."""
    from collections import deque

    trail = session.own.audit
    _say_if_empty(trail)
    found = trail.search(_filter(**wanted))
    for event in found if limit is None else deque(found, maxlen=limit):
        _print_line(event)


@audit.command()
@_filters
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens from now on.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=10, show_default=True, metavar="N",
    help="How many of the last events to begin with.",
)  # fmt: skip
@pass_session
def tail(session: Session, /, follow: bool, lines: int, **wanted: Any) -> None:
    """Print the last events, and with -f those that come."""
    from collections import deque

    trail, chosen = session.own.audit, _filter(**wanted)
    if not follow:
        _say_if_empty(trail)
    for event in deque(trail.search(chosen), maxlen=lines):
        _print_line(event)
    if follow:
        for event in trail.follow(chosen):
            _print_line(event)


@audit.command()
@click.option(
    "--public-key", metavar="FILE",
    help="Check signatures with this public key (PEM or DER) instead of the store's.",
)  # fmt: skip
@json_option
@pass_session
def verify(session: Session, public_key: str | None, as_json: bool) -> int:
    """Find out whether the log was changed, cut or reordered, and where; exit code 3 if so."""
    from dataclasses import asdict

    from kmsfast.crypto.spki import to_point

    point = None if public_key is None else to_point(read_one(public_key))
    report = session.own.audit.verify(point)
    if as_json:
        values = asdict(report)
        values["notes"] = [note._asdict() | {"chain": note.chain.hex()} for note in report.notes]
        print_json(values)
    else:
        facts(
            {
                "segments": len(report.segments),
                "records": report.records,
                "events": report.events,
                "good signatures": report.checkpoints,
                "records signed": report.signed,
            }
        )
        for note in report.notes:
            click.echo(f"note: {note.what} at {_time(note.time)}, {note.amount}")
        if report.unfinished:
            click.echo(f"note: a process died within a record, which has {report.unfinished} bytes")
        for finding in report.findings:
            click.echo(f"CHANGED  {finding}")
        if not report.findings:
            click.echo("nobody has changed the log")
    return _CHANGED if report.findings else 0


@audit.command("public-key")
@pass_session
def public_key(session: Session) -> None:
    """Print the public key of the log's signatures as PEM, for an auditor."""
    from kmsfast.crypto.pkcs8 import public_pem
    from kmsfast.crypto.spki import from_point

    click.echo(public_pem(from_point(session.own.audit.public_key)), nl=False)


@audit.command()
@pass_session
def restart(session: Session) -> None:
    """Put a log that cannot go on aside, and begin a new one. Nothing may have it open."""
    aside = session.own.audit.restart()
    click.echo(f"the old log is in {aside}; keep it: it shows what was recorded until now")


@audit.command()
@click.option("--before", type=Moment(), help="What was recorded before this time.")
@click.option("--older-than", type=Age(), help="What is older than this, such as 90d.")
@pass_session
def remove(session: Session, /, before: datetime | None, older_than: timedelta | None) -> None:
    """Remove old events: the segments of the log (up to 64 MiB each) that have no newer ones."""
    from datetime import UTC

    if (before is None) == (older_than is None):
        raise click.UsageError("name either --before or --older-than")
    if before is None:
        before = datetime.now(UTC) - (older_than or timedelta())
    removed = session.kms.audit.remove_before(before)
    limit = moment(before.astimezone(UTC))
    if removed:
        segments = "segment" if len(removed) == 1 else "segments"
        click.echo(f"removed {len(removed)} {segments} with what was recorded before {limit}")
    else:
        click.echo(f"nothing was removed: every segment of the log has events of {limit} or later, "
                   "or is the newest one, which stays")  # fmt: skip


def _say_if_empty(trail: Trail) -> None:
    if not trail.has_log:
        click.echo(
            f"kmsfast: there is no audit log in {trail.directory}: nothing was recorded", err=True
        )


def _filter(**wanted: Any) -> Filter:
    from kmsfast.audit.reading import Filter

    for name in ("since", "until"):
        if isinstance(wanted.get(name), datetime):
            wanted[name] = int(wanted[name].timestamp() * 1_000_000)
    return Filter(**wanted)


def _print_line(event: dict[str, Any]) -> None:
    click.echo(json.dumps(event, separators=(",", ":")))


def _time(micros: int) -> str | None:
    from datetime import UTC

    return moment(datetime.fromtimestamp(micros / 1_000_000, UTC))
