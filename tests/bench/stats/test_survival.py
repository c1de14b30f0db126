"""Kaplan and Meier's estimator against worked examples and against what it is when nothing is censored."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.stats.survival import LEAST_AT_RISK, kaplan_meier


def test_a_worked_example() -> None:
    """Weeks of remission under 6-MP (Freireich et al. 1963), as textbooks have it: S(6) = .857, S(10) = .753."""
    events = {6: 3, 7: 1, 10: 1, 13: 1, 16: 1, 22: 1, 23: 1}
    censored = {6: 1, 9: 1, 10: 1, 11: 1, 17: 1, 19: 1, 20: 1, 25: 1, 32: 2, 34: 1, 35: 1}
    value = np.array(sorted(events | censored))
    found = kaplan_meier(value, *(np.array([part.get(at, 0) for at in value.tolist()]) for part in (events, censored)))
    expected = {5: 1.0, 6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448, 35: 0.448}
    assert {at: found.above(at) for at in expected} == pytest.approx(expected, abs=0.001)
    assert found.at_risk[0] == 21


@given(st.lists(st.integers(1, 50), min_size=40, max_size=200), st.sampled_from([0.1, 0.5, 0.75]))
def test_without_censoring_it_is_the_share_above(values: list[int], quantile: float) -> None:
    """Then it is the empirical distribution, and its quantile the smallest value that enough do not exceed."""
    value, count = np.unique(values, return_counts=True)
    found = kaplan_meier(value, count, np.zeros(len(value), np.int64))
    for at in range(52):
        assert found.above(at) == pytest.approx(np.mean(np.array(values) > at), abs=1e-9)
    rank = math.ceil(quantile * len(values) - 1e-9)
    if len(values) - rank >= LEAST_AT_RISK:
        assert found.quantile(quantile) == sorted(values)[rank - 1]


def test_events_come_before_censorings_of_their_value() -> None:
    """One censored at a value was at risk there."""
    found = kaplan_meier(np.array([5]), np.array([1]), np.array([1]))
    assert found.above(5) == 0.5


def test_few_at_risk_carry_no_quantile() -> None:
    """29 messages at risk are too few, 30 are enough; nothing at all carries nothing."""
    few, enough = (kaplan_meier(np.array([5]), np.array([n]), np.array([0])) for n in (29, 30))
    assert math.isnan(few.quantile(0.5))
    assert enough.quantile(0.5) == 5
    nothing = kaplan_meier(*(np.empty(0, np.int64) for _ in range(3)))
    assert math.isnan(nothing.quantile(0.5))
    assert math.isnan(nothing.above(5))


def test_messages_that_never_came_stay_at_risk() -> None:
    """Of 100, 40 came: the median is not known, a lower quantile is."""
    found = kaplan_meier(np.array([5, 9]), np.array([20, 20]), np.array([0, 0]), beyond=60)
    assert found.quantile(0.3) == 9
    assert math.isnan(found.quantile(0.5))
