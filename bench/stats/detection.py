"""What watching a series can show: the smallest step it would find, how late, and how many false alarms it gives. Pure.

All three are simulated for noise like the series' own: normal, with its spread and its
correlation from one point to the next (AR(1)). A simulated series is held against the
score that splits of white noise of that length exceed with probability alpha, which is
what permutations estimate anew for each real one (`bench.stats.change_point`). Steps are in
units of the spread, so that many series share one simulation.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from bench.stats.change_point import ALPHA, LEAST, best_scores

FOUND = 0.95
"""Share of steps that must be found for the delay and the smallest step."""
AFTER = 5
"""Points after a step by which the smallest step is to be found."""
LONGEST_DELAY = 30
LONGEST = 100
"""Points of a simulated series: with more a step is found a little sooner, and the simulation takes longer."""

_SERIES = 200
_LARGEST = 20.0  # spreads; every step that large is found
_SEED = 20140115
_STRAIGHT = 1.4826  # median absolute deviation to standard deviation, of normal noise

Floats = NDArray[np.float64]


def noise(values: Sequence[float] | Floats, places: Sequence[int]) -> tuple[float, float]:
    """Return the spread of a series between its changes, and its correlation from point to point.

    Args:
        values: one number a point.
        places: first points of each new level.

    Returns:
        A robust standard deviation of the distances from the medians of levels, in the unit of
        the values, and their autocorrelation at lag 1, rounded to tenths; 0 where too few vary.
    """
    levels = np.split(np.asarray(values, np.float64), list(places))
    rest = np.concatenate([level - np.median(level) for level in levels if len(level)] or [np.empty(0)])
    if len(rest) < LEAST or not rest.any():
        return 0.0, 0.0
    # Beyond four spreads a point is a spike, which says nothing of its neighbours.
    spread = _STRAIGHT * float(np.median(np.abs(rest))) or float(rest.std())
    near = np.clip(rest, -4 * spread, 4 * spread)
    correlation = float((near[1:] * near[:-1]).sum() / (near**2).sum())
    return spread, float(np.clip(round(correlation, 1), 0.0, 0.9))


@lru_cache(maxsize=1024)
def alarm_rate(length: int, correlation: float, alpha: float = ALPHA) -> float:
    """Return the share of series without any change in which one is found.

    Args:
        length: points; beyond 100 as at 100.
        correlation: from point to point, 0 … 0.9.
        alpha: level of the detector.
    """
    return _found(min(length, LONGEST), 0, 0.0, correlation, alpha, series=5 * _SERIES)


@lru_cache(maxsize=1024)
def delay(before: int, step: float, correlation: float, alpha: float = ALPHA) -> int | None:
    """Return how many points after a step it is found in 95 % of series; None beyond 30.

    Args:
        before: points before it; beyond 100 as at 100.
        step: in spreads.
        correlation: see `alarm_rate`.
        alpha: level of the detector.
    """
    low, high = LEAST, LONGEST_DELAY
    if _found(min(before, LONGEST), high, step, correlation, alpha) < FOUND:
        return None
    while low < high:
        middle = (low + high) // 2
        if _found(min(before, LONGEST), middle, step, correlation, alpha) >= FOUND:
            high = middle
        else:
            low = middle + 1
    return high


@lru_cache(maxsize=1024)
def smallest_step(before: int, correlation: float, alpha: float = ALPHA) -> float | None:
    """Return the smallest step, in spreads, that is found 5 points later in 95 % of series; None where none is."""
    low, high = 0.0, _LARGEST
    if _found(min(before, LONGEST), AFTER, high, correlation, alpha) < FOUND:
        return None
    while high - low > 0.05:  # noqa: PLR2004  (spreads)
        middle = (low + high) / 2
        if _found(min(before, LONGEST), AFTER, middle, correlation, alpha) >= FOUND:
            high = middle
        else:
            low = middle
    return high


def _found(before: int, after: int, step: float, correlation: float, alpha: float, series: int = _SERIES) -> float:
    if before + after < 2 * LEAST:
        return 0.0
    bar = _bar(max((before + after) // 10 * 10, 2 * LEAST), alpha)
    made = _series(series, before + after, correlation, _SEED).copy()
    made[:, before:] += step
    return float(np.mean(best_scores(made) > bar))


@lru_cache(maxsize=256)
def _bar(length: int, alpha: float) -> float:
    """Return the score that the best split of white noise exceeds with probability alpha."""
    needed = math.ceil(10 / alpha)
    return float(np.quantile(best_scores(_series(needed, length, 0.0, _SEED + 1)), 1 - alpha))


@lru_cache(maxsize=64)
def _series(series: int, length: int, correlation: float, seed: int) -> Floats:
    shocks = np.random.default_rng(seed).normal(size=(series, length))
    shocks[:, 1:] *= math.sqrt(1 - correlation**2)
    return np.asarray(signal.lfilter([1.0], [1.0, -correlation], shocks, axis=1), np.float64)
