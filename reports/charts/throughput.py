"""Throughput: what each trial achieved beside what was offered."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes

from reports.charts.theme import INK, Style, belongs, count_axis, one_below_the_other
from reports.format import count


def draw(axes: Axes, trials: pd.DataFrame, styles: Mapping[str, Style], offered: float | None, unit: str) -> Axes:
    """Draw one dot a trial on one row a target.

    Args:
        axes: to draw on.
        trials: rows of `Dataset.trials` of one workload, those that may be used.
        styles: by target.
        offered: in that unit; None in a closed loop.
        unit: what is counted, such as `messages a second`.
    """
    for place, (target, style) in enumerate(styles.items()):
        rates = trials.loc[trials["target"] == target, "achieved_rate"]
        (dots,) = axes.plot(
            rates.to_numpy(), [place] * len(rates), "o", color=style.color, markersize=7, alpha=0.75, markeredgewidth=0
        )
        belongs(dots, style)
        if rates.empty:
            axes.text(0.02, place, "no usable trial", transform=axes.get_yaxis_transform(), va="center", fontsize=10)
    one_below_the_other(axes, [style.wrapped for style in styles.values()])
    highest = max(float(trials["achieved_rate"].max()) if len(trials) else 1.0, offered or 0.0)
    axes.set_xlim(0, highest * 1.12)
    if offered is not None:
        axes.axvline(offered, color=INK, linewidth=1, linestyle=(0, (2, 2)), zorder=0)
        axes.text(
            offered, 1.02, f"offered {count(offered)}", transform=axes.get_xaxis_transform(), ha="center", fontsize=10
        )
    count_axis(axes)
    axes.set_xlabel(f"achieved, {unit}")
    return axes
