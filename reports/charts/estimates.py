"""The figure that decides: each row's trials as dots, its estimate, and the 95 % interval of that."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from reports.charts.theme import INK, TRIAL_DOT, Style, belongs, log_axis, one_below_the_other, plain_tick
from reports.model import Spread

_LONGEST = 15
_LONG = 100_000
"""From here on a number on an axis takes the room of two."""
_SEPARATOR = re.compile(r"(–|,(?= )) ?(?=\d)")
"""Between the ends of an interval, or between figures of trials."""
_WIDE = 12.0
"""Ratio of the largest value to the smallest from which the axis is logarithmic."""


@dataclass(frozen=True)
class Bar:
    """One row.

    Attributes:
        trials: the estimate of each usable trial, in the axis' unit.
        left_out: what trials that are not counted would have shown.
        centre, low, high: estimate and interval; None where there is none.
        text: what is written beside it, such as `1.20 (1.10–1.31)` or `overloaded`.
    """

    trials: Sequence[float]
    left_out: Sequence[float]
    centre: float | None
    low: float | None
    high: float | None
    text: str


def bar(spread: Spread, trials: Sequence[float], left_out: Sequence[float], text: str, scale: float = 1.0) -> Bar:
    """Return a row with its estimate and trials brought to the axis' unit.

    Args:
        spread: estimate and interval.
        trials: one a usable trial.
        left_out: of trials that are not counted, in the axis' unit.
        text: to write beside it.
        scale: factor from the spread's unit to the axis'.
    """
    centre, low, high = (
        None if v is None else v * scale for v in (spread.centre, spread.interval_low, spread.interval_high)
    )
    return Bar([v * scale for v in trials], left_out, centre, low, high, text)


def draw(axes: Axes, bars: Mapping[str, Bar], styles: Mapping[str, Style], label: str) -> Axes:
    """Draw one line a target: dots for trials, crosses for those left out, a thick bar for the interval.

    Args:
        axes: to draw on.
        bars: by target.
        styles: by target.
        label: of the axis.
    """
    shown = [v for each in bars.values() for v in (*each.trials, *each.left_out) if v > 0]
    wide = bool(shown) and max(shown) > _WIDE * min(shown)
    for place, (target, style) in enumerate(styles.items()):
        each = bars[target]
        if each.low is not None and each.high is not None:
            (line,) = axes.plot(
                [each.low, each.high], [place] * 2, color=style.color, linewidth=7, alpha=0.4, solid_capstyle="butt"
            )
            belongs(line, style, f"{style.label}: {each.text}")
        for values, mark, width in ((each.trials, "o", 0.0), (each.left_out, "x", 1.4)):
            (dots,) = axes.plot(
                values, [place + 0.27] * len(values), mark, color=style.color, markersize=TRIAL_DOT, alpha=0.7,
                markeredgewidth=width,
            )  # fmt: skip
            belongs(dots, style)
        if each.centre is not None:
            (middle,) = axes.plot([each.centre], [place], "|", color=INK, markersize=17, markeredgewidth=2.4)
            belongs(middle, style, f"{style.label}: {each.text}")
        words = axes.text(
            1.02, place, _broken(each.text), transform=axes.get_yaxis_transform(), va="center",
            fontsize=10.5, linespacing=1.1,
        )  # fmt: skip
        belongs(words, style)
    one_below_the_other(axes, [style.wrapped for style in styles.values()], 0.45)
    _limits(axes, bars, shown, wide=wide)
    for place, (target, style) in enumerate(styles.items()):
        _leaving(axes, place, bars[target], style)
    axes.set_xlabel(label)
    return axes


def _broken(text: str) -> str:
    """Put an interval on a line of its own, and a long one on two."""
    lines = text.replace(" (", "\n(").split("\n")
    return "\n".join(_SEPARATOR.sub(r"\1\n", line) if len(line) > _LONGEST else line for line in lines)


def _leaving(axes: Axes, place: int, each: Bar, style: Style) -> None:
    """Mark with an arrow where an interval leaves the frame."""
    left, right = axes.get_xlim()
    low_leaves, high_leaves = (each.low is not None and each.low < left), (each.high is not None and each.high > right)
    for leaves, at, mark in ((low_leaves, left, "<"), (high_leaves, right, ">")):
        if leaves:
            (arrow,) = axes.plot([at], [place], mark, color=style.color, markersize=8, clip_on=False)
            belongs(arrow, style)


def _limits(axes: Axes, bars: Mapping[str, Bar], shown: Sequence[float], *, wide: bool) -> None:
    ends = [end for each in bars.values() for end in (each.low, each.high, each.centre) if end]
    if not shown:
        axes.set_xlim(0, 1)
        axes.set_xticks([])
        return
    # An interval of two or three trials may span decades: the trials set the frame, and it may leave it.
    high = min(max([*ends, *shown]), 2.0 * max(shown))
    if wide:
        low = max(min([*ends, *shown]), min(shown) / 2.0)
        axes.set_xscale("log")
        axes.set_xlim(low / 1.15, high * 1.15)
        log_axis(axes.xaxis, low / 1.15, high * 1.15)
        return
    axes.set_xlim(0, high * 1.06)
    axes.xaxis.set_major_locator(MaxNLocator(3 if axes.get_xlim()[1] >= _LONG else 5, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_tick(value)))
