"""From a trial's record and timeline to what a search judges. Pure."""

import numpy as np
import pandas as pd

from bench.record.histogram import decode
from bench.results.records import TrialOutcome, TrialRecord
from bench.run.phases import Phase
from bench.stats.sustained import RateEvidence
from bench.units import NS_PER_S

_TOLERATED = frozenset({"shared-cores"})
"""Hard verdicts of health that a search, which compares no drivers, can live with."""
_SEND_LAG_SHARE = 0.01
"""Share of the measured part that our lateness must stay below to leave rate and backlog as they are."""
_BROKERS_DOING = (TrialOutcome.BROKER_FAILED, TrialOutcome.DISCONNECTED)


def reading(record: TrialRecord, timeline: pd.DataFrame) -> RateEvidence:
    """Return what a trial showed.

    Args:
        record: of the trial.
        timeline: columns as in `bench.results.records.TIMELINE_COLUMNS`.
    """
    measured = timeline.loc[timeline["phase"] == Phase.MEASURE.value, "backlog"]
    ended = "" if record.outcome is TrialOutcome.COMPLETED else f"{record.outcome.value}: {record.reason}"
    return RateEvidence(
        offered=record.offered,
        achieved=record.achieved_rate * (record.measure_to_s - record.measure_from_s),
        backlog=measured.to_numpy(np.int64),
        lost=record.ledger.lost,
        p99_ns=percentile_ns(record, 99),
        ended=ended,
    )


def invalid(record: TrialRecord, *, latency_counts: bool) -> tuple[str, ...]:
    """Return what makes a trial invalid for a search, nothing where it is valid.

    A broker that failed or hung up under the load did not sustain it: that is a verdict, no fault
    of ours. Near the limit of a host that broker and clients share, clients are late by some ms;
    that spoils a latency, but moves neither the rate nor the backlog by what is asked, unless sending is late by
    1 % of the measured part or more.

    Args:
        record: of the trial.
        latency_counts: whether its latency is judged too.
    """
    if record.outcome in _BROKERS_DOING:
        return ()
    tolerated = _TOLERATED
    if not latency_counts:
        tolerated |= {"receive-lag", "send-lag"} if _late_by_little(record) else {"receive-lag"}
    faults = [f"{note.code}: {note.text}" for note in record.health if note.hard and note.code not in tolerated]
    if record.outcome is TrialOutcome.WORKER_FAILED:
        faults.append(record.reason)
    return tuple(faults)


def _late_by_little(record: TrialRecord) -> bool:
    send_lag_ns = _percentile_ns(record, "send_lag", 99)
    measured_ns = (record.measure_to_s - record.measure_from_s) * NS_PER_S
    return send_lag_ns is not None and send_lag_ns < _SEND_LAG_SHARE * measured_ns


def percentile_ns(record: TrialRecord, percent: float) -> float | None:
    """Return a percentile of the response; None where nothing arrived."""
    return _percentile_ns(record, "response", percent)


def _percentile_ns(record: TrialRecord, name: str, percent: float) -> float | None:
    tag = record.latency.get(name)
    return None if tag is None or not tag.count else float(decode(tag.histogram).get_value_at_percentile(percent))
