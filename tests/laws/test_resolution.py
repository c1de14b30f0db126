"""`bench.stats.resolution`: what a short look at alike pairs promises is held against simulated gates."""

import numpy as np
import pytest
from scipy import stats

from bench.stats.noninferiority import ALARM, POWER
from bench.stats.ratio import Pair
from bench.stats.resolution import MOST_PAIRS, Resolution, resolution

METRICS = 3
SPREAD = 0.04
LOOKS = 2_000


def look(numbers: np.random.Generator, pairs: int = 20, bias: float = 0.0, spread: float = SPREAD) -> Resolution:
    """Return what a look at alike pairs says: sides whose ratios vary by `spread`, and differ by `bias` on average."""
    drawn = numbers.normal(bias, spread, pairs)
    return resolution(Pair([*np.exp(drawn)], [1.0] * pairs), METRICS)


def power(effect: float, pairs: int) -> float:
    """Return the chance that a t test of so many pairs finds a change: the noncentral t, exactly."""
    far = np.log1p(effect) / (SPREAD / pairs**0.5)
    edge = stats.t.isf(ALARM / METRICS / 2, pairs - 1)
    return float(stats.nct.sf(edge, pairs - 1, far) + stats.nct.cdf(-edge, pairs - 1, far))


@pytest.mark.parametrize("pairs", [5, 10, 30])
def test_the_promise_is_kept(pairs: int) -> None:
    """Of the changes that looks promise to be decided, at least 95 of 100 are, with the chance that was told."""
    numbers = np.random.default_rng(18)
    # What is promised grows with the spread that was seen, so the least spread with enough power decides them all.
    enough = next(effect for effect in np.linspace(0.001, 2, 4_000) if power(effect, pairs) >= POWER - 0.01)
    spreads = SPREAD * np.sqrt(stats.chi2.rvs(19, size=LOOKS, random_state=numbers) / 19)
    one = look(numbers)
    promised = [
        Resolution(one.n, seen, seen * one.bound / one.spread, 0.0, one.level).smallest(pairs) for seen in spreads
    ]
    kept = np.mean(np.asarray(promised) >= enough)
    assert 0.93 <= kept <= 0.99


def test_what_is_needed_decides_and_one_less_does_not() -> None:
    """The fewest pairs whose smallest change is the one asked for; at least those that a gate takes."""
    found = look(np.random.default_rng(1))
    for effect in (0.02, 0.05, 0.2):
        needed = found.needed(effect)
        assert needed is not None
        assert found.smallest(needed) <= effect
        assert needed == 5 or found.smallest(needed - 1) > effect
    assert found.needed(1e-4) is None
    assert found.smallest(MOST_PAIRS) > 1e-4


def test_sides_that_differ_on_average_are_told_from_chance() -> None:
    """A bias bounds what any number of pairs decides; without one, false ones are as rare as the level says."""
    numbers = np.random.default_rng(2)
    biased = look(numbers, bias=0.1, spread=0.01)
    assert biased.bias == pytest.approx(0.1, abs=0.01)
    assert biased.needed(0.09) is None
    assert biased.needed(0.15) is not None
    false = sum(look(numbers).bias > 0 for _ in range(LOOKS))
    assert false / LOOKS < 3 * ALARM / METRICS


def test_sides_without_any_noise_decide_everything() -> None:
    """As on a machine of virtual time."""
    found = resolution(Pair([1.0] * 5, [1.0] * 5), METRICS)
    assert found.smallest(5) == 0
    assert found.needed(0.001) == 5
