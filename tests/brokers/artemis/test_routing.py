"""Topologies in Artemis's words: addresses, settings and queues; and what it has not."""

import pytest

from brokers.artemis.routing import address_settings, faults, queue_configurations, sources
from brokers.topology import Argument, Binding, DeclaredQueue, Exchange, QueueKind, Topology

EXCHANGES = (Exchange("d", "direct"), Exchange("t", "topic"), Exchange("f", "fanout"), Exchange("h", "headers"))


def _queue(name: str = "q", **arguments: Argument) -> DeclaredQueue:
    named = {name.replace("_", "-"): value for name, value in arguments.items()}
    return DeclaredQueue(name, QueueKind(durable=False, arguments=named))


@pytest.mark.parametrize(
    ("binding", "address", "condition"),
    [
        (Binding("d", "q", "k"), "d.k", None),
        (Binding("d", "q"), "d", None),
        (Binding("t", "q", "a.*.#"), "t.a.*.#", None),
        (Binding("f", "q", "ignored"), "f", None),
        (Binding("h", "q", "", {"a": "it's", "b": 5, "c": True}), "h", "a = 'it''s' AND b = 5 AND c = TRUE"),
        (Binding("h", "q", "", {"x-match": "any", "a": "1", "b": "2"}), "h", "a = '1' OR b = '2'"),
        (Binding("h", "q"), "h", None),
    ],
)
def test_a_bound_queue_lies_at_the_exchange(binding: Binding, address: str, condition: str | None) -> None:
    """Or below it, and is consumed by both names; headers are a filter."""
    topology = Topology(EXCHANGES, (_queue(),), (binding,))
    assert [*faults(topology)] == []
    [found] = queue_configurations(topology)
    assert (found["address"], found["routing-type"], found.get("filter-string")) == (address, "MULTICAST", condition)
    assert sources(topology) == {"q": f"{address}::q"}


def test_a_queue_without_a_binding_is_its_own_address() -> None:
    """As the queues of other workloads are."""
    topology = Topology(queues=(_queue(x_max_length=5, x_single_active_consumer=True, last_value=True),))
    [found] = queue_configurations(topology)
    assert found == {
        "last-value": True,
        "ring-size": 5,
        "exclusive": True,
        "name": "q",
        "address": "q",
        "routing-type": "ANYCAST",
        "durable": False,
        "auto-delete": False,
        "auto-create-address": True,
    }
    assert sources(topology) == {}
    assert [*address_settings(topology)] == []


def test_age_and_ends_are_settings_of_addresses() -> None:
    """Of a queue's own, or of all of an exchange; an exchange makes addresses for keys that nobody is bound for."""
    dying = {"x_dead_letter_exchange": "d", "x_dead_letter_routing_key": "k"}
    full = _queue("full", x_max_length=3, x_overflow="reject-publish", x_delivery_limit=2)
    topology = Topology(EXCHANGES[:1], (full, _queue("q", x_message_ttl=50, **dying)), (Binding("d", "q", "a"),))
    routing = {
        "autoCreateAddresses": True,
        "defaultAddressRoutingType": "MULTICAST",
        "defaultQueueRoutingType": "MULTICAST",
    }
    assert dict(address_settings(topology)) == {
        "full": {"maxDeliveryAttempts": 3, "maxSizeMessages": 3, "addressFullMessagePolicy": "FAIL"},
        "d.#": {**routing, "expiryDelay": 50, "deadLetterAddress": "d.k", "expiryAddress": "d.k"},
    }


@pytest.mark.parametrize(
    ("queue", "says"),
    [
        (_queue(x_queue_type="quorum"), "x-queue-type = 'quorum': Artemis has one type of queue"),
        (_queue(x_expires=5), "x-expires = 5: Artemis deletes no queue for its age"),
        (_queue(x_max_length_bytes=5), "x-max-length-bytes = 5: Artemis bounds a queue by messages: use x-max-length"),
        (_queue(ring=5), "ring = 5: a queue of Artemis knows auto-delete-delay"),
        (_queue(x_max_priority=10), "x-max-priority = 10: Artemis has priorities from 0 to 9: use 9 at most"),
        (_queue(x_max_length=1, x_overflow="reject-publish-dlx"), "Artemis has 'drop-head' and 'reject-publish'"),
        (_queue(x_max_length=1, x_dead_letter_exchange="f"), "what Artemis drops from a full queue is gone"),
        (_queue(x_dead_letter_exchange=""), "dead letters would come back to the queue: add x-dead-letter-routing-key"),
        (_queue(x_dead_letter_exchange="d"), "dead letters lose their key on Artemis: add x-dead-letter-routing-key"),
        (_queue(x_dead_letter_exchange="no"), "x-dead-letter-exchange = 'no': the topology has no such exchange"),
    ],
)
def test_what_it_has_not_is_named(queue: DeclaredQueue, says: str) -> None:
    """With what to do."""
    [found] = faults(Topology(EXCHANGES, (queue,)))
    assert says in found


@pytest.mark.parametrize(
    ("queues", "bindings", "says"),
    [
        (
            (_queue(),),
            (Binding("d", "q", "a"), Binding("d", "q", "b")),
            "queue 'q': 2 bindings: a queue of Artemis",
        ),
        (
            (_queue("q"), _queue("r")),
            tuple(Binding("t", name, key) for name in "qr" for key in "ab"),
            "queue 'q' and 1 more: 2 bindings: a queue of Artemis lies at one address: declare a queue for each",
        ),
        ((_queue(),), (Binding("d", "q", "a.*"),), "key = 'a.*': Artemis reads `*` and `#` between dots as a pattern"),
        ((_queue(),), (Binding("h", "q", "", {"my-header": "x"}),), "header 'my-header': a filter of Artemis"),
        (
            (_queue("q", x_max_length=1, x_overflow="reject-publish"),),
            (Binding("f", "q"),),
            "Artemis refuses messages by address",
        ),
        (
            (_queue("q", x_message_ttl=5), _queue("r", x_message_ttl=6)),
            (Binding("f", "q"), Binding("f", "r")),
            "queue 'r': x-message-ttl = 6, and 5 of 'q': queues that are bound to one exchange ('f') share it",
        ),
        (
            (_queue("q", x_dead_letter_exchange="", x_dead_letter_routing_key="r"), _queue("r")),
            (Binding("f", "r"),),
            "x-dead-letter-routing-key = 'r': that queue is bound to an exchange",
        ),
    ],
)
def test_what_its_addresses_forbid_is_named(
    queues: tuple[DeclaredQueue, ...], bindings: tuple[Binding, ...], says: str
) -> None:
    """Once each."""
    [found] = faults(Topology(EXCHANGES, queues, bindings))
    assert says in found
