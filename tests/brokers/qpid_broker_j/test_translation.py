"""Topologies in Broker-J's words, and what it has not."""

import json

import pytest

from brokers.endpoint import Protocol
from brokers.qpid_broker_j.product import PRODUCT
from brokers.qpid_broker_j.translation import faults, flow_faults, translated
from brokers.topology import Argument, Binding, DeclaredQueue, Exchange, FlowNeeds, QueueKind, Topology

TRANSIENT = QueueKind(durable=False)


def _queue(name: str = "q", **arguments: Argument) -> DeclaredQueue:
    named = {name.replace("_", "-"): value for name, value in arguments.items()}
    return DeclaredQueue(name, QueueKind(durable=False, arguments=named))


@pytest.mark.parametrize(
    ("queue", "words"),
    [
        (_queue(), {}),
        (_queue(x_message_ttl=50), {"maximumMessageTtl": 50}),
        (_queue(x_max_length=3), {"maximumQueueDepthMessages": 3, "overflowPolicy": "RING"}),
        (
            _queue(x_max_length_bytes=3, x_overflow="reject-publish"),
            {"maximumQueueDepthBytes": 3, "overflowPolicy": "REJECT"},
        ),
        (_queue(x_max_priority=4), {"priorities": 10}),
        (_queue(x_single_active_consumer=True), {"x-single-active-consumer": True}),
        (_queue(messageDurability="NEVER"), {"messageDurability": "NEVER"}),
        (
            _queue(x_dead_letter_exchange="dlx"),
            {"alternateBinding": json.dumps({"destination": "dlx"}), "expiryPolicy": "ROUTE_TO_ALTERNATE"},
        ),
    ],
)
def test_arguments_have_other_names(queue: DeclaredQueue, words: dict[str, Argument]) -> None:
    """A message that is refused for good is not delivered again, with whatever else is asked for."""
    [found] = translated(Topology(queues=(queue,))).queues
    assert found.kind.arguments == {"maximumDeliveryAttempts": 1} | words


def test_a_queue_of_its_own_lets_go_of_what_is_refused_too() -> None:
    """As those of topologies do, and only where consumers reject: what a lost consumer held must come again."""
    for durable in (False, True):
        kind = PRODUCT.queue(PRODUCT.defaults, durable=durable).kind
        assert kind == QueueKind(durable)
        assert PRODUCT.for_rejecting(kind) == QueueKind(durable, {"maximumDeliveryAttempts": 1})


@pytest.mark.parametrize(
    ("needs", "protocol", "says"),
    [
        (FlowNeeds(), "amqp091", {}),
        (FlowNeeds(expiration_ms=5), "amqp091", {"properties.expiration": "5: over AMQP 0-9-1 Broker-J takes it for"}),
        (FlowNeeds(expiration_ms=5), "amqp10", {}),
        (FlowNeeds(requeue=0.3), "amqp091", {}),
        (FlowNeeds(requeue=0.3), "amqp10", {"requeue": "0.3: over AMQP 1.0 Broker-J takes what is given back"}),
        (FlowNeeds(reply="direct"), "amqp091", {"reply": "'direct': Broker-J knows no direct reply-to"}),
    ],
)
def test_what_a_flow_cannot_ask_is_named_by_its_field(
    needs: FlowNeeds, protocol: Protocol, says: dict[str, str]
) -> None:
    """A time to live of each message is known over 1.0 alone; what is given back comes again over 0-9-1 alone."""
    found = dict(flow_faults(needs, protocol))
    assert found.keys() == says.keys()
    assert all(found[field].startswith(text) for field, text in says.items())


def test_the_queue_of_dead_letters_is_declared_first() -> None:
    """It is named as the alternate of the other."""
    dies = _queue("dies", x_dead_letter_exchange="", x_dead_letter_routing_key="dead")
    found = translated(Topology(queues=(dies, _queue("dead")))).queues
    assert [one.name for one in found] == ["dead", "dies"]
    assert found[1].kind.arguments["alternateBinding"] == '{"destination": "dead"}'


@pytest.mark.parametrize(
    ("queue", "says"),
    [
        (_queue(x_queue_type="quorum"), "x-queue-type = 'quorum': Broker-J has one type of queue"),
        (_queue(x_expires=5), "x-expires = 5: Broker-J deletes no queue for its age"),
        (_queue(x_delivery_limit=5), "x-delivery-limit = 5: Broker-J does not count how often a message is given back"),
        (
            _queue(alternateBinding="e"),
            "alternateBinding = 'e': use x-dead-letter-exchange, so that queues are",
        ),
        (_queue(x_max_age="1h"), "x-max-age = '1h': Broker-J knows no such argument"),
        (_queue(x_max_length=1, x_overflow="reject-publish-dlx"), "Broker-J has 'drop-head', 'reject-publish'"),
        (_queue(x_max_length=1, x_dead_letter_exchange="e"), "what Broker-J drops from a full queue is gone"),
        (_queue(x_max_priority=10), "x-max-priority = 10: Broker-J has 10 priorities, from 0: use 9 at most"),
        (_queue(x_dead_letter_exchange=""), "dead letters would come back to the queue: add x-dead-letter-routing-key"),
        (
            _queue(x_dead_letter_exchange="e", x_dead_letter_routing_key="k"),
            "x-dead-letter-routing-key = 'k': dead letters keep their key on Broker-J",
        ),
        (_queue(x_dead_letter_exchange="", x_dead_letter_routing_key="q"), "end the circle"),
    ],
)
def test_what_it_has_not_is_named(queue: DeclaredQueue, says: str) -> None:
    """Over either protocol."""
    for protocol in ("amqp091", "amqp10"):
        [found] = faults(Topology(queues=(queue,)), protocol)
        assert says in found


def test_some_is_otherwise_over_amqp_10() -> None:
    """Full queues, names of exchanges, and numbers in headers."""
    topology = Topology(
        exchanges=(Exchange("a/b", "headers"),),
        queues=(_queue(x_max_length=1, x_overflow="reject-publish"),),
        bindings=(Binding("a/b", "q", "", {"n": 5, "yes": True}),),
    )
    assert [*faults(topology, "amqp091")] == []
    found = [*faults(topology, "amqp10")]
    for says in ("ends the link of a sender", "choose a name without", "n = 5: over AMQP 1.0 Broker-J"):
        assert len([one for one in found if says in one]) == 1
    assert len(found) == 3


@pytest.mark.parametrize(
    "durable",
    [
        QueueKind(durable=True, arguments={"x-dead-letter-exchange": "e"}),
        QueueKind(durable=True, arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}),
    ],
)
def test_what_is_durable_hands_on_to_what_is_durable(durable: QueueKind) -> None:
    """It refuses anything else."""
    topology = Topology((Exchange("e", "fanout"),), (DeclaredQueue("q", durable), DeclaredQueue("dead", TRANSIENT)))
    [found] = faults(topology, "amqp091")
    assert "add durable = true to" in found
