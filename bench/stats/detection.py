"""What watching a series can show: the smallest step it would find, how late, and how many false alarms it gives. Pure.

All three are simulated for noise like the series' own: normal, with its correlation from one
point to the next (AR(1)), and with its spread *as it is known*: each simulated series is
measured by its own points as the real one is, and its step is so many of those spreads. Three
points tell little of a spread, so that their promise is a careful one; where even a step of
any size would be missed too often there is none, but the number of points that are needed.

A simulated series is held against orders of its points by chance, as the detector does
(`bench.stats.change_point`); a long one, to the same effect and much faster, against the score
that splits of white noise of that length exceed with probability alpha. Steps are in units of
the spread, so that many series share one simulation.
"""

import math
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from bench.stats.change_point import ALPHA, LEAST, best_scores, found_by_chance, permutations_for
from bench.stats.signed_rank import MAD_TO_DEVIATION

FOUND = 0.95
"""Share of steps that must be found for the delay and the smallest step."""
AFTER = 5
"""Points after a step by which the smallest step is to be found."""
LONGEST_DELAY = 30
LONGEST = 100
"""Points of a simulated series: with more a step is found a little sooner, and the simulation takes longer."""

_SHORT = 30
"""Points below which a simulated series is held against orders by chance."""
_SERIES, _SHORT_SERIES = 200, 500
"""Simulated series; more of short ones where a step is looked for to a twentieth of a spread."""
_ALARMS = 1_000
_LARGEST = 20.0  # spreads; every step that large is found
_SEED = 20140115
_SPIKES = 10
"""Points with which a spike can be told from noise."""
_CORRELATED = 20
"""Points with which correlation can be told from chance."""

Floats = NDArray[np.float64]


def noise(values: Sequence[float] | Floats, places: Sequence[int]) -> tuple[float | None, float]:
    """Return the spread of a series between its changes, and its correlation from point to point.

    Args:
        values: one number a point.
        places: first points of each new level.

    Returns:
        A standard deviation of the distances from the medians of levels, in the unit of the
        values; None where fewer than three points tell of it. And their autocorrelation at lag 1,
        rounded to tenths; 0 below twenty points.
    """
    levels = [level for level in np.split(np.asarray(values, np.float64), list(places)) if len(level)]
    rest = np.concatenate([level - np.median(level) for level in levels] or [np.empty(0)])
    free = len(rest) - len(levels)
    if free < LEAST - 1:
        return None, 0.0
    near = _without_spikes(rest[None])[0]
    squares = float((near**2).sum())
    if len(rest) < _CORRELATED or not squares:
        return math.sqrt(squares / free), 0.0
    correlation = float((near[1:] * near[:-1]).sum() / squares)
    return math.sqrt(squares / free), float(np.clip(round(correlation, 1), 0.0, 0.9))


def _without_spikes(rest: Floats) -> Floats:
    """Return distances from a level, one series a row: those beyond four spreads are spikes, and are cut there."""
    if rest.shape[1] < _SPIKES:
        return rest
    spread = MAD_TO_DEVIATION * np.median(np.abs(rest), axis=1, keepdims=True)
    spread = np.where(spread > 0, spread, rest.std(axis=1, keepdims=True))
    return np.clip(rest, -4 * spread, 4 * spread)


@lru_cache(maxsize=1024)
def alarm_rate(length: int, correlation: float, alpha: float = ALPHA) -> float:
    """Return the share of series without any change in which one is found.

    Args:
        length: points; beyond 100 as at 100.
        correlation: from point to point, 0 … 0.9.
        alpha: level of the detector.
    """
    length = min(length, LONGEST)
    return _share(_series(_ALARMS, length, correlation, _SEED), alpha)


@lru_cache(maxsize=1024)
def delay(before: int, step: float, correlation: float, alpha: float = ALPHA, known: int = 0) -> int | None:
    """Return how many points after a step it is found in 95 % of series; None beyond 30.

    Args:
        before: points before it, since the last change; beyond 100 as at 100.
        step: in spreads, as they were measured.
        correlation: see `alarm_rate`.
        alpha: level of the detector.
        known: points by which the spread was measured; at least those before the step.
    """
    low, high = LEAST, LONGEST_DELAY
    if _found(before, high, step, correlation, alpha, known) < FOUND:
        return None
    while low < high:
        middle = (low + high) // 2
        if _found(before, middle, step, correlation, alpha, known) >= FOUND:
            high = middle
        else:
            low = middle + 1
    return high


@lru_cache(maxsize=1024)
def smallest_step(before: int, correlation: float, alpha: float = ALPHA, known: int = 0) -> float | None:
    """Return the smallest step, in spreads, that is found 5 points later in 95 % of series; None where none is.

    Args: as for `delay`.
    """
    low, high = 0.0, _LARGEST
    if _found(before, AFTER, high, correlation, alpha, known, _SHORT_SERIES) < FOUND:
        return None
    while high - low > 0.05:  # noqa: PLR2004  (spreads)
        middle = (low + high) / 2
        if _found(before, AFTER, middle, correlation, alpha, known, _SHORT_SERIES) >= FOUND:
            high = middle
        else:
            low = middle
    return high


@lru_cache(maxsize=1024)
def points_needed(before: int, alpha: float = ALPHA, known: int = 0) -> int | None:
    """Return how many more points there must be before a step, so that some step is found 5 points later in 95 %.

    None where 30 more are not enough. Arguments as for `delay`.
    """
    tried = range(LONGEST_DELAY + 1)

    def share(more: int) -> float:
        return _found(before + more, AFTER, _LARGEST, 0.0, alpha, known + more, _SHORT_SERIES)

    place = bisect_left(tried, FOUND, key=share)
    return tried[place] if place < len(tried) else None


def _found(
    before: int, after: int, step: float, correlation: float, alpha: float, known: int, short: int = _SERIES
) -> float:
    """Return the share of series in which a step is found that is so many of their own spreads."""
    before = min(before, LONGEST)
    known = max(min(known, LONGEST), before)
    if known < LEAST:
        return 0.0
    made = _series(short if before + after < _SHORT else _SERIES, known + after, correlation, _SEED)
    seen = made[:, :known]
    rest = _without_spikes(seen - np.median(seen, axis=1, keepdims=True))
    spread = np.sqrt((rest**2).sum(axis=1, keepdims=True) / (known - 1))
    part = made[:, known - before :].copy()
    part[:, before:] += step * spread
    return _share(part, alpha)


def _share(series: Floats, alpha: float) -> float:
    """Return the share of series, one a row, in which a change is found."""
    count, length = series.shape
    if length < 2 * LEAST:
        return 0.0
    if length < _SHORT:
        permutations = permutations_for(alpha)
        return float(np.mean(found_by_chance(series, _orders(count, permutations, length), alpha)))
    return float(np.mean(best_scores(series) > _bar(length // 10 * 10, alpha)))


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


@lru_cache(maxsize=4)
def _orders(series: int, permutations: int, length: int) -> NDArray[np.int8]:
    """Return orders by chance: int8 (series, permutations, points)."""
    straight = np.broadcast_to(np.arange(length, dtype=np.int8), (series, permutations, length))
    return np.random.default_rng(_SEED + 2).permuted(straight, axis=2)
