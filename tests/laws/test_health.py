"""Health and findings on the scripted broker: our doing, the broker's doing, and a pause that is not cut away."""

import pytest

from bench.record.histogram import decode
from bench.results.records import BrokerRecord, PlannedTrial, TrialOutcome, TrialRecord
from bench.run import memory_trial
from bench.run.phases import WarmRule
from bench.run.trial import Raw
from bench.run.trial_record import conclude
from bench.scenario.scenario import MemoryBroker, Plan, Workload
from bench.units import NS_PER_MS, NS_PER_S
from tests.judged import BusyPort

pytestmark = pytest.mark.compiled

PLAN = Plan.model_validate({"warm_up": {"settle": "2s"}, "drain": "2s"})
PLANNED = PlannedTrial(index=0, repetition=0, target="t", workload="w", restart_broker=False)
BROKER = BrokerRecord(
    name="m", kind="memory", product="", version="", runtime="", asked={}, reported={}, limits={}, labels=(), started=1
)


def trial(workload: dict[str, object], script: dict[str, object]) -> TrialRecord:
    """Run one trial of the scripted broker and judge it."""
    work = Workload.model_validate({"name": "w", "confirm_window": 256, "duration": "10s", **workload})
    broker = MemoryBroker.model_validate({"name": "m", "kind": "memory", **script})
    account, control, left, *_ = memory_trial.run_inline(work, broker, PLAN, 7, ("q",))
    rule = WarmRule(PLAN.warm_up, 0, control.start_ns, known_warm=True)
    raw = Raw([account], control.start_ns, control, rule, (), left)
    return conclude(PLANNED, work, 7, raw, BROKER, external=True).record


def at(rate: int) -> dict[str, object]:
    """Return a load of so many messages a second."""
    return {"kind": "rate", "rate": rate}


def codes(record: TrialRecord) -> tuple[set[str], set[str]]:
    """Return the codes of health and of findings."""
    return {note.code for note in record.health}, {note.code for note in record.findings}


def test_a_busy_callback_trips_tool_slip(monkeypatch: pytest.MonkeyPatch) -> None:
    """50 ms each second, with room all the time: our lateness, the trial is invalid, and the broker did nothing."""
    monkeypatch.setattr(memory_trial, "MemoryPort", BusyPort)
    record = trial({"load": at(1000)}, {"capacity": 5000})
    assert codes(record) == ({"send-lag"}, set())
    assert not record.valid
    # Messages fall evenly into the 50 ms of each second, so that send lag exceeds x in a share (50 ms - x) / 1 s.
    send_lag = decode(record.latency["send_lag"].histogram)
    assert send_lag.get_value_at_percentile(99) == pytest.approx(40 * NS_PER_MS, rel=0.05)


@pytest.mark.parametrize("window", [10, 4096])
def test_a_stalled_broker_trips_nothing(window: int) -> None:
    """One second without service, in a window that fills or one that does not: findings at most, and it stays valid."""
    stall = {"capacity": 5000, "stalls": [{"at": "6s", "length": "1s"}]}
    record = trial({"load": at(1000), "confirm_window": window}, stall)
    assert codes(record) == (set(), {"backpressure"} if window == 10 else set())
    assert record.valid
    assert record.outcome is TrialOutcome.COMPLETED


@pytest.mark.parametrize("window", [64, 60_000])
def test_an_overloaded_broker_gives_a_valid_trial_with_findings(window: int) -> None:
    """At 125 % of its capacity the backlog grows by a fifth of the rate, far from max_backlog; the trial is valid."""
    record = trial({"load": at(1000), "confirm_window": window}, {"capacity": 800})
    health, found = codes(record)
    assert (health, record.valid) == (set(), True)
    assert {"growing", "saturated"} <= found <= {"growing", "saturated", "backpressure", "not-drained"}
    assert record.outcome is TrialOutcome.OVERLOADED
    assert record.backlog_growth == pytest.approx(200, rel=0.02)
    assert record.reason == f"the backlog grew by {record.backlog_growth:.0f} msg/s"


def test_a_broker_that_keeps_up_is_not_overloaded() -> None:
    """At 99 % of its capacity nothing is found, and the backlog does not grow."""
    record = trial({"load": at(1000)}, {"capacity": 1010})
    assert codes(record) == (set(), set())
    assert record.outcome is TrialOutcome.COMPLETED
    assert record.backlog_growth == pytest.approx(0, abs=1)


def test_the_bound_of_the_backlog_still_ends_a_trial() -> None:
    """Its own reason stays, and the growth is told beside it."""
    record = trial({"load": {**at(1000), "max_backlog": 1000}}, {"capacity": 800})
    assert record.outcome is TrialOutcome.OVERLOADED
    assert "max_backlog" in record.reason
    assert {"overloaded", "growing"} <= codes(record)[1]


def test_lost_messages_are_no_growing_backlog() -> None:
    """A broker that confirms and drops one message in ten is called lossy, never overloaded."""
    record = trial({"load": at(1000)}, {"capacity": 5000, "lose": list(range(0, 12_000, 10))})
    assert record.outcome is TrialOutcome.COMPLETED
    assert {"lost", "saturated"} <= codes(record)[1]
    assert "growing" not in codes(record)[1]


def test_a_closed_loop_has_no_growth() -> None:
    """Its backlog is bounded by what it asks."""
    record = trial({"load": {"kind": "in_flight", "in_flight": [16]}}, {"capacity": 800})
    assert (record.outcome, record.backlog_growth) == (TrialOutcome.COMPLETED, None)
    assert codes(record) == (set(), set())


def test_a_pause_after_the_warm_up_survives() -> None:
    """Early in the measured part: the cut stays where it was, the pause is in p99.9 and max, no warm-up is blamed."""
    pause = {"capacity": 5000, "stalls": [{"at": "3s", "length": "300ms"}]}
    record = trial({"load": at(1000), "duration": "30s"}, pause)
    assert (record.measure_from_s, record.measure_to_s) == (2, 32)
    response = decode(record.latency["response"].histogram)
    window_s = 0.3 * 5000 / (5000 - 1000)
    assert response.get_value_at_percentile(99.9) / NS_PER_S == pytest.approx(
        0.3 * (1 - 0.001 * 30 / window_s), abs=0.002
    )
    assert response.get_max_value() / NS_PER_S == pytest.approx(0.3, abs=0.002)
    assert codes(record) == (set(), set())
