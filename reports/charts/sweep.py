"""A closed-loop sweep: throughput, or latency, against the number of messages in flight."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.units import NS_PER_MS
from reports.charts.theme import Style, label_ends, millisecond_axis
from reports.format import count


def draw_throughput(
    axes: Axes, trials: pd.DataFrame, styles: Mapping[str, Style], bounds: Mapping[str, int], *, labels: bool = True
) -> Axes:
    """Draw achieved rate against in-flight bound: median over trials, their range as bars.

    Args:
        axes: to draw on.
        trials: rows of `Dataset.trials`, those that may be used.
        styles: by target.
        bounds: messages in flight, by workload.
        labels: whether to write targets' names at the right.
    """
    ends = _lines(axes, trials, "achieved_rate", 1.0, styles, bounds)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    axes.set_ylabel("messages a second")
    if labels:
        label_ends(axes, ends)
    return axes


def draw_latency(
    axes: Axes, latency: pd.DataFrame, styles: Mapping[str, Style], bounds: Mapping[str, int], *, labels: bool = True
) -> Axes:
    """Draw p99 service latency against in-flight bound; arguments as above, rows of `Dataset.latency`."""
    rows = latency[(latency["tag"] == "service") & (latency["p99"] < float("inf"))]
    ends = _lines(axes, rows, "p99", 1 / NS_PER_MS, styles, bounds)
    millisecond_axis(axes)
    axes.set_ylabel("p99 service, ms")
    if labels:
        label_ends(axes, ends)
    return axes


def _lines(
    axes: Axes,
    frame: pd.DataFrame,
    column: str,
    scale: float,
    styles: Mapping[str, Style],
    bounds: Mapping[str, int],
) -> list[tuple[float, float, Style]]:
    ends = []
    placed = frame.assign(bound=frame["workload"].map(bounds))
    for target, style in styles.items():
        grouped = placed[(placed["target"] == target) & placed["bound"].notna()].groupby("bound")[column]
        middle = grouped.median().dropna() * scale
        if middle.empty:
            continue
        at = middle.index.to_numpy(float)
        low, high = (part.reindex(middle.index).to_numpy() * scale for part in (grouped.min(), grouped.max()))
        axes.vlines(at, low, high, color=style.color, linewidth=1.2)
        axes.plot(at, middle.to_numpy(), color=style.color, linestyle=style.dash, marker="o", markersize=4)
        ends.append((float(at[-1]), float(middle.iloc[-1]), style))
    places = sorted(bounds.values())
    axes.set_xscale("log", base=2)
    axes.set_xlim(places[0] / 1.15, places[-1] * 1.05)
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    axes.set_xlabel("messages in flight")
    return ends
