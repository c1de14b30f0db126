"""CPU time a message: what the broker costs, and what our own client does beside it."""

from collections.abc import Mapping

from matplotlib.axes import Axes

from reports.charts.theme import INK, Style, belongs, one_below_the_other, write_beside
from reports.format import number
from reports.model import Spread

_SIDES = (("broker", -0.19, 1.0), ("client", 0.19, 0.35))


def draw(axes: Axes, costs: Mapping[str, Mapping[str, Spread]], styles: Mapping[str, Style]) -> Axes:
    """Draw two bars a target, each the estimate over trials, with its interval as a line.

    Args:
        axes: to draw on.
        costs: by target and side (`broker`, `client`): microseconds a message, the same as seconds a million.
        styles: by target.
    """
    longest = 0.0
    for place, (target, style) in enumerate(styles.items()):
        for side, offset, alpha in _SIDES:
            spread = costs[target][side]
            if spread.centre is None:
                write_beside(axes, 0, place + offset, f"{side}: not known", style, 4)
                continue
            text = f"{side} {number(spread.centre)}"
            (drawn,) = axes.barh(
                place + offset, spread.centre, height=0.34, color=style.color, alpha=alpha, linewidth=0
            )
            belongs(drawn, style, f"{style.label}, {text}")
            end = spread.centre
            if spread.interval_low is not None and spread.interval_high is not None:
                end = min(spread.interval_high, 2 * spread.centre)
                (line,) = axes.plot([spread.interval_low, end], [place + offset] * 2, color=INK, linewidth=1.2)
                belongs(line, style)
            write_beside(axes, end, place + offset, text, style, 4)
            longest = max(longest, end)
    one_below_the_other(axes, [style.wrapped for style in styles.values()])
    axes.set_xlim(0, longest * 1.3 or 1.0)
    axes.set_xlabel("CPU seconds a million messages")
    return axes
