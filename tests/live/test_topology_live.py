"""Topologies on real brokers: who gets copies over each protocol, and how messages end that are not consumed."""

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import pika
import pika.exceptions
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from proton import Delivery, Message

from brokers.admin.amqp10_connection import Amqp10Connection
from brokers.admin.amqp10_links import received, receiver, sender
from brokers.admin.base import Address, AdminError
from brokers.administered_broker import AdministeredBroker
from brokers.base import Broker, BrokerError
from brokers.endpoint import Endpoint, Protocol
from brokers.rabbitmq import queue_types
from brokers.topology import Argument, Binding, DeclaredQueue, Exchange, QueueKind, Topology

BROKERS = ("rabbitmq", "qpid_broker_j", "artemis")
SIDES: tuple[tuple[str, Protocol], ...] = (
    ("rabbitmq", "amqp091"),
    ("rabbitmq", "amqp10"),
    ("qpid_broker_j", "amqp091"),
    ("qpid_broker_j", "amqp10"),
    ("artemis", "amqp10"),
)
TRANSIENT = QueueKind(durable=False)
ROUTED = Topology(
    exchanges=(
        Exchange("topo-direct", "direct"),
        Exchange("topo-topic", "topic"),
        Exchange("topo-fanout", "fanout"),
        Exchange("topo-headers", "headers"),
    ),
    queues=tuple(DeclaredQueue(f"topo-{kind}{n}", TRANSIENT) for kind in "dtfh" for n in (1, 2)),
    bindings=(
        Binding("topo-direct", "topo-d1", "a"),
        Binding("topo-direct", "topo-d2", "b"),
        Binding("topo-topic", "topo-t1", "a.*.eu"),
        Binding("topo-topic", "topo-t2", "a.#"),
        Binding("topo-fanout", "topo-f1"),
        Binding("topo-fanout", "topo-f2"),
        Binding("topo-headers", "topo-h1", "", {"x-match": "all", "color": "red", "size": "it's big"}),
        Binding("topo-headers", "topo-h2", "", {"x-match": "any", "color": "blue", "size": "it's big"}),
    ),
)
SENT: tuple[tuple[str, str, Mapping[str, str]], ...] = (
    ("topo-direct", "a", {}),
    ("topo-direct", "b", {}),
    ("topo-direct", "a", {}),
    ("topo-topic", "a.1.eu", {}),
    ("topo-topic", "a", {}),
    ("topo-topic", "a.1.2.eu", {}),
    ("topo-fanout", "", {}),
    ("topo-headers", "", {"color": "red", "size": "it's big"}),
    ("topo-headers", "", {"color": "blue"}),
    ("topo-headers", "", {"color": "red"}),
)
OWED = {"d1": 2, "d2": 1, "t1": 1, "t2": 3, "f1": 1, "f2": 1, "h1": 1, "h2": 2}


@contextlib.contextmanager
def _declared(broker: Broker, topology: Topology, protocol: Protocol) -> Iterator[Endpoint]:
    """Yield the endpoint of a broker that has a topology; afterwards it has it no more."""
    assert isinstance(broker, AdministeredBroker)
    product, settings = broker._product, broker._settings
    assert [*product.topology_faults(settings, topology, protocol)] == []
    broker.declare_topology(topology)
    broker.declare_topology(topology)  # what is there goes first
    try:
        yield broker.endpoint(protocol)
    finally:
        broker.delete_topology(topology)
    assert broker.failure() is None
    admin = broker._attached()[1]
    assert not any(admin.has_exchange(one) for one in topology.exchanges)
    for queue in topology.queues:
        with pytest.raises(BrokerError, match="declare it first"):
            broker.depth(queue.name)


def _become(broker: Broker, depths: Mapping[str, int]) -> bool:
    """Return whether queues come to hold that many messages."""
    until = time.monotonic() + 5
    while (found := {name: broker.depth(name) for name in depths}) != depths and time.monotonic() < until:
        time.sleep(0.02)
    assert found == depths
    return True


@contextlib.contextmanager
def _channel(endpoint: Endpoint) -> Iterator[BlockingChannel]:
    login = pika.PlainCredentials(endpoint.username, endpoint.password)
    at = pika.ConnectionParameters(endpoint.host, endpoint.port, endpoint.virtual_host, login, heartbeat=0)
    with contextlib.closing(pika.BlockingConnection(at)) as connection:
        # One of them confirms without saying so.
        connection._impl.server_capabilities |= {"publisher_confirms": True, "basic.nack": True}
        yield connection.channel()


@contextlib.contextmanager
def _connection(endpoint: Endpoint) -> Iterator[Amqp10Connection]:
    at = Address(endpoint.host, endpoint.port, endpoint.virtual_host, endpoint.username, endpoint.password)
    connection = Amqp10Connection(at, endpoint.hostname)
    try:
        yield connection
    finally:
        connection.close()


def _publish(endpoint: Endpoint, sent: Sequence[tuple[str, str, Mapping[str, str]]]) -> int:
    """Send messages that are numbered in their bodies; return how many were refused."""
    bodies = [b"%d" % n for n in range(len(sent))]
    if endpoint.protocol == "amqp10":
        with _connection(endpoint) as connection:
            session = connection.session()
            return sum(
                _sent_over_10(connection, session, endpoint, *what, body=body, several=n % 2 == 0)
                for n, (what, body) in enumerate(zip(sent, bodies, strict=True))
            )
    refused = 0
    with _channel(endpoint) as channel:
        channel.confirm_delivery()
        for (exchange, key, headers), body in zip(sent, bodies, strict=True):
            try:
                channel.basic_publish(exchange, key, body, pika.BasicProperties(headers=dict(headers)), mandatory=True)
            except (pika.exceptions.NackError, pika.exceptions.UnroutableError):
                refused += 1
    return refused


def _sent_over_10(
    connection: Amqp10Connection,
    session: object,
    endpoint: Endpoint,
    exchange: str,
    key: str,
    headers: Mapping[str, str],
    *,
    body: bytes,
    several: bool,
) -> bool:
    """Send one message on a link of its own; return whether it was refused."""
    to = endpoint.destination(exchange, key, several=several)
    link = sender(session, to.address)
    connection.attach(link)
    connection.await_on(link, lambda: link.credit > 0, "attach by credit", 1.0)
    message = Message(body=body, inferred=True, address=to.to, properties=dict(headers))
    if to.key_in == "subject":
        message.subject = key
    delivery = link.send(message)
    connection.await_on(link, lambda: bool(delivery.remote_state), "a transfer")
    refused: bool = delivery.remote_state != Delivery.ACCEPTED
    delivery.settle()
    connection.detach(link)
    return refused


@pytest.mark.parametrize(("name", "protocol"), SIDES)
def test_each_exchange_hands_out_copies(name: str, protocol: Protocol, request: pytest.FixtureRequest) -> None:
    """Of every type, over both protocols, by links for one key and for several; each queue can be consumed from."""
    broker: Broker = request.getfixturevalue(name)
    with _declared(broker, ROUTED, protocol) as endpoint:
        _publish(endpoint, SENT)
        assert _become(broker, {f"topo-{queue}": owed for queue, owed in OWED.items()})
        assert [one.body for one in broker.take("topo-t2", 2)] == [b"3", b"4"]
        if protocol == "amqp10":
            with _connection(endpoint) as connection:
                link = receiver(connection.session(), endpoint.address("topo-f1"))
                connection.attach(link)
                [message] = received(connection, link, 1, 5)
                assert message.body == b"6"
        assert [*broker.take("topo-f1", 5)] == ([] if protocol == "amqp10" else [*broker.take("topo-f2", 1)])


def _one_queue(arguments: Mapping[str, Argument]) -> Topology:
    """Return a queue, and one for its dead letters."""
    kind = QueueKind(durable=False, arguments=arguments)
    return Topology(queues=(DeclaredQueue("topo-q", kind), DeclaredQueue("topo-dead", TRANSIENT)))


DEAD: Mapping[str, Argument] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "topo-dead"}


def _own(broker: Broker) -> Protocol:
    return broker.protocols()[0]


@pytest.mark.parametrize("name", BROKERS)
def test_what_is_too_old_becomes_a_dead_letter(name: str, request: pytest.FixtureRequest) -> None:
    """At the latest when somebody asks for it."""
    broker: Broker = request.getfixturevalue(name)
    with _declared(broker, _one_queue({"x-message-ttl": 50, **DEAD}), _own(broker)) as endpoint:
        assert _publish(endpoint, [("", "topo-q", {})] * 3) == 0
        time.sleep(0.1)
        assert [*broker.take("topo-q", 10)] == []
        assert _become(broker, {"topo-q": 0, "topo-dead": 3})
        found = [*broker.take("topo-dead", 10)]
        assert [one.body for one in found] == [b"0", b"1", b"2"]
        told = {"rabbitmq": ("expired", "topo-q", 1), "qpid_broker_j": ("", "", 0), "artemis": ("expired", "topo-q", 1)}
        assert {(one.reason, one.queue, one.count) for one in found} == {told[name]}


@pytest.mark.parametrize("name", BROKERS)
def test_the_oldest_is_dropped_from_a_full_queue(name: str, request: pytest.FixtureRequest) -> None:
    """And nobody is told."""
    broker: Broker = request.getfixturevalue(name)
    with _declared(broker, _one_queue({"x-max-length": 3}), _own(broker)) as endpoint:
        assert _publish(endpoint, [("", "topo-q", {})] * 5) == 0
        assert _become(broker, {"topo-q": 3})
        assert [one.body for one in broker.take("topo-q", 10)] == [b"2", b"3", b"4"]


@pytest.mark.parametrize(("name", "protocol"), [one for one in SIDES if one != ("qpid_broker_j", "amqp10")])
def test_a_full_queue_refuses(name: str, protocol: Protocol, request: pytest.FixtureRequest) -> None:
    """Exactly what does not fit; on Artemis credit ends as well, so that one more than fits is all that can be sent."""
    broker: Broker = request.getfixturevalue(name)
    with _declared(broker, _one_queue({"x-max-length": 3, "x-overflow": "reject-publish"}), protocol) as endpoint:
        assert _publish(endpoint, [("", "topo-q", {})] * 3) == 0
        if name == "artemis":
            # It refuses what comes, until it has noticed that the queue is full and gives no credit.
            with suppress(AdminError):
                assert _publish(endpoint, [("", "topo-q", {})]) == 1
        else:
            assert _publish(endpoint, [("", "topo-q", {})] * 2) == 2
        assert _become(broker, {"topo-q": 3})


@pytest.mark.parametrize(("name", "protocol"), SIDES)
def test_what_is_refused_for_good_becomes_a_dead_letter(
    name: str, protocol: Protocol, request: pytest.FixtureRequest
) -> None:
    """By an exchange that copies it to two queues."""
    broker: Broker = request.getfixturevalue(name)
    topology = Topology(
        exchanges=(Exchange("topo-dlx", "fanout", durable=True),),
        queues=(
            DeclaredQueue("topo-q", QueueKind(durable=True, arguments={"x-dead-letter-exchange": "topo-dlx"})),
            DeclaredQueue("topo-dead", TRANSIENT),
            DeclaredQueue("topo-dead-too", TRANSIENT),
        ),
        bindings=(Binding("topo-dlx", "topo-dead"), Binding("topo-dlx", "topo-dead-too")),
    )
    with _declared(broker, topology, protocol) as endpoint:
        _publish(endpoint, [("", "topo-q", {})] * 2)
        assert _become(broker, {"topo-q": 2})
        _refuse(endpoint, "topo-q", 2)
        assert _become(broker, {"topo-q": 0, "topo-dead": 2, "topo-dead-too": 2})
        reasons = {one.reason for one in broker.take("topo-dead", 10)}
        assert reasons == ({"rejected"} if name == "rabbitmq" else {""})


def _refuse(endpoint: Endpoint, queue: str, count: int) -> None:
    """Refuse messages for good."""
    if endpoint.protocol == "amqp10":
        with _connection(endpoint) as connection:
            link = receiver(connection.session(), endpoint.address(queue))
            connection.attach(link)
            link.flow(count)
            for _ in range(count):
                connection.await_on(link, lambda: link.current is not None and not link.current.partial, "flow")
                delivery: Any = link.current
                link.advance()
                delivery.update(Delivery.REJECTED)
                delivery.settle()
        return
    with _channel(endpoint) as channel:
        for number, (method, _, _) in enumerate(channel.consume(queue, inactivity_timeout=5), 1):
            assert method is not None
            channel.basic_reject(method.delivery_tag, requeue=False)
            if number == count:
                break
        channel.cancel()


VALUES: Mapping[str, Argument] = {
    "x-overflow": "drop-head",
    "x-dead-letter-exchange": "",
    "x-dead-letter-strategy": "at-most-once",
    "x-single-active-consumer": True,
    "x-queue-mode": "lazy",
    "x-max-age": "1h",
    "x-stream-max-segment-size-bytes": 1_000_000,
    "x-queue-version": 2,
}


def test_rabbitmq_refuses_what_is_a_fault_and_takes_the_rest(rabbitmq: Broker) -> None:
    """For each type of queue and argument, alone."""
    assert isinstance(rabbitmq, AdministeredBroker)
    admin = rabbitmq._attached()[1]
    names = sorted({*VALUES, "x-message-ttl", "x-max-length", "x-max-priority", "x-delivery-limit", "x-expires"})
    wrong = []
    for kind in queue_types.REFUSED:
        for name in names:
            asked = QueueKind(durable=True, arguments={"x-queue-type": kind, name: VALUES.get(name, 5)})
            try:
                admin.declare("topo-typed", asked)
            except AdminError:
                taken = False
            else:
                taken = True
                admin.delete("topo-typed")
            if taken != (not [*queue_types.faults(asked)]):
                wrong.append((kind, name, taken))
    assert wrong == []


def test_a_queue_of_no_type_gets_one_that_can_be_what_it_asks(rabbitmq: Broker) -> None:
    """Its settings name quorum for durable queues, which has neither priorities nor an end of its own."""
    asked = (
        QueueKind(durable=True),
        QueueKind(durable=True, arguments={"x-max-priority": 5}),
        QueueKind(durable=True, auto_delete=True),
        QueueKind(durable=True, arguments={"x-max-age": "1h"}),
    )
    topology = Topology(queues=tuple(DeclaredQueue(f"topo-{n}", kind) for n, kind in enumerate(asked)))
    with _declared(rabbitmq, topology, "amqp091"):
        assert [rabbitmq.depth(f"topo-{n}") for n in range(len(asked))] == [0, 0, 0, 0]
