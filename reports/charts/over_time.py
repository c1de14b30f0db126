"""Latency over time: whether a figure held over the trial, how the warm-up went, and what happened meanwhile."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from bench.units import NS_PER_MS
from reports.charts.theme import SHADE, Style, belongs, label_ends, millisecond_axis
from reports.events import spoken
from reports.summary import Mark, Trace
from reports.traces import edges

_WARM_UP_ROOM = 2.5  # how far beyond the measured part a warm-up may stretch the axis
_MARGIN = 1.2


def draw(
    axes: Axes, lines: Mapping[str, Trace], styles: Mapping[str, Style], column: str, *, labels: bool = True
) -> Axes:
    """Draw one percentile of each second, the mean over trials as a line and their range as a band.

    Args:
        axes: to draw on.
        lines: by target, of that percentile; time 0 is the start of the measured part.
        styles: by target.
        column: `p50` or `p99`.
        labels: whether to write targets' names at the right.
    """
    ends = []
    for target, style in styles.items():
        if target not in lines:
            continue
        line = lines[target]
        at = np.array(line.x)
        low, middle, high = (np.array(part) / NS_PER_MS for part in (line.low_ns, line.y_ns, line.high_ns))
        band = axes.fill_between(at, low, high, color=style.color, alpha=0.13, linewidth=0)
        belongs(band, style)
        (drawn,) = axes.plot(at, middle, color=style.color, linestyle=style.dash, marker="o", markersize=2.5)
        belongs(drawn, style)
        ends.append((float(at[-1]), float(middle[-1]), style))
    times = [at for line in lines.values() for at in edges(line.x)]
    start, end = min([0.0, *times]), max([1.0, *times])
    axes.set_xlim(start, end)
    axes.set_ylim(*limits(list(lines.values())))
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


def limits(lines: Sequence[Trace]) -> tuple[float, float]:
    """Return limits in ms that the measured part sets, and a wild warm-up does not."""
    every = [(at, low, high) for line in lines for at, low, high in zip(line.x, line.low_ns, line.high_ns, strict=True)]
    shown = [point for point in every if point[0] >= 0] or every
    if not shown:
        return 0.1, 1.0
    low = max(min(low for _, low, _ in every), min(low for _, low, _ in shown) / _WARM_UP_ROOM)
    high = min(max(high for _, _, high in every), max(high for _, _, high in shown) * _WARM_UP_ROOM)
    return low / NS_PER_MS / _MARGIN, high / NS_PER_MS * _MARGIN


def draw_marks(axes: Axes, marks: Sequence[Mark], styles: Mapping[str, Style]) -> Axes:
    """Draw one lane a kind of event and in it one line a target: where and how long it was in any trial.

    Args:
        axes: to draw on, above those of the latency.
        marks: of one question.
        styles: by target.
    """
    kinds = list(dict.fromkeys(mark.event for mark in marks))
    step = 0.7 / max(len(styles), 1)
    for mark in marks:
        style = styles[mark.target]
        height = kinds.index(mark.event) - 0.35 + (list(styles).index(mark.target) + 0.5) * step
        (line,) = axes.plot(
            [mark.from_s, mark.to_s], [height] * 2, color=style.color, linewidth=2.2, solid_capstyle="butt",
            clip_on=False, marker="|" if mark.to_s <= mark.from_s else "", markersize=7, markeredgewidth=2,
        )  # fmt: skip
        belongs(line, style, f"{style.label}: {mark.text}")
    axes.set_yticks(range(len(kinds)), [spoken(kind) for kind in kinds], fontsize=9.5)
    axes.set_ylim(max(len(kinds), 1) - 0.45, -0.55)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="both", length=0, labelbottom=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    return axes
