"""Artemis as a broker that we start: queues, drivers, TLS, faults of a start, ends."""

import socket
from pathlib import Path

import numpy as np
import psutil
import pytest

from bench.results.comparability import settings_differ
from bench.units import NS_PER_S
from brokers.artemis.settings import ArtemisSettings
from brokers.base import Broker, BrokerError
from brokers.places.base import Opening
from brokers.places.ports import LOOPBACK
from brokers.places.sandbox import Sandbox
from brokers.registry import product_of
from brokers.settings import BrokerSettings
from brokers.started_broker import StartedBroker
from tests.live.conftest import Starter, listening
from tests.live.driver_exchange import CLOCK, endpoint, exchange, port, queue, spec

DRIVERS = ("proton-engine", "wire10")
SHAPES = {
    "window and batches": {},
    "durable": {"durable": True},
    "unconfirmed and automatic": {"confirm_window": 0, "ack_batch": 0},
    "many frames": {"size": 1024 * 1024},
}


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_every_message_arrives_once_in_order(artemis: Broker, driver: str, shape: str) -> None:
    """By both drivers of AMQP 1.0; afterwards the queue is empty, so all was acknowledged."""
    options = SHAPES[shape]
    messages = 8 if options.get("size") else 500
    with queue(artemis, durable=bool(options.get("durable"))) as name:
        asked = spec(endpoint(artemis, driver), (name,), (name,), **options)  # type: ignore[arg-type]
        with port(driver, asked) as opened:
            rows = exchange(opened, messages, settled=asked.confirm_window > 0)
        assert [row[2] for row in rows.delivered] == list(range(messages))
        assert _emptied(artemis, name)


def _emptied(broker: Broker, name: str) -> bool:
    """Return whether a queue becomes empty: settlements may still be on their way when a port has closed."""
    until_ns = CLOCK.now_ns() + 5 * NS_PER_S
    while CLOCK.now_ns() < until_ns:
        if broker.depth(name) == 0:
            return True
        CLOCK.sleep_ns(NS_PER_S // 100)
    return False


@pytest.mark.parametrize("durable", [False, True])
def test_queues_are_declared_counted_and_deleted(artemis: Broker, durable: bool) -> None:  # noqa: FBT001
    """Declaring again empties it and may change its durability; a queue that is gone is no fault to delete."""
    artemis.declare("kept", durable=not durable)
    with port("wire10", spec(endpoint(artemis, "wire10"), ("kept",))) as opened:
        opened.send(np.zeros(3, np.int64), np.arange(3), np.full(3, CLOCK.now_ns()))
        settled = 0
        while settled < 3:
            settled += len(opened.poll(NS_PER_S)[0].seq)
    assert artemis.depth("kept") == 3
    artemis.declare("kept", durable=durable)
    assert artemis.depth("kept") == 0
    artemis.delete("kept")
    artemis.delete("kept")
    with pytest.raises(BrokerError, match="has no queue 'kept': declare it first"):
        artemis.depth("kept")


def test_what_it_reports_is_what_was_asked(artemis: Broker) -> None:
    """Version, Java, journal, heap, processors; its processes are seen, and speak one protocol."""
    facts = artemis.facts()
    assert facts.product == "Apache ActiveMQ Artemis"
    assert facts.version == "2.44.0"
    assert facts.runtime.startswith("Java 21")
    assert settings_differ(facts.asked, facts.reported) == ()
    assert {"journal", "heap", "messages", "cores"} <= facts.asked.keys() & facts.reported.keys()
    assert [psutil.Process(pid).name() for pid in artemis.pids()] == ["java"]
    assert listening(artemis.pids()) == {(LOOPBACK, artemis.endpoint("amqp10").port)}
    with pytest.raises(BrokerError, match="does not speak amqp091: it speaks amqp10"):
        artemis.endpoint("amqp091")


@pytest.mark.parametrize("sasl", ["external", pytest.param("plain", marks=pytest.mark.soak)])
def test_it_speaks_tls(start_broker: Starter, sasl: str) -> None:
    """Messages of several TLS records each; logged in by password or by our certificate."""
    asked = {"name": "secure", "kind": "artemis", "store": "memory", "transport": "tls", "sasl": sasl}
    broker = start_broker(ArtemisSettings.model_validate(asked))
    assert broker.facts().reported["transport"] == "tls"
    for driver in DRIVERS:
        with queue(broker) as name:
            with port(driver, spec(endpoint(broker, driver), (name,), (name,), 100_000)) as opened:
                rows = exchange(opened, 20)
            assert [row[2] for row in rows.delivered] == list(range(20))


def test_a_port_in_use_is_told_in_its_own_words(image_root: Path, tmp_path: Path) -> None:
    """And nothing is left running."""
    settings: BrokerSettings = ArtemisSettings(name="a", kind="artemis")
    with socket.create_server((LOOPBACK, 0)) as server:
        taken = server.getsockname()[1]
        opening = Opening(product_of(settings), settings, tmp_path / "b", image_root, {})
        broker = StartedBroker(opening, Sandbox(image_root, {}), {"amqp": taken})
        with pytest.raises(BrokerError, match=rf"broker 'a' failed to start(?s:.*){taken}"):
            broker.start()
    assert broker.pids() == ()


@pytest.mark.parametrize("how", ["stop", pytest.param("kill", marks=pytest.mark.soak)])
def test_nothing_is_left_at_once(start_broker: Starter, how: str) -> None:
    """A stop is graceful, a kill is not; the data stay."""
    broker = start_broker(ArtemisSettings(name="a", kind="artemis"))
    pids = broker.pids()
    assert broker.usage() is not None
    getattr(broker, how)()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert (broker.folder / "data/journal").is_dir()
    assert ("AMQ221002" in broker.log()) is (how == "stop")
