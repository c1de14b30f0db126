"""Where the level of a series changed: e-divisive with permutations. Pure.

Matteson & James, "A nonparametric approach for multiple change point analysis of
multivariate data", Journal of the American Statistical Association 109 (2014), as Daly et
al. use it on performance histories (ICPE 2020). A split is scored by the energy distance
between its sides (their equation 5, exponent 1); the best one stands if few series of the
same points in random order have a better one; then both sides are searched. No shape of
the noise is assumed but that, between changes, the order of points is chance: noise that
is correlated in time raises more alarms (`bench.stats.detection` says how many more).

A split is decided with three points on each side, and so seen first where only two are of the new
level. *Where* the level changed is therefore asked anew (`locate`), of every place between its
neighbours: with normal noise of unknown spread and levels about which nothing is known
beforehand, a split of n points into a and b has the posterior probability
(a b)^(-1/2) RSS^(-(n - 2) / 2), up to a factor, RSS being the squares about the two means
(Smith, "A Bayesian approach to inference about a change-point", Biometrika 62, 1975).

For the best split of n points the distances of each to those before it are needed. Points
by rank in a binary indexed tree (Fenwick, Software: Practice and Experience 24, 1994) give
them in n log n instead of n²; totals of rows do not depend on the order and are kept.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bench.jit import kernel

LEAST = 3
"""Points of a level: fewer are a spike."""
PERMUTATIONS = 199
ALPHA = 0.01
"""Chance of a first change in a series that has none."""

CERTAIN = 0.97
"""Posterior probability of the places between which a change is told to lie. More than the 95 % that are promised, as
noise of real series has longer tails than the normal one, and a change is looked at as soon as it is seen."""

_LEAST_OF_A_SLOPE = 8
_FAR_LIKELIER, _ADDS = 3.0, 5.0
"""Differences of log-likelihoods: by how much a line must win over two levels, and what a step may add to a line (where
there is none, the best of many places adds less than this in nearly all cases)."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Orders = NDArray[np.int8]


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
class Location:
    """Where a level changed: indices of the first point of the new level.

    Attributes:
        at: the likeliest one.
        low, high: the first and the last that may be it, with a probability of CERTAIN.
    """

    at: int
    low: int
    high: int


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
    allowed = _allowed(alpha, permutations)
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


def locate(values: Sequence[float] | Floats, places: Sequence[int]) -> list[Location]:
    """Return where each change of a series lies, given where it was seen.

    Args:
        values: as for `changes`.
        places: as `changes` gives them; each is looked for between the one before, as located, and the one after.
    """
    series = np.asarray(values, np.float64)
    found: list[Location] = []
    for _, end in pairwise([*places, len(series)]):
        begin = found[-1].at if found else 0
        found.append(_location(series[begin:end], begin))
    return found


def _location(part: Floats, begin: int) -> Location:
    """Return where the one change of a stretch lies, of which each side has a point at least."""
    n = len(part)
    centred = part - part.mean()
    before = np.arange(1, n)
    sums, squares = np.cumsum(centred)[:-1], float((centred**2).sum())
    explained = sums**2 / before + sums**2 / (n - before)
    # A stretch without noise leaves rounding errors, which must not decide between places.
    rest = np.maximum(squares - explained, 1e-12 * squares) if squares else np.ones(n - 1)
    logs = -0.5 * np.log(before * (n - before)) - (n - 2) / 2 * np.log(rest)
    share = np.exp(logs - logs.max())
    order = np.argsort(-share, kind="stable")
    held = order[: int(np.searchsorted(np.cumsum(share[order]), CERTAIN * share.sum())) + 1]
    return Location(*(begin + 1 + int(place) for place in (order[0], held.min(), held.max())))


def is_slope(stretch: Sequence[float] | Floats, place: int) -> bool:
    """Return whether a stretch with a split is a slope rather than a step.

    It is where a line is far likelier than two levels, and a step at that place adds little to the line.

    Args:
        stretch: the points of both sides.
        place: first point of the second.
    """
    values = np.asarray(stretch, np.float64)
    n = len(values)
    if n < _LEAST_OF_A_SLOPE:
        return False
    one, time, step = np.ones(n), np.linspace(-1, 1, n), (np.arange(n) >= place).astype(np.float64)
    two_levels, line, both = (_left_over(values, shape) for shape in ((one, step), (one, time), (one, time, step)))
    least = 1e-12 * float((values - values.mean()) @ (values - values.mean()))
    if both <= least:
        return line <= least < two_levels
    return n / 2 * math.log(two_levels / line) > _FAR_LIKELIER and n / 2 * math.log(line / both) < _ADDS


def _left_over(values: Floats, shape: tuple[Floats, ...]) -> float:
    """Return the squares that the best sum of shapes leaves."""
    design = np.column_stack(shape)
    rest = values - design @ np.linalg.lstsq(design, values, rcond=None)[0]
    return float(rest @ rest)


def permutations_for(alpha: float) -> int:
    """Return how many orders by chance a series is held against at a level: the usual number, or what it needs."""
    return max(PERMUTATIONS, round(1 / alpha) - 1)


def found_by_chance(series: Floats, orders: Orders, alpha: float) -> NDArray[np.bool_]:
    """Return for each of many series whether `changes` finds one, given its orders by chance.

    Args:
        series: one a row; float64 (series, points).
        orders: of the points of each, at most 127; int8 (series, orders, points).
        alpha: see `changes`.
    """
    allowed = _allowed(alpha, orders.shape[1])
    return _better_orders(np.ascontiguousarray(series), orders, allowed) <= allowed


def best_scores(series: Floats) -> Floats:
    """Return the score of the best split of each of many series, over the series' mean distance.

    Args:
        series: one a row; float64 (series, points).

    Returns:
        One score a row; 0 where it is too short to be split or does not vary.
    """
    return _scores(np.ascontiguousarray(series), LEAST)


def _allowed(alpha: float, permutations: int) -> int:
    """Return how many orders by chance may have a split as good."""
    return int(alpha * (permutations + 1) + 1e-9) - 1


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
def _better_orders(series: Floats, orders: Orders, allowed: int) -> Ints:  # pragma: no cover
    found = np.zeros(len(series), np.int64)
    for row in range(len(series)):
        values = series[row] - series[row].mean()
        ranks, totals = _ranked(values)
        score = _best(values, ranks, totals, LEAST)[0]
        for k in range(orders.shape[1]):
            order = orders[row, k]
            found[row] += score <= 0 or _best(values[order], ranks[order], totals[order], LEAST)[0] >= score
            if found[row] > allowed:
                break
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
