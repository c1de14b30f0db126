"""Whether pauses of the host come without regard to the broker: tested, not assumed. Pure.

As many messages must be on their way as a pause begins as at any other time, on average. If the host
were away more often while the broker stalls, more would be, and estimates that leave pauses out
would flatter the broker.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]
Float = NDArray[np.float64]

_RESAMPLES = 2000
_LEAST = 10
"""Blocks with a pause, and probes, below which nothing is said: a burst of pauses in one second is one observation."""


@dataclass(frozen=True)
class Crossing:
    """Mean number on their way as pauses began, over that at probes, with its 95 % interval."""

    ratio: float
    low: float
    high: float

    @property
    def independent(self) -> bool:
        """Whether the interval holds 1."""
        return self.low <= 1 <= self.high


def crossing(block: Int64, is_pause: NDArray[np.bool_], on_way: Int64, seed: int = 1) -> Crossing | None:
    """Estimate by a bootstrap over blocks, as counts close in time are alike; None where there is too little.

    Args:
        block: int64 (n,), the second in which each pause or probe lies.
        is_pause: bool (n,); else it is a probe.
        on_way: int64 (n,), messages on their way at it.
        seed: of the resampling.
    """
    if min(len(np.unique(block[is_pause])), (~is_pause).sum()) < _LEAST or not on_way[~is_pause].any():
        return None
    place = np.unique(block, return_inverse=True)[1]
    blocks = int(place.max()) + 1
    sums = np.array(
        [
            np.bincount(place[chosen], weights, blocks)
            for chosen in (is_pause, ~is_pause)
            for weights in (on_way[chosen].astype(np.float64), None)
        ]
    )
    drawn = np.random.default_rng(seed).multinomial(blocks, np.full(blocks, 1 / blocks), _RESAMPLES)
    ratios = _ratio(sums @ drawn.T)
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):
        return None
    low, high = np.quantile(ratios, [0.025, 0.975])
    whole = float(_ratio(sums.sum(axis=1)))
    return Crossing(whole, float(low), float(high)) if math.isfinite(whole) else None


def _ratio(sums: Float) -> Float:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray((sums[0] / sums[1]) / (sums[2] / sums[3]))
