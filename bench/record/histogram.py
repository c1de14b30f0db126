"""HDR histograms of latencies, kept by the second of the intended send time.

A compiled kernel counts a batch of nanoseconds into the very buckets that the
hdrhistogram package uses (`HdrHistogram(1, 3_600_000_000_000, 3)`), so that a histogram
built here is equal, byte for byte once encoded, to one filled by `record_value`. Values
that the format cannot hold are counted apart, never dropped in silence. Files are not
touched here.
"""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from bench.kernels import kernel
from bench.units import NS_PER_S

LOWEST_NS = 1
HIGHEST_NS = 3600 * NS_PER_S
DIGITS = 3
BUCKETS = 33_792
"""Length of the counts array for 1 ns to 1 h with 3 significant digits."""

_HALF_MAGNITUDE = 10  # log2 of half the 2,048 sub-buckets that 3 digits take
_HALF = 1 << _HALF_MAGNITUDE
_OPEN_SECONDS = 8

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Seconds:
    """Sparse histograms of one latency, one for each second: what a worker hands over.

    Attributes:
        second, index, count: one row a non-empty bucket; int64. A (second, index) may
            stand in several rows, whose counts add up.
        totals: int64 (n, 4): second, sum of values in ns, negative values, values above
            1 h. A second may stand in several rows.
    """

    second: Int64
    index: Int64
    count: Int64
    totals: Int64

    def between(self, first: int, end: int) -> "Seconds":
        """Return the rows of the seconds first <= s < end."""
        rows = (self.second >= first) & (self.second < end)
        totals = (self.totals[:, 0] >= first) & (self.totals[:, 0] < end)
        return Seconds(self.second[rows], self.index[rows], self.count[rows], self.totals[totals])

    @property
    def sum_ns(self) -> int:
        """Sum of all values that are in the histograms, exact."""
        return int(self.totals[:, 1].sum())

    @property
    def negative(self) -> int:
        """Number of values below 0."""
        return int(self.totals[:, 2].sum())

    @property
    def out_of_range(self) -> int:
        """Number of values above 1 h."""
        return int(self.totals[:, 3].sum())


def merge(parts: Iterable[Seconds]) -> Seconds:
    """Return the union of parts; their order makes no difference to any result."""
    parts = list(parts)
    if not parts:
        none = np.empty(0, np.int64)
        return Seconds(none, none, none, np.empty((0, 4), np.int64))
    return Seconds(
        np.concatenate([part.second for part in parts]),
        np.concatenate([part.index for part in parts]),
        np.concatenate([part.count for part in parts]),
        np.concatenate([part.totals for part in parts]),
    )


@kernel
def _count(values: Int64, counts: Int64, totals: Int64) -> None:
    # Bucket arithmetic of HdrHistogram (AbstractHistogram.countsArrayIndex): the bucket is
    # the position of the highest bit above 11, the sub-bucket the next 11 bits.
    for value in values:
        if value < 0:
            totals[1] += 1
            continue
        if value > HIGHEST_NS:
            totals[2] += 1
            continue
        bucket = 0
        rest = value >> (_HALF_MAGNITUDE + 1)
        while rest:
            rest >>= 1
            bucket += 1
        counts[((bucket + 1) << _HALF_MAGNITUDE) + (value >> bucket) - _HALF] += 1
        totals[0] += value


class SecondsRecorder:
    """Counts latencies into one histogram a second of intended time.

    A few seconds are open as full count arrays (270 KB each); older ones are kept sparse,
    and a straggler of a closed second makes one more sparse part of it.
    """

    def __init__(self, start_ns: int) -> None:
        """Count seconds from `start_ns`."""
        self._start_ns = start_ns
        self._open: dict[int, tuple[Int64, Int64]] = {}
        self._closed: list[Seconds] = []

    def record(self, intended_ns: Int64, values_ns: Int64) -> None:
        """Count a batch: two int64 arrays of one length."""
        if not len(values_ns):
            return
        first = (int(intended_ns[0]) - self._start_ns) // NS_PER_S
        last = (int(intended_ns[-1]) - self._start_ns) // NS_PER_S
        if len(values_ns) == 1 or (
            first == last
            and int(intended_ns.min()) >= self._start_ns + first * NS_PER_S
            and int(intended_ns.max()) < self._start_ns + (first + 1) * NS_PER_S
        ):
            counts, totals = self._at(first)
            _count(values_ns, counts, totals)
            return
        seconds = (intended_ns - self._start_ns) // NS_PER_S
        for second in np.unique(seconds):
            counts, totals = self._at(int(second))
            _count(values_ns[seconds == second], counts, totals)

    def quantile_ns(self, second: int, quantile: float) -> int:
        """Return a quantile of an open second to bucket precision; 0 where it is empty or closed."""
        counts, _ = self._open.get(second, (None, None))
        if counts is None or not counts.any():
            return 0
        heap = np.cumsum(counts)
        return _value_at(int(np.searchsorted(heap, quantile * heap[-1])))

    def finish(self) -> Seconds:
        """Close every second and return them all."""
        for second in list(self._open):
            self._close(second)
        return merge(self._closed)

    def _at(self, second: int) -> tuple[Int64, Int64]:
        found = self._open.get(second)
        if found is None:
            if len(self._open) >= _OPEN_SECONDS:
                self._close(min(self._open))
            found = self._open[second] = (np.zeros(BUCKETS, np.int64), np.zeros(3, np.int64))
        return found

    def _close(self, second: int) -> None:
        counts, totals = self._open.pop(second)
        index = np.flatnonzero(counts)
        row = np.array([[second, totals[0], totals[1], totals[2]]], np.int64)
        self._closed.append(Seconds(np.full(len(index), second, np.int64), index, counts[index], row))


def _value_at(index: int) -> int:
    # Inverse of the bucket arithmetic above: the lowest value that falls into a bucket.
    if index < 2 * _HALF:
        return index
    bucket = (index >> _HALF_MAGNITUDE) - 1
    return ((index & (_HALF - 1)) + _HALF) << bucket


def new_histogram() -> HdrHistogram:
    """Return an empty histogram of the range and precision used everywhere."""
    return HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS)


def to_histogram(index: Int64, count: Int64) -> HdrHistogram:
    """Return a histogram that holds `count` values in the buckets `index`; rows may repeat."""
    histogram = new_histogram()
    if len(index):
        counts = np.ctypeslib.as_array(histogram.counts).view(np.int64)
        np.add.at(counts, index, count)
        # Without this call the package encodes bulk-filled counts as an empty histogram.
        histogram.set_internal_tacking_values(int(index.min()), int(index.max()), int(count.sum()))
    return histogram


def encode(histogram: HdrHistogram) -> str:
    """Return base64 of the compressed V2 encoding."""
    text: bytes = histogram.encode()
    return text.decode("ascii")


def decode(text: str) -> HdrHistogram:
    """Return the histogram of a base64 V2 text; raise ValueError where it is none."""
    try:
        base64.b64decode(text, validate=True)
        return HdrHistogram.decode(text)
    except Exception as error:
        message = f"not an HdrHistogram V2 payload: {text[:24]!r}… ({error})"
        raise ValueError(message) from error
