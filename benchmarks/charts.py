"""`make charts`: docs/charts/*.svg from the kept results (benchmarks/results).

Rules: the background is transparent, and ink and grid have one colour on light pages and another on
dark ones, by the style sheet in each file; lines differ by marker as well as by colour. The same
results and the same matplotlib give the same bytes.
"""

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import document
import matplotlib as mpl
from document import KEPT, Curve
from outline import CHART, bytes_text, count_text

mpl.use("svg")
from matplotlib import pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter, NullLocator

CHARTS = document.HERE.parent / "docs" / "charts"
INK, GRID = "#24292f", "#d0d7de"
DARK = {INK: "#e6edf3", GRID: "#484f58"}
COLOURS = ("#2f81f7", "#d9822b", "#2da44e", "#a371f7", "#8b949e", "#e5534b", "#e85aad")
LABELLED = {50.0, 90.0, 99.0, 99.9}  # shares of requests; the points between have no text
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
MOST_INSIDE = 4  # lines; the names of more stand below the axes
STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "kmsfast", "font.size": 9, "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"], "axes.titlesize": 9.5,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.linewidth": 0.6,
    "text.color": INK, "axes.labelcolor": INK, "axes.edgecolor": INK, "axes.titlecolor": INK,
    "xtick.color": INK, "ytick.color": INK, "grid.color": GRID, "legend.frameon": False,
    "legend.fontsize": 8.5, "lines.linewidth": 1.8, "lines.markersize": 4.5,
}  # fmt: skip


def _share(percent: float) -> float:
    """Where a share of requests stands: 90, 99 and 99.9 % at equal distances."""
    return -math.log10(1 - percent / 100)


Text = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Panel:
    """How a curve is drawn.

    x_text: what stands at a point of the x axis; place: where that is; log_x, log_y: logarithmic
    axes; bars: one for each point of each line.
    """

    x_text: Text = count_text
    place: Callable[[float], float] | None = None
    log_x: bool = True
    log_y: bool = True
    bars: bool = False


# How a curve is drawn, by how its id begins; all others by Panel's own way.
PANELS = {
    "throughput": Panel(x_text=bytes_text),
    "threads": Panel(log_x=False, log_y=False, bars=True),
    "latency": Panel(lambda share: f"{share:g}" if share in LABELLED else "", _share, log_x=False),
}


def panel_of(curve: str) -> Panel:
    """The way to draw a curve."""
    return PANELS.get(curve.partition("-")[0], Panel())


def chart(curves: list[Curve]) -> str:
    """The SVG of some curves, side by side."""
    with mpl.rc_context(STYLE):
        width = {1: 5.6, 2: 8.6, 3: 9.6}[len(curves)]
        height = 3.8 if any(len(curve.lines) > MOST_INSIDE for curve in curves) else 3.3
        figure, axes = plt.subplots(1, len(curves), figsize=(width, height), squeeze=False)
        for curve, axis in zip(curves, axes[0], strict=True):
            _draw(panel_of(curve.id), curve, axis)
        figure.tight_layout(w_pad=1.6)
        out = StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
        plt.close(figure)
    return _both_ways(out.getvalue())


def _draw(panel: Panel, curve: Curve, axis: Any) -> None:
    axis.set_title(_folded(curve.title), loc="left")
    axis.set_ylabel(curve.y)
    _bars(curve, axis) if panel.bars else _lines(panel, curve, axis)
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count_text(value)))
    axis.yaxis.set_minor_formatter(NullFormatter())
    axis.set_axisbelow(True)


def _lines(panel: Panel, curve: Curve, axis: Any) -> None:
    places = [panel.place(x) if panel.place else x for x in curve.points]
    if panel.log_x:
        axis.set_xscale("log")
    if panel.log_y:
        axis.set_yscale("log")
    for number, line in enumerate(curve.lines):
        found = [(x, y) for x, y in zip(places, line.values, strict=True) if y is not None]
        if found:
            look = {"marker": MARKERS[number % len(MARKERS)], "color": _colour(number)}
            axis.plot(*zip(*found, strict=True), label=line.name, zorder=10 - number, **look)
    texts = {place: panel.x_text(x) for place, x in zip(places, curve.points, strict=True)}
    axis.xaxis.set_major_locator(FixedLocator(places if len(places) < 8 else places[::2]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda place, _: texts.get(place, "")))
    _room(axis, log=panel.log_y)
    axis.set_xlabel(curve.x)
    if len(curve.lines) > MOST_INSIDE:
        below = {"loc": "upper center", "bbox_to_anchor": (0.45, -0.2), "ncols": 3}
        axis.legend(handlelength=1.6, columnspacing=1.2, **below)
    else:
        axis.legend(loc="best", handlelength=1.6)


def _colour(number: int) -> str:
    return COLOURS[number % len(COLOURS)]


def _room(axis: Any, *, log: bool) -> None:
    """At least a decade of a logarithmic axis, so that it has figures; 0 on a linear one."""
    low, high = axis.get_ylim()
    if not log:
        axis.set_ylim(0, high)
    elif high / low < 10:
        middle = math.sqrt(low * high)
        axis.set_ylim(middle / 4, middle * 4)
    if log and high / low < 30:
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))


def _bars(curve: Curve, axis: Any) -> None:
    width = 0.8 / len(curve.points)
    for number, point in enumerate(curve.points):
        places = [at + (number - (len(curve.points) - 1) / 2) * width
                  for at in range(len(curve.lines))]  # fmt: skip
        heights = [line.values[number] or 0 for line in curve.lines]
        name = f"{point:g} {curve.x if point > 1 else curve.x.rstrip('s')}"
        bars = axis.bar(places, heights, width * 0.92, label=name, color=_colour(number))
        axis.bar_label(bars, fmt="%.2f", fontsize=7.5, color=INK)
    axis.set_xticks(range(len(curve.lines)), [line.name for line in curve.lines], fontsize=8)
    axis.grid(visible=False, axis="x")
    axis.margins(y=0.18)
    axis.legend(loc="upper left", ncols=2)


def _folded(title: str, width: int = 42) -> str:
    words, lines = title.split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _both_ways(svg: str) -> str:
    """The file with the colours for dark pages."""
    rules = "".join(
        f'[style*="{what}: {light}"]{{{what}:{dark}!important}}'
        for light, dark in DARK.items()
        for what in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme: dark){{{rules}}}</style>\n <defs>"
    return svg.replace("<defs>", style, 1)


def main() -> None:
    """Parses the arguments, draws, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, default=KEPT, help="directory of the results")
    parser.add_argument("--output", type=Path, default=CHARTS, help="directory of the charts")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for name, (results, ids, _) in CHART.items():
        source = options.results / f"{results}.json"
        if not source.exists():
            print(f"{name}: {source} is not there")
            continue
        target = options.output / f"{name}.svg"
        curves = document.curves_of(document.read(source))
        there = [curves[id_] for id_ in ids if id_ in curves]
        if not there:
            print(f"{name}: {source} has none of its curves")
            continue
        target.write_text(chart(there))
        print(f"{target}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
