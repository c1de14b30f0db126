"""Whether a measured part was steady: a start that differs, a level that moves, a backlog that grows. Pure.

Nothing here moves the cut between warm-up and measured part: MSER-5 on means would cut a
pause out of a steady series, and a pause is a finding. So it is asked of the *medians* of
intervals, and its answer is a warning.

- Start: MSER-5 (White, "An effective truncation heuristic for bias reduction in simulation
  output", Simulation 69, 1997). It names a cut for pure noise as well, so the part before
  the cut must also differ from the rest, by its noise and by a share that matters.
- Drift and growth: the slope of Theil (1950) and Sen (1968), the median over all pairs,
  which a pause hardly moves; its sign tested by Mann (1945) and Kendall (1975), with the
  variance made wider where neighbours are alike (Hamed & Rao, J. Hydrology 204, 1998, with
  the first lag alone).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.stats.pair_drift import lag1

BATCH = 5
"""Observations of one batch of MSER-5."""
LEAD = 0.03
"""Share of the later level by which a start must differ to matter."""
DRIFT = 0.05
"""Share of the level by which it must move over the whole series to matter."""
GROWTH = 0.01
"""Share of the messages offered by which a backlog must grow to matter."""
_LEAD_ERRORS = 4.0
"""Standard errors that a start must differ by: MSER picks the cut that shows most, so more than usual."""
_FEW = 10
"""Observations at which a start must differ by twice as much, as the standard error is hardly known."""
_CERTAIN = 2.576
"""Standard normal quantile of a test at 1 %, two-sided."""
_LEAST = 20
"""Shorter series are not judged: their own noise is not known well enough."""
_MOST_POINTS = 200
"""Longer series are averaged into so many blocks, as slopes are taken of every pair."""

Float64 = NDArray[np.float64]


@dataclass(frozen=True)
class Trend:
    """A straight line through a series.

    Attributes:
        slope: Theil-Sen, a step.
        z: of Mann and Kendall, standard normal where there is no trend.
    """

    slope: float
    z: float


@dataclass(frozen=True)
class Steadiness:
    """What speaks against a steady level; 0 means nothing does.

    Attributes:
        cut: observations that MSER-5 would leave out at the start.
        lead: how far the start's level lies from the later one, as a share of that; 0 where it does not matter.
        drift: how far the level moved over the series, as a share of it; 0 where it does not matter.
    """

    cut: int
    lead: float
    drift: float


@dataclass(frozen=True)
class Growth:
    """How a backlog went.

    Attributes:
        per_s: messages a second by which it grew (negative: shrank).
        rising: the trend is upward, and certain.
        share: growth over the whole series as a share of the messages offered.
    """

    per_s: float
    rising: bool
    share: float

    @property
    def relevant(self) -> bool:
        """Whether it grew, for certain and by more than `GROWTH` of what was offered."""
        return self.rising and self.share > GROWTH


def mser5(values: Float64) -> int:
    """Return how many observations MSER-5 leaves out at the start: a multiple of 5, at most half of them.

    Of batch means z_1 … z_n it leaves out the first d that minimise sum over i > d of
    (z_i - mean of those)^2 / (n - d)^2, for d up to n / 2.
    """
    batches = len(values) // BATCH
    if batches < 2:  # noqa: PLR2004  (one batch has nothing to be compared with)
        return 0
    means = values[: batches * BATCH].reshape(batches, BATCH).mean(axis=1)
    backwards = means[::-1] - means.mean()  # sums of squares of small numbers, not of large ones
    left = np.arange(1, batches + 1)
    spread = np.maximum(np.cumsum(backwards**2) - np.cumsum(backwards) ** 2 / left, 0)
    marks = (spread / left**2)[::-1]
    return int(np.argmin(marks[: batches // 2 + 1])) * BATCH


def theil_sen(values: Float64) -> float:
    """Return the median slope over all pairs of points, a step; 0 for fewer than two points."""
    if len(values) < 2:  # noqa: PLR2004
        return 0.0
    first, second = np.triu_indices(len(values), 1)
    return float(np.median((values[second] - values[first]) / (second - first)))


def mann_kendall(values: Float64, *, correlated: bool = False) -> float:
    """Return the standardised statistic of Mann and Kendall: above 0 for a rising series, N(0, 1) without a trend.

    Args:
        values: the series; equal values are allowed for.
        correlated: whether neighbours may be alike, which the variance then allows for.
    """
    count = len(values)
    if count < 3:  # noqa: PLR2004
        return 0.0
    first, second = np.triu_indices(count, 1)
    rises = float(np.sign(values[second] - values[first]).sum())
    ties = np.unique(values, return_counts=True)[1]
    variance = (_pairs(np.array([count])).sum() - _pairs(ties).sum()) / 18
    if correlated:
        variance *= _inflation(values)
    return (rises - np.sign(rises)) / float(np.sqrt(variance)) if variance > 0 else 0.0


def trend(values: Float64, *, correlated: bool = False) -> Trend:
    """Return slope and certainty of a series of any length; arguments as of `mann_kendall`."""
    width = max(1, -(-len(values) // _MOST_POINTS))
    points = _blocks(values, width)
    return Trend(theil_sen(points) / width, mann_kendall(points, correlated=correlated))


def steadiness(values: Float64) -> Steadiness:
    """Judge a series of levels, such as the medians of seconds; NaN, as of a second without messages, is left out.

    Fewer than 20 levels are not judged.
    """
    values = values[np.isfinite(values)]
    level = float(np.median(values)) if len(values) >= _LEAST else 0.0
    if level <= 0:
        return Steadiness(0, 0.0, 0.0)
    cut = mser5(values)
    lead = _lead(values, cut)
    found = trend(values, correlated=True)
    moved = found.slope * (len(values) - 1) / level
    return Steadiness(cut, lead, moved if abs(found.z) > _CERTAIN and abs(moved) > DRIFT else 0.0)


def growth(backlog: Float64, step_s: float, offered: int) -> Growth:
    """Judge a backlog.

    Args:
        backlog: messages due and not received, at equal steps.
        step_s: length of a step.
        offered: messages due in that time.
    """
    found = trend(backlog)
    grown = found.slope * len(backlog)
    return Growth(found.slope / step_s, found.z > _CERTAIN, grown / offered if offered else 0.0)


def _lead(values: Float64, cut: int) -> float:
    """Return how far the first `cut` values lie from the rest; 0 where that does not matter."""
    rest = values[cut:]
    if not cut or len(rest) < BATCH:
        return 0.0
    level = float(np.median(rest))  # medians, as a pause weighs on means
    lead = float(np.median(values[:cut])) / level - 1
    error = float(rest.std(ddof=1)) / level * np.sqrt(np.pi / 2 * (1 / cut + 1 / len(rest)) * _inflation(rest))
    uncertain = 1 + _FEW / len(values)
    return lead if abs(lead) > max(LEAD, _LEAD_ERRORS * uncertain * error) else 0.0


def _inflation(values: Float64) -> float:
    """Return by how much alike neighbours widen the variance of a mean: (1 + r) / (1 - r), at least 1.

    r is the first autocorrelation about the line of least squares, which is too low by about (2 + 4 r) / n in short
    series.
    """
    count = len(values)
    steps = np.arange(count) - (count - 1) / 2
    rest = values - values.mean()
    rest -= steps * float((steps * rest).sum() / (steps**2).sum())
    if not (rest**2).any():
        return 1.0
    found = float(lag1(rest))
    alike = min(max(found + (2 + 4 * found) / count, 0.0), 0.95)
    return (1 + alike) / (1 - alike)


def _pairs(count: NDArray[np.int64]) -> NDArray[np.int64]:
    return count * (count - 1) * (2 * count + 5)


def _blocks(values: Float64, width: int) -> Float64:
    """Return the means of blocks of equal width; a rest at the start that makes none is left out."""
    blocks = len(values) // width
    means: Float64 = values[len(values) - blocks * width :].reshape(blocks, width).mean(axis=1)
    return means
