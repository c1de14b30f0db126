"""Scripted faults through the whole path: what the memory broker does wrong is what the ledger says."""

import pytest

from bench.drivers.base import Consuming, PortSpec
from bench.drivers.refusals import Disposition, Refusals
from bench.results.records import TrialOutcome
from bench.run.memory_trial import run_inline
from bench.run.merge import merge_accounts
from bench.run.preflight import UnfitError
from bench.scenario.scenario import MemoryBroker, Plan, Workload
from tests.laws.inline import adds_up, play

PLAN = Plan.model_validate({"warm_up": {"settle": "0s"}, "drain": "2s"})


def test_scripted_faults_are_counted_exactly() -> None:
    """Two lost, three doubled and one swapped message are reported as such, on any shape of lanes."""
    script = MemoryBroker.model_validate(
        {"name": "m", "kind": "memory", "lose": [10, 20], "duplicate": [30, 40, 50], "swap": [60]}
    )
    work = Workload.model_validate({"name": "w", "duration": "2s", "load": {"kind": "rate", "rate": 200}})
    account, control, *_ = run_inline(work, script, PLAN, 1, ("q",))
    ledger = merge_accounts([account], range(2), confirms=True, drained=control.drained).ledger
    assert (ledger.lost, ledger.duplicated, ledger.reordered) == (2, 3, 1)
    assert (ledger.sent, ledger.confirmed, ledger.received) == (400, 400, 398)
    assert ledger.balanced
    assert (control.outcome, control.drained) == (TrialOutcome.COMPLETED, False)


def test_many_lanes_share_the_load() -> None:
    """Producers, consumers and queues in number: all is received once, in order on each lane."""
    work = Workload.model_validate(
        {"name": "w", "duration": "1s", "producers": 6, "consumers": 4, "queues": 2, "confirm_window": 2,
         "load": {"kind": "rate", "rate": 1000, "arrivals": "poisson"}}
    )  # fmt: skip
    script = MemoryBroker.model_validate({"name": "m", "kind": "memory", "capacity": 3000})
    account, control, *_ = run_inline(work, script, PLAN, 1, ("a", "b"))
    ledger = merge_accounts([account], range(1), confirms=True, drained=control.drained).ledger
    assert control.drained
    assert ledger.balanced
    assert (ledger.lost, ledger.duplicated, ledger.reordered) == (0, 0, 0)


@pytest.mark.compiled
def test_an_overloaded_memory_broker_ends_by_name() -> None:
    """Twice the capacity, bounded backlog: overloaded, in virtual time."""
    work = Workload.model_validate(
        {"name": "w", "duration": "60s", "load": {"kind": "rate", "rate": 2000, "max_backlog": 3000}}
    )
    script = MemoryBroker.model_validate({"name": "m", "kind": "memory", "capacity": 1000})
    _, control, *_ = run_inline(work, script, PLAN, 1, ("q",))
    assert control.outcome is TrialOutcome.OVERLOADED
    assert control.measure_to_s == 3


def test_a_lost_token_stalls_a_closed_loop() -> None:
    """A closed loop of one whose message is lost ends as stalled, not never."""
    work = Workload.model_validate(
        {"name": "w", "duration": "60s", "load": {"kind": "in_flight", "in_flight": [1], "stall_after": "1s"}}
    )
    script = MemoryBroker.model_validate({"name": "m", "kind": "memory", "lose": [50]})
    account, control, *_ = run_inline(work, script, PLAN, 1, ("q",))
    assert control.outcome is TrialOutcome.STALLED
    ledger = merge_accounts([account], range(1), confirms=True, drained=control.drained).ledger
    assert (ledger.sent, ledger.received, ledger.lost) == (51, 50, 1)


@pytest.mark.compiled
def test_what_lies_on_the_broker_is_not_lost() -> None:
    """An overloaded broker that still holds messages when the drain ends has lost none of them."""
    work = Workload.model_validate(
        {"name": "w", "duration": "60s", "confirm_window": 0,
         "load": {"kind": "rate", "rate": 20_000, "max_backlog": 20_000}}
    )  # fmt: skip
    script = MemoryBroker.model_validate({"name": "m", "kind": "memory", "capacity": 1000})
    account, control, left, *_ = run_inline(work, script, PLAN, 1, ("q",))
    assert left > 0
    ledger = merge_accounts([account], range(1), confirms=False, drained=control.drained, left=left).ledger
    assert (ledger.lost, ledger.undelivered) == (0, left)
    assert ledger.balanced
    accused = merge_accounts([account], range(1), confirms=False, drained=control.drained, left=left - 5).ledger
    assert (accused.lost, accused.undelivered) == (5, left - 5)
    unknown = merge_accounts([account], range(1), confirms=False, drained=control.drained, left=None).ledger
    assert (unknown.lost, unknown.undelivered) == (0, left)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"flows": [{"name": "a"}, {"name": "b"}]}, "runs one flow, not 2"),
        ({"consumers": [{"count": 1}, {"count": 1, "prefetch": 500}]}, "has consumers of one kind, not 2"),
        ({"properties": {"expiration": 5}}, "knows no properties.expiration: use the queue argument x-message-ttl"),
        ({"arguments": {"x-delivery-limit": 3}}, "knows no queue argument x-delivery-limit: use x-message-ttl, x-max"),
        ({"arguments": {"x-max-length": "ten"}}, "takes a whole number for x-max-length, not 'ten'"),
        ({"arguments": {"x-queue-type": "stream"}}, "has no x-queue-type = 'stream': use classic or quorum"),
        (
            {"arguments": {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "q"}},
            "delivers no dead letters: let x-dead-letter-exchange lead to a queue without consumers",
        ),
    ],
)
def test_what_the_scripted_broker_has_not_is_named(given: dict[str, object], told: str) -> None:
    """Before anything runs: what it is, and what to do."""
    if "arguments" in given:
        given = {"keys": "q", "topology": {"queues": [{"name": "q", **given}]}}
    work = Workload.model_validate({"name": "w", "load": {"kind": "rate", "rate": 10}, **given})
    with pytest.raises(UnfitError) as fault:
        run_inline(work, MemoryBroker(name="m", kind="memory"), PLAN, 1, ("a", "b"))
    assert any(f"workload w: the scripted memory broker {told}" in one for one in fault.value.faults)


def test_where_nobody_consumes_confirms_are_what_comes() -> None:
    """Nothing is owed, nothing awaited, and the trial drains when all is confirmed."""
    played = play({"consumers": 0, "load": {"kind": "rate", "rate": 500}, "duration": "2s"})
    ledger = played.ledger
    assert (ledger.sent, ledger.confirmed, ledger.owed, ledger.received, ledger.lost) == (1_000, 1_000, 0, 0, 0)
    assert played.trial.control.drained
    assert played.merged.achieved_rate == 500
    assert adds_up(ledger)


def test_consumers_reject_and_give_back_their_shares() -> None:
    """By the hash of a message: what is given back comes again, marked; what is rejected is a dead letter."""
    more = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    played = play(
        {
            "keys": "q", "topology": {"queues": [{"name": "q", "arguments": more}, {"name": "dead"}]}, "consume": "q",
            "reject": 0.2, "requeue": 0.3, "ack_batch": 1, "duration": "2s", "load": {"kind": "rate", "rate": 500},
        }
    )  # fmt: skip
    shares = Consuming(reject=0.2, requeue=0.3)
    refusals = Refusals(PortSpec(None, (), (), 100, ack_batch=1, consuming=shares))
    said = [refusals.of(0, seq, redelivered=False) for seq in range(1_000)]
    rejected, requeued = (
        [seq for seq, one in enumerate(said) if one is wanted]
        for wanted in (Disposition.REJECTED, Disposition.REQUEUED)
    )
    assert [(one.reason, one.seq.tolist()) for one in played.trial.dead] == [("rejected", rejected)]
    assert [seq for _, _, seq, _, again in played.rows if again] == requeued
    assert played.merged.counters["rejected"] == len(rejected)
    assert played.merged.counters["requeued"] == len(requeued)
    ledger = played.ledger
    # A message that was rejected had been received, and is missed by nobody.
    assert (ledger.received, ledger.lost, ledger.ended) == (1_000, 0, {})
    assert (ledger.duplicated, ledger.redelivered) == (len(requeued), len(requeued))
    assert adds_up(ledger)
    assert played.trial.control.drained


def test_a_compact_stamp_tells_no_time_of_sending() -> None:
    """So that service is response; the rest is as ever."""
    given = {"load": {"kind": "rate", "rate": 1_500}, "duration": "1s", "confirm_window": 1}
    full, compact = (
        play(given | {"size": 40, "body": {"stamp": stamp}}, {"capacity": 1_000}) for stamp in ("full", "compact")
    )
    assert compact.rows == full.rows
    assert compact.merged.latencies["response"].sum_ns == full.merged.latencies["response"].sum_ns
    assert compact.merged.latencies["service"].sum_ns == compact.merged.latencies["response"].sum_ns
    assert full.merged.latencies["service"].sum_ns < full.merged.latencies["response"].sum_ns


def test_what_a_headers_exchange_takes_is_bound_by_headers() -> None:
    """All of these, or any: three queues of four get a copy."""
    wanted = [{"h": 1, "i": 2}, {"h": 1, "i": 3}, {"h": 1, "i": 3, "x-match": "any"}, {"h": 1}]
    played = play(
        {
            "exchange": "e", "properties": {"headers": {"h": 1, "i": 2}}, "consumers": 3, "duration": "1s",
            "load": {"kind": "rate", "rate": 100},
            "topology": {
                "exchanges": [{"name": "e", "type": "headers"}],
                "queues": [{"name": f"q{n}"} for n in range(4)],
                "bindings": [{"exchange": "e", "queue": f"q{n}", "arguments": one} for n, one in enumerate(wanted)],
            },
        }
    )  # fmt: skip
    assert [name.split("-")[-1] for name in played.trial.layout.flows[0].queues] == ["q0", "q2", "q3"]
    assert (played.ledger.owed, played.ledger.received) == (300, 300)


def test_a_queue_without_consumers_takes_its_copies_and_keeps_them() -> None:
    """They are served, and owed to nobody; none of them is returned, left over or lost."""
    played = play(
        {
            "exchange": "e", "consume": "used", "duration": "1s", "load": {"kind": "rate", "rate": 100},
            "topology": {
                "exchanges": [{"name": "e", "type": "fanout"}],
                "queues": [{"name": "used"}, {"name": "kept"}],
                "bindings": [{"exchange": "e", "queue": "used"}, {"exchange": "e", "queue": "kept"}],
            },
        },
        {"capacity": 1_000},
    )  # fmt: skip
    assert (played.ledger.owed, played.ledger.received, played.trial.left) == (100, 100, 0)
    assert {at for _, _, at in played.settled} == {n * 10_000_000 + 2_000_000 for n in range(100)}
