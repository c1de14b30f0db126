"""Open loop and coordinated omission: the scripted broker against queueing theory."""

import numpy as np
import pytest

from bench.drivers.base import Deliveries, Settlements
from bench.drivers.memory_broker import MemoryPort
from bench.record.histogram import decode, to_histogram
from bench.run import memory_trial
from bench.run.memory_trial import run_inline
from bench.run.merge import Merged, merge_accounts
from bench.run.phases import Control
from bench.run.worker_assignment import schedule
from bench.scenario.scenario import MemoryBroker, Plan, RateLoad, WarmUp, Workload
from bench.units import NS_PER_S

pytestmark = pytest.mark.compiled

PLAN = Plan(warm_up=WarmUp().model_copy(update={"settle": 0}))


def run(workload: dict[str, object], script: dict[str, object], seed: int = 7) -> tuple[Merged, Control]:
    """Run one trial of the memory broker and merge it."""
    work = Workload.model_validate({"name": "w", **workload})
    broker = MemoryBroker.model_validate({"name": "m", "kind": "memory", **script})
    account, control, *_ = run_inline(work, broker, PLAN, seed, ("q",))
    due = None
    if isinstance(work.load, RateLoad):
        times = schedule(work.load, seed).times(0, int(work.load.rate * work.duration / NS_PER_S * 2) + 100)
        due = times[times < work.duration]
    measure = range(control.measure_from_s, control.measure_to_s)
    return merge_accounts([account], measure, confirms=True, drained=control.drained, due=due), control


def lindley(arrivals_ns: np.ndarray, service_ns: int) -> np.ndarray:
    """Return response times of a single server, one message after the other (Lindley 1952)."""
    free, responses = 0, []
    for arrival in arrivals_ns.tolist():
        free = max(arrival, free) + service_ns
        responses.append(free - arrival)
    return np.array(responses, np.int64)


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
@pytest.mark.parametrize("window", [1, 3, 256])
def test_responses_equal_lindley_exactly(arrivals: str, window: int) -> None:
    """Every response, whatever the window, is that of a single server fed at the intended times."""
    load = {"kind": "rate", "rate": 900, "arrivals": arrivals}
    merged, control = run({"load": load, "duration": "4s", "confirm_window": window}, {"capacity": 1000})
    model = RateLoad.model_validate(load)
    due = schedule(model, 7).times(0, 10_000)
    due = due[due < 4 * NS_PER_S]
    expected = lindley(due, NS_PER_S // 1000)
    response = merged.latencies["response"]
    wanted = to_histogram(*bucketed(expected))
    assert to_histogram(response.index, response.count).encode() == wanted.encode()
    assert response.sum_ns == int(expected.sum())
    assert control.drained
    assert merged.little is not None
    assert merged.little.holds


@pytest.mark.parametrize("load", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
def test_each_single_response_is_the_one_of_lindley(load: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sample by sample, in order, to the nanosecond: what the memory driver delivers is what the walk says."""
    received: list[tuple[int, int]] = []

    class Watched(MemoryPort):
        """The memory driver, whose deliveries are noted one by one."""

        def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
            """Note what is delivered."""
            settlements, deliveries = super().poll(timeout_ns)
            rows = zip(deliveries.seq.tolist(), (deliveries.received_ns - deliveries.intended_ns).tolist(), strict=True)
            received.extend(rows)
            return settlements, deliveries

    monkeypatch.setattr(memory_trial, "MemoryPort", Watched)
    model = RateLoad(kind="rate", rate=load * 1_000, arrivals="poisson")
    run({"load": {"kind": "rate", "rate": model.rate, "arrivals": "poisson"}, "duration": "2s"}, {"capacity": 1_000})
    due = schedule(model, 7).times(0, 3_000)
    expected = lindley(due[due < 2 * NS_PER_S], NS_PER_S // 1_000)
    assert received == list(enumerate(expected.tolist()))


def bucketed(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return bucket index and count of each value, by the package's own arithmetic."""
    reference = to_histogram(np.empty(0, np.int64), np.empty(0, np.int64))
    index = np.array([reference.get_counts_array_index(int(v)) for v in values], np.int64)
    return index, np.ones(len(index), np.int64)


def test_one_stall_has_its_closed_form() -> None:
    """A stall D of a broker of capacity μ at rate λ over T: quantile q is D(1 - (1-q)T/W), W = Dμ/(μ-λ)."""
    merged, _ = run(
        {"load": {"kind": "rate", "rate": 1000}, "duration": "60s"},
        {"capacity": 5000, "stalls": [{"at": "20s", "length": "1s"}]},
    )
    histogram = decode(merged.measured["response"].histogram)
    stalled, window = 1.0, 1.0 * 5000 / (5000 - 1000)
    for percentile in (99, 99.9, 99.99):
        expected = stalled * (1 - (1 - percentile / 100) * 60 / window)
        assert histogram.get_value_at_percentile(percentile) / NS_PER_S == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize("seconds", [25, pytest.param(60, marks=pytest.mark.soak)])
def test_a_closed_loop_hides_the_stall(seconds: int) -> None:
    """The same stall under a closed loop is one slow message: its p99.9 is the service time."""
    merged, _ = run(
        {"load": {"kind": "in_flight", "in_flight": [1]}, "duration": f"{seconds}s"},
        {"capacity": 5000, "stalls": [{"at": "20s", "length": "1s"}]},
    )
    service = decode(merged.measured["service"].histogram)
    assert service.get_value_at_percentile(99.9) < 0.001 * NS_PER_S
    assert service.get_max_value() > 0.99 * NS_PER_S
    assert "response" not in merged.measured


def test_lateness_is_blamed_on_the_window() -> None:
    """While the broker stalls a full window is the broker's doing: all lateness is backpressure, none is send lag."""
    merged, _ = run(
        {"load": {"kind": "rate", "rate": 1000}, "duration": "10s", "confirm_window": 10},
        {"capacity": 5000, "stalls": [{"at": "3s", "length": "1s"}]},
    )
    assert decode(merged.measured["send_lag"].histogram).get_max_value() == 0
    assert decode(merged.measured["backpressure"].histogram).get_max_value() > 0.95 * NS_PER_S


@pytest.mark.parametrize("load", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8])
def test_poisson_arrivals_wait_as_m_d_1(load: float) -> None:
    """Mean response of Poisson arrivals at a fixed service time is 1/μ + ρ/(2μ(1-ρ)), within 3 standard errors."""
    capacity = 2000.0
    model = RateLoad(kind="rate", rate=load * capacity, arrivals="poisson")
    due = schedule(model, 11).times(0, 200_000)
    responses = lindley(due, round(NS_PER_S / capacity)) / NS_PER_S
    batches = responses.reshape(50, -1).mean(axis=1)
    expected = 1 / capacity + load / (2 * capacity * (1 - load))
    assert abs(batches.mean() - expected) < 3 * batches.std(ddof=1) / np.sqrt(50)
