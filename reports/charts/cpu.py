"""CPU time a message: what the broker costs, and what our own client does beside it."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from reports.charts.theme import INK, Style
from reports.format import number

_SIDES = (("broker", -0.19, 1.0), ("client", 0.19, 0.35))


def draw(axes: Axes, trials: pd.DataFrame, styles: Mapping[str, Style]) -> Axes:
    """Draw two bars a target, the median over trials, with the trials' range as a line.

    Args:
        axes: to draw on.
        trials: rows of `Dataset.trials` of one workload, those that may be used.
        styles: by target.
    """
    longest = 0.0
    for place, (target, style) in enumerate(styles.items()):
        rows = trials[trials["target"] == target]
        for side, offset, alpha in _SIDES:
            cost = rows[f"{side}_cpu_us_per_message"].astype(float).dropna()
            if cost.empty:
                _beside(axes, 0, place + offset, f"{side}: not known")
                continue
            median, low, high = float(cost.median()), float(cost.min()), float(cost.max())
            axes.barh(place + offset, median, height=0.34, color=style.color, alpha=alpha, linewidth=0)
            axes.plot([low, high], [place + offset] * 2, color=INK, linewidth=1.2)
            _beside(axes, high, place + offset, f"{side} {number(median)}")
            longest = max(longest, high)
    axes.set_yticks(range(len(styles)), [style.wrapped for style in styles.values()])
    axes.set_ylim(len(styles) - 0.5, -0.5)
    axes.set_xlim(0, longest * 1.3 or 1.0)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("CPU time, µs a message")
    return axes


def _beside(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(text, (x, y), xytext=(4, 0), textcoords="offset points", va="center", fontsize=10)
