"""One number of several trials, with its interval. Pure.

The estimate is the geometric mean of the trials' estimates, its interval that of Student's t
on their logarithms (Kalibera & Jones, "Rigorous benchmarking in reasonable time", ISMM 2013,
section 7): the same unit and scale as `bench.stats.ratio`, so that a row's interval and a
comparison of rows speak of the same thing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

LEVEL = 0.95
"""The interval covers the true value with this probability."""
LEAST_FOR_INTERVAL = 4
"""Trials from which on reports print an interval: of two it would span decades, and tell less than the two do."""


@dataclass(frozen=True)
class Estimate:
    """The centre of trial estimates.

    Attributes:
        n: trials.
        value: their geometric mean.
        low, high: interval at the level asked for, infinity beyond what a float holds; None for a single trial,
            whose spread nobody knows.
        spread: standard deviation of the logarithms, so about the relative one; None for a single trial.
    """

    n: int
    value: float
    low: float | None
    high: float | None
    spread: float | None


def logs(values: Sequence[float]) -> NDArray[np.float64]:
    """Return the logarithms of trial estimates; raise ValueError as `estimate` does."""
    numbers = np.asarray(values, np.float64)
    if not len(numbers) or not np.all(np.isfinite(numbers) & (numbers > 0)):
        message = f"trial estimates must be positive and finite, at least one: got {list(values)}"
        raise ValueError(message)
    return np.log(numbers)


def estimate(values: Sequence[float], level: float = LEVEL) -> Estimate:
    """Return the geometric mean of trial estimates and its interval.

    Args:
        values: one positive, finite number a trial.
        level: of the interval, such as 0.95.

    Raises:
        ValueError: there is no number, or one is not positive and finite.
    """
    logarithms = logs(values)
    n, middle = len(logarithms), float(logarithms.mean())
    if n == 1:
        return Estimate(1, float(np.exp(middle)), None, None, None)
    spread = float(logarithms.std(ddof=1))
    half = float(stats.t.ppf((1 + level) / 2, n - 1)) * spread / n**0.5
    with np.errstate(over="ignore"):  # no bound is infinity
        high = float(np.exp(middle + half))
    return Estimate(n, float(np.exp(middle)), float(np.exp(middle - half)), high, spread)
