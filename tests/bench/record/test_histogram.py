"""Histograms by the second: medians of each."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.record.histogram import SecondsRecorder, merge, new_histogram
from bench.units import NS_PER_S
from tests.examples import examples

BATCHES = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 10**9)), min_size=1, max_size=60)


def recorded(rows: list[tuple[int, int]]) -> SecondsRecorder:
    """Record values by second."""
    recorder = SecondsRecorder(0)
    at, values = np.array(rows, np.int64).T
    recorder.record(at * NS_PER_S, values.copy())
    return recorder


@settings(max_examples=examples(0.6), deadline=None)
@given(BATCHES, BATCHES)
def test_the_median_of_a_second_is_that_of_its_bucketed_values(
    one: list[tuple[int, int]], two: list[tuple[int, int]]
) -> None:
    """Over all workers' parts; a second without a value has none, and those outside the range are not looked at."""
    part = merge([recorded(one).finish(), recorded(two).finish()])
    reference = new_histogram()
    for second, found in zip(range(1, 5), part.medians_ns(1, 5), strict=True):
        values = sorted(reference.get_lowest_equivalent_value(value) for at, value in [*one, *two] if at == second)
        if values:
            assert found == values[(len(values) - 1) // 2]
        else:
            assert np.isnan(found)


def test_no_seconds_have_no_medians() -> None:
    """An empty range, and a recorder that saw nothing."""
    assert len(recorded([(0, 5)]).finish().medians_ns(3, 3)) == 0
    assert np.isnan(merge([]).medians_ns(0, 2)).all()


def test_quantiles_of_a_second_while_it_is_open() -> None:
    """Those of its own values, for people who watch; 0 where there is none, or the second is closed."""
    recorder = recorded([(2, value) for value in range(1, 101)] + [(3, 5)])
    assert recorder.quantiles_ns(2, (0.5, 0.99)) == [50, 99]
    assert recorder.quantiles_ns(3, (0.5, 0.99)) == [5, 5]
    assert recorder.quantiles_ns(4, (0.5, 0.99)) == [0, 0]
    recorder.finish()
    assert recorder.quantiles_ns(2, (0.5,)) == [0]
