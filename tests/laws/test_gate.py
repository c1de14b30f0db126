"""The gate: calm on equal sides, sharp on real change, and its closed forms against simulation."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.stats.noninferiority import ALARM, MIN_PAIRS, Decision, Judgement, Measure, decide, smallest_detectable
from bench.stats.ratio import Pair, compare

NOISE = 0.03
PAIRS = 10
METRICS = 7


def gate(rng: np.random.Generator, changes: list[float], limit: float, pairs: int = PAIRS) -> list[Decision]:
    """Return the decisions of one gate: pairs that share a slow drift and differ by 3 % noise within."""
    drift = rng.normal(0, 0.05, pairs).cumsum()
    measures = []
    for change in changes:
        old = np.exp(drift)
        new = old * (1 + change) * np.exp(rng.normal(0, NOISE, pairs))
        measures.append(Measure(Pair(new.tolist(), old.tolist()), limit))
    return decide(measures)


def outcomes(decisions: list[Decision]) -> set[Judgement]:
    """Return what was found over a family."""
    return {one.outcome for one in decisions}


def test_equal_sides_raise_no_alarm() -> None:
    """Over 1,000 gates of 10 pairs and 7 metrics, A against A is a regression in at most 1 %, even without a limit."""
    rng = np.random.default_rng(31)
    alarms = sum(Judgement.REGRESSION in outcomes(gate(rng, [0.0] * METRICS, 0.0)) for _ in range(1_000))
    assert alarms / 1_000 <= ALARM


def test_equal_sides_pass() -> None:
    """With a limit of 5 % at 3 % noise, A against A passes in 95 % of gates and is no regression in any."""
    rng = np.random.default_rng(32)
    found = [outcomes(gate(rng, [0.0] * METRICS, 0.05)) for _ in range(300)]
    assert sum(one == {Judgement.PASS} for one in found) >= 0.95 * 300


def test_ten_percent_is_found() -> None:
    """One of seven metrics 10 % worse: a regression in at least 95 % of gates, and it is that one."""
    rng = np.random.default_rng(33)
    found = [gate(rng, [0.10] + [0.0] * (METRICS - 1), 0.05) for _ in range(400)]
    assert sum(one[0].outcome is Judgement.REGRESSION for one in found) >= 0.95 * 400
    assert not any(Judgement.REGRESSION in outcomes(one[1:]) for one in found)


def test_what_is_worse_than_its_limit_passes_in_five_percent() -> None:
    """At a true change equal to the limit, a pass is claimed at the stated rate of 5 %."""
    rng = np.random.default_rng(34)
    passed = sum(gate(rng, [0.05], 0.05)[0].outcome is Judgement.PASS for _ in range(1_000))
    assert 0.03 <= passed / 1_000 <= 0.07


@pytest.mark.parametrize(("n", "level", "power"), [*product((5, 10, 20), (0.01, 0.01 / 7), (0.8, 0.95))])
def test_the_smallest_detectable_change_is_found_with_its_power(n: int, level: float, power: float) -> None:
    """A change of that size, simulated with known spread, leaves 1 out of its interval as often as was promised."""
    spread, limit = 0.03, 0.0
    change = math.log1p(smallest_detectable(spread / n**0.5, n - 1, level, limit, power))
    rng = np.random.default_rng(35)
    found = rng.normal(change, spread, (20_000, n))
    t = found.mean(axis=1) / (found.std(axis=1, ddof=1) / n**0.5)
    seen = float((t > stats.t.ppf(1 - level / 2, n - 1)).mean())
    assert power - 0.02 <= seen <= power + 0.03


def test_the_limit_bounds_what_can_be_detected() -> None:
    """Where noise is small, a change must exceed the limit to be found: by 1.645 standard errors for 95 %."""
    found = math.log1p(smallest_detectable(0.001, 9, 0.01, 0.05))
    assert found == pytest.approx(math.log(1.05) + 1.6449 * 0.001, rel=1e-4)


positive = st.floats(0.01, 100)
sides = st.lists(st.tuples(positive, positive), min_size=1, max_size=12)


@given(rows=sides, lower_is_better=st.booleans(), limit=st.floats(0, 0.5))
def test_a_regression_is_proven_and_a_pass_too(
    *, rows: list[tuple[float, float]], lower_is_better: bool, limit: float
) -> None:
    """Never both: a regression's interval leaves 1 and its estimate the limit; a pass has its bound inside it."""
    new, old = [a for a, _ in rows], [b for _, b in rows]
    [found] = decide([Measure(Pair(new, old, lower_is_better), limit)])
    assert found.ratio is not None
    assert found.low is not None
    assert found.high is not None
    assert found.bound is not None
    turn = 1 if lower_is_better else -1
    if found.outcome is Judgement.REGRESSION:
        assert found.ratio**turn > 1 + limit
        assert (found.low > 1) if lower_is_better else (found.high < 1)
    if found.outcome is Judgement.PASS:
        assert found.bound**turn <= (1 + limit) * (1 + 1e-12)
    if len(rows) < MIN_PAIRS:
        assert found.outcome is Judgement.UNDECIDED
    assert found.ratio == pytest.approx(compare(Pair(new, old)).ratio)


@given(first=sides, second=sides, counted=st.booleans())
def test_trials_that_were_not_interleaved_never_prove_a_regression(
    *, first: list[tuple[float, float]], second: list[tuple[float, float]], counted: bool
) -> None:
    """Unpaired sides of any lengths: pass, suspect or undecided."""
    pair = Pair([a for a, _ in first], [b for _, b in second])
    assert decide([Measure(pair, 0.05, counted)], paired=False)[0].outcome is not Judgement.REGRESSION


def test_unpaired_sides_that_differ_clearly_are_suspect() -> None:
    """Twice as slow with little spread is suspect, the same without a difference passes."""
    noise = np.exp(0.01 * np.array([-1.5, -0.9, -0.4, -0.1, 0.1, 0.4, 0.9, 1.5]))
    slow = Measure(Pair((2 * noise).tolist(), noise.tolist()), 0.05)
    same = Measure(Pair(noise.tolist(), noise[::-1].tolist()), 0.05)
    assert [one.outcome for one in decide([slow, same], paired=False)] == [Judgement.SUSPECT, Judgement.PASS]


def test_the_number_of_pairs_needed_decides() -> None:
    """With as many pairs of the same spread and estimate the measure is decided, with a few less it is not."""

    def with_pairs(n: int, ratio: float) -> Decision:
        noise = np.where(np.arange(n) % 2, 0.1, -0.1) * math.sqrt((n - 1) / n)  # standard deviation 0.1
        [found] = decide([Measure(Pair((ratio * np.exp(noise)).tolist(), [1.0] * n), 0.05)])
        return found

    for ratio, outcome in ((1.08, Judgement.REGRESSION), (1.01, Judgement.PASS)):
        first = with_pairs(6, ratio)
        assert first.outcome is Judgement.UNDECIDED
        assert first.needed is not None
        even = first.needed + first.needed % 2
        assert with_pairs(even, ratio).outcome is outcome
        assert with_pairs(even - 4, ratio).outcome is Judgement.UNDECIDED


@pytest.mark.parametrize(("worse", "outcome"), [(0, "pass"), (1, "undecided"), (9, "undecided"), (10, "regression")])
def test_losses_are_judged_by_pairs(worse: int, outcome: str) -> None:
    """Lost messages in k of 10 pairs: by the exact sign test only all ten prove it at one in seven of 1 %."""
    lost = Measure(Pair([3.0] * worse + [0.0] * (10 - worse), [0.0] * 10), 0, counted=True)
    others = [Measure(Pair([1.0] * 10, [1.0] * 10), 0.05)] * 6
    [found, *_] = decide([lost, *others])
    assert found.outcome == outcome
    assert found.worse == worse
    assert found.level == pytest.approx(ALARM / 7)


def test_what_never_came_is_worse_than_any_time() -> None:
    """Infinite estimates have no ratio: ten of ten pairs prove it, ties on both sides say nothing."""
    without_end = Measure(Pair([math.inf] * 10, [1.0] * 10), 0.05)
    on_both = Measure(Pair([math.inf] * 10, [math.inf] * 10), 0.05)
    mended = Measure(Pair([1.0] * 10, [math.inf] * 10), 0.05)
    stopped = Measure(Pair([0.0] * 10, [1.0] * 10, lower_is_better=False), 0.05)
    found = [one.outcome for one in decide([without_end, on_both, mended, stopped])]
    assert found == [Judgement.REGRESSION, Judgement.UNDECIDED, Judgement.PASS, Judgement.REGRESSION]


def test_equal_losses_raise_alarms_at_most_at_the_level() -> None:
    """A against A that both lose at random: ten metrics of losses in 1,000 gates stay below 1 %."""
    rng = np.random.default_rng(36)
    alarms = 0
    for _ in range(1_000):
        counts = rng.poisson(2.0, (10, 2, PAIRS)).astype(float)
        found = decide([Measure(Pair(new.tolist(), old.tolist()), 0, counted=True) for new, old in counts])
        alarms += Judgement.REGRESSION in outcomes(found)
    assert alarms / 1_000 <= ALARM


def test_sides_must_match() -> None:
    """An empty side and pairs of unequal length are mistakes, not verdicts; no measure gives no decision."""
    for pair in (Pair([], []), Pair([1.0], [1.0, 2.0])):
        with pytest.raises(ValueError, match="both sides need trials"):
            decide([Measure(pair, 0.05)])
    assert decide([]) == []
