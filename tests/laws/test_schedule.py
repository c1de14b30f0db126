"""Schedules: the n-th time is a function of n, and stripes share them without gap or overlap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.arrivals.schedule import Constant, Poisson, Schedule, Stripe
from bench.units import NS_PER_S

schedules = st.one_of(
    st.builds(Constant, st.floats(0.5, 1e6)),
    st.builds(Poisson, st.floats(0.5, 1e6), st.integers(0, 1 << 31)),
)


@given(schedules, st.integers(0, 40_000), st.integers(1, 40_000))
def test_the_nth_time_depends_on_n_alone(schedule: Schedule, first: int, count: int) -> None:
    """Asking in pieces, or from the middle, gives the same times."""
    whole = schedule.times(0, first + count)
    assert (schedule.times(first, count) == whole[first:]).all()
    assert (np.diff(whole) >= 0).all()


@given(schedules, st.integers(1, 5), st.integers(1, 300))
def test_stripes_partition_the_schedule(schedule: Schedule, workers: int, each: int) -> None:
    """The stripes of all workers, interleaved, are the schedule."""
    stripes = [Stripe(schedule, 1_000, worker, workers) for worker in range(workers)]
    taken = np.stack([stripe.take(each) for stripe in stripes], axis=1).ravel()
    assert (taken == schedule.times(0, each * workers) + 1_000).all()


@given(schedules, st.integers(0, 3 * NS_PER_S // 1000))
def test_due_counts_what_lies_at_or_before_now(schedule: Schedule, now: int) -> None:
    """`due` is the number of times at or before now that were not taken yet."""
    stripe = Stripe(schedule, 0)
    due = stripe.due(now)
    assert (stripe.take(due) <= now).all()
    assert stripe.next_ns() > now


def test_constant_spacing_does_not_drift() -> None:
    """After 10 million messages at 3,000/s the time is right to the nanosecond."""
    assert Constant(3000).times(9_999_999, 1)[0] == round(9_999_999 / 3000 * NS_PER_S)


@pytest.mark.parametrize("rate", [100.0, 50_000.0])
def test_poisson_has_its_mean_and_spread(rate: float) -> None:
    """Gaps have mean and standard deviation 1/rate, within 4 standard errors."""
    gaps = np.diff(Poisson(rate, 5).times(0, 200_000)) / NS_PER_S
    assert gaps.mean() == pytest.approx(1 / rate, rel=4 / np.sqrt(len(gaps)))
    assert gaps.std() == pytest.approx(1 / rate, rel=0.02)
