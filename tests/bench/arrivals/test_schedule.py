"""Reading a stripe: in whatever steps and however late, it gives the times of the schedule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.arrivals.schedule import Constant, Poisson, Schedule, Stripe

schedules = st.one_of(
    st.builds(Constant, st.floats(1e3, 1e7)), st.builds(Poisson, st.floats(1e3, 1e7), st.integers(0, 1 << 31))
)
steps = st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(0, 9_000)), max_size=8)


@given(schedules, st.integers(1, 3), steps)
def test_a_stripe_equals_its_definition(schedule: Schedule, workers: int, looks: list[tuple[int, int]]) -> None:
    """After any looks and takes, what is due is what the whole schedule says, and so are the times taken."""
    times = 1_000 + schedule.times(workers - 1, 200_000 * workers)[::workers]
    stripe, now, taken = Stripe(schedule, 1_000, workers - 1, workers), 0, 0
    for step, most in looks:
        now = min(now + step, int(times[-1]) - 1)
        due = stripe.due(now)
        assert due == max(0, int((times <= now).sum()) - taken)
        count = min(due, most)
        assert (stripe.take(count) == times[taken : taken + count]).all()
        taken += count
        assert stripe.next_ns() == times[taken]
        assert stripe.due(0) == 0


@pytest.mark.parametrize("rate", [40.7, 3_000.0, 999_999.0])
def test_constant_spacing_equals_its_formula(rate: float) -> None:
    """t_n = n / rate, rounded once: far out as well as at the start."""
    for first in (0, 12_345_678, 1 << 33):
        numbers = np.arange(first, first + 1_000)
        assert Constant(rate).times(first, 1_000).tolist() == [round(int(n) * (1e9 / rate)) for n in numbers]
