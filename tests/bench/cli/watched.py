"""A trial as those see it who watch it, made up second by second."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from bench.cli.recent import Recent
from bench.loadgen.pump import PumpCounters
from bench.run.phases import Phase
from bench.run.telemetry import Sample
from bench.run.trial import Live
from bench.units import NS_PER_MS, NS_PER_S

BEGIN_NS = 7_000 * NS_PER_S + NS_PER_S // 2
"""Where a second of `Recent` begins."""
RATE = 1_000


def live(at_s: float, **changes: Any) -> Live:
    """Return what is seen `at_s` seconds after the begin of a load of 1,000 messages a second, 3 ms on their way."""
    at_ns = BEGIN_NS + round(at_s * NS_PER_S)
    due = max(0, round(at_s * RATE))
    received = max(0, due - 3)
    sample = Sample(at_ns, 0.5 * at_s, 1 << 30, 0.25 * at_s, 1 << 27, (0.25 * at_s,), 0.0, 2 * at_s)
    totals = PumpCounters(due, due, received, received, due, p50_ns=400_000, p99_ns=2 * NS_PER_MS)
    seen = Live(at_ns, Phase.MEASURE, 18 * NS_PER_S, totals, at_ns, at_ns, sample, np.empty((0, 3), np.int64), 2)
    return replace(seen, **changes)


def trial(seconds: float, **changes: Any) -> Iterator[Live]:
    """Yield what is seen ten times a second, before the load begins too."""
    for tick in range(-2, round(10 * seconds) + 1):
        yield live(tick / 10, **changes)


def remembered(lives: Iterator[Live]) -> Recent:
    """Return what is remembered of a trial."""
    found = Recent()
    for one in lives:
        found.take(one)
    return found
