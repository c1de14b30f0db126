"""Latency by percentile: how slow the slowest tenth, hundredth, thousandth is."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator

from bench.units import NS_PER_MS
from reports.charts.theme import Style, belongs, label_ends, millisecond_axis
from reports.format import milliseconds
from reports.quantiles import PERCENTILES
from reports.summary import Cell, Trace
from reports.traces import nines

_TICKS = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999)
_LOWEST_PERCENT = 25.0


def draw(
    axes: Axes, lines: Mapping[str, Trace], cells: Mapping[str, Cell], styles: Mapping[str, Style], latency_words: str
) -> Axes:
    """Draw one line a target, and a dot where a table prints its percentile.

    Args:
        axes: to draw on.
        lines: by target.
        cells: the rows that the table prints, by target.
        styles: by target.
        latency_words: what the latency is called, such as `round trip`.
    """
    ends, lowest = [], np.inf
    deepest = 1.0
    for target, line in lines.items():
        style = styles[target]
        places, latency = np.array([nines(percent) for percent in line.x]), np.array(line.y_ns) / NS_PER_MS
        (drawn,) = axes.plot(places, latency, color=style.color, linestyle=style.dash)
        belongs(drawn, style)
        deepest = max(deepest, float(places[-1]), _dots(axes, cells[target], style))
        ends.append((float(places[-1]), float(latency[-1]), style))
        # The fastest quarter of messages would take half the axis and tell nothing.
        lowest = min([lowest, *latency[np.array(line.x) >= _LOWEST_PERCENT]])
    axes.set_xlim(0, deepest * 1.01)
    shown = [tick for tick in _TICKS if nines(tick) <= deepest + 1e-9]
    axes.xaxis.set_major_locator(FixedLocator([nines(tick) for tick in shown]))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in shown]))
    axes.set_xlabel("percentile, %")
    axes.set_ylabel(f"{latency_words}, ms")
    if np.isfinite(lowest):
        axes.set_ylim(bottom=max(lowest, 1e-6) / 1.5)
    millisecond_axis(axes)
    label_ends(axes, ends)
    return axes


def _dots(axes: Axes, cell: Cell, style: Style) -> float:
    """Mark the percentiles that the table prints, each with its value; return the place of the last."""
    last = 0.0
    for name, percent in PERCENTILES.items():
        value = cell.latency_ns[name].centre
        if value:
            last = nines(percent)
            (dot,) = axes.plot([last], [value / NS_PER_MS], "o", color=style.color, markersize=4.5)
            belongs(dot, style, f"{style.label}: {name} {milliseconds(value)} ms")
    return last
