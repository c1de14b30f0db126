"""Highest sustainable rates: a bar from the last rate that held to the first that failed."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from reports.charts.theme import INK, Style, belongs, count_axis, one_below_the_other, write_beside
from reports.format import rate
from reports.sustained import Sustained


def draw(axes: Axes, rows: Sequence[tuple[Sustained, Style]]) -> Axes:
    """Draw one line a row: a thin line up to the last rate that held, a thick bar to the first that failed.

    Args:
        axes: to draw on.
        rows: what was found, and how its target is drawn; a label for each.
    """
    longest = max((row.high or row.low or 0.0 for row, _ in rows), default=1.0)
    for place, (row, style) in enumerate(rows):
        low, high = row.low or 0.0, row.high
        text = f"{rate(row.low)} to {rate(high)}" if row.low and high else rate(row.low or high)
        if row.client_bound:
            text += "\n(lower bound)"
        (held,) = axes.plot([0, low], [place] * 2, color=style.color, linewidth=1.6)
        belongs(held, style)
        end = high if high is not None else low
        (span,) = axes.plot([low, end], [place] * 2, color=style.color, linewidth=11, solid_capstyle="butt", alpha=0.55)
        belongs(span, style, f"{style.label}, {row.workload}: {text}")
        (edge,) = axes.plot([low], [place], "|", color=INK, markersize=16, markeredgewidth=2.2)
        belongs(edge, style)
        write_beside(axes, end, place, text, style, 7)
    one_below_the_other(axes, [f"{style.wrapped}\n{row.workload}" for row, style in rows], 0.45)
    axes.set_xlim(0, longest * 1.32)
    count_axis(axes)
    axes.set_xlabel("highest sustainable rate, messages a second")
    return axes
