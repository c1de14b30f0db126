"""Comparisons: intervals that cover, alarms at the nominal rate, and twins in plain arithmetic."""

import math
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from bench.stats.ratio import Pair, Verdict, compare, compare_family, with_whole


def simulated(rng: np.random.Generator, trials: int, samples: int = 50) -> np.ndarray:
    """Return trial means of a hierarchy: an 8 % trial effect times AR(1) noise within the trial."""
    effect = rng.lognormal(0, 0.08, trials)
    shocks = rng.normal(0, 0.1, (trials, samples))
    series = np.empty_like(shocks)
    series[:, 0] = shocks[:, 0]
    for k in range(1, samples):
        series[:, k] = 0.5 * series[:, k - 1] + shocks[:, k]
    return effect * np.exp(series).mean(axis=1)


@pytest.mark.parametrize("trials", [3, 10])
def test_the_interval_covers_the_true_ratio(trials: int) -> None:
    """Coverage of the 95 % interval is 93 to 97 % on hierarchies, at 3 trials as at 10."""
    rng = np.random.default_rng(11)
    covered = 0
    for _ in range(1_500):
        found = compare(Pair((1.1 * simulated(rng, trials)).tolist(), simulated(rng, trials).tolist()))
        covered += found.low <= 1.1 <= found.high
    assert 0.93 <= covered / 1_500 <= 0.97


def test_equal_targets_raise_alarms_at_the_nominal_rate() -> None:
    """A against A: better or worse in 5 % (without a smallest effect), and in no more over a family of six."""
    rng = np.random.default_rng(5)
    single = family = 0
    for _ in range(600):
        pairs = [Pair(simulated(rng, 10).tolist(), simulated(rng, 10).tolist()) for _ in range(6)]
        single += compare(pairs[0], delta=0).verdict in (Verdict.BETTER, Verdict.WORSE)
        family += any(c.verdict in (Verdict.BETTER, Verdict.WORSE) for c in compare_family(pairs, delta=0))
    assert 0.03 <= single / 600 <= 0.07
    assert 0.03 <= family / 600 <= 0.07


def student_tail(t: float, freedom: int) -> float:
    """Return P(T > t) by integrating Student's density."""
    scale = math.gamma((freedom + 1) / 2) / (math.sqrt(freedom * math.pi) * math.gamma(freedom / 2))
    return float(integrate.quad(lambda x: scale * (1 + x * x / freedom) ** (-(freedom + 1) / 2), t, math.inf)[0])


def test_the_interval_is_the_textbook_one() -> None:
    """Mean, spread and t of log ratios in plain arithmetic give the same p-value and interval."""
    first, second = [1.0, 1.2, 1.1, 1.4], [1.3, 1.5, 1.2, 1.6]
    logs = [math.log(a / b) for a, b in zip(first, second, strict=True)]
    mean = sum(logs) / 4
    error = math.sqrt(sum((x - mean) ** 2 for x in logs) / 3) / 2
    found = compare(Pair(first, second))
    assert found.ratio == pytest.approx(math.exp(mean))
    assert found.p_value == pytest.approx(2 * student_tail(abs(mean) / error, 3))
    quantile = math.log(found.high / found.ratio) / error
    assert 2 * student_tail(quantile, 3) == pytest.approx(0.05)


positive = st.floats(0.01, 100)


@given(st.lists(st.tuples(positive, positive), min_size=2, max_size=12))
def test_swapping_the_sides_inverts_the_ratio(pairs: list[tuple[float, float]]) -> None:
    """First over second and second over first are one comparison seen from both ends."""
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    forth, back = compare(Pair(first, second)), compare(Pair(second, first))
    assert forth.ratio == pytest.approx(1 / back.ratio)
    turned = {Verdict.BETTER: Verdict.WORSE, Verdict.WORSE: Verdict.BETTER}
    assert turned.get(forth.verdict, forth.verdict) is back.verdict
    assert compare(Pair(first, second, lower_is_better=False)).verdict is back.verdict


@given(st.lists(st.lists(st.tuples(positive, positive), min_size=4, max_size=4), min_size=1, max_size=6))
def test_a_family_follows_holm(family: list[list[tuple[float, float]]]) -> None:
    """Levels rise with the p-values from alpha / m as Holm's definition says, and stop at the first failure."""
    pairs = [Pair([a for a, _ in rows], [b for _, b in rows]) for rows in family]
    judged = sorted(compare_family(pairs), key=lambda c: c.p_value)
    m = len(judged)
    assert judged[0].alpha == pytest.approx(0.05 / m)
    for rank, (before, after) in enumerate(pairwise(judged), start=1):
        rejected = before.p_value <= before.alpha
        assert after.alpha == pytest.approx(0.05 / (m - rank) if rejected else before.alpha)


def test_an_empty_family_has_no_comparison() -> None:
    """Nothing to compare gives an empty list."""
    assert compare_family([]) == []


@pytest.mark.parametrize(
    ("factor", "spread", "verdict"),
    [
        (0.80, 0.02, Verdict.BETTER),
        (1.25, 0.02, Verdict.WORSE),
        (1.0, 0.01, Verdict.SAME),
        (1.08, 0.20, Verdict.UNDECIDED),
    ],
)
def test_each_verdict_is_given_where_it_is_due(factor: float, spread: float, verdict: Verdict) -> None:
    """Ten trials of a known ratio and spread: better, worse, same, undecided."""
    noise = spread * np.array([-1.5, -1.0, -0.6, -0.3, -0.1, 0.1, 0.3, 0.6, 1.0, 1.5])
    found = compare(Pair((factor * np.exp(noise)).tolist(), [1.0] * 10))
    assert found.verdict is verdict
    assert (found.trials_needed is not None) == (verdict is Verdict.UNDECIDED)


def test_a_certain_but_small_difference_is_no_victory() -> None:
    """Two percent, however certain, is the same within 5 %."""
    assert compare(Pair([1.02, 1.021, 1.019, 1.02], [1.0] * 4)).verdict is Verdict.SAME


def test_the_number_of_trials_needed_decides() -> None:
    """With as many trials of the same spread the comparison is decided, with a few less it is not."""

    def sides(n: int) -> Pair:
        noise = np.where(np.arange(n) % 2, 0.2, -0.2) * math.sqrt((n - 1) / n)  # standard deviation 0.2
        return Pair((1.1 * np.exp(noise)).tolist(), [1.0] * n)

    needed = compare(sides(4)).trials_needed
    assert needed is not None
    even = needed + needed % 2
    assert compare(sides(even)).verdict is not Verdict.UNDECIDED
    assert compare(sides(even - 4)).verdict is Verdict.UNDECIDED


def test_one_trial_decides_nothing() -> None:
    """A single pair has no spread: undecided, whatever its ratio."""
    found = compare(Pair([1.0], [9.0]))
    assert found.verdict is Verdict.UNDECIDED
    assert (found.low, found.high) == (0.0, math.inf)


def test_unpaired_sides_follow_welch() -> None:
    """Sides of unequal length are compared by means; scipy's Welch test is the oracle."""
    from scipy import stats  # noqa: PLC0415  (the oracle of this test alone)

    first, second = [1.0, 1.1, 1.3], [1.5, 1.4, 1.9, 1.7]
    expected = stats.ttest_ind(np.log(first), np.log(second), equal_var=False)
    assert compare(Pair(first, second), paired=False).p_value == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("bad", [[0.0, 1.0], [-1.0, 1.0], [math.nan, 1.0], [math.inf, 1.0], []])
def test_a_bad_estimate_is_refused(bad: list[float]) -> None:
    """Zero, negative, missing and infinite estimates have no logarithm to compare."""
    with pytest.raises(ValueError, match="positive and finite"):
        compare(Pair(bad, [1.0, 1.0]))


def test_pairs_must_match() -> None:
    """Paired sides of unequal length are a mistake, not a truncation."""
    with pytest.raises(ValueError, match="equal length"):
        compare(Pair([1.0, 2.0], [1.0]))


def test_no_verdict_stands_that_all_messages_contradict() -> None:
    """Better against worse, and same against either, is undecided; where all messages are undecided it stands."""
    made = compare(Pair([1.0, 1.01, 0.99], [1.0, 1.0, 1.0]))
    for mine, theirs in product(Verdict, Verdict):
        found = with_whole(replace(made, verdict=mine), replace(made, verdict=theirs))
        expected = mine if theirs in {mine, Verdict.UNDECIDED} else Verdict.UNDECIDED
        assert found.verdict is expected
        assert found.whole is not None
        assert found.whole.verdict is theirs
