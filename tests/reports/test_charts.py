"""Figures: each returns its Axes, names every target, draws what the tables hold, and gives the same SVG twice."""

import re
from collections.abc import Iterator
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.text import Text

from reports.charts import cpu, over_time, percentiles, sweep, theme, throughput
from reports.charts.svg import to_svg
from reports.charts.theme import Style
from reports.dataset import Dataset
from reports.summary import Summary
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


def test_latency_by_percentile_ends_where_the_data_do(axes: Axes, quick: Dataset, styles: dict[str, Style]) -> None:
    """30,000 messages reach 3.48 nines; the point at p99 is that of the added histograms."""
    curves = {target: quick.distribution(target, "steady", "response") for target in styles}
    assert percentiles.draw(axes, curves, styles, "response") is axes
    assert all_named(axes, styles)
    line = axes.lines[0]
    places, latency = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert places[-1] == pytest.approx(np.log10(3_000), abs=0.01)
    expected = quick.histogram(TARGETS[0], "steady", "response").get_value_at_percentile(99) / 1e6
    assert np.interp(2.0, places, latency) == pytest.approx(expected, rel=0.02)


def test_latency_over_time_shades_the_warm_up(axes: Axes, quick: Dataset, styles: dict[str, Style]) -> None:
    """Warm-up seconds are drawn, to the left of 0, and named."""
    rows = quick.seconds[quick.seconds["workload"] == "steady"]
    assert over_time.draw(axes, rows, styles, "p99") is axes
    assert all_named(axes, styles)
    assert "warm-up" in words(axes)
    assert axes.get_xlim() == (-2, 5)


def test_throughput_has_a_dot_a_trial(axes: Axes, usable: pd.DataFrame, styles: dict[str, Style]) -> None:
    """As many dots as usable trials, and the offered rate as a line."""
    rows = usable[usable["workload"] == "durable"]
    assert throughput.draw(axes, rows, styles, 2_000.0) is axes
    assert all_named(axes, styles)
    assert sum(len(np.asarray(line.get_xdata())) for line in axes.lines if line.get_marker() == "o") == len(rows)
    assert "offered 2,000" in words(axes)


def test_cpu_names_both_sides(axes: Axes, usable: pd.DataFrame, styles: dict[str, Style]) -> None:
    """Two labelled bars a target, medians over trials."""
    rows = usable[usable["workload"] == "steady"]
    assert cpu.draw(axes, rows, styles) is axes
    assert all_named(axes, styles)
    assert len(axes.patches) == 2 * len(styles)
    median = rows.loc[rows["target"] == TARGETS[0], "broker_cpu_us_per_message"].median()
    assert axes.patches[0].get_width() == pytest.approx(median)


def test_unknown_cpu_is_said_and_not_drawn_as_zero(axes: Axes, usable: pd.DataFrame, styles: dict[str, Style]) -> None:
    """A broker whose CPU cannot be seen gets words, no bar."""
    rows = usable[usable["workload"] == "steady"].assign(broker_cpu_us_per_message=np.nan)
    cpu.draw(axes, rows, styles)
    assert words(axes).count("broker: not known") == len(styles)
    assert len(axes.patches) == len(styles)


def test_a_sweep_draws_each_bound(axes: Axes, quick: Dataset, usable: pd.DataFrame, styles: dict[str, Style]) -> None:
    """Throughput and latency against 16, 64 and 256 in flight."""
    bounds = {f"in-flight-{n}": n for n in IN_FLIGHT}
    assert sweep.draw_throughput(axes, usable, styles, bounds) is axes
    assert all_named(axes, styles)
    assert [list(np.asarray(line.get_xdata())) for line in axes.lines] == [list(IN_FLIGHT)] * len(styles)
    made, (other,) = theme.figure(3.0)
    assert made is other.figure
    assert sweep.draw_latency(other, quick.latency, styles, bounds) is other
    assert all_named(other, styles)


def test_labels_never_overlap(axes: Axes, quick: Dataset, styles: dict[str, Style]) -> None:
    """Labels of lines that end at one point are drawn apart."""
    same = quick.distribution(TARGETS[0], "steady", "response")
    percentiles.draw(axes, dict.fromkeys(styles, same), styles, "response")
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]
    boxes = sorted(
        (Text.get_window_extent(text) for text in axes.texts if text.get_text().strip()), key=lambda box: float(box.y0)
    )
    assert len(boxes) == len(styles)
    assert all(below.y1 <= above.y0 + 1 for below, above in pairwise(boxes))


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


def test_svg_is_deterministic_prefixed_and_themed(quick: Dataset, styles: dict[str, Style]) -> None:
    """Twice the same text; every identifier and reference carries the prefix; no colour of the palette is left."""

    def drawn() -> str:
        with mpl.rc_context(theme.RC):
            made, (only,) = theme.figure(3.4)
            percentiles.draw(only, {t: quick.distribution(t, "steady", "response") for t in styles}, styles, "response")
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
    assert 'aria-label="latency &quot;by&quot; percentile"' in text
    assert "http" not in text
