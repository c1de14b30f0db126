"""A queue that is filled and drained: messages confirmed and received a second, and how many lay in it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from bench.units import NS_PER_S, TICK_NS
from reports.charts.theme import Style, belongs, name_beside
from reports.format import count

_MOST_BINS = 120


def draw(upper: Axes, lower: Axes, ticks: Mapping[str, pd.DataFrame], styles: Mapping[str, Style]) -> None:
    """Draw one trial a target, from its first send on.

    Args:
        upper: for rates, what is confirmed as a line and what is received as a dotted one.
        lower: for the depth.
        ticks: by target, the timeline of a trial.
        styles: by target.
    """
    longest = max((len(frame) for frame in ticks.values()), default=1)
    width = -(-longest // _MOST_BINS)
    for target, frame in ticks.items():
        style = styles[target]
        begins = np.arange(0, len(frame), width)
        lengths_s = np.diff([*begins, len(frame)]) * TICK_NS / NS_PER_S
        at_s = begins * TICK_NS / NS_PER_S + lengths_s / 2
        for column, dash in (("confirmed", "-"), ("received", ":")):
            rates = np.add.reduceat(frame[column].to_numpy(), begins) / lengths_s
            goes_on = np.flatnonzero(rates)
            shown = slice(goes_on[0], goes_on[-1] + 1) if len(goes_on) else slice(0)
            (line,) = upper.plot(at_s[shown], rates[shown], color=style.color, linestyle=dash, linewidth=1.6)
            belongs(line, style)
        lay = np.cumsum(frame["confirmed"].to_numpy() - frame["received"].to_numpy())
        ends_s = (np.arange(len(frame)) + 1) * TICK_NS / NS_PER_S
        (line,) = lower.plot(ends_s, lay, color=style.color, linestyle=style.dash, linewidth=1.6)
        belongs(line, style)
    for axes, words in ((upper, "msg/s"), (lower, "in the queue")):
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(4))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
        axes.set_ylabel(words)
    lower.set_xlim(0, longest * TICK_NS / NS_PER_S)
    lower.set_xlabel("seconds after the first send")
    name_beside(upper, [styles[target] for target in ticks])
