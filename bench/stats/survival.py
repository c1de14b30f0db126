"""Quantiles of latencies that were not all seen to their end: Kaplan and Meier's estimator.

E. L. Kaplan, P. Meier: Nonparametric estimation from incomplete observations, JASA 53 (1958).
Of n messages at risk at a value, d end there; so the share that takes longer is the product of
1 - d/n over all values up to it. A message that was watched only for a while is at risk until
then, and says nothing of what follows. Within a bucket events come before censorings.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int64 = NDArray[np.int64]

LEAST_AT_RISK = 30
"""Messages that must be at risk where a quantile is printed, of all trials of a row together."""


@dataclass(frozen=True)
class Survival:
    """An estimate: one row a value, in rising order.

    Attributes:
        value: int64; the highest value that a bucket stands for.
        share: float64, the share that takes longer.
        at_risk: int64, messages seen to take at least so long.
        beyond: messages that took longer than any value.
    """

    value: Int64
    share: NDArray[np.float64]
    at_risk: Int64
    beyond: int = 0

    def above(self, value: float) -> float:
        """Return the estimated share that takes longer than a value; NaN where there is nothing."""
        if not len(self.value):
            return math.nan
        at = int(np.searchsorted(self.value, value, side="right")) - 1
        return float(self.share[at]) if at >= 0 else 1.0

    def quantile(self, quantile: float, least: int = LEAST_AT_RISK) -> float:
        """Return the value that a share of messages does not exceed; NaN where fewer than `least` were at risk."""
        at = int(np.argmax(self.share <= 1 - quantile + _ROUNDING)) if len(self.share) else 0
        if not len(self.share) or self.share[at] > 1 - quantile + _ROUNDING or self.at_risk[at] < least:
            return math.nan
        return float(self.value[at])


_ROUNDING = 1e-12


def kaplan_meier(value: Int64, events: Int64, censored: Int64, *, beyond: int = 0) -> Survival:
    """Estimate from counts.

    Args:
        value: int64 (n,), rising.
        events: int64 (n,), messages that ended at each.
        censored: int64 (n,), messages that were watched until then and no longer.
        beyond: messages that took longer than any value.
    """
    at_risk = np.cumsum((events + censored)[::-1])[::-1] + beyond
    ended = np.divide(events, at_risk, out=np.zeros(len(value)), where=at_risk > 0)
    return Survival(value, np.cumprod(1 - ended), at_risk, beyond)
