"""Latency by percentile: how slow the slowest tenth, hundredth, thousandth is."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator

from bench.units import NS_PER_MS
from reports.charts.theme import Style, belongs, label_ends, millisecond_axis
from reports.format import milliseconds
from reports.quantiles import PERCENTILES, Distribution, deepest_percent

_TICKS = (0.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999)
_POINTS_A_NINE = 60
_LOWEST_PERCENT = 25.0


def nines(percent: float) -> float:
    """Return the place of a percentile on the axis: the number of nines, such as 2 for 99 %."""
    return float(-np.log10(1 - percent / 100))


def draw(axes: Axes, curves: Mapping[str, Distribution], styles: Mapping[str, Style], tag: str) -> Axes:
    """Draw one curve a target, as far as its messages carry.

    Args:
        axes: to draw on.
        curves: by target.
        styles: by target.
        tag: the latency's name.
    """
    ends = []
    deepest = 1.0
    for target, values in curves.items():
        limit = nines(deepest_percent(values.messages)) if values.messages else 0.0
        if limit <= 0:
            continue
        deepest = max(deepest, limit)
        places = np.linspace(0, limit, int(limit * _POINTS_A_NINE) + 2)
        latency = np.array([values.at(100 * (1 - 10**-place)) for place in places]) / NS_PER_MS
        drawn = np.isfinite(latency) & (latency > 0)
        if not drawn.any():
            continue
        style = styles[target]
        (line,) = axes.plot(places[drawn], latency[drawn], color=style.color, linestyle=style.dash)
        belongs(line, style)
        _dots(axes, values, style, limit)
        ends.append((float(places[drawn][-1]), float(latency[drawn][-1]), style))
    axes.set_xlim(0, deepest)
    shown = [tick for tick in _TICKS if nines(tick) <= deepest + 1e-9]
    axes.xaxis.set_major_locator(FixedLocator([nines(tick) for tick in shown]))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{tick:g}" for tick in shown]))
    axes.set_xlabel("percentile of messages, %")
    axes.set_ylabel(f"{tag}, ms")
    if ends:
        # The fastest quarter of messages would take half the axis and tell nothing.
        lowest = min(values.at(_LOWEST_PERCENT) for values in curves.values() if values.count)
        if np.isfinite(lowest):  # else even that quarter never came
            axes.set_ylim(bottom=max(lowest, 1.0) / NS_PER_MS / 1.5)
    millisecond_axis(axes)
    label_ends(axes, ends)
    return axes


def _dots(axes: Axes, values: Distribution, style: Style, limit: float) -> None:
    """Mark the percentiles that reports print, each with its value."""
    for name, percent in PERCENTILES.items():
        value = values.reliable(percent)
        if nines(percent) <= limit + 1e-9 and 0 < value < float("inf"):
            (dot,) = axes.plot([nines(percent)], [value / NS_PER_MS], "o", color=style.color, markersize=4.5)
            belongs(dot, style, f"{style.label}: {name} {milliseconds(value)} ms")
