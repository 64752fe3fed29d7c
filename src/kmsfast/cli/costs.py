"""``kmsfast cost``: what the keys and the recorded requests would have cost on AWS."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from kmsfast.cli.arguments import force_option
from kmsfast.cli.moments import Moment
from kmsfast.cli.session import Session, pass_session
from kmsfast.cli.show import json_option, moment, print_json, table

if TYPE_CHECKING:
    from kmsfast.local.costs import Costs
    from kmsfast.model.cost import Sum

__all__ = ["cost"]

_MONTH: Final = "%Y-%m"
_HEADS: Final = ("REQUESTS", "FOR KEYS", "FOR ROTATIONS", "FOR REQUESTS", "TOTAL")


@click.command()
@click.option("--since", type=Moment(), help="Not before this time.  [default: the first key]")
@click.option("--until", type=Moment(), help="Before this time.  [default: now]")
@click.option("--region", help="Only this region.  [default: all]")
@click.option(
    "--prices", type=click.Path(path_type=Path, readable=False), metavar="FILE",
    help="Other prices than those of AWS (TOML).",
)  # fmt: skip
@click.option("--chart", metavar="FILE", help="Draw requests over time: FILE is .svg or .png.")
@force_option
@json_option
@pass_session
def cost(
    session: Session, /, *, chart: str | None, force: bool, as_json: bool, **wanted: Any
) -> None:
    """Print what keys and recorded requests would have cost on AWS, by month and by key.

    Requests are those of the audit log; what it does not have is said.
    """
    if chart is not None:
        from kmsfast.cli.charts import checked_chart

        checked_chart(chart)
    found = session.kms.cost(**wanted)
    if chart is not None:
        from kmsfast.cli.charts import draw

        draw(found, chart, force=force)
    if as_json:
        print_json(_described(found))
    else:
        _show(found)


def _show(found: Costs) -> None:
    bill = found.bill
    prices, window = bill.prices, bill.window
    click.echo(
        f"{_amount(bill.total().total)} {prices.currency} from {moment(window.since)} to "
        f"{moment(window.until)}, {window.region or 'all regions'}; prices of {prices.date}"
    )
    click.echo()
    rows = [
        (month.strftime(_MONTH), each.count, *_amounts(each))
        for month, each in bill.by_month().items()
    ]
    rows.append(("all", bill.total().count, *_amounts(bill.total())))
    table(("MONTH", *_HEADS), rows, numbers=range(1, 6))
    click.echo()
    by_key = sorted(bill.by_key().items(), key=lambda item: (-item[1].total, item[0]))
    table(
        ("KEY", "REGION", "ALIASES", *_HEADS),
        [(*_named(key, found), each.count, *_amounts(each)) for key, each in by_key],
        numbers=range(3, 8),
    )
    if found.notes:
        click.echo()
    for note in found.notes:
        click.echo(f"note: {note}")


def _named(arn: str, found: Costs) -> tuple[str, str, str]:
    if not arn:
        return "no key recorded", "", ""
    parts = arn.split(":", 5)
    return parts[5].removeprefix("key/"), parts[3], ",".join(found.aliases.get(arn, ()))


def _amount(value: Decimal) -> str:
    return f"{value:.4f}"


def _amounts(each: Sum) -> tuple[str, ...]:
    return tuple(map(_amount, (each.keys, each.rotations, each.requests, each.total)))


# ---- JSON ---------------------------------------------------------------------------------------


def _described(found: Costs) -> dict[str, Any]:
    """All of it; amounts are texts, exact to eight places."""
    bill = found.bill
    prices, window = bill.prices, bill.window
    return {
        "currency": prices.currency,
        "since": window.since,
        "until": window.until,
        "region": window.region,
        "prices": {"source": prices.source, "date": prices.date, "region": prices.region},
        "recorded_since": found.recorded_since,
        "total": _sum(bill.total()),
        "months": [
            {"month": month.strftime(_MONTH), **_sum(each)}
            for month, each in bill.by_month().items()
        ],
        "keys": [
            {"key": arn or None, "aliases": list(found.aliases.get(arn, ())), **_sum(each)}
            for arn, each in bill.by_key().items()
        ],
        "lines": [
            {"month": line.month.strftime(_MONTH), "key": line.key or None, **_sum(line.sum)}
            for line in bill.lines
        ],
        "notes": list(found.notes),
    }


def _sum(each: Sum) -> dict[str, Any]:
    amounts = {name: getattr(each, name) for name in ("keys", "rotations", "requests", "total")}
    return {
        "key_hours": each.key_hours,
        "rotation_hours": each.rotation_hours,
        "requests": {str(of): count for of, count in sorted(each.counts.items())},
        "failed": each.failed,
        "cost": {name: f"{value:.8f}" for name, value in amounts.items()},
    }
