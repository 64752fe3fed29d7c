"""Charts of requests over time, drawn by matplotlib (extra ``charts``).

A bar for each hour, day or month, by the length of the time; operations that were used most have
colours of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

if TYPE_CHECKING:
    from kmsfast.local.costs import Costs

__all__ = ["checked_chart", "draw"]

_FORMATS: Final = (".svg", ".png")
_COLOURS: Final = 6
_OTHERS: Final = "others"
# No time of drawing: the same requests give the same file.
_METADATA: Final[Mapping[str, dict[str, None]]] = {"svg": {"Date": None}, "png": {}}


class _Step(NamedTuple):
    """How long a bar is.

    Attributes:
        up_to: the longest time that is drawn with it.
    """

    name: str
    up_to: timedelta
    begin: Callable[[datetime], datetime]
    label: str


def _day(when: datetime) -> datetime:
    return when.replace(hour=0)


def _month(when: datetime) -> datetime:
    return when.replace(day=1, hour=0)


_STEPS: Final = (
    _Step("hour", timedelta(days=4), lambda when: when, "%d %b %H:00"),
    _Step("day", timedelta(days=120), _day, "%d %b %Y"),
    _Step("month", timedelta.max, _month, "%b %Y"),
)


def checked_chart(name: str) -> str:
    """The name of a chart, when it can be drawn.

    Raises:
        UsageError: another format, or matplotlib is not installed.
    """
    if Path(name).suffix.lower() not in _FORMATS:
        raise click.UsageError(f"a chart is {' or '.join(_FORMATS)}, not {name!r}")
    if find_spec("matplotlib") is None:
        raise click.UsageError(
            "charts are drawn by matplotlib, which is not installed: pip install 'kmsfast[charts]'"
        )
    return name


def draw(costs: Costs, name: str, *, force: bool) -> None:
    """Writes the chart into a file, whose format is that of its name.

    Raises:
        ClickException: there is nothing to draw.
    """
    window = costs.bill.window
    step = next(each for each in _STEPS if window.until - window.since <= each.up_to)
    bars, operations = _bars(costs, step)
    if not bars:
        raise click.ClickException("there are no recorded requests in this time to draw")
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    from kmsfast.cli.outputs import opened_outputs

    figure = Figure(figsize=(10, 5), layout="constrained")
    axes = figure.add_subplot()
    places = range(len(bars))
    bottom = [0] * len(bars)
    for operation in operations:
        heights = [each[operation] for each in bars.values()]
        axes.bar(places, heights, bottom=bottom, label=operation, width=0.9)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    shown = range(0, len(bars), max(1, -(-len(bars) // 12)))
    labels = [f"{when:{step.label}}" for when in bars]
    axes.set_xticks(shown, [labels[i] for i in shown], rotation=30, ha="right")
    axes.set_ylabel(f"requests per {step.name}")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value % 1 == 0 else "")
    axes.set_title(
        f"AWS KMS requests, {window.since:%d %b %Y} to {window.until:%d %b %Y} (UTC)", loc="left"
    )
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    kind = Path(name).suffix.lower().removeprefix(".")
    with rc_context({"svg.hashsalt": "kmsfast"}), opened_outputs([name], force=force) as [file]:
        figure.savefig(file, format=kind, dpi=150, metadata=_METADATA[kind])


def _bars(costs: Costs, step: _Step) -> tuple[Mapping[datetime, Counter[str]], list[str]]:
    """Requests by operation for each step that there was, without gaps, and the legend."""
    by_operation: Counter[str] = Counter()
    for use in costs.uses:
        by_operation[use.operation] += use.requests
    ranked = sorted(by_operation, key=lambda name: (-by_operation[name], name))
    if len(ranked) > _COLOURS:
        ranked = [*ranked[: _COLOURS - 1], _OTHERS]
    found: dict[datetime, Counter[str]] = {}
    for use in costs.uses:
        when = step.begin(datetime.fromtimestamp(use.hour * 3600, UTC))
        name = use.operation if use.operation in ranked else _OTHERS
        found.setdefault(when, Counter())[name] += use.requests
    return (_without_gaps(found, step) if found else {}), ranked


def _without_gaps(
    found: Mapping[datetime, Counter[str]], step: _Step
) -> dict[datetime, Counter[str]]:
    """The same with the steps between in which there were none."""
    every: dict[datetime, Counter[str]] = {}
    when, last = min(found), max(found)
    pace = timedelta(hours=1) if step.name == "hour" else timedelta(days=1)
    while when <= last:
        place = step.begin(when)
        every.setdefault(place, found.get(place, Counter()))
        when += pace
    return every
