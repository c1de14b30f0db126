"""Runs by count on real brokers: every message once, consumers let in when all are confirmed, each phase timed."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from bench.results.records import BrokerRecord, PlannedTrial, TrialOutcome, TrialRecord
from bench.run.phases import REST_NS
from bench.run.trial import Conditions, run_trial
from bench.run.trial_record import conclude
from bench.scenario.scenario import Plan, Target, Workload
from brokers.base import Broker

PLAN = Plan.model_validate({"drain": "5s"})
BOUND = {"kind": "in_flight", "in_flight": 64}
PROTOCOLS = {"wire091": "amqp091", "wire10": "amqp10"}


def trial(broker: Broker, driver: str, work: dict[str, object]) -> TrialRecord:
    """Run one trial by count, and conclude it."""
    workload = Workload.model_validate({"name": "w", "load": BOUND, **work})
    target = Target.model_validate({"name": "t", "broker": "r", "protocol": PROTOCOLS[driver], "driver": driver})
    mark = f"counts-{os.getpid()}-{time.monotonic_ns()}"
    queues = broker.queues(mark, workload.plain_queues)
    with tempfile.TemporaryDirectory() as scratch:
        raw = run_trial(
            Conditions(
                target, workload, PLAN, 5, workload.laid_out(mark, queues, 5), 0, known_warm=True,
                scratch=Path(scratch), watch=lambda _: None,
            ),
            broker,
        )  # fmt: skip
    planned = PlannedTrial(index=0, repetition=0, target="t", workload="w", restart_broker=False)
    record = BrokerRecord(
        name="r", kind="r", product="", version="", runtime="", asked={}, reported={}, limits={}, labels=(), started=1
    )
    return conclude(planned, workload, 5, raw, record, external=False).record


def holds(record: TrialRecord, messages: int) -> bool:
    """Return whether each message was sent, confirmed and received once."""
    ledger = record.ledger
    ended = (record.outcome, record.drained) == (TrialOutcome.COMPLETED, True)
    counted = ledger.sent == ledger.confirmed == ledger.received == messages
    return ended and counted and ledger.balanced and not ledger.duplicated


FILLED = [
    ("rabbitmq", "wire091"),
    pytest.param("rabbitmq", "wire10", marks=pytest.mark.soak),
    pytest.param("qpid_broker_j", "wire091", marks=pytest.mark.soak),
    pytest.param("qpid_broker_j", "wire10", marks=pytest.mark.soak),
    ("activemq_classic", "wire10"),
]


@pytest.mark.parametrize(("broker", "driver"), FILLED, indirect=["broker"])
def test_a_queue_is_filled_then_drained(broker: Broker, driver: str) -> None:
    """An odd number over three producers and two consumers; they are let in after the last confirm and its rest."""
    done = trial(broker, driver, {"messages": 2_003, "phases": "enqueue-dequeue", "producers": 3, "consumers": 2})
    assert holds(done, 2_003)
    enqueue, dequeue = done.phases
    assert (enqueue.name, dequeue.name) == ("enqueue", "dequeue")
    assert enqueue.messages == dequeue.messages == 2_003
    assert dequeue.begin_ns >= enqueue.end_ns + REST_NS
    assert done.measure_to_s * 10**9 >= dequeue.end_ns
    assert done.backlog is not None
    assert done.backlog.rss is not None


def test_new_work_passes_a_backlog(rabbitmq: Broker) -> None:
    """A flow beside goes on by its rate until the backlog is drained, and all of it arrives as well."""
    done = trial(rabbitmq, "wire091", {"messages": 1_000, "pattern": "backlog", "new_work": 50})
    assert holds(done, 1_000)
    [beside] = done.flows
    assert beside.name == "new-work"
    assert beside.ledger.sent == beside.ledger.received == beside.ledger.confirmed
    assert beside.ledger.sent > 50 * REST_NS / 10**9
    assert beside.latency["response"].count == beside.ledger.sent


@pytest.mark.parametrize(("broker", "driver"), FILLED, indirect=["broker"])
def test_a_count_in_and_out_at_once(broker: Broker, driver: str) -> None:
    """The whole rate is over the time from the first send to the last receive."""
    done = trial(broker, driver, {"messages": 1_001, "workers": 2, "producers": 2, "consumers": 2})
    assert holds(done, 1_001)
    [whole] = done.phases
    assert whole.name == "whole"
    assert whole.rate == pytest.approx(1_001e9 / (whole.end_ns - whole.begin_ns))


def test_a_queue_is_only_filled(rabbitmq: Broker) -> None:
    """Nobody consumes: the trial ends with the last confirm, and nothing is owed to anyone."""
    done = trial(rabbitmq, "wire091", {"messages": 1_002, "phases": "enqueue", "consumers": 0, "producers": 4})
    assert (done.outcome, done.drained) == (TrialOutcome.COMPLETED, True)
    assert (done.ledger.sent, done.ledger.confirmed, done.ledger.owed) == (1_002, 1_002, 0)
    assert [one.messages for one in done.phases] == [1_002]
