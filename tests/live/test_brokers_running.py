"""Brokers that run: both protocols on the virtual host, queues, facts, processes, listeners."""

import contextlib
import ipaddress
import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pika
import proton
import psutil
import pytest
from proton.utils import BlockingConnection

from brokers.base import Broker, BrokerError
from brokers.cpu_numbers import words
from brokers.ground import CPUS, DATA, MEMORY, NETWORK, VIRTUALISATION
from brokers.places import identity
from brokers.qpid_broker_j.settings import QpidBrokerJSettings
from brokers.rabbitmq.settings import RabbitMQSettings
from tests.live.conftest import listening

Starter = Callable[[RabbitMQSettings | QpidBrokerJSettings], Broker]


@pytest.fixture
def queue(broker: Broker) -> Iterator[str]:
    """The name of a queue of one's own, deleted afterwards."""
    name = f"test {uuid.uuid4()}"
    yield name
    broker.delete(name)


def _publish(broker: Broker, queue: str) -> None:
    at = broker.endpoint("amqp091")
    credentials = pika.PlainCredentials(at.username, at.password)
    connection = pika.BlockingConnection(pika.ConnectionParameters(at.host, at.port, at.virtual_host, credentials))
    with contextlib.closing(connection):
        connection.channel().basic_publish("", at.address(queue), b"one")


def _send(broker: Broker, queue: str) -> None:
    at = broker.endpoint("amqp10")
    connection = BlockingConnection(
        f"amqp://{at.username}:{at.password}@{at.host}:{at.port}",
        timeout=10,
        allowed_mechs="PLAIN",
        virtual_host=at.hostname,
    )
    with contextlib.closing(connection):
        connection.create_sender(at.address(queue)).send(proton.Message(body=b"one"))


def _await_depth(broker: Broker, queue: str, wanted: int) -> None:
    """Return when the queue has that depth: a broker may count a moment after it confirmed."""
    deadline = time.monotonic() + 5
    while (found := broker.depth(queue)) != wanted:
        assert time.monotonic() < deadline, f"depth {found}, not {wanted}"


def test_its_start_and_what_it_stands_on_are_facts(broker: Broker) -> None:
    """A message was confirmed soon after it was ready, and the kernel tells of its limits."""
    facts = broker.facts()
    assert facts.ready_s is not None
    assert facts.first_confirm_s is not None
    assert 0 < facts.ready_s < facts.first_confirm_s < facts.ready_s + 10
    assert set(facts.ground) == {NETWORK, DATA, VIRTUALISATION, MEMORY, CPUS}
    assert facts.ground[CPUS] == words(os.sched_getaffinity(0))
    if "cgroup" in facts.limits["memory"]:
        assert facts.ground[MEMORY] == facts.limits["memory"].partition(",")[0]


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("send", [_publish, _send], ids=["amqp091", "amqp10"])
def test_a_message_reaches_the_queue_that_was_declared(
    broker: Broker,
    queue: str,
    send: Callable[[Broker, str], None],
    durable: bool,  # noqa: FBT001
) -> None:
    """Over either protocol's own address, on the endpoint's virtual host."""
    broker.declare(queue, durable=durable)
    assert broker.depth(queue) == 0
    send(broker, queue)
    _await_depth(broker, queue, 1)


def test_declaring_again_empties_the_queue_and_may_change_its_kind(broker: Broker, queue: str) -> None:
    """Each trial begins on an empty queue of the kind it asks for."""
    broker.declare(queue, durable=False)
    _publish(broker, queue)
    _await_depth(broker, queue, 1)
    broker.declare(queue, durable=True)
    assert broker.depth(queue) == 0


def test_deleting_a_queue_twice_is_no_fault(broker: Broker, queue: str) -> None:
    """And its depth is then an error with the next step."""
    broker.declare(queue, durable=True)
    broker.delete(queue)
    broker.delete(queue)
    with pytest.raises(BrokerError, match="declare it first"):
        broker.depth(queue)


def test_facts_report_what_was_asked(broker: Broker) -> None:
    """Product, version and runtime are there, and every setting that both name is as asked."""
    facts = broker.facts()
    assert facts.version[0].isdigit()
    assert facts.runtime.startswith(("Erlang 2", "Java 21"))
    shared = set(facts.asked) & set(facts.reported)
    assert len(shared) >= 3
    assert {name: facts.asked[name] for name in shared} == {name: facts.reported[name] for name in shared}
    assert set(facts.limits) == {"memory", "cpus"}
    assert facts.labels == ()


def test_rabbitmq_reports_credit_flow_and_jit(rabbitmq: Broker) -> None:
    """Both bear on its numbers."""
    facts = rabbitmq.facts()
    assert facts.reported["credit flow"] == "{400,200}"
    assert facts.reported["emulator"] == "jit"
    assert facts.runtime.endswith("[jit]")


def test_every_listener_is_on_loopback(broker: Broker) -> None:
    """AMQP, management, distribution and port mapper: nothing is open to a network."""
    listeners = listening(broker.pids())
    assert broker.endpoint("amqp091").port in {port for _, port in listeners}
    for address, port in listeners:
        found = ipaddress.ip_address(address)
        assert found.is_loopback, f"port {port} on {address}"


def test_processes_are_those_of_the_broker(rabbitmq: Broker, qpid_broker_j: Broker) -> None:
    """With RabbitMQ's helpers and its port mapper, without the sandbox's own."""
    names = [psutil.Process(pid).name() for pid in rabbitmq.pids()]
    assert {"beam.smp", "epmd"} <= set(names)
    assert "bwrap" not in names
    assert [psutil.Process(pid).name() for pid in qpid_broker_j.pids()] == ["java"]


def test_processes_are_told_cheaply(broker: Broker) -> None:
    """They are asked for every 100 ms; the mean cost must not show (under 1 ms)."""
    broker.pids()
    begun = time.process_time()
    for _ in range(100):
        broker.pids()
    assert (time.process_time() - begun) / 100 < 0.001


def test_a_running_broker_has_no_failure_and_a_log(broker: Broker) -> None:
    """The log is what it wrote to its console."""
    assert broker.failure() is None
    assert "127.0.0.1" in broker.log() or "Listening" in broker.log()


# Tests of TLS run on memory always.
@pytest.mark.parametrize("store", ["derby", pytest.param("memory", marks=pytest.mark.soak)])
def test_broker_j_runs_on_its_other_stores(start_broker: Starter, store: str) -> None:
    """BDB is the shared one's; on one CPU, beside the shared brokers."""
    settings = QpidBrokerJSettings.model_validate({"name": "q", "kind": "qpid-broker-j", "store": store, "cpus": 1})
    broker = start_broker(settings)
    assert broker.facts().reported["store"] == {"memory": "Memory", "derby": "DERBY"}[store]
    assert broker.facts().reported["cores"] == "1"
    broker.declare("q", durable=store != "memory")
    _publish(broker, "q")
    _await_depth(broker, "q", 1)


def test_two_rabbitmqs_run_side_by_side(rabbitmq: Broker, start_broker: Starter) -> None:
    """Same node name, own ports and processes: a queue of one is not the other's."""
    other = start_broker(RabbitMQSettings(name="other", kind="rabbitmq", cpus=1))
    assert not set(other.pids()) & set(rabbitmq.pids())
    other.declare("only here", durable=False)
    with pytest.raises(BrokerError, match="has no queue"):
        rabbitmq.depth("only here")
    assert other.facts().reported["schedulers"] == "1"


def test_every_process_is_within_the_limits(broker: Broker) -> None:
    """Where this host lets us make control groups: all of them, with the cap that was asked."""
    limits = broker._running._limits  # type: ignore[attr-defined]
    if not limits.groups:
        pytest.skip("no control group can be written here: " + broker.facts().limits["memory"])
    inside = {int(pid) for join in limits.joins for pid in join.read_text().split()}
    assert set(broker.pids()) <= inside
    (memory,) = [
        file
        for group in limits.groups
        for name in ("memory.limit_in_bytes", "memory.max")
        if (file := group / name).exists()
    ]
    assert int(memory.read_text()) == 1024**3


def test_a_peek_is_a_depth_without_blame(broker: Broker, queue: str) -> None:
    """The number of messages ready; nothing for a queue that is not there, and no fault either."""
    broker.declare(queue, durable=False)
    assert broker.peek_depth(queue) == 0
    _publish(broker, queue)
    _await_depth(broker, queue, 1)
    assert broker.peek_depth(queue) == 1
    assert broker.peek_depth(f"{queue} none") is None
    assert broker.failure() is None


def test_idle_connections_are_held_and_let_go(broker: Broker) -> None:
    """As many as asked, as the kernel sees them, until the end of the block."""
    port = broker.endpoint("amqp091").port

    def standing() -> int:
        own = psutil.Process().net_connections("tcp")
        return sum(bool(one.raddr) and one.raddr[1] == port and one.status == "ESTABLISHED" for one in own)

    before = standing()
    with broker.idle_connections(5, 10.0) as count:
        assert (count, standing() - before) == (5, 5)
    assert standing() == before


@pytest.mark.parametrize("name", ["rabbitmq", "qpid_broker_j", "artemis", "activemq_classic"])
def test_as_root_a_broker_has_no_right_of_root(name: str, request: pytest.FixtureRequest) -> None:
    """Each of its processes under an id of nobody's, without a group or capability; its use and data are still seen."""
    broker: Broker = request.getfixturevalue(name)
    own_id = identity.unprivileged()
    wanted = os.geteuid() if own_id is None else own_id
    deadline = time.monotonic() + 5
    while not (pids := broker.pids()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    looked = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a helper of a moment
            status = Path(f"/proc/{pid}/status").read_text()
            fields = dict(line.split(":", 1) for line in status.splitlines())
            assert {int(one) for one in fields["Uid"].split()} == {wanted}
            assert [fields[name].strip() for name in ("CapPrm", "CapEff", "CapAmb")] == ["0" * 16] * 3
            assert fields["NoNewPrivs"].strip() == "1"
            if own_id is not None:
                assert fields["Groups"].split() == []
                assert int(fields["CapBnd"], 16) == 0
            looked += 1
    assert looked
    used, data = broker.usage(), broker.data_bytes()
    assert used is not None
    assert used.cpu_s > 0
    if own_id is not None:
        assert used.disk_written is not None
    assert data
