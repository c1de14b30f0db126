"""Percentiles of HDR histograms, only as far as the data carry. Pure.

The rank of a percentile is that of the hdrhistogram package, so that its reading of the
same log gives the same figures. Messages that the histogram cannot hold keep their rank:
negative values stand below it, those that never came (or took more than an hour) above.
"""

import math
from dataclasses import dataclass

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from bench.record.buckets import highest_ns, width_ns
from bench.stats.survival import LEAST_AT_RISK, Survival

Int64 = NDArray[np.int64]

PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9, "p99.99": 99.99}
"""The percentiles that reports print, by name."""

SAMPLES_ABOVE = 10
"""Messages that must lie above a percentile of a trial."""


def messages_needed(percent: float) -> int:
    """Return the least number of messages for a percentile: 10 of them must lie above it."""
    return round(SAMPLES_ABOVE / (1 - percent / 100))


def deepest_percent(messages: int) -> float:
    """Return the highest percentile that so many messages carry; 0 where there are fewer than 10."""
    return max(0.0, 100 * (1 - SAMPLES_ABOVE / messages)) if messages else 0.0


def ranks(percent: float | NDArray[np.float64], messages: int | Int64) -> Int64:
    """Return the rank of a percentile among so many messages, from 1, as the hdrhistogram package has it.

    Of many percentiles, or of many numbers of messages: an array, with a rank for each.
    """
    found: Int64 = np.maximum(np.asarray(percent * messages / 100 + 0.5).astype(np.int64), 1)
    return found


@dataclass(frozen=True)
class Distribution:
    """A histogram as arrays: one row a non-empty bucket, in rising order.

    Attributes:
        values_ns: highest value that the bucket stands for, int64.
        cumulative: values up to and including the bucket, int64.
        below: values that rank below the histogram (negative).
        above: values that rank above it (never received, or beyond its range).
        mean_ns: mean of the values in the histogram, by the middle of each bucket; NaN where it is empty.
        carried: the highest rank that the data carry; None = every rank.
    """

    values_ns: Int64
    cumulative: Int64
    below: int
    above: int
    mean_ns: float
    carried: int | None = None

    @classmethod
    def of(cls, histogram: HdrHistogram, *, below: int = 0, above: int = 0) -> "Distribution":
        """Read a histogram with 1 ns units and 3 significant digits."""
        counts = np.ctypeslib.as_array(histogram.counts).astype(np.int64)
        index = np.flatnonzero(counts)
        return cls.of_buckets(index, counts[index], below=below, above=above)

    @classmethod
    def of_buckets(cls, index: Int64, held: Int64, *, below: int = 0, above: int = 0) -> "Distribution":
        """Read the non-empty buckets of such a histogram, in rising order, and their counts."""
        values = highest_ns(index)
        width = width_ns(index)
        total = int(held.sum())
        mean = float(((values + 1 - width + (width >> 1)) * held).sum()) / total if total else math.nan
        return cls(values, np.cumsum(held), below, above, mean)

    @classmethod
    def of_survival(cls, found: Survival, *, below: int = 0, least: int = LEAST_AT_RISK) -> "Distribution":
        """Read an estimate: as many messages as were at risk at first, dealt by the estimated shares.

        It carries as far as at least `least` messages were at risk.
        """
        total = int(found.at_risk[0]) if len(found.at_risk) else found.beyond
        cumulative = np.rint((1 - found.share) * total).astype(np.int64)
        known = found.at_risk >= least
        # Where the last value is known, so is that all the others lie above it.
        carried = None if known.all() else below + (int(cumulative[known][-1]) if known.any() else 0)
        held = np.diff(cumulative, prepend=0)
        mean = float((found.value * held).sum()) / held.sum() if held.any() else math.nan
        above = total - (int(cumulative[-1]) if len(cumulative) else 0)
        return cls(found.value, cumulative, below, above, mean, carried)

    @property
    def count(self) -> int:
        """Number of values in the histogram."""
        return int(self.cumulative[-1]) if len(self.cumulative) else 0

    @property
    def messages(self) -> int:
        """Number of messages that rank, in the histogram or not."""
        return self.below + self.count + self.above

    @property
    def max_ns(self) -> float:
        """Highest value in the histogram; NaN where it is empty."""
        return float(self.values_ns[-1]) if len(self.values_ns) else math.nan

    def at(self, percent: float) -> float:
        """Return the value of a percentile, whatever the number of messages.

        Returns:
            ns; 0 where the rank falls on a negative value, infinity where it falls on a
            message that never came, NaN where there is no message.
        """
        return float(self.along(np.array([percent]))[0])

    def along(self, percents: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `at` of many percentiles."""
        if not self.messages:
            return np.full(len(percents), math.nan)
        rank = ranks(percents, self.messages) - self.below
        held = np.append(self.values_ns.astype(np.float64), math.inf)
        found: NDArray[np.float64] = np.where(rank <= 0, 0.0, held[np.searchsorted(self.cumulative, rank)])
        return found

    @property
    def deepest(self) -> float:
        """The highest percentile that the data carry; 0 where they carry none."""
        if self.carried is None or not self.messages:
            return deepest_percent(self.messages)
        return 100 * self.carried / self.messages

    def reliable(self, percent: float) -> float:
        """Return `at(percent)`, or NaN where too few messages carry it."""
        enough = self.messages >= messages_needed(percent) if self.carried is None else self.carries(percent)
        return self.at(percent) if enough else math.nan

    def carries(self, percent: float) -> bool:
        """Return whether the rank of a percentile is known of these messages."""
        return self.carried is None or int(ranks(percent, self.messages)) <= self.carried
