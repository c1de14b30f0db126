"""The meter's board: memory in which each CPU's sleeper writes what it saw, and all others read.

Row 0 is written by whoever starts the meter, each further row by the sleeper of one CPU: a few
cells, then a ring of entries, begin and end in monotonic ns. Of a probe both are the same. The entry is written
before the count, and the count before the wake, so that who reads the wake first misses nothing.
"""

import mmap
import os

import numpy as np

from bench.drivers.base import Int64
from bench.units import NS_PER_MS

RUN, PERIOD, THRESHOLD, PROBE_EVERY = range(4)
"""Cells of row 0: whether to measure, the sleeper's period, the least lateness of a pause, ns between probes."""
CPU, WAKE, COUNT, FIFO, WAKES, USED = range(6)
"""Cells of a CPU's row: its number, when its sleeper last woke, entries so far, whether it runs at SCHED_FIFO, wakes
so far, CPU time used in ns."""
ENTRIES = 16
"""First cell of the ring."""
RING = 1 << 13
"""Entries that a ring holds: seconds of the worst pauses, and workers look a thousand times a second."""
WIDTH = ENTRIES + 2 * RING

PERIOD_NS = NS_PER_MS
PROBE_EVERY_NS = 50 * NS_PER_MS


class PauseBoard:
    """The memory, seen as an array.

    Attributes:
        cells: int64 (CPUs + 1, WIDTH).
    """

    def __init__(self, cpus: int, fd: int | None = None) -> None:
        """Look at a board.

        Args:
            cpus: how many it is for.
            fd: memory that other processes share, from `share`; by default this process's own.
        """
        shape = (cpus + 1, WIDTH)
        if fd is None:
            self.cells: Int64 = np.zeros(shape, np.int64)
        else:
            self.cells = np.frombuffer(mmap.mmap(fd, 8 * shape[0] * shape[1]), np.int64).reshape(shape)

    @staticmethod
    def share(cpus: int) -> int:
        """Return a descriptor of fresh zeroed memory for a board; it vanishes with its last holder."""
        fd = os.memfd_create("busbench-pauses")
        os.ftruncate(fd, 8 * (cpus + 1) * WIDTH)
        return fd

    def clear(self) -> None:
        """Forget what was seen; no sleeper may be running."""
        rows = self.cells[1:]
        cpus = rows[:, CPU].copy()
        rows[:] = 0
        rows[:, CPU] = cpus
        self.cells[0, : PROBE_EVERY + 1] = 0, PERIOD_NS, PERIOD_NS // 2, PROBE_EVERY_NS

    @property
    def watermark_ns(self) -> int:
        """Every pause that began before this is on the board; 0 while a sleeper has not woken yet."""
        return int(self.cells[1:, WAKE].min())

    @property
    def cpu_share(self) -> float:
        """CPU time that all sleepers used, as a share of one CPU."""
        lasted_ns = int(self.cells[1:, WAKES].max()) * PERIOD_NS
        return float(self.cells[1:, USED].sum()) / lasted_ns if lasted_ns else 0.0

    @property
    def fifo(self) -> bool:
        """Whether every sleeper runs above normal tasks; else it also sees waits for a CPU that others use."""
        return bool(self.cells[1:, FIFO].all())
