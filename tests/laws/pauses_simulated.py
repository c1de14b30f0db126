"""A broker on a host that is away now and then, simulated exactly; and what the pause meter sees of it.

Time is taken apart twice: in `Holes` of a host's time nothing runs at all, in holes of the rest the
broker stalls. Without the host's holes the very same messages and stalls are the truth that is
to be found.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.drivers.base import Int64
from bench.pauses.board import COUNT, ENTRIES, PERIOD_NS, PROBE_EVERY_NS, WAKE, PauseBoard
from bench.units import NS_PER_MS, NS_PER_S

Float = NDArray[np.float64]
_LATE_NS = 1 << 61


@dataclass(frozen=True)
class Holes:
    """Spans that do not overlap, in rising order, in which time stands still; float64 ns."""

    begin: Float
    end: Float

    def inside(self, at: Float) -> Float:
        """Return how much time has passed, outside the holes, up to each instant."""
        before = np.searchsorted(self.begin, at, side="right")
        lost = np.concatenate([[0.0], np.cumsum(self.end - self.begin)])
        over = (
            np.where(before > 0, np.maximum(self.end[np.maximum(before - 1, 0)] - at, 0.0), 0.0)
            if len(self.end)
            else 0.0
        )
        return np.asarray(at - lost[before] + over)

    def outside(self, passed: Float) -> Float:
        """Return the instant at which so much time has passed."""
        starts = self.inside(self.begin)
        lost = np.concatenate([[0.0], np.cumsum(self.end - self.begin)])
        return np.asarray(passed + lost[np.searchsorted(starts, passed, side="left")])


def every(period_ms: float, stall_ms: float, length_s: float, phase_ms: float) -> Holes:
    """Return stalls of one length, one a period."""
    begin = np.arange(phase_ms, length_s * 1000, period_ms) * NS_PER_MS
    return Holes(begin, begin + stall_ms * NS_PER_MS)


def pauses(share: float, shortest_ms: float, longest_ms: float, length_s: float, seed: int) -> Holes:
    """Return pauses that take a share of time: exponential gaps, uniform lengths."""
    rng = np.random.default_rng(seed)
    mean_ms = (shortest_ms + longest_ms) / 2
    count = int(2 * share * length_s * 1000 / mean_ms) + 20
    lengths = rng.uniform(shortest_ms, longest_ms, count) * NS_PER_MS
    gaps = rng.exponential(mean_ms * (1 - share) / share, count) * NS_PER_MS
    begin = np.cumsum(gaps) + np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    kept = begin < length_s * NS_PER_S
    return Holes(begin[kept], (begin + lengths)[kept])


NONE = Holes(np.empty(0), np.empty(0))


def served(due: Float, service_ns: float, stalls: Holes, host: Holes) -> Float:
    """Return when one server has served each message: first come, first served, a fixed time each (Lindley 1952)."""
    arrived = stalls.inside(host.inside(due))
    numbers = np.arange(len(due))
    finished = service_ns * (numbers + 1) + np.maximum.accumulate(arrived - service_ns * numbers)
    return host.outside(stalls.outside(finished))


def delayed(due: Float, latency_ns: Float, host: Holes) -> Float:
    """Return when each message ends that takes so long of the host's time, whatever others do."""
    return host.outside(host.inside(due) + latency_ns)


def metered(host: Holes, length_s: float, seed: int) -> Int64:
    """Return the board as a sleeper leaves it that wakes each millisecond, unless the host is away."""
    rng = np.random.default_rng(seed + 1)
    entries, phase, woke = [], float(rng.uniform(0, PERIOD_NS)), 0.0
    for begin, end in zip(host.begin.tolist(), host.end.tolist(), strict=True):
        last = max(woke, phase + np.floor((begin - phase) / PERIOD_NS) * PERIOD_NS)
        due = last + PERIOD_NS
        if due >= end:
            continue  # it slept through
        if end - due > PERIOD_NS / 2:
            entries.append((last, end))
        woke = end
        if due + PERIOD_NS <= end:
            phase = end
    probes = np.arange(rng.uniform(0, PROBE_EVERY_NS), length_s * NS_PER_S, PROBE_EVERY_NS)
    away = np.searchsorted(host.begin, probes, side="right") - 1
    probes = probes[
        (away < 0) | (probes > host.end[np.maximum(away, 0)] if len(host.end) else np.ones(len(probes), bool))
    ]
    rows = sorted(entries + [(probe, probe) for probe in probes.tolist()])
    cells = PauseBoard(1).cells
    cells[1, ENTRIES : ENTRIES + 2 * len(rows)] = np.array(rows, np.int64).ravel()
    cells[1, COUNT], cells[1, WAKE] = len(rows), _LATE_NS
    return cells
