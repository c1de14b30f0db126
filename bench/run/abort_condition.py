"""When a run is hopeless: a condition of the user's that a trial met. Pure.

The condition is the breach of an absolute limit. A trial that ran to its end is asked for its
figure. One that runs is asked for what is certain: so many of its messages have taken longer
already that no further ones can bring the percentile back. That needs a rate, which says how
many messages there will be. Seconds in which the host was away, and those after them, are not
counted, as the broker is not to blame.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.results.quantile import quantile_ns
from bench.results.records import TrialOutcome, TrialRecord
from bench.run.phases import Phase
from bench.run.trial import Live
from bench.scenario.absolute_limit import COUNTS, PERCENTILES, AbsoluteLimit
from bench.scenario.scenario import Workload
from bench.units import NS_PER_S, percent

_HALF, _HUNDREDTH = 0.5, 0.01
_CLEAR_NS = 2 * NS_PER_S
"""After a pause of the host, and after the warm-up: so long nothing is counted."""


def breach(record: TrialRecord, limits: Sequence[AbsoluteLimit]) -> str:
    """Return which limit a finished trial does not keep, in words; empty where it keeps all, or cannot be trusted."""
    if any(note.hard for note in record.health):
        return ""  # what was late may have been ours
    if record.outcome is TrialOutcome.ABORTED:
        return f"trial {record.index + 1} ({record.target}, {record.workload}): {record.reason}"
    if not record.valid:
        return ""
    for limit in limits:
        value = _figure(record, limit.metric)
        if limit.applies(record.target, record.workload) and value is not None and not limit.kept_by(value):
            where = f"trial {record.index + 1} ({record.target}, {record.workload})"
            return f"{where} did not keep to {limit.words}"
    return ""


def _figure(record: TrialRecord, metric: str) -> float | None:
    if metric in PERCENTILES:
        if record.outcome is TrialOutcome.OVERLOADED:
            return math.inf
        main = record.latency.get("response") or record.latency.get("service")
        return quantile_ns(main, _share_of(metric))
    if metric in COUNTS:
        return float(getattr(record.ledger, metric))
    if metric == "achieved_rate":
        return record.achieved_rate
    side, _, what = metric.partition("_")
    usage = record.broker_usage if side == "broker" else record.client_usage
    return usage.cpu_us_per_message if what == "cpu" else usage.rss_peak


@dataclass
class Certainty:
    """Counts, while a trial runs, how many of its messages have certainly taken longer than a limit allows.

    Attributes:
        limit: a largest value of a percentile.
        expected: messages of the measured part, at most.
        workers: that consume; what they show is that of the slowest, so that the others may have seen none.
        longer: messages that took longer, at least.
    """

    limit: AbsoluteLimit
    expected: float
    workers: int
    longer: float = 0.0
    _begun_ns: int | None = None
    _second: int = -1
    _received: int = 0
    _away_ns: int = -(1 << 62)

    @classmethod
    def of(cls, limit: AbsoluteLimit, workload: Workload, target: str, extend: float) -> "Certainty | None":
        """Return what counts for a trial; None where nothing is certain before its end.

        Args:
            limit: what it must keep to.
            workload: of the trial.
            target: of the trial.
            extend: how many times its duration the trial may last.
        """
        rate = workload.mean_rate
        if not limit.upper or limit.metric not in PERCENTILES or rate is None or workload.counted is not None:
            return None
        if not limit.applies(target, workload.name, workload.part_of):
            return None
        return cls(limit, rate * workload.duration / NS_PER_S * extend, workload.workers)

    def take(self, live: Live) -> str:
        """Take how the trial goes, a few times a second; return why it is hopeless, nothing while it is not."""
        if len(live.pauses):
            self._away_ns = live.at_ns
        if live.phase is not Phase.MEASURE:
            return ""
        if self._begun_ns is None:
            self._begun_ns = live.at_ns
        # Workers show the last full second as the next one begins, so seconds are cut half-way between.
        second = (live.at_ns + NS_PER_S // 2) // NS_PER_S
        if second != self._second:
            received, self._received = live.totals.received - self._received, live.totals.received
            self._second = second
            # What was received before this was due in the warm-up.
            of_the_warm_up = live.at_ns - self._begun_ns < _CLEAR_NS + live.totals.p99_ns
            if not of_the_warm_up and live.at_ns - self._away_ns > _CLEAR_NS:
                self.longer += self._share(live) * received / self.workers
        if self.longer <= self.expected * (1 - _share_of(self.limit.metric)):
            return ""
        return f"{percent(self.longer / self.expected)} of its messages took longer than {self.limit.at_most} already"

    def _share(self, live: Live) -> float:
        """Return which share of the last second's messages took longer, at least."""
        if live.totals.p50_ns > self.limit.bound:
            return _HALF
        return _HUNDREDTH if live.totals.p99_ns > self.limit.bound else 0.0


def _share_of(percentile: str) -> float:
    return float(percentile.removeprefix("p")) / 100
