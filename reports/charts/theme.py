"""How figures look: one colour a target everywhere, one dash a protocol, labels at the lines.

Colours are those of Okabe & Ito (2008), told apart with any common colour blindness. In a
page each stands for a CSS variable, so that one SVG serves light and dark.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from brokers.plain_text import printable
from reports.format import count, number
from reports.summary import TargetSummary

PALETTE = ("#0072B2", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#E69F00")
INK = "#1b1c1d"
"""Text and axes."""
FAINT = "#c9cacb"
"""Grid lines."""
SHADE = "#e8e9ea"
"""The warm-up."""
RC: dict[Any, Any] = {
    "font.size": 11.5,
    "font.family": "sans-serif",
    "svg.fonttype": "none",
    "svg.hashsalt": "busbench",
    "text.parse_math": False,  # a dollar in a label is a dollar
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.labelsize": 11.5,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 2.0,
}
"""Settings of matplotlib under which figures are made and written."""

TRIAL_DOT = 5.0
"""Size of the dot of one trial."""
_DASHES = {"AMQP 0-9-1": "-", "AMQP 1.0": (0, (4, 1.4)), "memory": "-"}
_LABEL_WIDTH = 12
_WIDTH_IN = 5.2
_MARGIN_PX = 2.0
_WIDE = 1_000
_STEPS = (
    (0.45, (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 7.0, 8.0)),
    (0.8, (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)),
    (2.5, (1.0, 2.0, 5.0)),
    (float("inf"), (1.0,)),
)


@dataclass(frozen=True)
class Style:
    """How one target is drawn."""

    label: str
    color: str
    dash: str | tuple[int, tuple[float, float]]
    place: int = 0
    """Of the target among those of the report."""

    @property
    def wrapped(self) -> str:
        """The label on lines of at most 12 characters, where words allow."""
        return textwrap.fill(self.label, _LABEL_WIDTH, break_long_words=False, break_on_hyphens=False)


def styles(targets: Sequence[TargetSummary]) -> dict[str, Style]:
    """Return the style of each target by name: colour by order, dash by protocol."""
    return {
        target.name: Style(target.label, PALETTE[place % len(PALETTE)], _DASHES.get(target.protocol, "-"), place)  # type: ignore[arg-type]
        for place, target in enumerate(targets)
    }


def figure(height: float, *heights: float) -> tuple[Figure, list[Axes]]:
    """Return a figure 5.2 inches wide and its axes, one above the other with a shared x axis.

    Args:
        height: of the figure, inches.
        heights: of the axes, relative to each other; one pair of axes where none is given.
    """
    made = Figure(figsize=(_WIDTH_IN, height), layout=None)
    shares = list(heights) or [1.0]
    axes = made.subplots(len(shares), 1, sharex=True, squeeze=False, height_ratios=shares)[:, 0]
    return made, list(axes)


def notice(words: str) -> Figure:
    """Return a figure that only says something."""
    made, (axes,) = figure(0.8)
    axes.set_axis_off()
    axes.text(0.5, 0.5, textwrap.fill(words, 60), ha="center", va="center", transform=axes.transAxes)
    return made


def make_room(figure: Figure) -> None:
    """Move the left edge of the axes to the right where the words beside them would leave the figure."""
    left = min((box.x0 for axes in figure.axes if (box := axes.yaxis.get_tightbbox())), default=_MARGIN_PX)
    if left < _MARGIN_PX:
        figure.subplots_adjust(left=figure.subplotpars.left + (_MARGIN_PX - left) / figure.bbox.width)


def belongs(artist: Artist, style: Style, tip: str = "") -> None:
    """Mark what is drawn of a target, so that a page can hide it, and tell a value where one points at it."""
    artist.set_gid(f"@{style.place}|{printable(tip)}")


def one_below_the_other(axes: Axes, labels: Sequence[str], edge: float = 0.5) -> None:
    """Make the y axis a list of rows, the first on top, for figures of one line a row."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - edge, edge - 1)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)


def count_axis(axes: Axes) -> None:
    """Put a few whole numbers on the x axis."""
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))


def write_beside(axes: Axes, x: float, y: float, text: str, style: Style, gap: int) -> None:
    """Write a row's figure to the right of a point."""
    belongs(axes.annotate(text, (x, y), xytext=(gap, 0), textcoords="offset points", va="center", fontsize=10), style)


def spread_out(places: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return places moved apart to at least `gap`, in their order and within low … high where they fit."""
    order = np.argsort(places, kind="stable")
    moved = np.array(places, float)[order]
    for k in range(1, len(moved)):
        moved[k] = max(moved[k], moved[k - 1] + gap)
    if len(moved) and moved[-1] > high:
        moved[-1] = high
        for k in range(len(moved) - 2, -1, -1):
            moved[k] = min(moved[k], moved[k + 1] - gap)
    if len(moved) and moved[0] < low:
        moved += low - moved[0]
    result = np.empty(len(moved))
    result[order] = moved
    return [float(place) for place in result]


def label_ends(axes: Axes, ends: Sequence[tuple[float, float, Style]]) -> None:
    """Write each target's label at the right of the axes, joined to its line's end (x, y); limits must be final."""
    if not ends:
        return
    points = axes.transAxes.inverted().transform(axes.transData.transform([(x, y) for x, y, _ in ends]))
    height = axes.get_window_extent().height / axes.figure.dpi * 72
    lines = max(style.wrapped.count("\n") + 1 for _, _, style in ends)
    gap = (lines * 12.7 + 3) / height
    places = spread_out([float(point[1]) for point in points], gap, gap / 2, 1 - gap / 2)
    for (x, y, style), place in zip(ends, places, strict=True):
        label = axes.annotate(
            style.wrapped,
            xy=(x, y),
            xytext=(1.05, place),
            textcoords="axes fraction",
            color=style.color,
            fontsize=10.5,
            fontweight="bold",
            va="center",
            linespacing=1.05,
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": style.color,
                "linewidth": 0.7,
                "shrinkA": 1,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )
        belongs(label, style)
        if label.arrow_patch is not None:
            belongs(label.arrow_patch, style)


def name_beside(axes: Axes, shown: Sequence[Style]) -> None:
    """Write the targets' labels one below the other at the right of the axes, each with a piece of its line."""
    height = axes.get_window_extent().height / axes.figure.dpi * 72
    y = 1.0
    for style in shown:
        (sample,) = axes.plot(
            [1.05, 1.12], [y - 7 / height] * 2, color=style.color, linestyle=style.dash, transform=axes.transAxes,
            clip_on=False,
        )  # fmt: skip
        belongs(sample, style)
        label = axes.text(
            1.14, y, style.wrapped, transform=axes.transAxes, color=style.color, fontsize=10.5, fontweight="bold",
            va="top", linespacing=1.05,
        )  # fmt: skip
        belongs(label, style)
        y -= (12.7 * (style.wrapped.count("\n") + 1) + 5) / height


def millisecond_axis(axes: Axes) -> None:
    """Make the y axis logarithmic in ms, with plain numbers, fewer the more decades it spans."""
    axes.set_yscale("log")
    log_axis(axes.yaxis, *axes.get_ylim())


def log_axis(axis: Axis, low: float, high: float) -> None:
    """Put plain numbers on a logarithmic axis that goes from low to high, fewer the more decades it spans."""
    decades = float(np.log10(high / low))
    wide = isinstance(axis, XAxis) and high >= _WIDE
    if wide:
        decades *= 2  # such numbers stand beside each other, and are as wide as half a decade
    steps = next(steps for limit, steps in _STEPS if decades <= limit)
    axis.set_major_locator(LogLocator(subs=steps, numticks=3) if wide else LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda value, _: plain_tick(value)))
    axis.set_minor_locator(NullLocator())
    axis.set_minor_formatter(NullFormatter())


def plain_tick(value: float) -> str:
    """Return a number as ticks show it: without zeros at its end."""
    text = number(value)
    return text.rstrip("0").rstrip(".") if "." in text else text
