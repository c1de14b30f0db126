"""The last minute of a running trial, second by second, made of what `bench.run.trial.Live` tells. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.drivers.base import Int64
from bench.run.trial import Live
from bench.units import NS_PER_S

KEPT = 60
"""Seconds that are remembered."""
AWAY_S = 10
"""Seconds over which the host's pauses are summed up: most seconds have none."""


@dataclass(frozen=True)
class Second:
    """One second.

    Attributes:
        offered, received: messages a second.
        p50_ns, p99_ns: of the messages intended in the last full second; NaN where none came.
        backlog: messages due and not received, at its end.
        broker_cores, client_cores: CPU time a second; NaN where unknown.
        away: share of CPU time for which the host was away; NaN without a meter.
        longest_ns: longest pause that ended in it.
    """

    offered: float
    received: float
    p50_ns: float
    p99_ns: float
    backlog: int
    broker_cores: float
    client_cores: float
    away: float
    longest_ns: int


_SHORTEST_NS = NS_PER_S // 2
"""Of the first second, which begins with the load: what is shorter is part of the next one."""


class Recent:
    """Remembers the last seconds of a trial.

    Attributes:
        seconds: the last ones, at most `KEPT`.
        taken: how many there were in all.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self.seconds: tuple[Second, ...] = ()
        self.taken = 0
        self._begin: Live | None = None
        self._pauses: list[Int64] = []

    def take(self, live: Live) -> None:
        """Take how the trial goes; a few times a second, in order of time."""
        begin = self._begin
        if begin is None or not begin.totals.due:  # nothing has begun
            self._begin, self._pauses = live, []
            return
        self._pauses.append(live.pauses)
        if _second_of(live) != _second_of(begin) and live.at_ns - begin.at_ns >= _SHORTEST_NS:
            self.seconds = (*self.seconds, _between(begin, live, np.concatenate(self._pauses)))[-KEPT:]
            self.taken += 1
            self._begin, self._pauses = live, []


def away(seconds: Sequence[Second]) -> tuple[float, int]:
    """Return share of CPU time and longest pause, ns, of the last `AWAY_S` seconds; NaN and 0 where unknown."""
    last = seconds[-AWAY_S:]
    if not last:
        return math.nan, 0
    return sum(one.away for one in last) / len(last), max(one.longest_ns for one in last)


def _second_of(live: Live) -> int:
    # Workers publish quantiles as a second of the clock begins, so seconds are cut half-way between.
    return (live.at_ns + NS_PER_S // 2) // NS_PER_S


def _between(begin: Live, end: Live, pauses: Int64) -> Second:
    length_s = (end.at_ns - begin.at_ns) / NS_PER_S
    # Workers show counts every 40 ms: by the second of the conductor a steady rate would seem to tremble.
    due_s, received_s = (
        (now_ns - then_ns) / NS_PER_S if then_ns and now_ns > then_ns else length_s
        for then_ns, now_ns in ((begin.produced_ns, end.produced_ns), (begin.consumed_ns, end.consumed_ns))
    )
    offered = (end.totals.due - begin.totals.due) / due_s
    apart_ns = end.produced_ns - end.consumed_ns if end.produced_ns and end.consumed_ns else 0
    lasted_ns = pauses[:, 2] - pauses[:, 1]
    before, after = begin.sample, end.sample
    cpus = end.metered_cpus
    seen = end.totals
    sent = seen.sent - seen.gone
    # Counted as messages: a copy is a part of one. Where nobody consumes there is none.
    on_their_way = (seen.owed - seen.received) * sent / seen.owed if seen.owed else 0
    return Second(
        offered=offered,
        received=(end.totals.received - begin.totals.received) / received_s,
        p50_ns=end.totals.p50_ns or math.nan,
        p99_ns=end.totals.p99_ns or math.nan,
        backlog=max(0, round(seen.due - seen.sent + on_their_way - offered * apart_ns / NS_PER_S)),
        broker_cores=_used_s(before.broker_cpu_s, after.broker_cpu_s) / length_s,
        client_cores=(after.client_cpu_s - before.client_cpu_s) / length_s,
        away=min(1.0, int(lasted_ns.sum()) / NS_PER_S / length_s / cpus) if cpus else math.nan,
        longest_ns=int(lasted_ns.max(initial=0)),
    )


def _used_s(before_s: float | None, after_s: float | None) -> float:
    return math.nan if before_s is None or after_s is None else after_s - before_s
