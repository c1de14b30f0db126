"""When messages are due: the n-th intended send time is a function of n. Pure.

A schedule gives the times of a whole trial, in ns after its start; a stripe is the share
of one worker, which every worker derives alone. Message n belongs to producer n mod P, so
worker w of W (W divides P) has n = w, w + W, w + 2W, …
"""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bench.units import NS_PER_S

Int64 = NDArray[np.int64]

_BLOCK = 1 << 14


class Schedule(Protocol):
    """The intended send times of a trial."""

    def times(self, first: int, count: int) -> Int64:
        """Return the times of messages first … first + count - 1, in ns, never decreasing."""


class Constant:
    """Even spacing: t_n = n / rate, rounded to the nanosecond from n each time."""

    def __init__(self, rate: float) -> None:
        """Space messages for `rate` messages a second."""
        self._gap_ns = NS_PER_S / rate

    def times(self, first: int, count: int) -> Int64:
        """Return intended times."""
        times: Int64 = np.rint(np.arange(first, first + count) * self._gap_ns).astype(np.int64)
        return times


class Poisson:
    """Exponential gaps from a seeded generator, block by block.

    Block b of gaps comes from a generator keyed by (seed, b), so any worker makes the same
    times whatever it asked for before.
    """

    def __init__(self, rate: float, seed: int) -> None:
        """Draw gaps of mean 1 / rate seconds."""
        self._gap_ns = NS_PER_S / rate
        self._seed = seed
        self._ends = [0.0]

    def times(self, first: int, count: int) -> Int64:
        """Return intended times."""
        blocks = range(first // _BLOCK, (first + count - 1) // _BLOCK + 1) if count else range(0)
        parts = [self._block(block) for block in blocks]
        if not parts:
            return np.empty(0, np.int64)
        joined = np.concatenate(parts)
        offset = first - blocks.start * _BLOCK
        return np.rint(joined[offset : offset + count]).astype(np.int64)

    def _gaps(self, block: int) -> NDArray[np.float64]:
        generator = np.random.Generator(np.random.Philox(key=[self._seed, block]))
        return generator.exponential(self._gap_ns, _BLOCK)

    def _block(self, block: int) -> NDArray[np.float64]:
        while len(self._ends) <= block:
            self._ends.append(self._ends[-1] + float(self._gaps(len(self._ends) - 1).sum()))
        return self._ends[block] + np.cumsum(self._gaps(block))


class Stripe:
    """One worker's share of a schedule, read from front to back."""

    def __init__(self, schedule: Schedule, start_ns: int, worker: int = 0, workers: int = 1) -> None:
        """Take messages worker, worker + workers, … of a trial that starts at `start_ns`."""
        self._schedule = schedule
        self._start_ns = start_ns
        self._worker = worker
        self._workers = workers
        self._next_block = 0
        self._times = np.empty(0, np.int64)

    def due(self, now_ns: int) -> int:
        """Return how many messages that were not taken yet are due at `now_ns` (inclusive)."""
        while not len(self._times) or self._times[-1] <= now_ns:
            self._extend()
        return int(np.searchsorted(self._times, now_ns, side="right"))

    def take(self, count: int) -> Int64:
        """Return and consume the next `count` intended times, absolute monotonic ns."""
        while len(self._times) < count:
            self._extend()
        taken, self._times = self._times[:count], self._times[count:]
        return taken

    def next_ns(self) -> int:
        """Return the intended time of the next message."""
        while not len(self._times):
            self._extend()
        return int(self._times[0])

    def _extend(self) -> None:
        # One block of the worker's own messages at a time; messages of others between
        # them are made and skipped, which costs nanoseconds and needs no coordinator.
        first = self._worker + self._next_block * _BLOCK * self._workers
        times = self._schedule.times(first, (_BLOCK - 1) * self._workers + 1)[:: self._workers]
        self._next_block += 1
        self._times = np.concatenate([self._times, times + self._start_ns])
