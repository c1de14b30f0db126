"""Figures: each returns its Axes, names every target, draws what the tables hold, and gives the same SVG twice."""

import re
from collections.abc import Iterator
from itertools import pairwise
from xml.etree import ElementTree as ET

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from reports.charts import cost, estimates, load_curves, over_time, percentiles, sustained, theme, throughput
from reports.charts.svg import standalone, to_svg
from reports.charts.theme import Style
from reports.dataset import Dataset
from reports.figures import pictures
from reports.model import Spread, spread
from reports.summary import Summary
from reports.sustained import Sustained
from reports.swept import Axis
from tests.brokers.test_plain_text import EVIL, SHOWN
from tests.reports.synthetic import IN_FLIGHT, TARGETS


@pytest.fixture
def axes() -> Iterator[Axes]:
    """Return empty axes under the reports' look."""
    with mpl.rc_context(theme.RC):
        made, (only,) = theme.figure(3.4)
        made.subplots_adjust(0.12, 0.15, 0.77, 0.97)
        yield only


@pytest.fixture
def styles(quick_summary: Summary) -> dict[str, Style]:
    """Return the style of each target."""
    return theme.styles(quick_summary.targets)


@pytest.fixture
def usable(quick: Dataset) -> pd.DataFrame:
    """Return the trials that may be used."""
    return quick.trials[quick.trials["usable"]]


def words(axes: Axes) -> str:
    """Return every text of the axes, on one line."""
    return " ".join(" ".join(text.get_text().split()) for text in axes.findobj(Text))


def all_named(axes: Axes, styles: dict[str, Style]) -> bool:
    """Whether each target's label is written."""
    return all(style.label in words(axes) for style in styles.values())


def drawn_by_percentile(axes: Axes, summary: Summary, styles: dict[str, Style], same: str = "") -> Axes:
    """Draw the steady rows by percentile, or one of them for each target."""
    lines = {line.target: line for line in summary.traces if (line.question, line.kind) == ("steady", "percentiles")}
    cells = {cell.target: cell for cell in summary.cells if cell.workload == "steady"}
    of = {target: same or target for target in styles}
    return percentiles.draw(
        axes, {t: lines[one] for t, one in of.items()}, {t: cells[one] for t, one in of.items()}, styles, "response"
    )


def test_latency_by_percentile_ends_where_the_data_do(
    axes: Axes, quick_summary: Summary, styles: dict[str, Style]
) -> None:
    """10,000 messages a trial reach three nines; where the table prints a percentile, the line has its figure."""
    assert drawn_by_percentile(axes, quick_summary, styles) is axes
    assert all_named(axes, styles)
    line = axes.lines[0]
    places, latency = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert places[-1] == pytest.approx(3.0, abs=0.01)
    printed = quick_summary.cell(TARGETS[0], "steady").latency_ns["p99"].centre
    assert printed is not None
    assert np.interp(2.0, places, latency) == pytest.approx(printed / 1e6, rel=1e-9)


def test_latency_over_time_shades_the_warm_up(axes: Axes, quick_summary: Summary, styles: dict[str, Style]) -> None:
    """Seconds of the warm-up are drawn, to the left of 0, and named."""
    rows = {
        line.target: line
        for line in quick_summary.traces
        if (line.question, line.kind, line.column) == ("steady", "time", "p99")
    }
    assert over_time.draw(axes, rows, styles, "p99") is axes
    assert all_named(axes, styles)
    assert "warm-up" in words(axes)
    assert axes.get_xlim() == (-2, 5)


def test_throughput_has_a_dot_a_trial(axes: Axes, usable: pd.DataFrame, styles: dict[str, Style]) -> None:
    """As many dots as usable trials, and the offered rate as a line."""
    rows = usable[usable["workload"] == "durable"]
    assert throughput.draw(axes, rows, styles, 2_000.0, "copies a second") is axes
    assert all_named(axes, styles)
    assert sum(len(np.asarray(line.get_xdata())) for line in axes.lines if line.get_marker() == "o") == len(rows)
    assert "offered 2,000" in words(axes)


def test_cost_names_both_sides(axes: Axes, quick_summary: Summary, styles: dict[str, Style]) -> None:
    """Two labelled bars a target, the estimates over trials, and a line for each interval."""
    spent = {
        target: {side: spread([one.centre, one.centre * 1.1] * 2) for side, one in sides.items() if one.centre}
        for target, sides in costs_of(quick_summary).items()
    }
    assert cost.draw(axes, spent, styles) is axes
    assert all_named(axes, styles)
    assert len(axes.patches) == 2 * len(styles)
    assert axes.patches[0].get_width() == pytest.approx(spent[TARGETS[0]]["broker"].estimate)
    assert len(axes.lines) == 2 * len(styles)


def test_unknown_cost_is_said_and_not_drawn_as_zero(
    axes: Axes, quick_summary: Summary, styles: dict[str, Style]
) -> None:
    """A broker whose CPU cannot be seen gets words, no bar."""
    unknown = {target: sides | {"broker": spread([])} for target, sides in costs_of(quick_summary).items()}
    cost.draw(axes, unknown, styles)
    assert words(axes).count("broker: not known") == len(styles)
    assert len(axes.patches) == len(styles)


def costs_of(summary: Summary) -> dict[str, dict[str, Spread]]:
    """Return the costs of the steady rows."""
    return {
        cell.target: {"broker": cell.broker_cpu_us, "client": cell.client_cpu_us}
        for cell in summary.cells
        if cell.workload == "steady"
    }


BOUNDS = Axis("load.in_flight", IN_FLIGHT)


def lines_of(summary: Summary) -> dict[str, list[load_curves.Point]]:
    """Return the sweep's points by target."""
    points: dict[str, list[load_curves.Point]] = {}
    for cell in summary.cells:
        if cell.in_flight is not None:
            point = load_curves.Point(cell.in_flight, cell.achieved_rate, cell.latency_ns["p99"])
            points.setdefault(cell.target, []).append(point)
    return points


def test_a_sweep_draws_each_bound(axes: Axes, quick_summary: Summary, styles: dict[str, Style]) -> None:
    """Throughput and latency against 16, 64 and 256 in flight, one line a target."""
    lines = lines_of(quick_summary)
    assert load_curves.draw(axes, lines, styles, BOUNDS, load_curves.RATE) is axes
    assert all_named(axes, styles)
    drawn = [list(np.asarray(line.get_xdata())) for line in axes.lines]
    assert drawn.count(list(IN_FLIGHT)) == len(styles)
    made, (other,) = theme.figure(3.0)
    assert made is other.figure
    assert load_curves.draw(other, lines, styles, BOUNDS, load_curves.p99("service")) is other
    assert all_named(other, styles)


def test_a_curve_marks_knees_and_overload(axes: Axes, quick_summary: Summary, styles: dict[str, Style]) -> None:
    """A ring where a curve bends, a cross and no latency where a row is saturated."""
    lines = {
        target: [load_curves.Point(p.x, p.rate, p.p99_ns, saturated=target == TARGETS[0] and p.x > 16) for p in points]
        for target, points in lines_of(quick_summary).items()
    }
    assert load_curves.draw_curve(axes, lines, styles, BOUNDS, {TARGETS[1]: 64.0}) is axes
    assert all_named(axes, styles)
    crosses = [line for line in axes.lines if line.get_marker() == "X" and len(np.asarray(line.get_xdata()))]
    assert [list(np.asarray(line.get_xdata())) for line in crosses] == [[64, 256]]
    rings = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert [list(np.asarray(line.get_xdata())) for line in rings] == [[64]]


def test_the_deciding_figure_shows_trials_interval_and_what_was_left_out(axes: Axes, styles: dict[str, Style]) -> None:
    """Dots for trials, crosses for those that do not count, and words where there is no figure."""
    found = spread([1e6, 1.1e6, 1.2e6])
    bars = {target: estimates.Bar([], [], None, None, None, "overloaded") for target in styles}
    bars[TARGETS[0]] = estimates.bar(found, [1e6, 1.1e6, 1.2e6], [5.0], "1.10 (0.9–1.3)", 1e-6)
    assert estimates.draw(axes, bars, styles, "p99 response, ms") is axes
    assert all_named(axes, styles)
    assert words(axes).count("overloaded") == len(styles) - 1
    shown = {line.get_marker(): list(np.asarray(line.get_xdata())) for line in axes.lines if len(line.get_xdata())}  # type: ignore[arg-type]
    assert shown["o"] == pytest.approx([1.0, 1.1, 1.2])
    assert shown["x"] == pytest.approx([5.0])
    assert axes.get_xlim()[0] == 0


def test_a_wide_spread_is_drawn_on_a_logarithmic_axis(axes: Axes, styles: dict[str, Style]) -> None:
    """Rows that differ by more than a dozen times share a figure in which both are read."""
    bars = {
        target: estimates.bar(spread([level, level * 1.1]), [level], [], "", 1e-6)
        for target, level in zip(styles, (1e6, 2e6, 5e6, 9e7), strict=True)
    }
    estimates.draw(axes, bars, styles, "p99 response, ms")
    assert axes.get_xscale() == "log"


def test_an_interval_that_leaves_the_frame_has_an_arrow(axes: Axes, styles: dict[str, Style]) -> None:
    """Trials set the frame, and an arrow says that the bar goes on."""
    bars = {target: estimates.bar(spread([1e6, 1.1e6]), [1e6, 1.1e6], [], "", 1e-6) for target in styles}
    trials = [1e6, 1e6, 8e6, 8e6]
    bars[TARGETS[1]] = estimates.bar(spread(trials), trials, [], "", 1e-6)
    estimates.draw(axes, bars, styles, "p99 response, ms")
    arrows = [
        (line.get_marker(), list(np.asarray(line.get_ydata()))) for line in axes.lines if line.get_marker() == ">"
    ]
    assert arrows == [(">", [1])]


def test_a_long_interval_is_written_on_two_lines(axes: Axes, styles: dict[str, Style]) -> None:
    """An interval may span decades: its ends are both read, inside the figure."""
    bars = {
        target: estimates.bar(spread([1e6, 2e6]), [1e6, 2e6], [], "7.65 (0.000111–525,630)", 1e-6) for target in styles
    }
    estimates.draw(axes, bars, styles, "p99 response, ms")
    beside = [text.get_text() for text in axes.texts if text.get_text()]
    assert beside == ["7.65\n(0.000111–\n525,630)"] * len(styles)


def test_sustained_rates_are_bars_from_held_to_failed(axes: Axes, styles: dict[str, Style]) -> None:
    """The thick bar spans the interval, and a lower bound says so."""
    held = Sustained(
        target=TARGETS[0], workload="steady", low=9_000.0, high=9_450.0, why="the backlog grew", client_bound=True
    )
    assert sustained.draw(axes, [(held, styles[TARGETS[0]])]) is axes
    spans = [list(np.asarray(line.get_xdata())) for line in axes.lines]
    assert [9_000.0, 9_450.0] in spans
    assert "9,000 to 9,450 (lower bound)" in words(axes)


def test_events_have_a_lane_each(axes: Axes, quick_summary: Summary, styles: dict[str, Style]) -> None:
    """Restarts, early ends and findings of a workload are drawn above its latency; phases are not."""
    rows = [mark for mark in quick_summary.marks if mark.question == "durable"]
    assert {mark.event for mark in rows} == {"restart", "overloaded", "finding saturated"}
    assert over_time.draw_marks(axes, rows, styles) is axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["planned restart", "overloaded", "saturated"]


def test_labels_never_overlap(axes: Axes, quick_summary: Summary, styles: dict[str, Style]) -> None:
    """Labels of lines that end at one point are drawn apart."""
    drawn_by_percentile(axes, quick_summary, styles, same=TARGETS[0])
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    boxes = sorted(
        (Text.get_window_extent(text) for text in axes.texts if text.get_text().strip()), key=lambda box: float(box.y0)
    )
    assert len(boxes) == len(styles)
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))


@pytest.mark.parametrize("fold", [pytest.param(1, marks=pytest.mark.soak), 1_000])
def test_no_word_beside_an_axis_leaves_the_figure(fold: int, quick: Dataset, quick_summary: Summary) -> None:
    """Labels and numbers of y axes lie inside the picture, rates of millions included."""
    cells = [
        cell.model_copy(update={"achieved_rate": spread([fold * (cell.achieved_rate.centre or 1.0)] * 3)})
        for cell in quick_summary.cells
    ]
    for picture in pictures(quick, quick_summary.model_copy(update={"cells": tuple(cells)})):
        picture.figure.draw_without_rendering()
        boxes = [axes.yaxis.get_tightbbox() for axes in picture.figure.axes]
        assert all(box.x0 >= 0 for box in boxes if box), picture.caption.name


@given(st.lists(st.floats(0, 1), max_size=8), st.floats(0.01, 0.1))
def test_places_are_spread_apart_in_order(places: list[float], gap: float) -> None:
    """Neighbours end at least a gap apart, inside the range, in the order they came."""
    moved = theme.spread_out(places, gap, 0, 1)
    order = np.argsort(places, kind="stable")
    ranked = np.array(moved)[order]
    assert (np.diff(ranked) >= gap - 1e-9).all()
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in moved)


def test_a_target_has_one_colour_and_neighbours_differ(styles: dict[str, Style]) -> None:
    """Four targets, four colours of the palette; the dash follows the protocol."""
    assert len({style.color for style in styles.values()}) == len(TARGETS)
    assert styles["rabbitmq-091"].dash == styles["broker-j-091"].dash != styles["broker-j-10"].dash


def test_svg_is_deterministic_prefixed_and_themed(quick_summary: Summary, styles: dict[str, Style]) -> None:
    """Twice the same text; every identifier and reference carries the prefix; no colour of the palette is left."""

    def drawn() -> str:
        with mpl.rc_context(theme.RC):
            made, (only,) = theme.figure(3.4)
            drawn_by_percentile(only, quick_summary, styles)
            return to_svg(made, "fig1", 'latency "by" percentile')

    text = drawn()
    assert text == drawn()
    identifiers = set(re.findall(r'\bid="([^"]+)"', text))
    references = set(re.findall(r'(?:href="|url\()#([^")]+)', text))
    assert identifiers
    assert identifiers == references
    assert all(identifier.startswith("fig1-") for identifier in identifiers)
    assert not re.search("|".join([*theme.PALETTE, theme.INK]), text, re.IGNORECASE)
    assert "var(--c3)" in text
    assert '<g class="s s0"><title>RabbitMQ AMQP 0-9-1: p99 ' in text
    assert '<g class="axis">' in text
    assert 'aria-label="latency &quot;by&quot; percentile"' in text
    assert "http" not in text


@pytest.mark.parametrize(("low", "high"), [(752.0, 30_800.0), (0.5, 90.0), (200.0, 1_500_000.0), (9_000.0, 30_000.0)])
def test_numbers_of_a_logarithmic_axis_do_not_touch(low: float, high: float) -> None:
    """In a figure as narrow as that of an answer, two are there at least."""
    figure = mpl.figure.Figure(figsize=(3.2, 2.5))
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    theme.log_axis(axes.xaxis, low, high)
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in axes.get_xticklabels() if low <= label.get_position()[0] <= high]
    assert all(a.x1 < b.x0 for a, b in pairwise(boxes))
    assert boxes


def test_a_title_in_a_figure_holds_no_control_characters(axes: Axes, styles: dict[str, Style]) -> None:
    """What is said where one points at a mark: in the page and in a file of its own the SVG stays well-formed."""
    (line,) = axes.plot([1, 2], [1, 2])
    theme.belongs(line, next(iter(styles.values())), f"<&{EVIL}")
    axes.set_title("$a_b$")  # a dollar is a dollar
    figure = axes.figure
    assert isinstance(figure, Figure)
    for written in (to_svg(figure, "f0", "x"), standalone(figure, "x")):
        titles = [one.text for one in ET.fromstring(written).iter() if one.tag.endswith("title")]  # noqa: S314
        assert f"<&{SHOWN}" in titles
