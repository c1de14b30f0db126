"""Topologies in the words of ActiveMQ Classic: virtual topics and names of queues; and what it has not."""

import pytest

from brokers.activemq_classic.product import EXCHANGES, PRODUCT
from brokers.activemq_classic.routing import faults, names, topic
from brokers.topology import Argument, Binding, DeclaredQueue, Exchange, QueueKind, Topology

KINDS = (Exchange("d", "direct"), Exchange("t", "topic"), Exchange("f", "fanout"), Exchange("h", "headers"))


def _queue(name: str = "q", *, auto_delete: bool = False, **arguments: Argument) -> DeclaredQueue:
    named = {name.replace("_", "-"): value for name, value in arguments.items()}
    return DeclaredQueue(name, QueueKind(durable=False, arguments=named, auto_delete=auto_delete))


@pytest.mark.parametrize(
    ("binding", "called", "target"),
    [
        (Binding("d", "q", "k"), "Consumer.q.VirtualTopic.d.k", "topic://VirtualTopic.d.k"),
        (Binding("t", "q", "a.b"), "Consumer.q.VirtualTopic.t.a.b", "topic://VirtualTopic.t.a.b"),
        (Binding("f", "q"), "Consumer.q.VirtualTopic.f", "topic://VirtualTopic.f"),
    ],
)
def test_a_binding_is_part_of_the_name(binding: Binding, called: str, target: str) -> None:
    """What is sent to the topic is copied to each queue of such a name."""
    whole = Topology(KINDS[:3], (_queue(), _queue("own")), (binding,))
    assert [*faults(whole)] == []
    assert names(whole) == {"q": called, "own": "own"}
    assert PRODUCT.sources(whole) == {"q": called}
    assert EXCHANGES.address(binding.exchange, binding.key) == target
    assert target == f"topic://{topic(binding.exchange, binding.key)}"


def test_a_fanout_looks_at_no_key() -> None:
    """So that the topic of its queue is that of the exchange."""
    whole = Topology(KINDS[2:3], (_queue(),), (Binding("f", "q", "ignored"),))
    assert names(whole) == {"q": "Consumer.q.VirtualTopic.f"}


@pytest.mark.parametrize(
    ("whole", "says"),
    [
        (Topology(KINDS[3:]), "exchange 'h': type = 'headers': ActiveMQ Classic copies messages by virtual topics"),
        (
            Topology(KINDS[:1], (_queue(),), (Binding("d", "q", "a"), Binding("d", "q", "b"))),
            "queue 'q': 2 bindings: a queue of ActiveMQ Classic lies at one virtual topic",
        ),
        (
            Topology(
                KINDS[:1], (_queue(), _queue("r")), tuple(Binding("d", name, key) for name in "qr" for key in "ab")
            ),
            "queue 'q' and 1 more: 2 bindings",
        ),
        (
            Topology(KINDS[1:2], (_queue(),), (Binding("t", "q", "a.*"),)),
            "key = 'a.*': a virtual topic of ActiveMQ Classic has no patterns: use whole keys",
        ),
        (
            Topology(KINDS[2:3], (_queue("a.b"),), (Binding("f", "a.b"),)),
            "a dot in 'a.b' parts the name of a virtual topic's queue: use another name",
        ),
        (
            Topology((), (_queue(x_message_ttl=5),)),
            "queue 'q': x-message-ttl = 5: queues of ActiveMQ Classic have no arguments",
        ),
        (Topology((), (_queue("a,b?"),)), "queue 'a,b?': ActiveMQ Classic reads , ? in a name otherwise: use letters"),
        (Topology((Exchange("e>", "fanout"),)), "exchange 'e>': ActiveMQ Classic reads > in a name otherwise"),
        (Topology((), (_queue(auto_delete=True),)), "auto_delete = true: ActiveMQ Classic keeps a queue"),
    ],
)
def test_what_it_has_not_is_named(whole: Topology, says: str) -> None:
    """Once, with what to do."""
    [found] = faults(whole)
    assert says in found
