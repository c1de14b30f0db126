"""Scripted faults through the whole path: what the memory broker does wrong is what the ledger says."""

import pytest

from bench.results.records import TrialOutcome
from bench.run.memory_trial import run_inline
from bench.run.merge import merge_accounts
from bench.scenario.scenario import MemoryBroker, Plan, Workload

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
