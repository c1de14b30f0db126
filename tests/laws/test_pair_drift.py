"""Sides that drift each for itself: what the lag-1 test takes off false regressions, and what it costs elsewhere."""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from bench.stats.noninferiority import Decision, Measure, decide
from bench.stats.pair_drift import LARGEST, LEVEL, NONE, lag1, pair_drift
from bench.stats.ratio import Pair, compare

NOISE = 0.03
PAIRS = 10
RHO = 0.6
GATES = 300


def drifting(rng: np.random.Generator, lines: int, pairs: int, rho: float) -> np.ndarray:
    """Return float64 (lines, pairs): AR(1) of unit variance, stationary from its first point on."""
    values = np.empty((lines, pairs))
    values[:, 0] = rng.normal(size=lines)
    for k in range(1, pairs):
        values[:, k] = rho * values[:, k - 1] + (1 - rho**2) ** 0.5 * rng.normal(size=lines)
    return values


def gates(lines: int, pairs: int, rho: float, change: float = 0.0, many: int = GATES) -> Iterator[list[Measure]]:
    """Yield gates of two sides that drift each for itself and whose pairs differ by 3 %, the first line changed."""
    rng = np.random.default_rng(60)
    for _ in range(many):
        new, old = (NOISE / 2**0.5 * drifting(rng, lines, pairs, rho) for _ in range(2))
        new[0] += np.log1p(change)
        yield [Measure(Pair(np.exp(a).tolist(), np.exp(b).tolist()), 0.0) for a, b in zip(new, old, strict=True)]


def apart(found: Decision) -> bool:
    """Return whether the interval leaves 1."""
    assert found.low is not None
    assert found.high is not None
    return not found.low <= 1 <= found.high


def told_apart(lines: int, pairs: int, rho: float, many: int = GATES) -> tuple[float, float]:
    """Return the share of gates on equal sides that tell some line apart: by t alone, and with the test of drift."""
    alone, tested = 0, 0
    for gate in gates(lines, pairs, rho, many=many):
        plain = [compare(one.pair, alpha=0.01 / lines, delta=0) for one in gate]
        alone += any(not one.low <= 1 <= one.high for one in plain)
        tested += any(map(apart, decide(gate)))
    return alone / many, tested / many


def near(share: float, many: int = GATES) -> object:
    """Return what equals a share that was measured over 4,000 gates, within three standard errors."""
    return pytest.approx(share, abs=3 * (share * (1 - share) * (1 / many + 1 / 4_000)) ** 0.5)


@pytest.mark.parametrize(
    ("lines", "pairs", "alone", "tested"),
    [
        (1, 10, 0.168, 0.101),
        (7, 10, 0.395, 0.050),
        pytest.param(1, 20, 0.190, 0.049, marks=pytest.mark.soak),
        pytest.param(7, 20, 0.505, 0.022, marks=pytest.mark.soak),
    ],
)
def test_sides_that_drift_by_themselves(lines: int, pairs: int, alone: float, tested: float) -> None:
    """AR(.6) on either side, at a nominal 1 %: what t tells apart by itself, and what is left of that.

    Seven lines, or twice the pairs, know their correlation better than one line of ten pairs.
    """
    found = told_apart(lines, pairs, RHO)
    assert (found[0], found[1]) == (near(alone), near(tested))


@pytest.mark.parametrize(("lines", "seen", "seen_alone"), [(1, 0.955, 1.0), (7, 0.997, 1.0)])
def test_independent_pairs_lose_little(lines: int, seen: float, seen_alone: float) -> None:
    """With independent noise the level holds, a drift is seen in a tenth of gates, 10 % worse is found in 96 %."""
    assert max(told_apart(lines, PAIRS, 0.0)) <= 0.01 + 3 * (0.01 * 0.99 / GATES) ** 0.5
    changed = [
        (decide(gate)[0], compare(gate[0].pair, alpha=0.01 / lines, delta=0)) for gate in gates(lines, PAIRS, 0.0, 0.1)
    ]
    assert sum(found.drift.allowed > 0 for found, _ in changed) / GATES == near(LEVEL)
    assert sum(apart(found) for found, _ in changed) / GATES == pytest.approx(seen, abs=0.036)
    assert sum(plain.low > 1 for _, plain in changed) / GATES == pytest.approx(seen_alone, abs=0.01)


@pytest.mark.parametrize("alike", [0.3, 0.6])
def test_the_widening_is_that_of_ar1(alike: float) -> None:
    """Drawn from AR(1) of that correlation, the mean over its estimated error spreads as much wider as is said."""
    rng = np.random.default_rng(61)
    drawn = drifting(rng, 40_000, PAIRS, alike)
    variance_of_mean, mean_of_variance = drawn.mean(axis=1).var(), drawn.var(axis=1, ddof=1).mean()
    found = pair_drift([(range(40), np.sin(np.arange(40) / 4))])
    assert found.allowed == LARGEST
    told = type(found)(0.0, alike, 1).widening(PAIRS)
    assert told == pytest.approx((variance_of_mean / (mean_of_variance / PAIRS)) ** 0.5, rel=0.02)


def test_lag1_is_its_definition() -> None:
    """Sum of products of neighbours over the sum of squares, about the mean; nothing where nothing varies."""
    values = [0.3, -0.1, 0.4, 0.1, -0.5, 0.9]
    mean = sum(values) / 6
    products = sum((a - mean) * (b - mean) for a, b in pairwise(values))
    assert float(lag1(np.array(values))) == pytest.approx(products / sum((a - mean) ** 2 for a in values))
    assert math.isnan(float(lag1(np.ones(5))))


def test_what_says_nothing_is_left_out() -> None:
    """Lines of few pairs, and lines that do not vary; without any other there is no drift."""
    still, few = np.zeros(10), np.array([0.1, 0.2, 0.3, 0.4])
    assert pair_drift([(range(10), still), (range(4), few)]) == NONE
    assert NONE.widening(10) == 1
    rising = np.linspace(0, 1, 10)
    assert pair_drift([(range(10), rising), (range(10), still)]).lines == 1


def test_a_line_alike_another_adds_nothing() -> None:
    """Orders by chance are drawn for all lines at once: the same line seven times is as certain as once."""
    rng = np.random.default_rng(62)
    for line in drifting(rng, 30, PAIRS, 0.4):
        once, often = (pair_drift([(range(PAIRS), line)] * many) for many in (1, 7))
        assert (once.lag1, once.allowed) == pytest.approx((often.lag1, often.allowed))


def test_pairs_that_are_missing_keep_their_places() -> None:
    """A line without its third pair is asked in the order of the others."""
    rng = np.random.default_rng(63)
    one, other = drifting(rng, 2, PAIRS, 0.8)
    places = [k for k in range(PAIRS) if k != 2]
    found = pair_drift([(range(PAIRS), one), (places, other[places])])
    expected = [float(r + (1 + 4 * r) / n) for r, n in ((lag1(one), 10), (lag1(other[places]), 9))]
    assert found.lag1 == pytest.approx(sum(expected) / 2)
