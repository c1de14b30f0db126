"""Topologies as values: order, circles, kinds; what no broker takes; where senders of AMQP 1.0 attach."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokers.activemq_classic.product import PRODUCT as ACTIVEMQ_CLASSIC
from brokers.admin.base import Address
from brokers.artemis.product import PRODUCT as ARTEMIS
from brokers.endpoint import Destination, Endpoint
from brokers.generic.product import AMQP091, AMQP10, Amqp091Settings, Amqp10Settings
from brokers.product import Product
from brokers.qpid_broker_j.product import PRODUCT as QPID_BROKER_J
from brokers.rabbitmq.product import PRODUCT as RABBITMQ
from brokers.topology import Argument, Binding, DeclaredQueue, Exchange, QueueKind, Topology, faults_anywhere

TRANSIENT = QueueKind(durable=False)


def with_arguments(**arguments: Argument) -> QueueKind:
    """Return a durable queue with arguments, `_` standing for `-`."""
    return QueueKind(durable=True, arguments={name.replace("_", "-"): value for name, value in arguments.items()})


def dying(name: str, to: str | None) -> DeclaredQueue:
    """Return a queue whose dead letters go to another by the default exchange."""
    return DeclaredQueue(
        name, TRANSIENT if to is None else with_arguments(x_dead_letter_exchange="", x_dead_letter_routing_key=to)
    )


@given(st.lists(st.one_of(st.none(), st.integers(0, 7)), max_size=8))
def test_a_queue_comes_after_that_of_its_dead_letters(targets: list[int | None]) -> None:
    """Wherever there is such an order; circles are told, and lose no queue."""
    queues = [dying(f"q{n}", None if to is None else f"q{to}") for n, to in enumerate(targets)]
    topology = Topology(queues=tuple(queues))
    found, circles = topology.dead_letters_first(), {*topology.dead_letter_circles()}
    assert sorted(one.name for one in found) == sorted(one.name for one in queues)
    place = {one.name: number for number, one in enumerate(found)}
    for queue in found:
        to = queue.dead_letter_queue
        if to in place and queue.name not in circles:
            assert place[to] < place[queue.name]
    assert circles == {name for name in place if _comes_back(name, {one.name: one.dead_letter_queue for one in queues})}


def _comes_back(name: str, targets: dict[str, str | None]) -> bool:
    at: str | None = name
    for _ in targets:
        at = targets.get(at or "")
        if at == name:
            return True
    return False


def test_queues_of_one_kind_are_told_of_once() -> None:
    """A thousand queues of one entry have one fault."""
    kind = with_arguments(x_max_length=-1)
    topology = Topology(queues=tuple(DeclaredQueue(f"q-{n}", kind) for n in range(1000)))
    assert [*faults_anywhere(topology)] == [
        "queue 'q-0' and 999 more: x-max-length = -1: it must be a whole number from 0"
    ]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (QueueKind(durable=False, exclusive=True), "exclusive = true: .* use x-single-active-consumer"),
        (with_arguments(x_message_ttl="5s"), "x-message-ttl = '5s': it must be a whole number of milliseconds from 0"),
        (with_arguments(x_message_ttl=True), "x-message-ttl = True: it must be a whole number"),
        (with_arguments(x_message_ttl=1.5), "x-message-ttl = 1.5: it must be a whole number"),
        (with_arguments(x_single_active_consumer=1), "x-single-active-consumer = 1: it must be true or false"),
        (with_arguments(x_overflow=1, x_max_length=1), "x-overflow = 1: it must be text"),
        (with_arguments(own=0.5), "own = 0.5: no argument of a queue is a fraction"),
        (with_arguments(x_dead_letter_routing_key="k"), "says nothing without x-dead-letter-exchange: add that one"),
        (with_arguments(x_overflow="drop-head"), "nothing overflows without x-max-length or x-max-length-bytes"),
    ],
)
@pytest.mark.parametrize("product", [RABBITMQ, QPID_BROKER_J, ARTEMIS, ACTIVEMQ_CLASSIC], ids=lambda one: one.kind)
def test_what_no_broker_takes_is_named(product: Product, kind: QueueKind, says: str) -> None:  # type: ignore[type-arg]
    """Once, by every product, with the value and what to do."""
    topology = Topology(queues=(DeclaredQueue("q", kind),))
    found = [*product.topology_faults(product.defaults, topology, "amqp10")]
    assert len([one for one in found if one.startswith("queue 'q': ")]) == len(found)
    assert [one for one in found if re.search(says, one)]


def test_a_binding_names_what_is_there() -> None:
    """Both of its ends, and nothing that cannot be compared."""
    topology = Topology(bindings=(Binding("e", "q", "", {"h": 0.5}),))
    assert [one.partition(": ")[2] for one in faults_anywhere(topology)] == [
        "the topology has no exchange 'e': add it, or correct the name",
        "the topology has no queue 'q': add it, or correct the name",
        "h = 0.5: brokers compare fractions in no way that can be relied on: use text or a whole number",
    ]


@pytest.mark.parametrize("product", [RABBITMQ, QPID_BROKER_J, ARTEMIS], ids=lambda one: one.kind)
def test_what_all_have_has_no_faults(product: Product) -> None:  # type: ignore[type-arg]
    """Each type of exchange, age, length, one consumer, priorities, dead letters; over both protocols."""
    durable = replace(TRANSIENT, durable=True)
    topology = Topology(
        exchanges=(Exchange("d", "direct"), Exchange("t", "topic"), Exchange("f", "fanout"), Exchange("h", "headers")),
        queues=(
            *(DeclaredQueue(name, TRANSIENT) for name in "dtfh"),
            DeclaredQueue("auto", QueueKind(durable=False, auto_delete=True)),
            DeclaredQueue("dead", durable),
            DeclaredQueue("one", with_arguments(x_single_active_consumer=True, x_max_length=5, x_overflow="drop-head")),
            DeclaredQueue("old", with_arguments(x_message_ttl=5, x_max_priority=9)),
            dying("dies", "dead"),
        ),
        bindings=(
            Binding("d", "d", "k"),
            Binding("t", "t", "a.*.#"),
            Binding("f", "f"),
            Binding("h", "h", "", {"x-match": "any", "color": "red"}),
        ),
    )
    for protocol in ("amqp091", "amqp10"):
        assert [*product.topology_faults(product.defaults, topology, protocol)] == []
        assert {one.name for one in product.as_declared(product.defaults, topology).queues} == {
            one.name for one in topology.queues
        }


AT = Address("127.0.0.1", 5672, "/", "guest", "guest")


def endpoint(product: Product, version: str = "4.0.5") -> Endpoint:  # type: ignore[type-arg]
    """Return where senders of AMQP 1.0 reach a product."""
    listener = product.listener(product.defaults, "amqp10")
    assert listener is not None
    return product.dialect(listener, version).endpoint(AT)


@pytest.mark.parametrize(
    ("at", "one", "several"),
    [
        (
            endpoint(RABBITMQ),
            Destination("/exchanges/my%2Fx/a%20b", "address"),
            Destination(None, "to", "/exchanges/my%2Fx/a%20b"),
        ),
        (
            endpoint(RABBITMQ, "3.13.7"),
            Destination("/exchange/my%2Fx/a%20b", "address"),
            Destination("/exchange/my%2Fx", "subject"),
        ),
        (endpoint(QPID_BROKER_J), Destination("my/x/a b", "address"), Destination("my/x", "subject")),
        (endpoint(ARTEMIS), Destination("my/x.a b", "address"), Destination(None, "to", "my/x.a b")),
        (
            endpoint(ACTIVEMQ_CLASSIC),
            Destination("topic://VirtualTopic.my/x.a b", "address"),
            Destination(None, "to", "topic://VirtualTopic.my/x.a b"),
        ),
    ],
    ids=["rabbitmq 4", "rabbitmq 3", "broker-j", "artemis", "activemq classic"],
)
def test_a_sender_knows_where_to_attach(at: Endpoint, one: Destination, several: Destination) -> None:
    """For one key and for several; for none, which is the exchange alone; and for the default exchange, a queue."""
    assert at.destination("my/x", "a b") == one
    assert at.destination("my/x", "a b", several=True) == several
    assert at.destination("my/x", "").address == at.exchanges.address("my/x", "")  # type: ignore[union-attr]
    for many in (False, True):
        to_queue = Destination(None, "to", at.address("q")) if many else Destination(at.address("q"), "address")
        assert at.destination("", "q", several=many) == to_queue


SETTINGS10 = Amqp10Settings.model_validate({"name": "a", "kind": "amqp10", "external": {}, "place": "external"})


def test_exchanges_have_addresses_where_a_product_gives_them() -> None:
    """Not over 0-9-1, which names them itself, nor on a broker of which nothing is known."""
    listeners = (
        (RABBITMQ.listeners(RABBITMQ.defaults)[0], "AMQP 0-9-1"),
        (AMQP10.listeners(SETTINGS10)[0], "AMQP 1.0"),
    )
    for listener, words in listeners:
        with pytest.raises(ValueError, match=f"exchange 'x' has no address over {words} at this endpoint"):
            listener.endpoint(AT).destination("x", "k")


def test_of_amqp_10_alone_nothing_can_be_declared_but_queues() -> None:
    """And says how it could."""
    kind = replace(with_arguments(x_max_length=1), auto_delete=True)
    topology = Topology((Exchange("e", "direct"),), (DeclaredQueue("q", TRANSIENT), DeclaredQueue("r", kind)))
    found = [*AMQP10.topology_faults(SETTINGS10, topology, "amqp10")]
    assert [one.partition(": name the broker's own kind")[0] for one in found] == [
        "exchange 'e': AMQP 1.0 has no way to declare one",
        "queue 'r': x-max-length, auto_delete: AMQP 1.0 has no way to declare a queue with that",
    ]


def test_of_amqp_091_alone_queues_may_all_be_durable() -> None:
    """Where a broker permits no transient ones; queues of dead letters come first."""
    settings = Amqp091Settings.model_validate(
        {"name": "a", "kind": "amqp091", "external": {}, "transient_queue": "durable"}
    )
    topology = Topology(queues=(dying("q", "dead"), DeclaredQueue("dead", TRANSIENT)))
    assert [*AMQP091.topology_faults(settings, topology, "amqp091")] == []
    assert [(one.name, one.kind.durable) for one in AMQP091.as_declared(settings, topology).queues] == [
        ("dead", True),
        ("q", True),
    ]


def test_a_queue_may_have_another_address_than_its_name() -> None:
    """To be consumed from, and to be sent to by the default exchange."""
    at = replace(endpoint(ARTEMIS), sources={"q": "e.k::q"})
    assert (at.address("q"), at.address("r")) == ("e.k::q", "r")
    assert at.destination("", "q") == Destination("e.k::q", "address")
