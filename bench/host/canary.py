"""The canary: a fixed computation that tells whether the host is as it was.

It runs right before and right after a trial, when workers are not there. Most of it is
arithmetic, a part waits for memory, so that a slower clock, a neighbour on the same core
and one that takes the memory's bandwidth all show. It is taken many times for a short
while: the least time tells the host's speed, as a single undisturbed take is enough for it;
on a calm host it repeats to a fraction of a percent. Others on our core show in another way:
by the time in which we did not have it.
"""

import functools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.drivers.base import Int64
from bench.jit import kernel
from bench.results.records import Canary

TAKES = 20
ROUNDS = 1_250_000
"""Steps of arithmetic in a take: about 2 ms on a core of 2020."""
JUMPS = 1_000
"""Reads from anywhere in a table, in a take: a fourteenth of its time."""
TABLE_BYTES = 64 * 1024**2
CALM = 0.025
"""A reading that is further off is taken again, as the broker may still have had work to do."""
LOOKS = 4
PAUSE_S = 0.25


@dataclass(frozen=True)
class CanaryReading:
    """Some takes in a row.

    Attributes:
        ns: the least.
        waited: share of all their time in which they had no CPU.
    """

    ns: int
    waited: float


@kernel
def compute(table: Int64, place: int, rounds: int, jumps: int) -> tuple[int, int]:
    """Mix an integer for so many rounds, then jump about in a table as its content says.

    Args:
        table: its length is a power of two.
        place: in the table, where to begin: a way that was gone before may lie in the caches.
        rounds: of arithmetic.
        jumps: in the table.

    Returns the integer and the place.
    """
    state = 88_172_645_463_325_252
    for _ in range(rounds):  # xorshift64, Marsaglia (2003), "Xorshift RNGs"
        state ^= state << 13
        state ^= (state >> 7) & 0x01FF_FFFF_FFFF_FFFF
        state ^= state << 17
    mask = len(table) - 1
    for _ in range(jumps):
        place = (place * 1_103_515_245 + 12_345 + table[place]) & mask
    return state, place


@functools.cache
def _table() -> Int64:
    return np.zeros(TABLE_BYTES // 8, np.int64) + 2  # written, so that its pages are there


def warm() -> None:
    """Compile, and fill the table."""
    compute(_table(), 1, 1, 1)


def take() -> CanaryReading:
    """Compute some times in a row."""
    table, takes = _table(), []
    begin_ns, begin_cpu_ns = time.monotonic_ns(), time.thread_time_ns()
    place = begin_ns % len(table)  # where no earlier reading was lately
    for _ in range(TAKES):
        take_ns = time.monotonic_ns()
        _, place = compute(table, place, ROUNDS, JUMPS)
        takes.append(time.monotonic_ns() - take_ns)
    used_ns, passed_ns = time.thread_time_ns() - begin_cpu_ns, time.monotonic_ns() - begin_ns
    return CanaryReading(min(takes), max(0.0, 1 - used_ns / passed_ns))


class Canaries:
    """The readings of a run."""

    def __init__(
        self,
        earlier: Sequence[Canary] = (),
        take: Callable[[], CanaryReading] = take,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Go on after the trials that a run has finished already."""
        self._known_ns = [ns for one in earlier for ns in (one.before_ns, one.after_ns)]
        self._take = take
        self._sleep = sleep

    def read(self) -> CanaryReading:
        """Return a reading, repeated where it is off and soon may not be, or where nothing tells whether it is."""
        best = self._take()
        for _ in range(LOOKS - 1):
            if self._known_ns and _off(best, self._reference_ns(best)) <= CALM:
                break
            self._sleep(PAUSE_S)
            other = self._take()
            best = CanaryReading(min(best.ns, other.ns), min(best.waited, other.waited))
        return best

    def pair(self, before: CanaryReading, after: CanaryReading) -> Canary:
        """Return the record of a trial, and remember its readings."""
        self._known_ns += [before.ns, after.ns]
        reference_ns = self._reference_ns(before)
        return Canary(
            before_ns=before.ns,
            after_ns=after.ns,
            before_waited=before.waited,
            after_waited=after.waited,
            reference_ns=reference_ns,
            shift=max(_off(before, reference_ns), _off(after, reference_ns)),
        )

    def _reference_ns(self, otherwise: CanaryReading) -> int:
        return int(statistics.median(self._known_ns)) if self._known_ns else otherwise.ns


def _off(one: CanaryReading, reference_ns: int) -> float:
    """Return how far a reading is from the reference, or how much it waited, whichever is more."""
    return max(abs(one.ns - reference_ns) / reference_ns, one.waited)
