"""From what a trial left to its record and files."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from bench.ceiling.stored import Ceiling
from bench.drivers.base import Int64
from bench.pauses.watch import PauseWatch
from bench.record.histogram import Seconds
from bench.results import archive
from bench.results.comparability import settings_differ
from bench.results.records import (
    NO_RESULT,
    BacklogRecord,
    BrokerRecord,
    Canary,
    FlowRecord,
    Note,
    PauseRecord,
    PhaseRecord,
    PlannedTrial,
    TrialOutcome,
    TrialRecord,
)
from bench.run import findings, health, timeline
from bench.run.cost import cost
from bench.run.counts import Surroundings, backlog, phases
from bench.run.dead_letters import ended, owed
from bench.run.merge import TICKS_PER_S, Merged, merge_accounts, total_counters
from bench.run.pause_record import pause_frame, pause_record
from bench.run.trial import Raw
from bench.run.worker_assignment import flow_seed, profiled, schedule
from bench.scenario.scenario import InFlightLoad, RateLoad, Workload
from bench.stats.steady import Growth, Steadiness, growth, steadiness
from bench.units import NS_PER_S, TICK_NS
from brokers.cpu_numbers import read, words
from brokers.ground import CPUS
from brokers.log_patterns import LogPatterns


@dataclass(frozen=True)
class Concluded:
    """A trial ready to be written."""

    record: TrialRecord
    latencies: dict[str, Seconds]
    start_epoch_s: float
    timeline: pd.DataFrame
    pauses: pd.DataFrame | None = None

    def write(self, folder: Path, broker_log: str) -> None:
        """Write it; the trial is finished when this returns."""
        archive.finish_trial(
            folder, self.record, self.latencies, self.start_epoch_s, self.timeline, broker_log, self.pauses
        )


def due_times(workload: Workload, seed: int, raw: Raw) -> Int64 | None:
    """Return the intended times of a whole trial, ns after the start; None for a closed loop."""
    load = workload.load
    if not isinstance(load, RateLoad):
        return None
    end_ns = (raw.control.end_ns or raw.start_ns) - raw.start_ns
    begun_ns = raw.control.measured_ns
    begin_ns = end_ns if begun_ns is None else min(begun_ns - raw.start_ns, end_ns)
    expected = load.rate * begin_ns / NS_PER_S
    if begun_ns is not None:
        expected += workload.due_by(end_ns - begin_ns)
    enough = int(max(expected, 0) * 1.1) + 1000
    plan = schedule(load, seed) if begun_ns is None else profiled(workload, seed, begun_ns - raw.start_ns)
    times = plan.times(0, min(enough, workload.messages) if workload.messages else enough)
    return times[times < end_ns]


def spin_shares(raw: Raw) -> tuple[float, ...]:
    """Return the share of the schedule that each worker spent in busy waits."""
    length_ns = (raw.control.end_ns or raw.start_ns) - raw.start_ns
    return tuple(one.counters.get("spin_ns", 0) / length_ns for one in raw.accounts) if length_ns > 0 else ()


def conclude(
    planned: PlannedTrial,
    workload: Workload,
    seed: int,
    raw: Raw,
    broker: BrokerRecord,
    *,
    external: bool,
    ceiling: Ceiling | None = None,
    canary: Canary | None = None,
    subject: Literal["broker", "client"] = "broker",
    log: str = "",
    patterns: LogPatterns | None = None,
    clock_offset_ns: int | None = None,
) -> Concluded:
    """Merge, judge and describe a trial.

    Args:
        planned: its line of the plan.
        workload: what was done.
        seed: of its schedule.
        raw: what it left.
        broker: what it ran on.
        external: whether the broker's processes cannot be seen.
        ceiling: of the trial's driver on this host, where one is kept.
        canary: of the trial, where it was taken.
        subject: what the scenario measures.
        log: what the broker logged while the trial ran.
        patterns: how that is read.
        clock_offset_ns: real time less monotonic time; taken now where absent.
    """
    control = raw.control
    measure = range(control.measure_from_s, control.measure_to_s)
    parts = workload.parts()
    flows = [_merged(raw, number, part, seed, measure) for number, part in enumerate(parts)]
    # The first that is no background is what the trial is about.
    first = next(number for number, part in enumerate(parts) if not part.background)
    merged, main = flows[first], parts[first]
    offset_ns = time.time_ns() - time.monotonic_ns() if clock_offset_ns is None else clock_offset_ns
    start_epoch_s = (raw.start_ns + offset_ns) / NS_PER_S
    received = sum(flow.achieved_rate for flow in flows) * len(measure)
    spans = _phases(raw, parts, flows)
    flows = [_by_count(flow, found) for flow, found in zip(flows, spans, strict=True)]
    merged = flows[first]
    record = _record(planned, raw, merged, broker, start_epoch_s, round(received), flows)
    most = None
    if ceiling is not None:
        most = ceiling.rate(confirms=main.confirm_window > 0, acks=main.ack_batch > 0)
    shared_cpus = not external and _share_cpus(raw, broker)
    seen = [
        replace(
            _circumstances(raw, flow, measure, part, most if number == first else None, shared_cpus=shared_cpus),
            subject=subject,
            canary_shift=None if canary is None else canary.shift,
            pauses=record.pauses,
            alarms=(
                *(f"its log says: {line}" for line in (patterns.alarms_in(log) if patterns is not None else ())),
                *(f"asked over AMQP 0-9-1, it said {said!r}" for said in raw.held_back),
            ),
            restarts=0 if patterns is None else patterns.starts_in(log),
            settings_differ=settings_differ(broker.asked, broker.reported),
        )
        for number, (flow, part) in enumerate(zip(flows, parts, strict=True))
    ]
    others = [
        _flow_record(part, flow, one, control.reason)
        for number, (part, flow, one) in enumerate(zip(parts, flows, seen, strict=True))
        if number != first
    ]
    if busy := [one.client_usage.cpu_cores_busiest or 0.0 for one in spans[first]]:
        # Between its phases, and in the rest of its last second, a trial by count lies idle.
        seen[first] = replace(seen[first], client_cores=max(busy))
    judged = _judged(seen[first], control.reason)
    judged["health"] = _health(parts, seen, first)
    judged |= {"flow": main.name if len(parts) > 1 else "", "flows": tuple(others)}
    judged |= {"phases": spans[first], "backlog": _backlog(raw, spans[first])}
    record = record.model_copy(update={"ceiling": most, "canary": canary} | judged)
    latencies = dict(merged.latencies)
    for part, flow in zip(parts, flows, strict=True):
        if part is not main:
            latencies |= {f"{part.name}.{tag}": seconds for tag, seconds in flow.latencies.items()}
    frame = timeline.make_timeline(merged.ticks, raw.samples, raw.start_ns, measure, raw.slow_samples)
    pauses = None if raw.pauses is None else pause_frame(raw.pauses.pauses(), raw.start_ns)
    return Concluded(record, latencies, start_epoch_s, frame, pauses)


def _phases(raw: Raw, parts: Sequence[Workload], flows: Sequence[Merged]) -> list[tuple[PhaseRecord, ...]]:
    """Return the phases of each flow: of those whose messages are counted."""
    pauses = raw.pauses
    known = None if pauses is None or pauses.lost else pauses.pauses()
    seen = Surroundings(raw.samples, known, 1 if pauses is None else pauses.cpus)
    return [
        tuple(
            phases(
                part,
                [account for account in raw.accounts if account.flow == number],
                merged.ledger,
                raw.start_ns,
                seen,
            )
        )
        if part.messages
        else ()
        for number, (part, merged) in enumerate(zip(parts, flows, strict=True))
    ]


def _by_count(merged: Merged, found: Sequence[PhaseRecord]) -> Merged:
    """Return a flow whose rate is that of its phases, each over its own time, and not of the seconds around them."""
    length_ns = sum(one.end_ns - one.begin_ns for one in found)
    return replace(merged, achieved_rate=found[-1].messages * NS_PER_S / length_ns) if found else merged


def _backlog(raw: Raw, found: Sequence[PhaseRecord]) -> BacklogRecord | None:
    """Return what the backlog took while it lay; None where none did, or nobody looked."""
    released_ns = raw.control.released_ns
    if released_ns is None or not found or not raw.samples:
        return None
    return backlog(found[0].messages, raw.start_ns + found[0].end_ns, released_ns, raw.samples, raw.slow_samples)


def _merged(raw: Raw, number: int, flow: Workload, seed: int, measure: range) -> Merged:
    """Merge what the workers of a flow left."""
    control, layout = raw.control, raw.layout
    route = None if layout is None else layout.flows[number]
    left = raw.left_of[number] if raw.left_of else raw.left
    accounts = [account for account in raw.accounts if account.flow == number]
    sent = sum(int(account.sent.sent.sum()) for account in accounts if account.sent is not None)
    merged = merge_accounts(
        accounts,
        measure,
        confirms=flow.confirm_window > 0,
        drained=control.drained,
        due=due_times(flow, flow_seed(seed, number), raw),
        left=None if control.outcome in NO_RESULT else left,
        owed=None if layout is None or route is None else owed(route, layout, flow.producers, raw.dead),
        ended=None if route is None else ended(route, raw.dead, flow.producers, sent),
        copies=1.0 if route is None else route.mean_copies,
    )
    if flow.pattern == "rpc" and flow.consumers > flow.queues:
        # Calls of one requester may be answered by several responders, in whatever order.
        merged = replace(merged, ledger=merged.ledger.model_copy(update={"reordered": 0}))
    if not raw.missing:
        return merged
    ledger = merged.ledger.model_copy(update={"balanced": False, "missing": raw.missing})
    return replace(merged, ledger=ledger, little=None)


def _flow_record(flow: Workload, merged: Merged, seen: health.Circumstances, reason: str) -> FlowRecord:
    return FlowRecord(
        name=flow.name,
        background=flow.background,
        offered=merged.offered,
        sent=merged.sent,
        received=merged.received,
        dropped=merged.dropped,
        achieved_rate=merged.achieved_rate,
        backlog_growth=None if seen.growth is None else seen.growth.per_s,
        latency=merged.measured,
        ledger=merged.ledger,
        little=merged.little,
        findings=findings.findings(seen, reason),
        counters=merged.counters,
    )


def _health(parts: Sequence[Workload], seen: Sequence[health.Circumstances], first: int) -> tuple[Note, ...]:
    """Return the verdict on the measurement: that of the main flow, and what else is wrong with another."""
    notes = list(health.health(seen[first]))
    known = {note.code for note in notes}
    for part, one in zip(parts, seen, strict=True):
        more = [note for note in health.health(one) if note.code not in known]
        known |= {note.code for note in more}
        notes += [note.model_copy(update={"text": f"Flow {part.name}: {note.text}"}) for note in more]
    return tuple(notes)


def _record(
    planned: PlannedTrial,
    raw: Raw,
    merged: Merged,
    broker: BrokerRecord,
    start_epoch_s: float,
    messages: int,
    flows: Sequence[Merged],
) -> TrialRecord:
    """Return the record of a trial before it is judged; `messages` were received in its measured part, of all flows."""
    control = raw.control
    measure = range(control.measure_from_s, control.measure_to_s)
    start_ns = raw.start_ns
    return TrialRecord(
        index=planned.index,
        repetition=planned.repetition,
        target=planned.target,
        workload=planned.workload,
        outcome=control.outcome,
        reason=control.reason,
        start_utc=datetime.fromtimestamp(start_epoch_s, UTC).isoformat(timespec="microseconds"),
        start_monotonic_ns=raw.start_ns,
        measure_from_s=measure.start,
        measure_to_s=measure.stop,
        drained=control.drained,
        offered=merged.offered,
        sent=merged.sent,
        received=merged.received,
        dropped=merged.dropped,
        achieved_rate=merged.achieved_rate,
        latency=merged.measured,
        ledger=merged.ledger,
        little=merged.little,
        broker=broker,
        client_cpus=words(raw.client_cpus),
        broker_usage=timeline.usage(raw.samples, "broker", start_ns, measure, messages),
        client_usage=timeline.usage(raw.samples, "client", start_ns, measure, messages, spin_shares(raw)),
        cost=cost(
            raw.samples,
            raw.slow_samples,
            total_counters(flow.counters for flow in flows),
            start_ns,
            measure,
            messages=messages,
            sent=sum(flow.ledger.sent for flow in flows),
        ),
        health=(),
        findings=(),
        counters=merged.counters,
        pauses=None if raw.pauses is None else _pauses(raw, raw.pauses, merged, measure),
    )


def _pauses(raw: Raw, seen: PauseWatch, merged: Merged, measure: range) -> PauseRecord:
    span_ns = raw.start_ns + measure.start * NS_PER_S, raw.start_ns + measure.stop * NS_PER_S
    steal = timeline.steal_share(raw.samples, raw.start_ns, measure) if len(raw.samples) and len(measure) else None
    return pause_record(seen, merged.crossings, span_ns, steal)


def _judged(seen: health.Circumstances, reason: str) -> dict[str, object]:
    """Return the fields of a record that are verdicts; a trial whose backlog grew to its end did not complete."""
    overload = findings.overload(seen) if seen.outcome is TrialOutcome.COMPLETED else ""
    return {
        "outcome": TrialOutcome.OVERLOADED if overload else seen.outcome,
        "reason": overload or reason,
        "backlog_growth": None if seen.growth is None else seen.growth.per_s,
        "health": health.health(seen),
        "findings": findings.findings(seen, reason),
    }


def _circumstances(
    raw: Raw,
    merged: Merged,
    measure: range,
    workload: Workload,
    ceiling: float | None,
    *,
    shared_cpus: bool,
) -> health.Circumstances:
    edges = raw.start_ns + np.array([measure.start, measure.stop], np.int64) * NS_PER_S
    seen = len(raw.samples) > 0 and len(measure) > 0
    return health.Circumstances(
        merged=merged,
        outcome=TrialOutcome(raw.control.outcome),
        drained=raw.control.drained,
        measured_s=len(measure),
        open_loop=isinstance(workload.load, RateLoad),
        client_cores=timeline.busiest(raw.samples, edges, spin_shares(raw)) if seen else None,
        workers=workload.workers,
        ceiling=ceiling,
        warm_up_short=raw.warm_rule.too_short,
        host_cpus=os.cpu_count() or 1,
        shared_cpus=seen and shared_cpus,
        steal_share=timeline.steal_share(raw.samples, raw.start_ns, measure) if seen else None,
        throttled_share=timeline.throttled_share(raw.samples, raw.start_ns, measure) if seen else None,
        steady=_steadiness(merged, measure) if _even(workload) else None,
        growth=_growth(merged, measure) if isinstance(workload.load, RateLoad) and not workload.messages else None,
    )


def _share_cpus(raw: Raw, broker: BrokerRecord) -> bool:
    """Return whether a broker and our workers may run on the same CPU, as far as the kernel told of both."""
    brokers = broker.ground.get(CPUS)
    return not brokers or not raw.client_cpus or bool({*read(brokers)} & {*raw.client_cpus})


def _even(workload: Workload) -> bool:
    """Return whether the load is constant: latency under a changing load is not steady even with a steady broker."""
    if workload.messages:
        return False  # a queue that fills or empties is nothing steady
    return isinstance(workload.load, InFlightLoad) or workload.load.profile is None


def _steadiness(merged: Merged, measure: range) -> Steadiness | None:
    """Judge the medians of the measured seconds, of the latency that the trial is about."""
    part = merged.latencies.get("response", merged.latencies.get("service"))
    return None if part is None else steadiness(part.medians_ns(measure.start, measure.stop))


def _growth(merged: Merged, measure: range) -> Growth | None:
    """Judge the backlog of the measured part."""
    backlog = merged.ticks["backlog"][measure.start * TICKS_PER_S : measure.stop * TICKS_PER_S]
    return growth(backlog.astype(np.float64), TICK_NS / NS_PER_S, merged.offered) if len(backlog) else None
