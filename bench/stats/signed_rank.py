"""The exact signed-rank test of pairs, with the estimate of Hodges and Lehmann: a second opinion beside t. Pure.

F. Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1 (1945); J. L. Hodges and
E. L. Lehmann, "Estimates of location based on rank tests", Annals of Mathematical Statistics 34 (1963).

Differences are ranked by size, and W is the sum of the ranks of those above zero. Where a difference is as likely
above zero as below, each of the 2^n ways to give signs is as likely as any other, so the chance of each W is counted.
A difference counts by its rank alone: a pair that was ten times as slow weighs no more than the largest of the others,
while it widens an interval of t for all of them. The price: with n pairs no p-value is below 2^(1-n).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

OUTLYING = 3.5
"""Robust standard deviations from the median beyond which a difference is an outlier (Iglewicz and Hoaglin, "How to
detect and handle outliers", ASQC 1993)."""
MAD_TO_DEVIATION = 1.4826
"""Standard deviations in a median absolute deviation, of normal noise: 1 / Φ⁻¹(3/4)."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SignedRank:
    """What the test says of differences.

    Attributes:
        n: differences that are not zero; the others say nothing.
        p_value: of "as likely above zero as below", two-sided; 1 where n is 0.
        estimate: of Hodges and Lehmann: the median of the means of every two differences, each with itself too.
        low, high: interval of the middle at 1 - alpha; infinite where there are too few differences for that level.
    """

    n: int
    p_value: float
    estimate: float
    low: float
    high: float


def signed_rank(differences: Sequence[float] | Floats, alpha: float) -> SignedRank:
    """Test whether differences have their middle at zero.

    Differences of equal size share the mean of their ranks. The interval is that of differences without such ties.

    Args:
        differences: one finite number a pair.
        alpha: the interval covers the middle with probability 1 - alpha, or more.

    Raises:
        ValueError: there is no difference, or one is not finite.
    """
    values = np.asarray(differences, np.float64)
    if not len(values) or not np.all(np.isfinite(values)):
        message = f"differences must be finite, at least one: got {list(differences)}"
        raise ValueError(message)
    telling = values[values != 0]
    first, second = np.triu_indices(len(values))
    means = np.sort((values[first] + values[second]) / 2)
    inside = _below(len(values), alpha / 2)
    low, high = (means[inside - 1], means[-inside]) if inside else (-np.inf, np.inf)
    return SignedRank(len(telling), _p_value(telling), float(np.median(means)), float(low), float(high))


def has_outliers(differences: Sequence[float] | Floats) -> bool:
    """Return whether a difference lies far from the others, by their median and its median absolute deviation."""
    values = np.asarray(differences, np.float64)
    if not len(values):
        return False
    away = np.abs(values - np.median(values))
    return bool(away.max() > OUTLYING * MAD_TO_DEVIATION * np.median(away))


def _p_value(telling: Floats) -> float:
    if not len(telling):
        return 1.0
    # Twice the ranks, which are whole numbers where sizes are tied, too.
    _, place, times = np.unique(np.abs(telling), return_inverse=True, return_counts=True)
    doubled = (2 * np.cumsum(times) - times + 1)[place]
    chances = _chances(doubled)
    above = int(doubled[telling > 0].sum())
    return min(1.0, 2 * float(min(chances[: above + 1].sum(), chances[above:].sum())))


def _chances(weights: NDArray[np.int64]) -> Floats:
    """Return the chance of each sum of weights, each of which counts or not by a fair coin."""
    chances = np.zeros(int(weights.sum()) + 1)
    chances[0] = 1.0
    for weight in weights.tolist():
        chances[weight:] += chances[:-weight].copy()
        chances /= 2
    return chances


def _below(n: int, tail: float) -> int:
    """Return the largest number of sums 0, 1, 2 … of the ranks 1 … n whose chances together are at most `tail`."""
    return int(np.searchsorted(np.cumsum(_chances(np.arange(1, n + 1))), tail * (1 + 1e-12), side="right"))
