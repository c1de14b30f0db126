"""Trials on real brokers: what is measured is right, and every violent end has a name."""

import os
import re
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from bench.record.histogram import decode
from bench.results.records import BrokerRecord, PlannedTrial, TrialOutcome
from bench.run.conductor import laid_out
from bench.run.phases import Phase
from bench.run.trial import Conditions, Live, Raw, run_trial
from bench.run.trial_record import Concluded, conclude
from bench.scenario.scenario import Plan, Target, Workload
from bench.units import NS_PER_S
from brokers.base import Broker
from brokers.rabbitmq import config
from brokers.rabbitmq.settings import RabbitMQSettings
from brokers.started_broker import StartedBroker

SEED = 5
PLAN = Plan.model_validate({"warm_up": {"settle": "1s"}, "drain": "5s"})
RABBITMQ_091 = Target(name="r-091", broker="r", protocol="amqp091", driver="pika-codec")


def trial(
    broker: Broker,
    target: Target,
    work: dict[str, object],
    watch: Callable[[Live], None] = lambda _: None,
    scratch: Path | None = None,
) -> tuple[Concluded, Raw, Workload]:
    """Run one trial with a second of warm-up, and conclude it."""
    workload = Workload.model_validate({"name": "w", **work})
    layout = laid_out(broker, workload, f"trial-{os.getpid()}-{time.monotonic_ns()}", SEED)
    with tempfile.TemporaryDirectory() as own:
        given = Conditions(
            target, workload, PLAN, SEED, layout, 0, known_warm=True,
            scratch=scratch or Path(own), watch=watch,
        )  # fmt: skip
        raw = run_trial(given, broker)
    planned = PlannedTrial(index=0, repetition=0, target=target.name, workload="w", restart_broker=False)
    record = BrokerRecord(
        name="r", kind="rabbitmq", product="", version="", runtime="", asked={}, reported={}, limits={}, labels=(),
        started=1,
    )  # fmt: skip
    return conclude(planned, workload, SEED, raw, record, external=False), raw, workload


OPEN: dict[str, object] = {"kind": "rate", "rate": 400}
CLOSED: dict[str, object] = {"kind": "in_flight", "in_flight": [16]}
# Each broker meets both protocols and both loads; the other half of the matrix is left to soak.
TRIALS = [
    ("rabbitmq", "amqp091", "pika-codec", OPEN),
    ("rabbitmq", "amqp10", "proton-engine", CLOSED),
    ("qpid_broker_j", "amqp091", "pika-codec", CLOSED),
    ("qpid_broker_j", "amqp10", "proton-engine", OPEN),
    pytest.param("rabbitmq", "amqp091", "pika-codec", CLOSED, marks=pytest.mark.soak),
    pytest.param("rabbitmq", "amqp10", "proton-engine", OPEN, marks=pytest.mark.soak),
    pytest.param("qpid_broker_j", "amqp091", "pika-codec", OPEN, marks=pytest.mark.soak),
    pytest.param("qpid_broker_j", "amqp10", "proton-engine", CLOSED, marks=pytest.mark.soak),
]


@pytest.mark.parametrize(("broker", "protocol", "driver", "load"), TRIALS, indirect=["broker"])
def test_a_trial_drains_and_balances(broker: Broker, protocol: str, driver: str, load: dict[str, object]) -> None:
    """Both loads over both protocols on both brokers: all arrives, the ledger and Little's law hold."""
    target = Target.model_validate({"name": "t", "broker": "r", "protocol": protocol, "driver": driver})
    done, raw, _ = trial(broker, target, {"load": load, "duration": "1s", "durable": True})
    record = done.record
    assert (record.outcome, record.drained, record.reason) == (TrialOutcome.COMPLETED, True, "")
    assert record.ledger.balanced
    assert record.ledger.sent == record.ledger.confirmed == record.ledger.received > 0
    assert (record.ledger.lost, record.ledger.duplicated, record.ledger.reordered) == (0, 0, 0)
    assert record.little is not None
    assert record.little.holds
    tags = {"service", "confirm"} | ({"response", "send_lag", "backpressure"} if load["kind"] == "rate" else set())
    assert set(record.latency) == tags
    if load["kind"] == "rate":
        assert record.offered == record.sent == record.received == 400
    assert record.broker_usage.cpu_s is not None
    assert record.client_usage.rss_peak is not None
    assert {Phase.WARM_UP.value, Phase.MEASURE.value} <= set(done.timeline["phase"])
    assert raw.control.measure_from_s >= 1


@pytest.mark.alone
def test_telemetry_and_cost_of_a_durable_trial(broker: Broker) -> None:
    """Every reading of both brokers is known: persistent messages reach the disk, and the wire holds their bytes."""
    target = Target(name="t", broker="r", protocol="amqp091", driver="wire091")
    load = {"kind": "rate", "rate": 300}
    done, raw, _ = trial(broker, target, {"load": load, "duration": "2s", "durable": True, "size": 1024})
    cost = done.record.cost
    assert cost is not None
    assert cost.messages == pytest.approx(600, rel=0.05)
    assert None not in cost.broker.model_dump().values()
    assert None not in cost.client.model_dump().values()
    assert cost.broker.disk_written_per_message is not None
    assert cost.broker.disk_written_per_message > 1024
    assert cost.wire_to_broker_per_message is not None
    assert cost.wire_from_broker_per_message is not None
    assert 1024 < cost.wire_to_broker_per_message < 1500
    assert 1024 < cost.wire_from_broker_per_message < 1500
    assert cost.broker.voluntary_switches_per_message is not None
    assert cost.broker.voluntary_switches_per_message > 0.1
    ticks = done.timeline[done.timeline["phase"] == "measure"]
    assert ticks.drop(columns=["depth", "data_bytes"]).notna().all(axis=None)
    assert ticks["depth"].notna().sum() in (1, 2, 3)  # a busy host is looked at less often
    assert ticks["data_bytes"].min() > 10_000
    assert all(sample.depth is not None for sample in raw.slow_samples)


def test_several_lanes_queues_and_workers(rabbitmq: Broker) -> None:
    """Four producers and four consumers in two processes each, over two queues, keep every message once."""
    shape = {"producers": 4, "consumers": 4, "queues": 2, "workers": 2}
    done, _, _ = trial(
        rabbitmq, RABBITMQ_091, {"load": {"kind": "in_flight", "in_flight": [33]}, "duration": "1s", **shape}
    )
    assert done.record.drained
    assert done.record.ledger.balanced
    assert done.record.ledger.received > 100


class _At:
    """Does something once, when a trial has been measured for a while."""

    def __init__(self, after_s: float, action: Callable[[], None], phase: Phase = Phase.MEASURE) -> None:
        """Wait for a phase, and for `after_s` seconds since the trial was seen first."""
        self._phase = phase
        self._begun_ns = 0
        self._after_s = after_s
        self._action = action
        self.done = False

    def __call__(self, live: Live) -> None:
        """Look at a running trial."""
        self._begun_ns = self._begun_ns or live.at_ns
        elapsed_s = (live.at_ns - self._begun_ns) / NS_PER_S
        if not self.done and live.phase is self._phase and elapsed_s >= self._after_s:
            self.done = True
            self._action()


@pytest.mark.soak
def test_a_broker_that_freezes_in_the_drain_is_stalled(start_broker: Callable[[RabbitMQSettings], Broker]) -> None:
    """It is asked what is left, as a broker that lost messages answers."""
    broker = start_broker(RabbitMQSettings(name="frozen", kind="rabbitmq"))

    def freeze() -> None:
        for pid in broker.pids():
            psutil.Process(pid).suspend()

    work = {
        "load": {"kind": "rate", "rate": 500},
        "duration": "2s",
        "consumer_rate": 100,
        "prefetch": 10,
        "ack_batch": 1,
    }
    done, _, _ = trial(broker, RABBITMQ_091, work, _At(0, freeze, Phase.DRAIN))
    for pid in broker.pids():
        psutil.Process(pid).resume()
    assert done.record.outcome is TrialOutcome.STALLED
    assert "the drain did not end, and broker 'frozen' cannot read the depth" in done.record.reason
    assert not done.record.valid


@pytest.mark.alone
def test_a_stopped_broker_shows_its_whole_stall(start_broker: Callable[[RabbitMQSettings], Broker]) -> None:
    """RabbitMQ under SIGSTOP for D: response quantiles are D(1 - (1-q)T/W), W = Dμ/(μ-λ), within 10 %.

    μ is read from the drain: messages received in the ticks between the end of the stall
    and the return of the backlog to what it was.
    """
    broker = start_broker(RabbitMQSettings(name="stopped", kind="rabbitmq"))
    stopped: list[float] = []

    def stall() -> None:
        begin = time.monotonic()
        for pid in broker.pids():
            os.kill(pid, signal.SIGSTOP)
        time.sleep(1.0)
        for pid in broker.pids():
            os.kill(pid, signal.SIGCONT)
        stopped.append(time.monotonic() - begin)

    rate, length_s = 1000.0, 6
    work = {"load": {"kind": "rate", "rate": rate}, "duration": f"{length_s}s"}
    done, _, _ = trial(broker, RABBITMQ_091, work, _At(2, stall))
    assert done.record.outcome is TrialOutcome.COMPLETED
    backlog = done.timeline["backlog"].to_numpy()
    peak = int(backlog.argmax())
    over = peak + int((backlog[peak:] < 0.02 * backlog[peak]).argmax())
    drained = int(done.timeline["received"].to_numpy()[peak + 1 : over + 1].sum())
    capacity = drained / max((over - peak) * 0.1, 0.1)
    (stall_s,) = stopped
    window_s = stall_s * capacity / (capacity - rate)
    histogram = decode(done.record.latency["response"].histogram)
    for percentile in (98.0, 99.0, 99.5, 99.9):
        expected = stall_s * (1 - (1 - percentile / 100) * length_s / window_s)
        assert histogram.get_value_at_percentile(percentile) / NS_PER_S == pytest.approx(expected, rel=0.1)
    assert "send-lag" not in [note.code for note in done.record.health if note.hard]


def test_a_broker_that_freezes_is_stalled(start_broker: Callable[[RabbitMQSettings], Broker]) -> None:
    """RabbitMQ under SIGSTOP for 6 s at 500 msg/s: stalled, though a backlog grew, and nothing is said of overload."""
    broker = start_broker(RabbitMQSettings(name="frozen", kind="rabbitmq"))
    frozen = [psutil.Process(pid) for pid in broker.pids()]

    def thaw() -> None:
        for process in frozen:
            process.resume()

    timer = threading.Timer(6, thaw)

    def freeze() -> None:
        for process in frozen:
            process.suspend()
        timer.start()

    work = {"load": {"kind": "rate", "rate": 500}, "duration": "20s"}
    done, _, _ = trial(broker, RABBITMQ_091, work, _At(2, freeze))
    timer.join()
    assert done.record.outcome is TrialOutcome.STALLED
    assert re.search(r"nothing was (received or )?confirmed for \d+\.\d s", done.record.reason)
    codes = {note.code for note in done.record.findings}
    assert "stalled" in codes
    assert not {"overloaded", "saturated", "growing"} & codes
    assert not done.record.valid


def test_a_killed_broker_ends_the_trial_by_name(start_broker: Callable[[RabbitMQSettings], Broker]) -> None:
    """A broker that dies in mid-trial: outcome broker-failed, what was recorded is kept, nothing strays."""
    broker = start_broker(RabbitMQSettings(name="killed", kind="rabbitmq"))
    done, _, _ = trial(
        broker, RABBITMQ_091, {"load": {"kind": "rate", "rate": 500}, "duration": "20s"}, _At(3, broker.kill)
    )
    assert done.record.outcome is TrialOutcome.BROKER_FAILED
    assert done.record.reason
    assert not done.record.valid
    assert 1 <= done.record.measure_to_s - done.record.measure_from_s <= 4
    assert done.record.ledger.received > 500
    assert not _workers()


@pytest.mark.parametrize(
    ("number", "says"), [(signal.SIGKILL, "was killed by SIGKILL"), (signal.SIGSTOP, "sign of life|did not leave")]
)
def test_a_lost_worker_ends_the_trial_by_name(rabbitmq: Broker, number: signal.Signals, says: str) -> None:
    """Killed or stopped in mid-trial: worker-failed, naming it, and what became of its messages is not known."""

    def lose() -> None:
        _workers()[0].send_signal(number)

    done, _, _ = trial(rabbitmq, RABBITMQ_091, {"load": {"kind": "rate", "rate": 500}, "duration": "20s"}, _At(2, lose))
    assert done.record.outcome is TrialOutcome.WORKER_FAILED
    assert re.search(says, done.record.reason)
    assert (done.record.ledger.missing, done.record.ledger.balanced) == (1, False)
    assert "ledger-unknown" in [note.code for note in done.record.health]
    assert "ledger-unbalanced" not in [note.code for note in done.record.health]
    assert done.record.ledger.lost == 0
    assert not done.record.valid
    assert not _workers()


def test_a_worker_that_cannot_hand_over_spoils_the_trial(rabbitmq: Broker, tmp_path: Path) -> None:
    """Without a consumer's account nothing may be called lost: the trial is invalid and says why."""

    def obstruct() -> None:
        (tmp_path / "consumer-0.part").mkdir()  # where its account would be written

    work = {"load": {"kind": "rate", "rate": 300}, "duration": "2s"}
    done, _, _ = trial(rabbitmq, RABBITMQ_091, work, _At(1, obstruct), tmp_path)
    assert done.record.outcome is TrialOutcome.WORKER_FAILED
    assert "consumer-0 ended with exit code 1" in done.record.reason
    assert done.record.ledger.lost == 0
    assert not done.record.valid


_ALARM = "rabbit_alarm:{}.\n"


def _let(broker: Broker, what: str) -> None:
    """Set or clear an alarm of memory, as `rabbitmqctl eval` does."""
    assert isinstance(broker, StartedBroker)
    [server] = (one for one in map(psutil.Process, broker.pids()) if one.name() == "beam.smp")
    *question, _ = config.inquiry()
    told = broker._run_beside((*question, _ALARM.format(what)), server.environ())
    assert told.endswith("{ok, ok}"), told


@pytest.mark.parametrize("protocol", ["amqp091", "amqp10"])
def test_an_alarm_is_found_over_either_protocol(rabbitmq: Broker, protocol: str) -> None:
    """A producer over 1.0 is only held back: the broker is asked, as it tells those who publish over 0-9-1."""
    target = Target.model_validate(
        {"name": "t", "broker": "r", "protocol": protocol, "driver": "wire091" if protocol == "amqp091" else "wire10"}
    )
    work = {"load": {"kind": "rate", "rate": 500}, "duration": "4s"}

    def strike() -> None:
        time.sleep(2.0)
        _let(rabbitmq, "set_alarm({{resource_limit, memory, node()}, []})")
        time.sleep(1.9)
        _let(rabbitmq, "clear_alarm({resource_limit, memory, node()})")

    striking = threading.Thread(target=strike)
    striking.start()
    try:
        done, _, _ = trial(rabbitmq, target, work)
    finally:
        striking.join()
        _let(rabbitmq, "clear_alarm({resource_limit, memory, node()})")
    said = {note.code: note.text for note in done.record.findings}
    assert "alarm" in said
    assert ("asked over AMQP 0-9-1, it said 'low on memory'" in said["alarm"]) == (protocol == "amqp10")
    assert ("no-credit" in said) == (protocol == "amqp10")


def _workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "bench.run.worker" in " ".join(child.cmdline())]


def test_an_overloaded_broker_is_a_finding_not_a_fault(rabbitmq: Broker) -> None:
    """Past max_backlog a trial ends as overloaded, valid, with the finding that says so."""
    load = {"kind": "rate", "rate": 200_000, "max_backlog": 20_000}
    done, _, _ = trial(rabbitmq, RABBITMQ_091, {"load": load, "duration": "5s"})
    assert done.record.outcome is TrialOutcome.OVERLOADED
    assert "overloaded" in [note.code for note in done.record.findings]
    assert not [note for note in done.record.health if note.code == "ledger-unbalanced"]
