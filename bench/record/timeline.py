"""Counts by the tick of 100 ms: what was due, sent, received and confirmed, and when."""

import numpy as np

from bench.drivers.base import Int64
from bench.kernels import kernel
from bench.scenario import TICK_NS


@kernel
def _count(at_ns: Int64, start_ns: int, tick_ns: int, counts: Int64) -> None:
    for at in at_ns:
        counts[max((at - start_ns) // tick_ns, 0)] += 1


class TickCounter:
    """A growing row of counts, one a tick; what happens before the start goes to tick 0."""

    def __init__(self, start_ns: int) -> None:
        """Count ticks from `start_ns`."""
        self._start_ns = start_ns
        self._counts = np.zeros(1024, np.int64)
        self._used = 0

    def count(self, at_ns: Int64) -> None:
        """Count events at these times (monotonic ns, any order)."""
        if not len(at_ns):
            return
        needed = max(0, (int(at_ns.max()) - self._start_ns) // TICK_NS) + 1
        while needed > len(self._counts):
            self._counts = np.concatenate([self._counts, np.zeros_like(self._counts)])
        self._used = max(self._used, needed)
        _count(at_ns, self._start_ns, TICK_NS, self._counts)

    def finish(self) -> Int64:
        """Return the counts up to the last event."""
        return self._counts[: self._used].copy()


def add(rows: list[Int64], length: int) -> Int64:
    """Return the sum of count rows, each cut or padded with zeros to `length`."""
    total = np.zeros(length, np.int64)
    for row in rows:
        used = min(length, len(row))
        total[:used] += row[:used]
    return total
