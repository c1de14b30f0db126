"""ActiveMQ Classic as a broker that we start: queues, drivers, facts, faults of a start, its limit, ends."""

import shutil
import socket
from pathlib import Path

import psutil
import pytest

from bench.drivers.base import VIOLATIONS
from bench.results.comparability import settings_differ
from bench.results.durability import DurabilityClass
from bench.run.durability_probe import probe
from bench.scenario.scenario import RateLoad, Workload
from bench.units import NS_PER_S
from brokers.activemq_classic import config
from brokers.activemq_classic.settings import ActiveMQClassicSettings
from brokers.base import Broker, BrokerError
from brokers.places.base import Opening
from brokers.places.ports import LOOPBACK
from brokers.places.sandbox import Sandbox
from brokers.registry import product_of
from brokers.settings import BrokerSettings
from brokers.started_broker import StartedBroker
from tests.live.conftest import Starter, listening
from tests.live.driver_exchange import CLOCK, Exchanged, endpoint, exchange, gather, port, queue, send, settle, spec

DRIVERS = ("wire10", "proton-engine")
SHAPES = {
    "window and batches": {"messages": 1_000},
    "durable": {"messages": 300, "durable": True},
    "one by one": {"messages": 100, "confirm_window": 1, "ack_batch": 1, "prefetch": 1},
    "unconfirmed and automatic": {"messages": 1_000, "confirm_window": 0, "ack_batch": 0},
    "nothing but the stamp": {"messages": 300, "size": 32},
    "batch as large as the prefetch": {"messages": 300, "prefetch": 7, "ack_batch": 7},
    "more than a frame": {"messages": 40, "size": 128 * 1024},
    "many frames": {"messages": 6, "size": 1024 * 1024},
}
ALWAYS = {("window and batches", "wire10"), ("durable", "wire10"), ("many frames", "proton-engine")}
"""What every run of the tests meets; the rest is left to soak."""


@pytest.mark.parametrize(
    ("shape", "driver"),
    [
        pytest.param(shape, driver, marks=[pytest.mark.soak] * ((shape, driver) not in ALWAYS))
        for shape in SHAPES
        for driver in DRIVERS
    ],
)
def test_every_message_arrives_once_in_order(activemq_classic: Broker, driver: str, shape: str) -> None:
    """By both drivers of AMQP 1.0; afterwards the queue is empty, so all was acknowledged."""
    options = dict(SHAPES[shape])
    messages = options.pop("messages")
    with queue(activemq_classic, durable=bool(options.get("durable"))) as name:
        asked = spec(endpoint(activemq_classic, driver), (name,), (name,), **options)  # type: ignore[arg-type]
        with port(driver, asked) as opened:
            rows = exchange(opened, messages, settled=asked.confirm_window > 0)
            assert not [name for name in VIOLATIONS if opened.counters().get(name)]
        assert [row[2] for row in rows.delivered] == list(range(messages))
        assert _comes_to(activemq_classic, name, 0)


def _comes_to(broker: Broker, name: str, wanted: int) -> bool:
    """Return whether a queue gets that depth: settlements may still be on their way when a port has closed."""
    until_ns = CLOCK.now_ns() + 5 * NS_PER_S
    while CLOCK.now_ns() < until_ns:
        if broker.depth(name) == wanted:
            return True
        CLOCK.sleep_ns(NS_PER_S // 100)
    return False


def test_queues_are_declared_counted_and_deleted(activemq_classic: Broker) -> None:
    """Declaring again empties it; a queue that is gone is no fault to delete."""
    for name in ("kept", 'kept: it\'s = "all"'):
        activemq_classic.declare(name, durable=False)
        with port("wire10", spec(endpoint(activemq_classic, "wire10"), (name,))) as opened:
            settle(opened, Exchanged(), 0, 3)
        assert activemq_classic.depth(name) == 3
        activemq_classic.declare(name, durable=True)
        assert activemq_classic.depth(name) == 0
        activemq_classic.delete(name)
        activemq_classic.delete(name)
        with pytest.raises(BrokerError, match="declare it first"):
            activemq_classic.depth(name)


def test_what_it_reports_is_what_was_asked(activemq_classic: Broker) -> None:
    """Version, Java, store, heap, processors; its processes are seen, and listen on loopback alone."""
    facts = activemq_classic.facts()
    assert (facts.product, facts.version) == ("Apache ActiveMQ Classic", "5.17.6")
    assert facts.runtime.startswith("Java 21")
    assert settings_differ(facts.asked, facts.reported) == ()
    assert {"store", "heap", "messages", "cores"} <= facts.asked.keys() & facts.reported.keys()
    assert {"store limit", "temporary limit"} <= facts.reported.keys()
    assert [psutil.Process(pid).name() for pid in activemq_classic.pids()] == ["java"]
    there = listening(activemq_classic.pids())
    assert {address for address, _ in there} == {LOOPBACK}
    assert len(there) == 2
    assert activemq_classic.endpoint("amqp10").port in {number for _, number in there}
    assert activemq_classic.log().count("WARN") <= 2, "but that the disk is smaller than its limits"
    with pytest.raises(BrokerError, match="does not speak amqp091: it speaks amqp10"):
        activemq_classic.endpoint("amqp091")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is optional (bench doctor tells)")
@pytest.mark.parametrize("disk_sync", ["always", pytest.param("periodic", marks=pytest.mark.soak)])
def test_kahadb_writes_as_it_promises(
    activemq_classic: Broker, start_broker: Starter, tmp_path: Path, disk_sync: str
) -> None:
    """One synchronous write for each confirmed message, or none."""
    asked = {"name": "a", "kind": "activemq-classic", "disk_sync": disk_sync}
    own = ActiveMQClassicSettings.model_validate(asked)
    broker = activemq_classic if disk_sync == "always" else start_broker(own)
    durable = Workload(name="durable", load=RateLoad(kind="rate", rate=1), durable=True)
    found = probe(broker, broker.name, durable, tmp_path, messages=100)
    assert found.why_not == ""
    assert found.messages == 100
    assert found.durability is config.promise(own)
    assert (found.durability is DurabilityClass.SYSTEM) is (disk_sync == "always")


def test_a_port_in_use_is_told_in_its_own_words(image_root: Path, tmp_path: Path) -> None:
    """And nothing is left running."""
    settings: BrokerSettings = ActiveMQClassicSettings(name="a", kind="activemq-classic")
    with socket.create_server((LOOPBACK, 0)) as server, socket.create_server((LOOPBACK, 0)) as free:
        taken, http = server.getsockname()[1], free.getsockname()[1]
        free.close()
        opening = Opening(product_of(settings), settings, tmp_path / "b", image_root, {})
        broker = StartedBroker(opening, Sandbox(image_root, {}), {"amqp": taken, "http": http})
        with pytest.raises(BrokerError, match=rf"broker 'a' failed to start(?s:.*)(?:in use|{taken})"):
            broker.start()
    assert broker.pids() == ()


@pytest.mark.parametrize("how", ["stop", pytest.param("kill", marks=pytest.mark.soak)])
def test_a_full_broker_holds_senders_back_and_leaves_nothing(start_broker: Starter, how: str) -> None:
    """Its log says so, nothing is lost, and it goes on once there is room; a stop is graceful, a kill is not."""
    asked = {"name": "a", "kind": "activemq-classic", "store": "memory", "cpus": 1, "memory": "512MiB"}
    broker = start_broker(ActiveMQClassicSettings.model_validate(asked))
    assert (broker.facts().reported["store"], broker.facts().reported["cores"]) == ("memory", "1")
    broker.declare("full", durable=False)
    rows = Exchanged()
    size, until_ns = 100_000, CLOCK.now_ns() + 30 * NS_PER_S
    with (
        port("wire10", spec(endpoint(broker, "wire10"), ("full",), size=size, confirm_window=20)) as sending,
        port("wire10", spec(endpoint(broker, "wire10"), (), ("full",), size=size, prefetch=10)) as receiving,
    ):
        while not broker.patterns.alarms_in(broker.log()):
            assert CLOCK.now_ns() < until_ns
            if sending.room():
                send(sending, rows, len(rows.sent), sending.room())
            gather(sending, rows, NS_PER_S // 100)
        assert len(rows.sent) > len(rows.settled) >= 100
        while len(rows.settled) < len(rows.sent) or len(rows.delivered) < len(rows.sent):
            assert CLOCK.now_ns() < until_ns
            gather(receiving, rows, NS_PER_S // 100)
            gather(sending, rows, 0)
    # One that it held back may come after one that was sent later.
    assert sorted(row[2] for row in rows.delivered) == list(range(len(rows.sent)))
    assert broker.failure() is None
    pids = broker.pids()
    assert broker.usage() is not None
    getattr(broker, how)()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not (broker.folder / "data/kahadb").exists()
    assert ("is shutdown" in broker.log()) is (how == "stop")
