"""Absolute limits: rows at their limit seldom fail or pass, rows far from it are decided, counts fail by one trial."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.stats.absolute_limit import Bounded, keep_to
from bench.stats.noninferiority import ALARM, MIN_PAIRS, MISS

RUNS = 1_000
TRIALS = 10


def outcomes(factor: float, limits: int = 1, spread: float = 0.1, *, upper: bool = True) -> np.ndarray:
    """Return what 1,000 runs say of limits that rows miss by a factor; text (runs, limits)."""
    rng = np.random.default_rng(71)
    found = []
    for logs in rng.normal(math.log(factor), spread, (RUNS, limits, TRIALS)):
        rows = [Bounded(np.exp(row).tolist(), 1.0, upper=upper) for row in logs]
        found.append([one.outcome for one in keep_to(rows)])
    return np.array(found)


@pytest.mark.parametrize("upper", [True, False])
def test_at_the_limit_few_runs_fail_and_few_pass(*, upper: bool) -> None:
    """Of runs whose rows are exactly at five limits at most 1 % fail any; each limit is passed in 5 %."""
    found = outcomes(1.0, limits=5, upper=upper)
    assert (found == "fail").any(axis=1).mean() <= ALARM + 0.003
    assert (found == "pass").mean() == pytest.approx(MISS, abs=0.012)


def test_far_from_the_limit_all_is_decided() -> None:
    """At 10 % spread and 10 trials, 20 % within passes and 30 % beyond fails; a smallest value is the reverse."""
    assert (outcomes(1 / 1.2) == "pass").mean() >= 0.99
    assert (outcomes(1.3) == "fail").mean() >= 0.99
    assert (outcomes(1.3, upper=False) == "pass").mean() >= 0.99
    assert (outcomes(1 / 1.3, upper=False) == "fail").mean() >= 0.99


@given(
    st.lists(st.floats(0.1, 10), min_size=2, max_size=12),
    st.floats(0.05, 20),
    st.booleans(),
)
def test_it_is_students_t_on_logarithms(values: list[float], bound: float, upper: bool) -> None:  # noqa: FBT001
    """By the textbook: a one-sample t test either way; fewer than five trials decide nothing."""
    [found] = keep_to([Bounded(values, bound, upper=upper)])
    logs = np.log(values) - math.log(bound)
    error = logs.std(ddof=1) / len(logs) ** 0.5
    if len(values) < MIN_PAIRS or error < 1e-9:
        assert len(values) >= MIN_PAIRS or found.outcome == "undecided"
        return
    worse = logs.mean() / error * (1 if upper else -1)
    fails = worse > stats.t.ppf(1 - ALARM / 2, len(logs) - 1)
    passes = worse <= -stats.t.ppf(1 - MISS, len(logs) - 1)
    assert found.outcome == ("fail" if fails else "pass" if passes else "undecided")


def test_the_number_of_trials_needed_decides() -> None:
    """Undecided, it names a number; with as many trials of that mean and spread it is decided."""
    for factor, outcome in ((0.95, "pass"), (1.06, "fail")):
        for n in (5, 6):
            values = [factor * math.exp(0.1 if k % 2 else -0.1) for k in range(n)]
            [first] = keep_to([Bounded(values, 1.0)])
            assert first.outcome == "undecided"
        assert first.needed is not None
        many = first.needed + first.needed % 2
        again = [factor * math.exp((0.1 if k % 2 else -0.1) * (6 / 5 * (many - 1) / many) ** 0.5) for k in range(many)]
        assert keep_to([Bounded(again, 1.0)])[0].outcome == outcome


@pytest.mark.parametrize(
    ("values", "bound", "outcome"),
    [
        ([0.0] * 5, 0, "pass"),
        ([0.0] * 4, 0, "undecided"),
        ([0.0] * 9 + [1.0], 0, "fail"),
        ([3.0], 2, "fail"),
        ([2.0] * 6, 2, "pass"),
    ],
)
def test_a_count_fails_by_one_trial(values: list[float], bound: float, outcome: str) -> None:
    """A lost message is a fact, which no other trial makes good; to pass takes five trials."""
    [found] = keep_to([Bounded(values, bound, counted=True)])
    assert (found.outcome, found.value, found.low) == (outcome, max(values), None)


@pytest.mark.parametrize(("never", "outcome"), [(10, "fail"), (7, "undecided"), (1, "undecided")])
def test_messages_that_never_came_are_beyond_any_largest_value(never: int, outcome: str) -> None:
    """Trials without a figure are counted: all ten prove it, seven do not; there is no figure either way."""
    [found] = keep_to([Bounded([math.inf] * never + [0.5] * (10 - never), 1.0)])
    assert (found.outcome, found.value, found.beyond) == (outcome, None, never)


def test_nothing_is_undecided() -> None:
    """Without trials, and without limits."""
    assert keep_to([Bounded([], 1.0)])[0].outcome == "undecided"
    assert keep_to([]) == []
    one = keep_to([Bounded([0.5], 1.0)])[0]
    assert (one.outcome, one.value, one.low, one.needed) == ("undecided", 0.5, None, MIN_PAIRS)
