"""External brokers: the shared ones, reached as if someone else ran them."""

import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from brokers.admin import amqp091
from brokers.base import Broker, BrokerError
from brokers.opening import open_broker
from brokers.places.ports import LOOPBACK, free_ports
from brokers.qpid_broker_j.settings import QpidBrokerJSettings
from brokers.rabbitmq.settings import RabbitMQSettings
from brokers.topology import Binding, DeclaredQueue, Exchange, QueueKind, Topology
from tests.live.conftest import listening
from tests.live.driver_exchange import credentials

Starter = Callable[[RabbitMQSettings | QpidBrokerJSettings], Broker]


def _external(kind: str, environ: Mapping[str, str] | None = None, **external: Any) -> Broker:
    model = RabbitMQSettings if kind == "rabbitmq" else QpidBrokerJSettings
    settings = model.model_validate({"name": "far", "kind": kind, "place": "external", "external": external})
    return open_broker(settings, Path("unused"), None, environ or {})


def _kind(broker: Broker) -> str:
    return "rabbitmq" if broker.facts().product == "RabbitMQ" else "qpid-broker-j"


@pytest.fixture
def far(broker: Broker) -> Iterator[Broker]:
    """An external broker, connected."""
    found = _external(_kind(broker), credentials(broker), port=broker.endpoint("amqp091").port)
    found.start()
    yield found
    found.stop()


def test_queues_are_declared_counted_and_deleted(far: Broker, broker: Broker) -> None:
    """And those that are left are deleted when it is let go."""
    one, two = (f"test {uuid.uuid4()}" for _ in range(2))
    far.declare(one, durable=True)
    far.declare(two, durable=False)
    assert far.depth(one) == broker.depth(one) == 0
    far.delete(one)
    with pytest.raises(BrokerError, match="declare it first"):
        broker.depth(one)
    far.stop()
    with pytest.raises(BrokerError, match="declare it first"):
        broker.depth(two)
    assert broker.failure() is None


def test_a_queue_of_someone_else_is_not_touched(far: Broker, broker: Broker) -> None:
    """Declaring it is refused."""
    name = f"test {uuid.uuid4()}"
    broker.declare(name, durable=False)
    with pytest.raises(BrokerError, match="this run did not make"):
        far.declare(name, durable=False)
    assert broker.depth(name) == 0
    broker.delete(name)


def test_a_topology_is_declared_and_goes_with_us(far: Broker, broker: Broker) -> None:
    """Where something of its names is there, nothing is changed."""
    exchange, queue = (f"test-{uuid.uuid4()}" for _ in range(2))
    kind = QueueKind(durable=False, arguments={"x-max-length": 1})
    topology = Topology((Exchange(exchange, "fanout"),), (DeclaredQueue(queue, kind),), (Binding(exchange, queue),))
    broker.declare_topology(topology)
    with pytest.raises(BrokerError, match=f"has the exchange '{exchange}', the queue '{queue}', which this run did"):
        far.declare_topology(topology)
    far.delete_topology(topology)
    assert broker.depth(queue) == 0
    broker.delete_topology(topology)
    for _ in range(2):
        far.declare_topology(topology)
    assert far.depth(queue) == 0
    far.stop()
    with pytest.raises(BrokerError, match="declare it first"):
        broker.depth(queue)


def test_its_facts_are_what_it_says_of_itself(far: Broker, broker: Broker) -> None:
    """Version as reported; store and limits are said to be unknown; no process of it is ours."""
    facts = far.facts()
    assert facts.version == broker.facts().version
    assert facts.labels == ("store not fresh",)
    assert set(facts.limits.values()) == {"unknown: someone else runs it"}
    assert far.pids() == ()
    assert far.failure() is None
    assert far.endpoint("amqp10") == broker.endpoint("amqp10")


def test_a_wrong_password_names_the_variables(broker: Broker) -> None:
    """And the password is not in the message."""
    port = broker.endpoint("amqp091").port
    far = _external(_kind(broker), {"BUSBENCH_PASSWORD": "no-such"}, port=port)
    with pytest.raises(BrokerError, match=f"127.0.0.1:{port} refuses the user 'guest'.*BUSBENCH_PASSWORD") as caught:
        far.start()
    assert "no-such" not in str(caught.value)


def test_a_wrong_virtual_host_names_it(broker: Broker) -> None:
    """With the setting to correct."""
    port = broker.endpoint("amqp091").port
    far = _external(_kind(broker), credentials(broker), port=port, virtual_host="nowhere")
    with pytest.raises(BrokerError, match=r"refuses the virtual host 'nowhere'.*external\.virtual_host"):
        far.start()


def test_a_port_where_nothing_listens_names_it() -> None:
    """With the settings to correct."""
    port = free_ports(("amqp",))["amqp"]
    with pytest.raises(BrokerError, match=rf"127.0.0.1:{port} cannot be reached.*external\.port"):
        _external("rabbitmq", port=port).start()


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the handshake's time, which is well under ten seconds."""
    assert amqp091.CONNECT_TIMEOUT_S + amqp091.HANDSHAKE_TIMEOUT_S < 12
    monkeypatch.setattr(amqp091, "HANDSHAKE_TIMEOUT_S", 0.5)
    with socket.create_server((LOOPBACK, 0)) as server:
        begun = time.monotonic()
        with pytest.raises(BrokerError, match="did not answer the AMQP 0-9-1 handshake"):
            _external("rabbitmq", port=server.getsockname()[1]).start()
        assert time.monotonic() - begun < 10


def test_a_server_that_speaks_something_else_is_told(qpid_broker_j: Broker) -> None:
    """Broker-J's management port speaks HTTP."""
    (port,) = {port for _, port in listening(qpid_broker_j.pids())} - {qpid_broker_j.endpoint("amqp091").port}
    with pytest.raises(BrokerError, match=r"does not speak AMQP 0-9-1: correct `external.port`.*400 Bad"):
        _external("qpid-broker-j", port=port).start()


def test_another_kind_of_broker_is_told(rabbitmq: Broker) -> None:
    """By what it announces."""
    with pytest.raises(BrokerError, match="is 'RabbitMQ', not Apache Qpid Broker-J: correct its `kind`"):
        _external(
            "qpid-broker-j", credentials(rabbitmq), port=rabbitmq.endpoint("amqp091").port, virtual_host="/"
        ).start()


def test_a_broker_that_went_away_is_a_failure(start_broker: Starter) -> None:
    """Seen on the control connection, and told with the address."""
    near = start_broker(QpidBrokerJSettings(name="q", kind="qpid-broker-j", store="memory"))
    port = near.endpoint("amqp091").port
    far = _external("qpid-broker-j", credentials(near), port=port)
    assert far.failure() == "it is not connected"
    far.start()
    assert far.failure() is None
    near.kill()
    assert f"127.0.0.1:{port} cannot be reached" in str(far.failure())
    far.stop()
