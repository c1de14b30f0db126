"""Slow consumers on the scripted broker: what they take when is a recursion, and confirms do not wait for them."""

import numpy as np
import pytest

from bench.loadgen.waiting import CATCH_UP_NS
from bench.results.records import TrialOutcome
from bench.run.memory_trial import run_inline
from bench.run.merge import merge_accounts
from bench.run.worker_assignment import schedule
from bench.scenario.scenario import MemoryBroker, Plan, RateLoad, WarmUp, Workload
from bench.units import NS_PER_S
from tests.laws.test_coordinated_omission import bucketed, lindley, to_histogram

pytestmark = pytest.mark.compiled


PLAN = Plan(warm_up=WarmUp().model_copy(update={"settle": 0}))


def taken(departs_ns: np.ndarray, gap_ns: int) -> np.ndarray:
    """Return when a consumer that may hold one message takes each, one by one."""
    free, times = -CATCH_UP_NS, []  # long idle
    for departs in departs_ns.tolist():
        now = max(departs, free)
        free = max(free, now - CATCH_UP_NS) + gap_ns
        times.append(now)
    return np.array(times, np.int64)


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
@pytest.mark.parametrize(("rate", "slow"), [(900, 800), (400, 800)])
def test_what_a_slow_consumer_receives_equals_its_recursion(arrivals: str, rate: float, slow: float) -> None:
    """Every response is that of the broker's queue and then the consumer's, every confirm that of the broker alone."""
    load = RateLoad(kind="rate", rate=rate, arrivals=arrivals)
    work = Workload(name="w", load=load, duration="4s", consumer_rate=slow, prefetch=1, ack_batch=1)
    account, control, *_ = run_inline(work, MemoryBroker(name="m", kind="memory", capacity=2_000), PLAN, 7, ("q",))
    due = schedule(load, 7).times(0, 10_000)
    due = due[due < 4 * NS_PER_S]
    departs = due + lindley(due, NS_PER_S // 2_000)
    expected = {"response": taken(departs, round(NS_PER_S / slow)) - due, "confirm": departs - due}
    for tag, values in expected.items():
        found = account.latencies[tag]
        assert to_histogram(found.index, found.count).encode() == to_histogram(*bucketed(values)).encode()
        assert found.sum_ns == int(values.sum())
    merged = merge_accounts([account], range(4), confirms=True, drained=control.drained, due=due)
    assert control.drained
    assert merged.little is not None
    assert merged.little.holds


@pytest.mark.compiled
@pytest.mark.parametrize(("consumers", "prefetch"), [(1, 1), (1, 100), (4, 25)])
def test_a_consumer_at_four_fifths_of_the_rate_falls_behind_by_a_fifth(consumers: int, prefetch: int) -> None:
    """1,000 messages a second to consumers of 800 in all: 800 are received, and the backlog grows by 200 a second."""
    work = Workload(
        name="w", load=RateLoad(kind="rate", rate=1_000), duration="20s",
        consumers=consumers, consumer_rate=800 / consumers, prefetch=prefetch, ack_batch=1,
    )  # fmt: skip
    account, control, *_ = run_inline(work, MemoryBroker(name="m", kind="memory", capacity=5_000), PLAN, 1, ("q",))
    due = np.arange(20_000) * 1_000_000
    merged = merge_accounts([account], range(20), confirms=True, drained=control.drained, due=due)
    assert merged.achieved_rate == pytest.approx(800, rel=0.01)
    backlog = merged.ticks["backlog"]
    assert (backlog[199] - backlog[49]) / 15 == pytest.approx(200, abs=prefetch * consumers / 15 + 1)
    assert merged.ledger.balanced
    assert control.drained


def test_a_backlog_behind_slow_consumers_ends_the_trial_as_overloaded() -> None:
    """The backlog bound counts what waits for a slow consumer: 100 a second too many reach 500 after 5 s."""
    load = RateLoad(kind="rate", rate=200, max_backlog=500)
    work = Workload(name="w", load=load, duration="60s", consumer_rate=100, prefetch=1, ack_batch=1)
    account, control, left, *_ = run_inline(work, MemoryBroker(name="m", kind="memory"), PLAN, 1, ("q",))
    assert control.outcome is TrialOutcome.OVERLOADED
    assert control.measure_to_s == 5
    ledger = merge_accounts([account], range(5), confirms=True, drained=control.drained, left=left).ledger
    assert (ledger.lost, ledger.balanced) == (0, True)
