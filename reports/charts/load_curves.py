"""A figure of one quantity against another, a line a target: sweeps (in flight) and curves (offered rate)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from bench.units import NS_PER_MS
from reports.charts.theme import Style, belongs, label_ends, millisecond_axis, plain_tick
from reports.format import count, milliseconds, rate
from reports.model import Spread

_CROWDED = 7


@dataclass(frozen=True)
class Point:
    """One row of a sweep or a curve.

    Attributes:
        x: messages in flight, or offered a second.
        rate: achieved, messages a second.
        p99_ns: of the latency that the row is about.
        saturated: whether it did not carry the load, so that no latency stands.
    """

    x: float
    rate: Spread
    p99_ns: Spread
    saturated: bool = False


Lines = Mapping[str, Sequence[Point]]
"""Points by target, in rising order."""


def draw_throughput(axes: Axes, lines: Lines, styles: Mapping[str, Style]) -> Axes:
    """Draw achieved rate against messages in flight, intervals as bars."""
    ends = []
    for target, style in styles.items():
        points = [(point.x, point.rate) for point in lines[target] if point.rate.centre is not None]
        ends += _line(axes, points, 1.0, style, lambda v: f"{rate(v)} msg/s")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    axes.set_ylabel("messages a second")
    _in_flight(axes, lines)
    label_ends(axes, ends)
    return axes


def draw_latency(axes: Axes, lines: Lines, styles: Mapping[str, Style], tag: str, *, labels: bool = True) -> Axes:
    """Draw p99 of a latency against messages in flight, intervals as bars."""
    ends = _latency(axes, lines, styles)
    millisecond_axis(axes)
    axes.set_ylabel(f"p99 {tag}, ms")
    _in_flight(axes, lines)
    if labels:
        label_ends(axes, ends)
    return axes


def draw_curve(axes: Axes, lines: Lines, styles: Mapping[str, Style], knees: Mapping[str, float]) -> Axes:
    """Draw p99 response against the offered rate, with a ring at each knee and a cross where a row is saturated.

    Args:
        axes: to draw on.
        lines: by target.
        styles: by target.
        knees: highest rate before the bend, by target; absent where there is none.
    """
    ends = _latency(axes, lines, styles)
    millisecond_axis(axes)
    for target, style in styles.items():
        by_rate = {point.x: point.p99_ns.centre for point in lines[target] if not point.saturated}
        at = knees.get(target)
        if at is not None and (height := by_rate.get(at)) is not None:
            (ring,) = axes.plot(
                [at], [height / NS_PER_MS], "o", markersize=12, markerfacecolor="none", color=style.color
            )
            belongs(ring, style, f"{style.label}: knee at {rate(at)} msg/s")
        over = [point.x for point in lines[target] if point.saturated]
        top = 0.965 - 0.04 * style.place
        (crosses,) = axes.plot(
            over, [top] * len(over), "X", color=style.color, markersize=8, transform=axes.get_xaxis_transform()
        )
        belongs(crosses, style, f"{style.label}: saturated")
    places = sorted({point.x for points in lines.values() for point in points})
    axes.set_xlim(0, places[-1] * 1.04 if places else 1)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_tick(value)))
    axes.set_xlabel("offered, messages a second")
    axes.set_ylabel("p99 response, ms")
    label_ends(axes, ends)
    return axes


End = tuple[float, float, Style]


def _latency(axes: Axes, lines: Lines, styles: Mapping[str, Style]) -> list[End]:
    ends = []
    for target, style in styles.items():
        known = [p for p in lines[target] if not p.saturated and p.p99_ns.centre is not None]
        points = [(point.x, point.p99_ns) for point in known]
        ends += _line(axes, points, 1 / NS_PER_MS, style, lambda v: f"p99 {milliseconds(v)} ms")
    return ends


def _line(
    axes: Axes, points: Sequence[tuple[float, Spread]], scale: float, style: Style, words: Callable[[float | None], str]
) -> list[End]:
    if not points:
        return []
    at = [x for x, _ in points]
    middle = [(spread.centre or 0.0) * scale for _, spread in points]
    (line,) = axes.plot(at, middle, color=style.color, linestyle=style.dash)
    belongs(line, style)
    for (x, spread), height in zip(points, middle, strict=True):
        if spread.interval_low is not None and spread.interval_high is not None:
            low, high = max(spread.interval_low * scale, height / 3), min(spread.interval_high * scale, height * 3)
            (bar,) = axes.plot([x, x], [low, high], color=style.color, linewidth=1.2)
            belongs(bar, style)
        (dot,) = axes.plot([x], [height], "o", color=style.color, markersize=4.5)
        belongs(dot, style, f"{style.label} at {count(x)}: {words(spread.centre)}")
    return [(at[-1], middle[-1], style)]


def _in_flight(axes: Axes, lines: Lines) -> None:
    places = sorted({point.x for points in lines.values() for point in points})
    axes.set_xscale("log", base=2)
    axes.set_xlim(places[0] / 1.15, places[-1] * 1.05)
    axes.xaxis.set_major_locator(FixedLocator(places[:: 1 + len(places) // _CROWDED]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
    axes.set_xlabel("messages in flight")
