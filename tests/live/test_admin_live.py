"""Admins and probes against real brokers: what they find, and that they change nothing."""

import contextlib
import itertools
import time
import uuid
from collections.abc import Iterator

import pytest

from brokers.admin.amqp091 import Amqp091Admin
from brokers.admin.amqp10 import Amqp10Admin
from brokers.admin.base import Address, Holding, UnsupportedError, VirtualHostRefusedError
from brokers.admin.probe import PREFIX, probe_amqp091, probe_amqp10
from brokers.base import Broker
from brokers.endpoint import Endpoint
from brokers.topology import QueueKind


def _at(endpoint: Endpoint) -> Address:
    return Address(endpoint.host, endpoint.port, endpoint.virtual_host, endpoint.username, endpoint.password)


@contextlib.contextmanager
def _queue(broker: Broker, messages: int) -> Iterator[tuple[str, Amqp091Admin]]:
    """Yield a queue that holds messages, and an admin that counts them."""
    counting = Amqp091Admin(_at(broker.endpoint("amqp091")))
    counting.open()
    name = f"admin-live-{uuid.uuid4()}"
    counting.declare(name, QueueKind(durable=True))
    with counting._asking("basic.publish") as channel:
        for _ in range(messages):
            channel.basic_publish("", name, b"x" * 100)
    assert _settled(counting, name, messages)
    try:
        yield name, counting
    finally:
        counting.delete(name)
        counting.close()


def _settled(admin: Amqp091Admin, queue: str, messages: int) -> bool:
    """Return whether a queue comes to hold that many; publishing is not confirmed here."""
    return any(admin.depth(queue) == messages for _ in range(2_000))


@pytest.mark.parametrize(("messages", "found"), [(0, 0), (5, 1)])
def test_a_look_changes_nothing(broker: Broker, messages: int, found: int) -> None:
    """Neither how many there are nor that they can be had."""
    endpoint = broker.endpoint("amqp10")
    looking = Amqp10Admin(_at(endpoint), endpoint.hostname)
    with _queue(broker, messages) as (name, counting):
        assert looking.holding(endpoint.address(name)) == Holding(found, None)
        looking.close()
        assert _settled(counting, name, messages)
        assert counting.holding(name) == Holding(messages, 0)


def test_a_purge_leaves_nothing(broker: Broker) -> None:
    """More messages than it asks for at a time."""
    endpoint = broker.endpoint("amqp10")
    admin = Amqp10Admin(_at(endpoint), endpoint.hostname)
    with _queue(broker, 500) as (name, counting):
        admin.purge(endpoint.address(name))
        admin.close()
        assert _settled(counting, name, 0)


def test_what_is_not_there_is_told_apart(broker: Broker) -> None:
    """A queue, for a look and for a declaration; a virtual host; the connection serves on."""
    endpoint = broker.endpoint("amqp10")
    admin = Amqp10Admin(_at(endpoint), endpoint.hostname)
    for _ in range(2):
        assert admin.holding(endpoint.address("not-there")) is None
        with pytest.raises(UnsupportedError, match="amqp:not-found"):
            admin.declare(endpoint.address("not-there"), QueueKind(durable=True))
    admin.close()
    with pytest.raises(VirtualHostRefusedError):
        Amqp10Admin(_at(endpoint), "vhost:not-there").open()


def test_a_probe_over_0_9_1_finds_confirms(broker: Broker) -> None:
    """Advertised or not."""
    found = probe_amqp091(_at(broker.endpoint("amqp091")))
    assert found.confirms is True
    assert found.max_frame == 131_072
    assert found.max_channels is not None
    assert PREFIX not in (found.how["confirms"])


def test_a_probe_over_1_0_finds_credit(broker: Broker) -> None:
    """And the largest message, which these two tell."""
    endpoint = broker.endpoint("amqp10")
    found = probe_amqp10(_at(endpoint), endpoint.hostname, None)
    assert found.confirms is True
    assert found.credit
    assert found.max_message
    assert found.max_message >= 16 * 1024**2


@pytest.mark.parametrize("name", ["rabbitmq", "qpid_broker_j", "artemis", "activemq_classic"])
def test_a_broker_of_ours_lets_drivers_in(name: str, request: pytest.FixtureRequest) -> None:
    """Over each protocol, on each kind of queue, with messages of a MiB; in little time."""
    broker: Broker = request.getfixturevalue(name)
    for protocol, durable in itertools.product(broker.protocols(), (False, True)):
        begun = time.monotonic()
        found = broker.admission(protocol, [100, 1024**2], durable=durable)
        assert (found.refused, found.refused_size) == ((), None)
        assert found.message is None or found.message > 1024**2
        assert list(found.faults("w", 1024**2, 100)) == []
        assert time.monotonic() - begun < 10
    assert broker.failure() is None
