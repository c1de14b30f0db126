"""A trial of the scripted broker whose every settlement and delivery is noted, merged as the conductor does it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from unittest.mock import patch

import numpy as np

from bench.drivers.base import Deliveries, Int64, Settlements
from bench.drivers.memory_broker import MemoryPort
from bench.record.histogram import Seconds, to_histogram
from bench.results.records import Ledger
from bench.run import memory_trial
from bench.run.dead_letters import ended, owed
from bench.run.memory_trial import InlineTrial, run_inline
from bench.run.merge import Merged, merge_accounts
from bench.run.worker_assignment import schedule
from bench.scenario.scenario import MemoryBroker, Plan, RateLoad, Workload
from bench.units import NS_PER_S

PLAN = Plan.model_validate({"warm_up": {"settle": "0s"}, "drain": "2s"})
START_NS = NS_PER_S


@dataclass
class Played:
    """What a trial did; times count from its start.

    Attributes:
        merged, trial: its numbers, and what it left.
        due: int64, intended times; of a closed loop, none.
        sends: (producer, seq, at) of each message.
        settled: (seq, outcome, at) of each settlement.
        rows: (lane, producer, seq, received, redelivered) of each delivery.
    """

    merged: Merged
    trial: InlineTrial
    due: Int64
    sends: list[tuple[int, int, int]] = field(default_factory=list)
    settled: list[tuple[int, int, int]] = field(default_factory=list)
    rows: list[tuple[int, int, int, int, int]] = field(default_factory=list)

    @property
    def ledger(self) -> Ledger:
        """Its ledger."""
        return self.merged.ledger


def play(workload: Mapping[str, object], script: Mapping[str, object] | None = None, seed: int = 7) -> Played:
    """Run one trial of the scripted broker."""
    work = Workload.model_validate({"name": "w", **workload})
    broker = MemoryBroker.model_validate({"name": "m", "kind": "memory", **(script or {})})
    sends: list[tuple[int, int, int]] = []
    settled: list[tuple[int, int, int]] = []
    rows: list[tuple[int, int, int, int, int]] = []

    class Watched(MemoryPort):
        """The memory driver, watched."""

        def send(self, lane: Int64, seq: Int64, intended_ns: Int64) -> Int64:
            """Note what is sent."""
            sent_ns = super().send(lane, seq, intended_ns)
            numbers = (self._spec.producers[one].producer for one in lane.tolist())
            sends.extend(zip(numbers, seq.tolist(), (sent_ns - START_NS).tolist(), strict=True))
            return sent_ns

        def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
            """Note what comes."""
            said, came = super().poll(timeout_ns)
            settled.extend(zip(said.seq.tolist(), said.outcome.tolist(), (said.at_ns - START_NS).tolist(), strict=True))
            table = (came.lane, came.producer, came.seq, came.received_ns - START_NS, came.redelivered)
            rows.extend(zip(*(column.tolist() for column in table), strict=True))
            return said, came

    with patch.object(memory_trial, "MemoryPort", Watched):
        trial = run_inline(work, broker, PLAN, seed, tuple(f"q-{n}" for n in range(work.plain_queues)))
    due = np.empty(0, np.int64)
    if isinstance(work.load, RateLoad):
        due = schedule(work.load, seed).times(0, int(work.load.rate * work.duration / NS_PER_S * 2) + 100)
        due = due[due < work.duration]
    route, control = trial.layout.flows[0], trial.control
    merged = merge_accounts(
        [trial.account],
        range(control.measure_from_s, control.measure_to_s),
        confirms=work.confirm_window > 0,
        drained=control.drained,
        due=due if isinstance(work.load, RateLoad) else None,
        left=trial.left,
        owed=owed(route, trial.layout, work.producers),
        ended=ended(route, trial.dead, work.producers, int(trial.account.sent.sent.sum()) if trial.account.sent else 0),
        copies=route.mean_copies,
    )
    return Played(merged, trial, due, sends, settled, rows)


def adds_up(ledger: Ledger) -> bool:
    """Return whether every copy that is owed is in one of the outcomes, and the ledger says so itself."""
    missing = ledger.lost + ledger.by_rule + ledger.undelivered + ledger.unconfirmed_missing
    return ledger.owed == ledger.received + missing + sum(ledger.ended.values()) and ledger.balanced


def served(arrivals: Int64, service_ns: int, stall_ns: tuple[int, int] = (0, 0)) -> Int64:
    """Return when a single server is done with each, one after the other (Lindley 1952), but for a stall."""
    (begin, end), free, done = stall_ns, 0, []
    for arrival in arrivals.tolist():
        start = max(arrival, free)
        start = end if begin <= start < end else start
        free = start + service_ns + (end - begin if start < begin < start + service_ns else 0)
        done.append(free)
    return np.array(done, np.int64)


def equal(found: Seconds, values: Int64) -> bool:
    """Return whether these latencies, and no others, were recorded."""
    reference = to_histogram(np.empty(0, np.int64), np.empty(0, np.int64))
    index = np.array([reference.get_counts_array_index(int(value)) for value in values], np.int64)
    same: bool = to_histogram(found.index, found.count).encode() == to_histogram(index, np.ones_like(index)).encode()
    return same and found.sum_ns == int(values.sum())
