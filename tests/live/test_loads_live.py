"""Loads of every shape on real brokers: consumers kept slow, rates that change, sizes that are mixed."""

import numpy as np
import pytest

from bench.scenario.scenario import Target
from brokers.base import Broker
from tests.live.test_trial_live import trial

# Both tests together meet each broker and each protocol; the other pairs are left to soak.
SLOW = [
    ("rabbitmq", "amqp10", "wire10"),
    pytest.param("qpid_broker_j", "amqp091", "pika-codec", marks=pytest.mark.soak),
    pytest.param("rabbitmq", "amqp091", "pika-codec", marks=pytest.mark.soak),
    pytest.param("qpid_broker_j", "amqp091", "wire091", marks=pytest.mark.soak),
    pytest.param("qpid_broker_j", "amqp10", "proton-engine", marks=pytest.mark.soak),
    pytest.param("rabbitmq", "amqp091", "wire091", marks=pytest.mark.soak),
    pytest.param("rabbitmq", "amqp10", "proton-engine", marks=pytest.mark.soak),
    pytest.param("qpid_broker_j", "amqp10", "wire10", marks=pytest.mark.soak),
]
BURSTS = [
    ("qpid_broker_j", "amqp091", "wire091"),
    pytest.param("rabbitmq", "amqp091", "wire091", marks=pytest.mark.soak),
    pytest.param("qpid_broker_j", "amqp10", "wire10", marks=pytest.mark.soak),
    pytest.param("rabbitmq", "amqp10", "wire10", marks=pytest.mark.soak),
]


def target(protocol: str, driver: str) -> Target:
    """Return a target of that driver."""
    return Target.model_validate({"name": "t", "broker": "r", "protocol": protocol, "driver": driver})


@pytest.mark.parametrize(("broker", "protocol", "driver"), SLOW, indirect=["broker"])
def test_a_slow_consumer_receives_at_its_rate(broker: Broker, protocol: str, driver: str) -> None:
    """600 messages a second to a consumer of 480: it gets 480, the rest stays with the broker, and nothing is lost."""
    work = {
        "load": {"kind": "rate", "rate": 600}, "duration": "3s",
        "consumer_rate": 480, "prefetch": 20, "ack_batch": 5,
    }  # fmt: skip
    done, _, _ = trial(broker, target(protocol, driver), work)
    record, backlog = done.record, done.timeline["backlog"].to_numpy()
    assert record.achieved_rate == pytest.approx(480, rel=0.03)
    begin = record.measure_from_s * 10
    assert (backlog[begin + 29] - backlog[begin]) / 2.9 == pytest.approx(120, rel=0.25)
    assert record.drained
    assert record.ledger.balanced
    assert record.ledger.lost == record.ledger.duplicated == 0


@pytest.mark.parametrize(("broker", "protocol", "driver"), BURSTS, indirect=["broker"])
def test_bursts_of_mixed_sizes_are_sent_as_planned(broker: Broker, protocol: str, driver: str) -> None:
    """Two workers a side, 2,000 messages a second for half of each second: all arrive, and none between the bursts."""
    profile = {"kind": "burst", "on": "500ms", "off": "500ms", "rate": 2_000}
    work = {
        "load": {"kind": "rate", "rate": 200, "profile": profile}, "duration": "3s",
        "size": [{"size": 100, "weight": 8}, {"size": 4_000, "weight": 2}, {"size": 200_000, "weight": 0.1}],
        "producers": 2, "consumers": 2, "workers": 2,
    }  # fmt: skip
    done, _, _ = trial(broker, target(protocol, driver), work)
    record = done.record
    assert record.offered == record.sent == record.received == 3_000
    assert record.ledger.balanced
    assert record.little is not None
    assert record.little.holds
    begin = record.measure_from_s * 10
    offered = done.timeline["offered"].to_numpy()[begin : begin + 25]  # it ends with the last message
    assert (offered == np.tile(np.repeat([200, 0], 5), 3)[:25]).all()
    assert 1_000_000 < record.counters["bytes_out"] < 20_000_000
