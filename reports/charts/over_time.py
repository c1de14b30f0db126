"""Latency over time: whether a figure held over the trial, and how the warm-up went."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from bench.units import NS_PER_MS
from reports.charts.theme import SHADE, Style, label_ends, millisecond_axis

_LONGEST_WARM_UP_S = 30
_WARM_UP_ROOM = 2.5  # how far beyond the measured part a warm-up may stretch the axis
_MARGIN = 1.2


def draw(axes: Axes, seconds: pd.DataFrame, styles: Mapping[str, Style], column: str, *, labels: bool = True) -> Axes:
    """Draw the median over trials of one percentile of each second, and the trials' range as a band.

    Args:
        axes: to draw on.
        seconds: rows of `Dataset.seconds` of one workload; time 0 is the start of the measured part.
        styles: by target.
        column: `p50`, `p99` or `max`.
        labels: whether to write targets' names at the right.
    """
    known = seconds[seconds[column].notna() & (seconds["from_s"] >= -_LONGEST_WARM_UP_S)]
    ends = []
    for target, style in styles.items():
        rows = known[known["target"] == target]
        if rows.empty:
            continue
        by_second = rows.assign(middle=(rows["from_s"] + rows["to_s"]) / 2).groupby("middle")[column]
        low, middle, high = (part / NS_PER_MS for part in (by_second.min(), by_second.median(), by_second.max()))
        at = middle.index.to_numpy(float)
        axes.fill_between(at, low.to_numpy(), high.to_numpy(), color=style.color, alpha=0.13, linewidth=0)
        axes.plot(at, middle.to_numpy(), color=style.color, linestyle=style.dash, marker="o", markersize=2.5)
        ends.append((float(at[-1]), float(middle.iloc[-1]), style))
    start = float(known["from_s"].min()) if len(known) else 0.0
    end = float(known["to_s"].max()) if len(known) else 1.0
    axes.set_xlim(min(start, 0.0), max(end, 1.0))
    axes.set_ylim(*_limits(known, column))
    millisecond_axis(axes)
    if start < 0:
        axes.axvspan(start, 0, color=SHADE, zorder=0, linewidth=0)
        if labels:
            axes.text(start, 1.01, "warm-up", transform=axes.get_xaxis_transform(), fontsize=10, va="bottom")
    axes.set_xlabel("seconds of the measured part")
    axes.set_ylabel(f"{column}, ms")
    if labels:
        label_ends(axes, ends)
    return axes


def _limits(rows: pd.DataFrame, column: str) -> tuple[float, float]:
    """Return limits in ms that the measured part sets, and a wild warm-up does not."""
    measured = rows.loc[rows["from_s"] >= 0, column]
    shown = measured if len(measured) else rows[column]
    if not len(shown):
        return 0.1, 1.0
    low = max(float(rows[column].min()), float(shown.min()) / _WARM_UP_ROOM)
    high = min(float(rows[column].max()), float(shown.max()) * _WARM_UP_ROOM)
    return low / NS_PER_MS / _MARGIN, high / NS_PER_MS * _MARGIN


def seconds_drawn(seconds: pd.DataFrame) -> int:
    """Return the width of a bin in whole seconds; 1 where there is none."""
    widths = seconds["to_s"] - seconds["from_s"]
    return int(np.max(widths)) if len(widths) else 1
