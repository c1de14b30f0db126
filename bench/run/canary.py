"""The canary: a fixed computation that tells whether the host is as it was.

It runs right before and right after a trial, when workers are not there. Most of it is
arithmetic, a part waits for memory, so that a slower clock, a neighbour on the same core
and one that takes the memory's bandwidth all show. The least of several takes counts: the
broker wakes up now and then, and one take without it is enough.
"""

import functools
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.drivers.base import Int64
from bench.kernels import kernel
from bench.results import Canary

TAKES = 5
ROUNDS = 5_000_000
"""Steps of arithmetic in a take: about 8 ms on a core of 2020."""
JUMPS = 20_000
"""Reads from anywhere in a table that no cache holds, in a take: about 2 ms."""
TABLE_BYTES = 64 * 1024**2
CALM = 0.025
"""A reading that is further off is taken again, as the broker may still have had work to do."""
LOOKS = 4
PAUSE_S = 0.25


@dataclass(frozen=True)
class Take:
    """The least of some takes: time that passed, and CPU time that was used meanwhile."""

    wall_ns: int
    cpu_ns: int


@kernel
def compute(table: Int64, rounds: int, jumps: int) -> int:
    """Mix an integer for so many rounds, then jump about in a table (its length a power of two) as its content says."""
    state = 88_172_645_463_325_252
    for _ in range(rounds):  # xorshift64, Marsaglia (2003), "Xorshift RNGs"
        state ^= state << 13
        state ^= (state >> 7) & 0x01FF_FFFF_FFFF_FFFF
        state ^= state << 17
    mask, place = len(table) - 1, 1
    for _ in range(jumps):
        place = (place * 1_103_515_245 + 12_345 + table[place]) & mask
    return state ^ place


@functools.cache
def _table() -> Int64:
    return np.zeros(TABLE_BYTES // 8, np.int64) + 2  # written, so that its pages are there


def warm() -> None:
    """Compile, and fill the table."""
    compute(_table(), 1, 1)


def take() -> Take:
    """Compute a few times; return the least."""
    table, takes = _table(), []
    for _ in range(TAKES):
        wall_ns, cpu_ns = time.monotonic_ns(), time.thread_time_ns()
        compute(table, ROUNDS, JUMPS)
        takes.append(Take(time.monotonic_ns() - wall_ns, time.thread_time_ns() - cpu_ns))
    return min(takes, key=lambda one: one.wall_ns)


class Canaries:
    """The readings of a run."""

    def __init__(
        self,
        earlier: Sequence[Canary] = (),
        take: Callable[[], Take] = take,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Go on after the trials that a run has finished already."""
        self._known_ns = [ns for one in earlier for ns in (one.before_ns, one.after_ns)]
        self._take = take
        self._sleep = sleep

    def read(self) -> Take:
        """Return a reading, repeated where it is off and soon may not be."""
        best = self._take()
        for _ in range(LOOKS - 1):
            if _off(best, self._reference_ns(best)) <= CALM:
                break
            self._sleep(PAUSE_S)
            best = min(best, self._take(), key=lambda one: one.wall_ns)
        return best

    def pair(self, before: Take, after: Take) -> Canary:
        """Return the record of a trial, and remember its readings."""
        self._known_ns += [before.wall_ns, after.wall_ns]
        reference_ns = self._reference_ns(before)
        return Canary(
            before_ns=before.wall_ns,
            after_ns=after.wall_ns,
            before_cpu_ns=before.cpu_ns,
            after_cpu_ns=after.cpu_ns,
            reference_ns=reference_ns,
            shift=max(_off(before, reference_ns), _off(after, reference_ns)),
        )

    def _reference_ns(self, otherwise: Take) -> int:
        return int(statistics.median(self._known_ns)) if self._known_ns else otherwise.wall_ns


def _off(one: Take, reference_ns: int) -> float:
    """Return how far a reading is from the reference and from its own CPU time, whichever is more."""
    waited = (one.wall_ns - one.cpu_ns) / max(one.cpu_ns, 1)
    return max(abs(one.wall_ns - reference_ns) / reference_ns, waited)
