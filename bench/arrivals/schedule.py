"""When messages are due: the n-th intended send time is a function of n. Pure.

A schedule gives the times of a whole trial, in ns after its start; a stripe is the share
of one worker, which every worker derives alone. Message n belongs to producer n mod P, so
worker w of W (W divides P) has n = w, w + W, w + 2W, …
"""

from bisect import bisect_right
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bench.arrivals.cumulative import Cumulative
from bench.units import NS_PER_S

Int64 = NDArray[np.int64]
Float64 = NDArray[np.float64]

_BLOCK = 1 << 14
_AHEAD = 1 << 12
"""Messages of the whole trial for which a stripe makes times at once: some microseconds' work."""

_AHEAD_OWN = 1 << 6
"""As above, of the worker's own, at least."""


class Schedule(Protocol):
    """The intended send times of a trial."""

    def times(self, first: int, count: int) -> Int64:
        """Return the times of messages first … first + count - 1, in ns, never decreasing."""


class Arrivals(Protocol):
    """A process that a schedule is made of."""

    def arrivals(self, first: int, count: int) -> Float64:
        """Return the times of messages first … first + count - 1, in ns and fractions, never decreasing."""


class Constant:
    """Even spacing: t_n = n / rate, rounded to the nanosecond from n each time."""

    def __init__(self, rate: float) -> None:
        """Space messages for `rate` messages a second."""
        self._gap_ns = NS_PER_S / rate

    def times(self, first: int, count: int) -> Int64:
        """Return intended times."""
        times = self.arrivals(first, count)
        return np.rint(times, out=times).astype(np.int64)

    def arrivals(self, first: int, count: int) -> Float64:
        """Return intended times before they are rounded."""
        times = np.arange(first, first + count, dtype=np.float64)  # exact below 2^53
        times *= self._gap_ns
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
        self._last: tuple[int, NDArray[np.float64]] = (-1, np.empty(0))

    def times(self, first: int, count: int) -> Int64:
        """Return intended times."""
        return np.rint(self.arrivals(first, count)).astype(np.int64)

    def arrivals(self, first: int, count: int) -> Float64:
        """Return intended times before they are rounded."""
        blocks = range(first // _BLOCK, (first + count - 1) // _BLOCK + 1) if count else range(0)
        parts = [self._block(block) for block in blocks]
        if not parts:
            return np.empty(0, np.float64)
        joined = np.concatenate(parts)
        offset = first - blocks.start * _BLOCK
        return joined[offset : offset + count]

    def _gaps(self, block: int) -> NDArray[np.float64]:
        generator = np.random.Generator(np.random.Philox(key=[self._seed, block]))
        return generator.exponential(self._gap_ns, _BLOCK)

    def _block(self, block: int) -> NDArray[np.float64]:
        if self._last[0] == block:
            return self._last[1]
        while len(self._ends) <= block:
            self._ends.append(self._ends[-1] + float(self._gaps(len(self._ends) - 1).sum()))
        self._last = block, self._ends[block] + np.cumsum(self._gaps(block))
        return self._last[1]


class Profiled:
    """A constant rate, as the warm-up has it, and from the measured part on a profile.

    The n-th time is the inverse of the cumulative rate at the n-th arrival of a process of
    one message a nanosecond: evenly spaced, or Poisson.
    """

    def __init__(self, unit: Arrivals, rate: float, profile: Cumulative | None = None, begin_ns: int = 0) -> None:
        """Warp the arrivals of `unit` to `rate` until `begin_ns`, then to `profile`; without one for ever."""
        self._unit = unit
        self._gap_ns = NS_PER_S / rate
        self._profile = profile
        self._begin_ns = begin_ns
        self._before = begin_ns / self._gap_ns

    def times(self, first: int, count: int) -> Int64:
        """Return intended times."""
        units = self._unit.arrivals(first, count)
        times = units * self._gap_ns
        if self._profile is not None:
            later = int(np.searchsorted(units, self._before))
            times[later:] = self._begin_ns + self._profile.times(units[later:] - self._before)
        return np.rint(times, out=times).astype(np.int64)


class Stripe:
    """One worker's share of a schedule, read from front to back."""

    def __init__(self, schedule: Schedule, start_ns: int, worker: int = 0, workers: int = 1) -> None:
        """Take messages worker, worker + workers, … of a trial that starts at `start_ns`."""
        self._schedule = schedule
        self._start_ns = start_ns
        self._worker = worker
        self._workers = workers
        self._made = 0
        self._taken = 0
        self._times = np.empty(0, np.int64)
        self._extend()

    def follow(self, schedule: Schedule) -> None:
        """Take the messages that were not taken yet from another schedule, which agrees on those that were."""
        self._schedule = schedule
        self._made -= len(self._times) - self._taken
        self._times = np.empty(0, np.int64)
        self._taken = 0
        self._extend()

    def due(self, now_ns: int) -> int:
        """Return how many messages that were not taken yet are due at `now_ns` (inclusive)."""
        if now_ns < self._next_ns:
            return 0
        while self._last_ns <= now_ns:
            self._extend()
        return bisect_right(self._view, now_ns, self._taken) - self._taken

    def take(self, count: int) -> Int64:
        """Return and consume the next `count` intended times, absolute monotonic ns."""
        taken = self.peek(count)
        self._taken += count
        self._next_ns = self._view[self._taken]
        return taken

    def peek(self, count: int) -> Int64:
        """Return the next `count` intended times, which stay to be taken."""
        while self._taken + count >= len(self._times):
            self._extend()
        return self._times[self._taken : self._taken + count]

    def next_ns(self) -> int:
        """Return the intended time of the next message."""
        return self._next_ns

    def _extend(self) -> None:
        # Messages of others between a worker's own are made and skipped, which costs
        # nanoseconds and needs no coordinator. A backlog doubles what is made, so that
        # its times are not copied over and over.
        left = self._times[self._taken :]
        count = max(_AHEAD // self._workers, _AHEAD_OWN, len(left))
        first = self._worker + self._made * self._workers
        times = self._schedule.times(first, (count - 1) * self._workers + 1)[:: self._workers]
        self._made += count
        self._times = np.empty(len(left) + count, np.int64)
        self._times[: len(left)] = left
        np.add(times, self._start_ns, out=self._times[len(left) :])
        self._taken = 0
        # Reading one number from a memoryview costs a third of reading it from an array.
        self._view = self._times.data
        self._next_ns, self._last_ns = self._view[0], self._view[-1]
