"""``kmsfast quota``: what an account may have, and how often it may ask."""

from __future__ import annotations

import click

from kmsfast.cli.session import Session, pass_session
from kmsfast.cli.show import json_option, print_json, table

__all__ = ["quota"]


@click.group()
def quota() -> None:
    """Quotas: what an account may have in a region, and how often it may ask."""


@quota.command()
@click.option("--requests", is_flag=True, help="Also the requests per second of each family.")
@json_option
@pass_session
def show(session: Session, requests: bool, as_json: bool) -> None:
    """Show the quotas of the region and account, and how much of them is used."""
    from dataclasses import asdict

    found = [each for each in session.kms.quotas() if requests or each.kind == "resource"]
    if as_json:
        print_json([asdict(each) for each in found])
        return
    for kind, heads in (
        ("resource", ("RESOURCE", "QUOTA", "AWS", "USED")),
        ("request", ("REQUESTS", "PER SECOND", "AWS")),
    ):
        rows = [
            (each.name, f"{each.figure:,}", f"{each.aws:,}", _number(each.usage))
            for each in found
            if each.kind == kind
        ]
        if rows:
            if kind == "request":
                click.echo()
            table(heads, [row[: len(heads)] for row in rows])


def _number(value: int | None) -> str:
    return "per key" if value is None else f"{value:,}"
