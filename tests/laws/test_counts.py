"""Runs by count on the scripted broker: every message counts, held consumers take nothing, rates are the broker's."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.arrivals.keys import by_producer
from bench.record.account import LAST_RECEIVED, LAST_SETTLED
from bench.results.records import PhaseRecord, TrialOutcome
from bench.run.counts import Surroundings, phases
from bench.run.phases import REST_NS
from bench.run.worker_assignment import Assignment
from bench.scenario.scenario import Workload
from bench.topology.layout import FlowRoute
from bench.units import NS_PER_S
from tests.examples import examples
from tests.laws.inline import START_NS, Played, adds_up, play

BY_PRODUCER = tuple(by_producer(1).tolist())
BOUND = {"kind": "in_flight", "in_flight": 64}


def counted(work: dict[str, object], script: dict[str, object] | None = None) -> tuple[Played, dict[str, PhaseRecord]]:
    """Run a trial by count; return it and its phases by name."""
    given_work = {"load": BOUND} | work
    done = play(given_work, script)
    flow = Workload.model_validate({"name": "w", **given_work})
    found = phases(flow, [done.trial.account], done.ledger, done.trial.control.start_ns, Surroundings())
    return done, {one.name: one for one in found}


@settings(max_examples=examples(0.8), deadline=None)
@given(
    messages=st.integers(1, 700),
    producers=st.integers(1, 7),
    consumers=st.integers(1, 5),
    way=st.sampled_from(["both", "enqueue-dequeue", "enqueue"]),
)
def test_every_message_is_sent_and_received_once(messages: int, producers: int, consumers: int, way: str) -> None:
    """For any number and split: producer i of P sends N // P, and one more where i < N % P."""
    takers = 0 if way == "enqueue" else consumers
    work = {"messages": messages, "producers": producers, "consumers": takers, "phases": way}
    done, found = counted(work, {"capacity": 5_000})
    assert done.trial.account.sent is not None
    shares = [messages // producers + (number < messages % producers) for number in range(producers)]
    assert done.trial.account.sent.sent.tolist() == shares
    assert (done.ledger.sent, done.ledger.confirmed) == (messages, messages)
    assert done.ledger.received == (messages if takers else 0)
    assert adds_up(done.ledger)
    assert (done.trial.control.outcome, done.trial.control.drained) == (TrialOutcome.COMPLETED, True)
    first = found["whole" if way == "both" else "enqueue"]
    assert first.messages == messages
    # A single server, never idle: N messages take N times as long as one.
    assert first.rate == pytest.approx(5_000, rel=1e-6)


def test_held_consumers_take_nothing_before_they_are_let_in() -> None:
    """Not one message is received until all are confirmed and have lain; the last confirm is the end of the phase."""
    done, found = counted({"messages": 500, "phases": "enqueue-dequeue", "consumers": 3}, {"capacity": 1_000})
    confirmed_ns = max(at_ns for _, _, at_ns in done.settled)
    assert confirmed_ns == found["enqueue"].end_ns == 500_000_000
    assert min(row[3] for row in done.rows) >= confirmed_ns + REST_NS
    assert len(done.rows) == 500
    assert done.trial.control.released_ns is not None


def test_a_drain_is_as_fast_as_its_consumers() -> None:
    """Two consumers of 500 a second each take 1,000 a second of a backlog, over all of it."""
    work = {"messages": 3_000, "phases": "enqueue-dequeue", "consumers": 2, "consumer_rate": 500, "prefetch": 10,
            "ack_batch": 5}  # fmt: skip
    done, found = counted(work, {"capacity": 10_000})
    assert found["dequeue"].messages == 3_000
    assert found["dequeue"].rate == pytest.approx(1_000, rel=0.02)
    assert done.trial.account.times[LAST_RECEIVED] - START_NS == found["dequeue"].end_ns


def test_a_schedule_ends_by_count_too() -> None:
    """An open loop sends as many and no more, each at its time."""
    done, found = counted({"messages": 300, "load": {"kind": "rate", "rate": 100}})
    assert [at_ns for _, _, at_ns in done.sends] == [number * NS_PER_S // 100 for number in range(300)]
    assert found["whole"].rate == pytest.approx(100, rel=0.01)


def test_lost_messages_end_a_trial_by_count() -> None:
    """Two of a hundred never come: the drain gives them up, the ledger says which kind, the rest has its rate."""
    done, found = counted({"messages": 100, "phases": "enqueue-dequeue"}, {"lose": [10, 20]})
    assert (done.ledger.lost, done.ledger.received) == (2, 98)
    assert (done.trial.control.outcome, done.trial.control.drained) == (TrialOutcome.COMPLETED, False)
    assert found["enqueue"].messages == 100


def test_a_broker_that_blocks_while_it_is_filled_has_stalled() -> None:
    """It confirms nothing for longer than `stall_after`: the trial ends, says so, and no phase has a figure."""
    load = BOUND | {"stall_after": "2s"}
    script = {"capacity": 1_000, "stalls": [{"at": "100ms", "length": "60s"}]}
    done, found = counted({"messages": 1_000, "phases": "enqueue-dequeue", "load": load}, script)
    assert done.trial.control.outcome is TrialOutcome.STALLED
    assert "nothing was sent or confirmed for 2.0 s while 64 waited" in done.trial.control.reason
    assert found == {}
    assert adds_up(done.ledger)


def test_the_pause_of_a_stall_is_in_the_rate() -> None:
    """A second in which the broker does nothing costs a second: nothing is left out."""
    _, found = counted({"messages": 1_000}, {"capacity": 1_000, "stalls": [{"at": "500ms", "length": "1s"}]})
    assert found["whole"].rate == pytest.approx(500, rel=0.01)


@settings(max_examples=examples(1), deadline=None)
@given(messages=st.integers(1, 10_000), producers=st.integers(1, 12), workers=st.integers(1, 4))
def test_workers_share_a_count_as_their_producers_do(messages: int, producers: int, workers: int) -> None:
    """The sources of all workers together have N messages; each those of its own producers."""
    flow = Workload.model_validate(
        {"name": "w", "messages": messages, "producers": producers * workers, "consumers": workers, "workers": workers,
         "load": {"kind": "in_flight", "in_flight": 1_000_000}, "confirm_window": 1}
    )  # fmt: skip
    route = FlowRoute(
        name="w", keys=("q",), choice=BY_PRODUCER, queues=("q",), owed=((0,),), columns=(0,), used_by=((0,),)
    )
    cells: Any = SimpleNamespace(tokens=lambda: 0, hunger=lambda **_: None)
    every = producers * workers
    for worker in range(workers):
        task = Assignment(
            role="producer",
            worker=worker,
            row=worker,
            rows=workers,
            driver="memory",
            workload=flow,
            route=route,
            seed=1,
        )
        source = task.source(0, cells)
        assert source is not None
        mine = sum(messages // every + (number < messages % every) for number in range(worker, every, workers))
        assert source.due(0, 1) == mine
        assert source.over(0, 1) == (mine == 0)


def test_times_are_those_of_the_first_and_the_last() -> None:
    """What a log of a run by count keeps are the extremes of what it was given, in whatever order."""
    done, _ = counted({"messages": 250, "producers": 3, "consumers": 2}, {"capacity": 2_000})
    settled = np.array([at_ns for _, _, at_ns in done.settled])
    assert done.trial.account.times[LAST_SETTLED] - START_NS == settled.max()
    assert done.trial.account.times[LAST_RECEIVED] - START_NS == max(row[3] for row in done.rows)
