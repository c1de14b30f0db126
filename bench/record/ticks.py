"""Counts by the tick of 100 ms: what was due, sent, received and confirmed, and when."""

import numpy as np

from bench.drivers.base import Int64
from bench.jit import kernel
from bench.units import TICK_NS

_FIRST_CAPACITY = 1024


@kernel
def tick_of(at_ns: int, start_ns: int) -> int:
    """Return the tick of an instant; what happens before the start goes to tick 0."""
    return max((at_ns - start_ns) // TICK_NS, 0)


class Ticks:
    """Growing rows of counts, one a tick.

    Attributes:
        counts: int64 (rows, ticks), for kernels.
    """

    def __init__(self, start_ns: int, rows: int) -> None:
        """Count ticks from `start_ns`, in so many rows."""
        self._start_ns = start_ns
        self.counts: Int64 = np.zeros((rows, _FIRST_CAPACITY), np.int64)

    def reach(self, at_ns: int) -> None:
        """Make the rows long enough for an instant."""
        while tick_of(at_ns, self._start_ns) >= self.counts.shape[1]:
            self.counts = np.concatenate([self.counts, np.zeros_like(self.counts)], axis=1)

    def finish(self, row: int) -> Int64:
        """Return a row's counts up to its last event."""
        used = np.flatnonzero(self.counts[row])
        return self.counts[row, : int(used[-1]) + 1 if len(used) else 0].copy()


def add(rows: list[Int64], length: int) -> Int64:
    """Return the sum of count rows, each cut or padded with zeros to `length`."""
    total = np.zeros(length, np.int64)
    for row in rows:
        used = min(length, len(row))
        total[:used] += row[:used]
    return total
