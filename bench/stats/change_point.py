"""Where the level of a series changed: e-divisive with permutations. Pure.

Matteson & James, "A nonparametric approach for multiple change point analysis of
multivariate data", Journal of the American Statistical Association 109 (2014), as Daly et
al. use it on performance histories (ICPE 2020). A split is scored by the energy distance
between its sides (their equation 5, exponent 1); the best one stands if few series of the
same points in random order have a better one; then both sides are searched. No shape of
the noise is assumed but that, between changes, the order of points is chance: noise that
is correlated in time raises more alarms (`bench.stats.detection` says how many more).

For the best split of n points the distances of each to those before it are needed. Points
by rank in a binary indexed tree (Fenwick, Software: Practice and Experience 24, 1994) give
them in n log n instead of n²; totals of rows do not depend on the order and are kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.jit import kernel

LEAST = 3
"""Points of a level: fewer are a spike."""
PERMUTATIONS = 199
ALPHA = 0.01
"""Chance of a first change in a series that has none."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Change:
    """One change of level.

    Attributes:
        at: index of the first point of the new level.
        p_value: share of orders by chance that have a split at least as good, this one included.
    """

    at: int
    p_value: float


@dataclass(frozen=True)
class _Part:
    # A stretch without a known change: its points, their ranks, and the sum of distances of each to all.
    start: int
    values: Floats
    ranks: Ints
    totals: Floats

    @classmethod
    def of(cls, values: Floats, start: int, end: int) -> "_Part":
        part = values[start:end]
        return cls(start, part, *_ranked(part))

    def best(self) -> tuple[float, int]:
        return _best(self.values, self.ranks, self.totals, LEAST)

    def best_by_chance(self, rng: np.random.Generator) -> float:
        order = rng.permutation(len(self.values))
        return _best(self.values[order], self.ranks[order], self.totals[order], LEAST)[0]


def changes(
    values: Sequence[float] | Floats, *, alpha: float = ALPHA, permutations: int = PERMUTATIONS, seed: int = 0
) -> list[Change]:
    """Return the changes of level of a series, in its order.

    Args:
        values: one finite number a point, in order of time; logarithms where ratios matter.
        alpha: a split is kept where its p-value is at most this.
        permutations: orders by chance that each split is held against; the smallest p-value is
            1 / (permutations + 1).
        seed: of these orders.

    Raises:
        ValueError: a number is not finite, or no p-value can be as small as alpha.
    """
    series = np.asarray(values, np.float64)
    if not np.all(np.isfinite(series)):
        message = "every point of a series must be finite: leave out those that are missing"
        raise ValueError(message)
    allowed = int(alpha * (permutations + 1) + 1e-9) - 1
    if allowed < 0:
        message = f"{permutations} permutations give no p-value of {alpha:g}: at least {np.ceil(1 / alpha) - 1:.0f}"
        raise ValueError(message)
    rng = np.random.default_rng(seed)
    # The mean is taken off so that sums of distances keep their digits.
    centred = series - series.mean() if len(series) else series
    parts = [_Part.of(centred, 0, len(series))]
    found: list[Change] = []
    while True:
        scored = [part.best() for part in parts]
        chosen = max(range(len(parts)), key=lambda k: scored[k][0])
        score, place = scored[chosen]
        if score <= 0 or (better := _better_by_chance(parts, score, permutations, allowed, rng)) > allowed:
            return sorted(found, key=lambda change: change.at)
        part = parts[chosen]
        middle, end = part.start + place, part.start + len(part.values)
        found.append(Change(middle, (1 + better) / (permutations + 1)))
        parts[chosen : chosen + 1] = [_Part.of(centred, part.start, middle), _Part.of(centred, middle, end)]


def best_scores(series: Floats) -> Floats:
    """Return the score of the best split of each of many series, over the series' mean distance.

    Args:
        series: one a row; float64 (series, points).

    Returns:
        One score a row; 0 where it is too short to be split or does not vary.
    """
    return _scores(np.ascontiguousarray(series), LEAST)


def _better_by_chance(
    parts: Sequence[_Part], score: float, permutations: int, allowed: int, rng: np.random.Generator
) -> int:
    """Count orders within parts that score as well; stop where more do than are allowed."""
    better = 0
    for _ in range(permutations):
        better += max(part.best_by_chance(rng) for part in parts) >= score
        if better > allowed:
            break
    return better


@kernel
def _ranked(values: Floats) -> tuple[Ints, Floats]:  # pragma: no cover
    n = len(values)
    order = np.argsort(values)
    ranks, totals = np.empty(n, np.int64), np.empty(n, np.float64)
    everything, below = values.sum(), 0.0
    for rank in range(n):
        j = order[rank]
        ranks[j] = rank
        # Values that rank below lie `rank` times the value above their sum; for those above it is the reverse.
        totals[j] = values[j] * (2 * rank - n) - 2 * below + everything
        below += values[j]
    return ranks, totals


@kernel
def _scores(series: Floats, least: int) -> Floats:  # pragma: no cover
    found = np.zeros(len(series), np.float64)
    n = series.shape[1]
    for row in range(len(series)):
        values = series[row] - series[row].mean()
        ranks, totals = _ranked(values)
        distance = totals.sum()
        if distance > 0:
            found[row] = _best(values, ranks, totals, least)[0] * n * (n - 1) / distance
    return found


@kernel
def _best(values: Floats, ranks: Ints, totals: Floats, least: int) -> tuple[float, int]:  # pragma: no cover
    n = len(values)
    count, total = np.zeros(n + 1, np.int64), np.zeros(n + 1, np.float64)
    everything = totals.sum() / 2
    left = crossing_and_left = seen = 0.0
    best, place = 0.0, 0
    for j in range(n - least):
        # Number and sum of the points before j that rank below it.
        value, below, below_sum = values[j], 0, 0.0
        k = ranks[j]
        while k > 0:
            below += count[k]
            below_sum += total[k]
            k &= k - 1
        left += value * below - below_sum + (seen - below_sum) - value * (j - below)
        crossing_and_left += totals[j]
        seen += value
        k = ranks[j] + 1
        while k <= n:
            count[k] += 1
            total[k] += value
            k += k & -k
        first, second = j + 1, n - j - 1
        if first < least:
            continue
        crossing = crossing_and_left - 2 * left
        right = everything - left - crossing
        energy = 2 * crossing / (first * second)
        energy -= 2 * left / (first * (first - 1)) + 2 * right / (second * (second - 1))
        score = first * second / n * energy
        if score > best:
            best, place = score, j + 1
    return best, place
