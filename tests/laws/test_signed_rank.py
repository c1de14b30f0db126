"""The signed-rank test: exact against scipy and against every choice of signs, its interval against the test itself."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.stats.noninferiority import Judgement, Measure, decide
from bench.stats.ratio import Pair
from bench.stats.signed_rank import has_outliers, signed_rank

whole = st.integers(-6, 6).map(float)


def counted(differences: list[float]) -> float:
    """Return the two-sided p-value by trying every choice of signs: slow and obvious."""
    telling = [one for one in differences if one]
    ranks = stats.rankdata(np.abs(telling)) if telling else []
    seen = sum(rank for rank, one in zip(ranks, telling, strict=True) if one > 0)
    sums = [
        sum(rank for rank, up in zip(ranks, signs, strict=True) if up) for signs in product((0, 1), repeat=len(ranks))
    ]
    below = sum(one <= seen for one in sums) / len(sums)
    above = sum(one >= seen for one in sums) / len(sums)
    return float(min(1.0, 2 * min(below, above)))


@given(st.lists(whole, min_size=1, max_size=9))
def test_every_choice_of_signs_is_counted(differences: list[float]) -> None:
    """With ties and zeros too."""
    assert signed_rank(differences, 0.05).p_value == pytest.approx(counted(differences))


@pytest.mark.parametrize("n", [1, 5, 6, 10, 25, 50, 200])
def test_it_is_scipys_exact_test(n: int) -> None:
    """Without ties, for few and many pairs."""
    values = np.random.default_rng(n).normal(0.3, 1, n)
    expected = stats.wilcoxon(values, method="exact").pvalue
    assert signed_rank(values, 0.05).p_value == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("n", [2, 5, 10])
def test_differences_of_one_sign(n: int) -> None:
    """All above zero: p is 2^(1-n), and the interval begins at the least of them where that is small enough."""
    values = [1.0 + k for k in range(n)]
    found = signed_rank(values, 2.0 ** (1 - n))
    assert found.p_value == pytest.approx(2.0 ** (1 - n))
    assert (found.low, found.high) == (values[0], values[-1])
    none = signed_rank(values, 2.0 ** (1 - n) * 0.99)
    assert (none.low, none.high) == (-np.inf, np.inf)


def test_the_estimate_is_the_median_of_means_of_two() -> None:
    """Of 1, 2 and 9: 1, 1.5, 2, 5, 5.5, 9."""
    found = signed_rank([1.0, 2.0, 9.0], 0.05)
    assert found.estimate == 3.5
    assert signed_rank([0.0, 0.0], 0.05).p_value == 1


@given(
    st.lists(st.floats(-1, 1, allow_subnormal=False), min_size=3, max_size=14, unique=True),
    st.sampled_from([0.01, 0.05, 0.1, 0.3]),
)
def test_the_interval_holds_what_the_test_does_not_reject(values: list[float], alpha: float) -> None:
    """Just inside its ends the shifted differences are not told from zero, just outside they are."""
    found = signed_rank(values, alpha)
    gaps = np.diff(np.unique([(a + b) / 2 for a in values for b in values]))
    if not np.isfinite(found.low) or gaps.min() < 1e-6:
        return
    step = gaps.min() / 4
    for end, inward in ((found.low, step), (found.high, -step)):
        assert signed_rank(np.array(values) - (end + inward), alpha).p_value > alpha
        assert signed_rank(np.array(values) - (end - inward), alpha).p_value <= alpha


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf")]])
def test_what_is_no_difference_is_refused(values: list[float]) -> None:
    """No number, or one that is not finite."""
    with pytest.raises(ValueError, match="differences must be finite"):
        signed_rank(values, 0.05)


def test_outliers() -> None:
    """One far from the others is one; a normal sample seldom has one; equal differences have none."""
    rng = np.random.default_rng(5)
    assert has_outliers([0.01, -0.02, 0.0, 0.015, -0.01, 0.7])
    assert not has_outliers([0.1] * 8)
    assert not has_outliers([])
    assert np.mean([has_outliers(row) for row in rng.normal(size=(2_000, 10))]) < 0.25


def slower(rng: np.random.Generator, loss: float, pairs: int) -> Measure:
    """Return pairs of trials of 3 % noise, of which one in ten on either side is twice as slow by chance."""
    new, old = rng.normal(0, 0.03, (2, pairs)) + np.log(2) * (rng.random((2, pairs)) < 0.1)
    return Measure(Pair(((1 + loss) * np.exp(new)).tolist(), np.exp(old).tolist()), 0.05)


def regressions(loss: float, pairs: int, gates: int = 300) -> tuple[float, float]:
    """Return the share of gates in which t finds a regression, and in which the second opinion (else t) does."""
    rng = np.random.default_rng(17)
    found = [decide([slower(rng, loss, pairs)])[0] for _ in range(gates)]
    assert all((one.second is None) <= (not one.disputed) for one in found)
    by_t = [one.outcome for one in found]
    by_rank = [one.outcome if one.second is None else one.second.outcome for one in found]
    return by_t.count(Judgement.REGRESSION) / gates, by_rank.count(Judgement.REGRESSION) / gates


def test_with_outliers_it_finds_more_than_t() -> None:
    """A loss of 20 % at 1 %: 34 % and 37 % of gates with 10 pairs, 40 % and 68 % with 20; equal sides, next to none."""
    assert regressions(0.2, 10) == pytest.approx((0.34, 0.37), abs=0.08)
    assert regressions(0.2, 20) == pytest.approx((0.40, 0.68), abs=0.08)
    assert max(regressions(0.0, 10)) <= 0.02


def test_t_decides_and_the_second_opinion_is_said_beside_it() -> None:
    """Nine pairs 20 % worse and one ten times as slow: t is undecided, the other finds the regression."""
    noise = 0.02 * np.array([-1.2, -0.7, -0.3, 0.0, 0.3, 0.7, 1.2, 0.5, -0.5, 0.1])
    logarithms = np.log(1.2) + noise
    logarithms[9] = np.log(10)
    [found] = decide([Measure(Pair(np.exp(logarithms).tolist(), [1.0] * 10), 0.05)])
    assert found.outcome is Judgement.UNDECIDED
    assert found.second is not None
    assert found.second.outcome is Judgement.REGRESSION
    assert 1.19 < found.second.ratio < 1.25
    assert found.disputed
    rate = Measure(Pair((1000 / np.exp(logarithms)).tolist(), [1000.0] * 10, lower_is_better=False), 0.05)
    assert decide([rate])[0].second.outcome is Judgement.REGRESSION  # type: ignore[union-attr]
    [unpaired] = decide([Measure(Pair(np.exp(logarithms).tolist(), [1.0] * 10), 0.05)], paired=False)
    assert unpaired.second is None
