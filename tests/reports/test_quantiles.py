"""Percentiles: the library's ranks, and none that the data do not carry."""

import math

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hypothesis import given, settings
from hypothesis import strategies as st

from reports.quantiles import PERCENTILES, Distribution, deepest_percent, messages_needed
from tests.examples import examples


def filled(values: list[int]) -> HdrHistogram:
    """Return a histogram of these nanoseconds."""
    histogram = HdrHistogram(1, 3_600_000_000_000, 3)
    for value in values:
        histogram.record_value(value)
    return histogram


@settings(max_examples=examples(0.4), deadline=None)
@given(st.lists(st.integers(1, 3_000_000_000_000), min_size=1, max_size=60), st.floats(0.1, 100))
def test_every_percentile_is_the_one_the_library_reads(values: list[int], percent: float) -> None:
    """`at` equals `get_value_at_percentile`, the library's slow loop over all buckets; so do max, mean and count."""
    histogram = filled(values)
    mine = Distribution.of(histogram)
    assert mine.at(percent) == histogram.get_value_at_percentile(percent)
    assert mine.max_ns == histogram.get_max_value()
    assert mine.mean_ns == pytest.approx(histogram.get_mean_value())
    assert mine.count == histogram.get_total_count()


def test_messages_that_never_came_rank_above_the_maximum() -> None:
    """With a tenth missing, p90 is the maximum of what came and p91 has no bound."""
    values = Distribution.of(filled(list(range(1, 91))), above=10)
    assert values.at(90) == 90
    assert math.isinf(values.at(91))


def test_negative_values_rank_below_everything() -> None:
    """Half the values negative: the lower half reads 0, the rest keeps its rank."""
    values = Distribution.of(filled([10, 20]), below=2)
    assert [values.at(percent) for percent in (25, 50, 75, 100)] == [0, 0, 10, 20]


@pytest.mark.parametrize(("name", "needed"), [("p50", 20), ("p99", 1_000), ("p99.9", 10_000), ("p99.99", 100_000)])
def test_a_percentile_needs_ten_messages_above_it(name: str, needed: int) -> None:
    """One message fewer than needed gives NaN, the exact number gives a value."""
    assert messages_needed(PERCENTILES[name]) == needed
    histogram = HdrHistogram(1, 3_600_000_000_000, 3)
    histogram.record_value(7, needed - 1)
    assert math.isnan(Distribution.of(histogram).reliable(PERCENTILES[name]))
    histogram.record_value(7)
    assert Distribution.of(histogram).reliable(PERCENTILES[name]) == 7
    assert deepest_percent(needed) == pytest.approx(PERCENTILES[name])


def test_an_empty_histogram_has_no_number() -> None:
    """Nothing measured: NaN everywhere, never 0."""
    nothing = Distribution.of(filled([]))
    assert np.isnan([nothing.at(50), nothing.max_ns, nothing.mean_ns]).all()
    assert deepest_percent(0) == 0
