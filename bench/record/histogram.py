"""HDR histograms of latencies, kept by the second of the intended send time.

Compiled kernels (`bench.record.buckets`) count nanoseconds into the very buckets that the
hdrhistogram package uses (`HdrHistogram(1, 3_600_000_000_000, 3)`), so that a histogram
built here is equal, byte for byte once encoded, to one filled by `record_value`. Values
that the format cannot hold are counted apart, never dropped in silence. Files are not
touched here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from bench.record.buckets import (
    ABOVE,
    BUCKETS,
    DIGITS,
    FREE,
    FROM,
    HIGHEST_NS,
    LOWEST_NS,
    NEGATIVE,
    SUM,
    USED,
    WIDTH,
    count_rows,
    take_out,
    value_at,
)
from bench.record.payload import buckets
from bench.units import NS_PER_S

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

    def medians_ns(self, first: int, end: int) -> NDArray[np.float64]:
        """Return the median of each second first <= s < end to bucket precision, float64 ns; NaN where it is empty."""
        found = np.full(max(end - first, 0), np.nan)
        part = self.between(first, end)
        order = np.lexsort((part.index, part.second))
        second, index, count = part.second[order], part.index[order], part.count[order]
        edges = np.flatnonzero(np.diff(second, prepend=first - 1, append=end))
        for begin, past in pairwise(edges):
            heap = np.cumsum(count[begin:past])
            found[second[begin] - first] = value_at(int(index[begin + np.searchsorted(heap, heap[-1] / 2)]))
        return found

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


def less(whole: Seconds, part: Seconds) -> Seconds:
    """Return what is left of histograms without a part of them."""
    cell = np.concatenate([whole.second * BUCKETS + whole.index, part.second * BUCKETS + part.index])
    cell, place = np.unique(cell, return_inverse=True)
    count = np.zeros(len(cell), np.int64)
    np.add.at(count, place, np.concatenate([whole.count, -part.count]))
    some = count != 0
    minus = part.totals * [1, -1, -1, -1]
    return Seconds(cell[some] // BUCKETS, cell[some] % BUCKETS, count[some], np.concatenate([whole.totals, minus]))


class SecondsRecorder:
    """Counts latencies into one histogram a second of intended time, for one tag or several of like seconds.

    A few seconds are open as full count arrays (270 KB a tag each); older ones are kept
    sparse, and a straggler of a closed second makes one more sparse part of it.

    Attributes:
        tags: how many.
        cells: pages of the open seconds, for kernels.
        stride: cells of a page.
    """

    def __init__(self, start_ns: int, tags: int = 1) -> None:
        """Count seconds from `start_ns`."""
        self._start_ns = start_ns
        self._closed: list[list[Seconds]] = [[] for _ in range(tags)]
        self.tags = tags
        self.stride = tags * WIDTH
        self.cells: Int64 = np.zeros(_OPEN_SECONDS * self.stride, np.int64)
        self._pages = self.cells.reshape(_OPEN_SECONDS, tags, WIDTH)
        self._pages[:, 0, FROM] = FREE
        self._found = np.zeros((2, BUCKETS), np.int64)

    def record(self, intended_ns: Int64, values_ns: Int64, tag: int = 0) -> None:
        """Count a batch: two int64 arrays of one length."""
        done, offset, rows = 0, tag * WIDTH, np.stack((intended_ns, values_ns))
        while True:
            done = count_rows(rows, done, self.cells, self.stride, offset)
            if done == len(values_ns):
                return
            self.open(int(intended_ns[done]))

    def open(self, intended_ns: int) -> None:
        """See to it that the second of `intended_ns` has a page; the one used longest ago makes room."""
        second = (intended_ns - self._start_ns) // NS_PER_S
        if self._page(second) is not None:
            return
        marks = self._pages[:, 0]
        page = int(np.where(marks[:, FROM] == FREE, FREE, marks[:, USED]).argmin())
        self._close(page)
        marks[page, FROM] = self._start_ns + second * NS_PER_S
        marks[page, USED] = intended_ns

    def quantiles_ns(self, second: int, quantiles: Sequence[float], tag: int = 0) -> list[int]:
        """Return quantiles of an open second to bucket precision; 0 where it is empty or closed."""
        page = self._page(second)
        heap = None if page is None else np.cumsum(self._pages[page, tag, :BUCKETS])
        if heap is None or not heap[-1]:
            return [0] * len(quantiles)
        return [value_at(int(np.searchsorted(heap, quantile * heap[-1]))) for quantile in quantiles]

    def finish(self, tag: int = 0) -> Seconds:
        """Close every second and return all those of a tag."""
        for page in range(_OPEN_SECONDS):
            self._close(page)
        return merge(self._closed[tag])

    def _page(self, second: int) -> int | None:
        found = np.flatnonzero(self._pages[:, 0, FROM] == self._start_ns + second * NS_PER_S)
        return int(found[0]) if len(found) else None

    def _close(self, page: int) -> None:
        """Keep what a page holds of each tag, and free it."""
        from_ns = int(self._pages[page, 0, FROM])
        if from_ns == FREE:
            return
        second = (from_ns - self._start_ns) // NS_PER_S
        for tag, parts in enumerate(self._closed):
            used = take_out(self.cells, page * self.stride + tag * WIDTH, self._found)
            row = np.array([[second, *self._pages[page, tag, [SUM, NEGATIVE, ABOVE]]]], np.int64)
            if used or row[0, 1:].any():
                index, count = self._found[:, :used].copy()
                parts.append(Seconds(np.full(used, second, np.int64), index, count, row))
        self._pages[page, :, BUCKETS:] = 0
        self._pages[page, 0, FROM] = FREE


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
    """Return the histogram of a base64 V2 text; raise ValueError where it is none, see `bench.record.payload.buckets`.

    The package's own decoder inflates whatever it is given.
    """
    return to_histogram(*buckets(text))
