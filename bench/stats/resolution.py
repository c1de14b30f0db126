"""Which effects a host can decide at all, from how much two alike sides differ on it. Pure.

A gate judges pairs of trials (`bench.stats.noninferiority`). How much alike pairs differ is
known from a short look, so it is itself uncertain: by chi-squared its true spread is below a
bound, and what is promised is promised of that bound. Where alike sides differ even on
average, no number of pairs helps: that much can never be told from an effect.
"""

import math
from bisect import bisect_left
from dataclasses import dataclass

from scipy import special

from bench.stats.noninferiority import ALARM, MIN_PAIRS, MISS, smallest_detectable
from bench.stats.ratio import Pair, compare

MOST_PAIRS = 100
"""More are asked of nobody."""


@dataclass(frozen=True)
class Resolution:
    """What a host can decide of one metric.

    Attributes:
        n: pairs of alike trials that were looked at.
        spread: standard deviation of the logarithm of a pair's ratio.
        bound: what the true spread is below, with a chance of 95 %.
        bias: how far the sides differ on average, as the logarithm of a ratio; 0 where that may be chance.
        level: of the two-sided test that a gate makes of this metric.
    """

    n: int
    spread: float
    bound: float
    bias: float
    level: float

    def smallest(self, pairs: int) -> float:
        """Return the smallest change, as a share, that so many pairs tell from none in 95 of 100 gates."""
        found = smallest_detectable(self.bound / pairs**0.5, pairs - 1, self.level, limit=0)
        return math.expm1(math.log1p(found) + self.bias)

    def needed(self, effect: float) -> int | None:
        """Return the fewest pairs that decide a change, as a share; None where more than `MOST_PAIRS` would."""
        numbers = range(MIN_PAIRS, MOST_PAIRS + 1)
        first = bisect_left(numbers, True, key=lambda pairs: self.smallest(pairs) <= effect)  # noqa: FBT003
        return numbers[first] if first < len(numbers) else None


def resolution(alike: Pair, metrics: int) -> Resolution:
    """Return what can be decided of a metric.

    Args:
        alike: estimates of two alike sides, measured in turn; at least 2 pairs.
        metrics: how many a gate looks at: it guards against a false alarm in any of them (Holm's first step).

    Raises:
        ValueError: an estimate is not positive and finite, or pairs do not match.
    """
    level = ALARM / metrics
    found = compare(alike, alpha=level)
    spread = found.error * found.n**0.5
    # (n - 1) s² / σ² is chi-squared with n - 1 degrees of freedom.
    bound = spread * (found.freedom / float(special.chdtri(found.freedom, 1 - MISS))) ** 0.5
    certain = found.low > 1 or found.high < 1
    return Resolution(found.n, spread, bound, abs(math.log(found.ratio)) if certain else 0.0, level)
