"""Whether the two sides of paired trials drift each for itself, and how much wider intervals then are. Pure.

Trials in turn (ABBA) take away what drifts on both sides alike. What drifts on one side alone stays in the differences:
neighbouring pairs are then alike, and Student's t, which takes them for independent, finds differences that are not
there. So the lag-1 correlation of the differences is tested. One line of ten pairs says little about it, but what makes
a side drift moves most of its figures, so the mean over all lines is tested: against orders of the pairs by chance, the
same order for all lines, so that lines may well be alike among themselves.

Where the test is positive, standard errors are widened as for AR(1) of that correlation: by the variance of a mean,
and by what the sample variance misses (Bartlett, "On the theoretical specification and sampling properties of
autocorrelated time-series", JRSS Supplement 8, 1946), after the bias of short series is taken off (Kendall, "Note on
bias in the estimation of autocorrelation", Biometrika 41, 1954), with one standard error added to the correlation.

What that is worth is measured in `tests/laws/test_pair_drift.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.1
"""Chance of seeing a drift where pairs are independent."""
LARGEST = 0.8
"""Correlation that is allowed for at most: beyond it ten pairs say nothing at all."""
LEAST = 5
"""Pairs of a line that is asked."""
_ORDERS = 199
_SEED = 1954

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class PairDrift:
    """What neighbouring pairs have in common.

    Attributes:
        lag1: correlation of neighbouring differences, the mean over lines, bias taken off.
        allowed: correlation that errors are widened for; 0 where the test finds none.
        lines: that were asked.
    """

    lag1: float
    allowed: float
    lines: int

    def widening(self, pairs: int) -> float:
        """Return how many times as wide the interval of a mean of so many differences is; 1 without a drift."""
        if not self.allowed:
            return 1.0
        return _widening(self.allowed, pairs)


NONE = PairDrift(0.0, 0.0, 0)
"""Nothing to ask, or nothing found."""


def lag1(values: Floats) -> Floats:
    """Return the correlation of neighbours, about the mean, along the last axis; NaN where nothing varies."""
    centred = values - values.mean(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = (centred[..., 1:] * centred[..., :-1]).sum(axis=-1) / (centred**2).sum(axis=-1)
    return found


def pair_drift(lines: Sequence[tuple[Sequence[int], Floats]]) -> PairDrift:
    """Ask the differences of all lines of a paired run.

    Args:
        lines: of each line the place in time of its pairs, rising, and their differences (of logarithms). A place is
            the same repetition on every line. Lines with fewer than `LEAST` pairs, or without any difference between
            them, are left out.
    """
    asked = [
        (np.asarray(places), values)
        for places, values in lines
        if len(values) >= LEAST and np.ptp(values) > _tiny(values)
    ]
    if not asked:
        return NONE
    all_places = np.unique(np.concatenate([places for places, _ in asked]))
    rng = np.random.default_rng(_SEED)
    orders = rng.permuted(np.tile(np.arange(len(all_places)), (_ORDERS, 1)), axis=1)
    found = np.zeros(1 + _ORDERS)
    biased = 0.0
    for places, values in asked:
        at = np.full(len(all_places), -1)
        at[np.searchsorted(all_places, places)] = np.arange(len(values))
        shuffled = at[orders]
        drawn = values[shuffled[shuffled >= 0].reshape(_ORDERS, len(values))]
        mine = lag1(np.vstack([values, drawn]))
        found += mine / len(asked)
        biased += (1 + 4 * mine[0]) / len(values) / len(asked)
    alike = min(float(found[0] + biased), 1.0)
    chance = float((found >= found[0] - 1e-12).mean())
    if chance > LEVEL or alike <= 0:
        return PairDrift(alike, 0.0, len(asked))
    return PairDrift(alike, float(min(alike + found[1:].std(), LARGEST)), len(asked))


def _tiny(values: Floats) -> float:
    return 1e-12 * float(np.abs(values).max())


def _widening(alike: float, pairs: int) -> float:
    lags = np.arange(1, pairs)
    of_mean = 1 + 2 * float(((1 - lags / pairs) * alike**lags).sum())
    of_spread = 1 - (of_mean - 1) / (pairs - 1)
    return float((of_mean / of_spread) ** 0.5)
