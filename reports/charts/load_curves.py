"""A figure of one quantity against a swept field, a line a target: sweeps of any field, and curves (offered rate)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from bench.scenario.reference import IN_FLIGHT
from bench.units import NS_PER_MS
from reports.charts.theme import INK, Style, belongs, label_ends, millisecond_axis, name_beside, plain_tick
from reports.format import count, milliseconds, number, rate
from reports.model import Spread, spread
from reports.swept import Axis, value_words

_TICK_GAP, _TICK_LETTER = 0.02, 0.032
"""Shares of the x axis: what words of ticks keep apart, and what one letter takes."""
_ASIDE = 0.14
"""Distance of the targets' dots where values are categories, which lines do not join."""


@dataclass(frozen=True)
class Point:
    """One row of a sweep or a curve.

    Attributes:
        x: where its value stands on the axis.
        rate: achieved, messages a second.
        p99_ns: of the latency that the row is about.
        saturated: whether it did not carry the load, so that no latency stands.
        at: the value in words.
        broker_cpu_us: of the broker's process tree, a message.
    """

    x: float
    rate: Spread
    p99_ns: Spread
    saturated: bool = False
    at: str = ""
    broker_cpu_us: Spread = field(default_factory=lambda: spread(()))


Lines = Mapping[str, Sequence[Point]]
"""Points by target, in rising order."""


@dataclass(frozen=True)
class Quantity:
    """What is drawn along the y axis.

    Attributes:
        label: of the axis.
        of: a row's figure.
        scale: factor from that to the axis' unit.
        words: that figure with its unit.
        latency: whether it is one: on a logarithmic axis, and of no row that did not carry the load.
    """

    label: str
    of: Callable[[Point], Spread]
    scale: float
    words: Callable[[float | None], str]
    latency: bool = False


RATE = Quantity("messages a second", lambda point: point.rate, 1.0, lambda value: f"{rate(value)} msg/s")
BROKER_CPU = Quantity(
    "broker CPU, µs a message", lambda point: point.broker_cpu_us, 1.0, lambda value: f"{number(value)} µs a message"
)


def p99(tag: str) -> Quantity:
    """Return the p99 of a latency."""
    return Quantity(
        f"p99 {tag}, ms",
        lambda point: point.p99_ns,
        1 / NS_PER_MS,
        lambda v: f"p99 {milliseconds(v)} ms",
        latency=True,
    )


def draw(
    axes: Axes, lines: Lines, styles: Mapping[str, Style], along: Axis, quantity: Quantity, *, labels: bool = True
) -> Axes:
    """Draw a quantity against a swept field, intervals as bars.

    Args:
        axes: to draw on.
        lines: by target.
        styles: by target.
        along: the swept field.
        quantity: what is drawn.
        labels: whether targets are named at the ends of their lines.
    """
    ends = _lines(axes, lines, styles, along, quantity)
    _scale_y(axes, quantity)
    _scale_x(axes, along)
    if labels:
        label_ends(axes, ends)
    return axes


def draw_panels(
    panels: Mapping[Axes, tuple[str, Lines]], styles: Mapping[str, Style], along: Axis, quantity: Quantity
) -> None:
    """Draw small multiples, one below the other, with one scale for all; targets are named beside the first.

    Args:
        panels: the lines of each, and what they have in common in words.
        styles: by target.
        along: the swept field.
        quantity: what is drawn.
    """
    for axes, (_, lines) in panels.items():
        _lines(axes, lines, styles, along, quantity)
    limits = [axes.get_ylim() for axes, (_, lines) in panels.items() if any(_known(lines, quantity))]
    for axes, (title, _) in panels.items():
        if limits:
            axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
        _scale_y(axes, quantity, most_ticks=4)
        _scale_x(axes, along)
        axes.set_ylabel("")
        axes.set_title(title, loc="left", fontsize=10.5, fontweight="bold", pad=3)
        axes.label_outer()
    first = next(iter(panels))
    first.figure.supylabel(quantity.label, x=0.008, fontsize=11.5, color=INK)
    name_beside(first, list(styles.values()))


def draw_curve(axes: Axes, lines: Lines, styles: Mapping[str, Style], along: Axis, knees: Mapping[str, float]) -> Axes:
    """Draw p99 response against the offered rate, with a ring at each knee and a cross where a row is saturated.

    Args:
        axes: to draw on.
        lines: by target.
        styles: by target.
        along: the rates.
        knees: highest rate before the bend, by target; absent where there is none.
    """
    quantity = p99("response")
    ends = _lines(axes, lines, styles, along, quantity)
    _scale_y(axes, quantity)
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
    axes.set_xlabel(along.label)
    label_ends(axes, ends)
    return axes


End = tuple[float, float, Style]


def _known(lines: Lines, quantity: Quantity) -> Iterator[Point]:
    """Yield the points that have a figure."""
    for points in lines.values():
        for point in points:
            if quantity.of(point).centre is not None and not (quantity.latency and point.saturated):
                yield point


def _lines(axes: Axes, lines: Lines, styles: Mapping[str, Style], along: Axis, quantity: Quantity) -> list[End]:
    if quantity.latency:
        axes.set_yscale("log")
    ends = []
    shown = [target for target in styles if target in lines]
    for place, target in enumerate(shown):
        aside = 0.0 if along.numeric else _ASIDE * (place - (len(shown) - 1) / 2)
        ends += _line(axes, list(_known({target: lines[target]}, quantity)), quantity, styles[target], aside, along)
    return ends


def _line(
    axes: Axes, points: Sequence[Point], quantity: Quantity, style: Style, aside: float, along: Axis
) -> list[End]:
    if not points:
        return []
    at = [point.x + aside for point in points]
    middle = [(quantity.of(point).centre or 0.0) * quantity.scale for point in points]
    (line,) = axes.plot(at, middle, color=style.color, linestyle=style.dash if along.numeric else "none")
    belongs(line, style)
    for x, point, height in zip(at, points, middle, strict=True):
        spread = quantity.of(point)
        if spread.interval_low is not None and spread.interval_high is not None:
            low, high = (end * quantity.scale for end in (spread.interval_low, spread.interval_high))
            (bar,) = axes.plot([x, x], [max(low, height / 3), min(high, height * 3)], color=style.color, linewidth=1.2)
            belongs(bar, style)
        (dot,) = axes.plot([x], [height], "o", color=style.color, markersize=4.5)
        belongs(dot, style, f"{style.label} at {point.at or count(point.x)}: {quantity.words(spread.centre)}")
    return [(at[-1], middle[-1], style)]


def _scale_y(axes: Axes, quantity: Quantity, most_ticks: int | None = None) -> None:
    axes.set_ylabel(quantity.label)
    if quantity.latency:
        millisecond_axis(axes)
        return
    axes.set_ylim(bottom=0)
    if most_ticks is not None:
        axes.yaxis.set_major_locator(MaxNLocator(most_ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: plain_tick(value) if value < 1 else f"{value:,.10g}"))


def _apart(axes: Axes, words: Mapping[float, str]) -> list[float]:
    """Return the places whose words stand clear of each other, the first and the last among them."""
    places = list(words)
    at = axes.transAxes.inverted().transform(axes.transData.transform([(place, 1.0) for place in places]))[:, 0]

    def clear(one: int, other: int) -> bool:
        longest = max(len(words[places[one]]), len(words[places[other]]))
        return bool(at[other] - at[one] > _TICK_GAP + _TICK_LETTER * longest)

    kept = [0]
    for place in range(1, len(places) - 1):
        if clear(kept[-1], place) and clear(place, len(places) - 1):
            kept.append(place)
    return [places[place] for place in dict.fromkeys((*kept, len(places) - 1))]


def _scale_x(axes: Axes, along: Axis) -> None:
    words = {place: value_words(along.field, value) for value, place in along.places.items()}
    places = list(words)
    if not along.numeric:
        axes.set_xlim(-0.5, len(places) - 0.5)
    elif along.logarithmic or along.field == IN_FLIGHT:
        axes.set_xscale("log", base=2)
        axes.set_xlim(places[0] / 1.15, places[-1] * 1.05)
    else:
        room = 0.04 * (places[-1] - places[0])
        axes.set_xlim(places[0] - room, places[-1] + room)
    axes.xaxis.set_major_locator(FixedLocator(_apart(axes, words) if along.numeric else places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: words.get(value, "")))
    axes.set_xlabel(along.label)
