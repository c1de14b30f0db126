"""A series over its runs: each point, the level between changes, and the changes themselves."""

from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reports.charts.theme import FAINT, INK, PALETTE, plain_tick
from reports.format import count
from reports.history.changes import AT_THE_ENDS, Judged, State

_DASH = {
    State.PROPOSED: (0, (4, 2)),
    State.CONFIRMED: "-",
    State.DISMISSED: (0, (1, 2)),
    State.ACCEPTED: (0, (6, 2, 1, 2)),
}
_MOST_MARKERS = 60


def draw(axes: Axes, one: Judged) -> Axes:
    """Draw a series by the number of its run; time is not to scale, as levels belong to runs.

    Args:
        axes: to draw on.
        one: the series, judged. Confirmed changes are solid lines, proposed ones dashed,
            dismissed ones dotted and accepted ones dash-dotted; worse is red, better green. A band
            holds the places where a change may be, a slope is a drift, and what lies before the
            grey line of a branch is the main one's.
    """
    values = one.series.values * one.series.metric.scale
    at = np.arange(len(values))
    marker = "o" if len(values) <= _MOST_MARKERS else ""
    axes.plot(at, values, color=PALETTE[0], linewidth=0.9, alpha=0.8, marker=marker, markersize=3)
    edges = [0, *(found.at for found in one.found), len(values)]
    for start, end in pairwise(edges):
        level = float(np.median(values[start:end]))
        axes.plot([start - 0.5, end - 0.5], [level, level], color=INK, linewidth=1.6, solid_capstyle="butt")
    if one.series.begin:
        axes.axvline(one.series.begin - 0.5, color=FAINT, linewidth=3, zorder=0)
    if one.drift:
        old, new = one.drift.since, one.drift.until
        level = float(np.median(values[old : old + AT_THE_ENDS]))
        color, dash = PALETTE[2] if one.drift.worse else PALETTE[1], _DASH[State.PROPOSED]
        axes.plot([old, new], [level, level * one.drift.ratio], color=color, linewidth=1.6, linestyle=dash)
        # Above the words of changes, which may lie anywhere.
        axes.text(new, 1.09, f"drift: × {one.drift.ratio:.2f}", color=color, **_label(axes, "right"))
    for found in one.found:
        color = PALETTE[2] if found.worse else PALETTE[1]
        if found.high > found.low:
            axes.axvspan(found.low - 0.5, found.high - 0.5, color=color, alpha=0.12, linewidth=0)
        axes.axvline(found.at - 0.5, color=color, linewidth=1.4, linestyle=_DASH[found.state])
        axes.text(found.at, 1.01, f"{found.state}: × {found.ratio:.2f}", color=color, **_label(axes, "center"))
    axes.grid(visible=False, axis="x")
    axes.grid(color=FAINT, axis="y")
    axes.set_xlim(-0.5, len(values) - 0.5)
    low, high = float(values.min()), float(values.max())
    room = 0.08 * (high - low) or 0.05 * high
    axes.set_ylim(low - room, high + room)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda run, _: count(run + 1)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_tick(value)))
    axes.set_xlabel(f"runs, measured {min(one.series.times):%Y-%m-%d} to {one.series.newest:%Y-%m-%d}")
    axes.set_ylabel(f"{one.series.key['metric']}, {one.series.metric.unit}")
    return axes


def _label(axes: Axes, ha: str) -> dict[str, Any]:
    """Return how words above the axes are set."""
    return {"transform": axes.get_xaxis_transform(), "fontsize": 9.5, "va": "bottom", "ha": ha}
