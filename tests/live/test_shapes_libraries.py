"""What drivers over client libraries do beside sending to queues, on real brokers: routes, properties, refusals."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from pika import BasicProperties

from bench.arrivals import stamp
from bench.arrivals.body_content import BodyContent
from bench.arrivals.keys import in_turn
from bench.drivers.base import ConsumerLane, Consuming, Outcome, OwnedQueue, ProducerLane, Properties, Refused, Route
from bench.drivers.refusals import Disposition, Refusals
from bench.units import NS_PER_MS, NS_PER_S
from brokers.base import Broker
from brokers.topology import Binding, QueueKind
from tests.live.driver_exchange import (
    CLOCK,
    Exchanged,
    channel,
    endpoint,
    exchange,
    port,
    queue,
    receive,
    settle,
    spec,
)

pytestmark = pytest.mark.live

OVER_091 = ("pika-codec", "pika-select", "pika-blocking", "kombu")
OVER_10 = ("proton-engine", "proton-blocking")
DRIVERS = OVER_091 + OVER_10
KEYS = ("order.1/eu", "order.2/us", "order.3/eu")
PROPERTIES = Properties(
    headers=(("trace", "t-{seq}"), ("tries", 7), ("urgent", True)),
    content_type="application/json",
    priority=3,
    correlation_id="call {seq}",
    expiration_ms=60_000,
    message_id="id-{seq}",
    type="order",
)


@contextmanager
def topic(broker: Broker, *bindings: tuple[str, str]) -> Iterator[Route]:
    """Declare a topic exchange with bindings of (queue, key); yield the route over it whose keys come in turn."""
    name = "shapes-of-libraries"
    with channel(broker) as plain:
        plain.exchange_declare(name, "topic")
        for bound, key in bindings:
            plain.queue_bind(bound, name, key)
    yield Route(name, KEYS, in_turn(len(KEYS)))
    with channel(broker) as plain:
        plain.exchange_delete(name)


def fetched(broker: Broker, name: str, number: int) -> list[tuple[BasicProperties, bytes]]:
    """Take so many messages out of a queue over 0-9-1."""
    with channel(broker) as plain:
        found = [plain.basic_get(name, auto_ack=True)[1:] for _ in range(number)]
        assert plain.basic_get(name)[0] is None
    return found


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_key_of_a_message_says_which_queues_get_it(broker: Broker, driver: str) -> None:
    """One queue wants all, another those of one key; every message is confirmed, and arrives with its stamp."""
    with queue(broker) as every, queue(broker) as one, topic(broker, (every, "order.#"), (one, KEYS[1])) as route:
        asked = spec(endpoint(broker, driver), ("",), (every, one), route=route, confirm_window=20)
        with port(driver, asked) as opened:
            rows = Exchanged()
            settle(opened, rows, 0, 30)
            receive(opened, rows, 40)
    assert {outcome for _, _, outcome, _ in rows.settled} == {Outcome.CONFIRMED}
    # Producer 100 begins with the second key.
    assert [row[2] for row in rows.delivered if row[0] == 0] == list(range(30))
    assert [row[2] for row in rows.delivered if row[0] == 1] == list(range(0, 30, 3))
    assert all(row[3:5] == rows.sent[100, row[2]] for row in rows.delivered)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_message_whose_key_nobody_wants_is_returned(rabbitmq: Broker, driver: str) -> None:
    """So no message is taken for confirmed that reached no queue; the others are confirmed."""
    rows = Exchanged()
    with (
        queue(rabbitmq) as name,
        topic(rabbitmq, (name, KEYS[0]), (name, KEYS[1])) as route,
        port(driver, spec(endpoint(rabbitmq, driver), ("",), route=route)) as opened,
    ):
        settle(opened, rows, 0, 9)
    outcomes = {seq: outcome for _, seq, outcome, _ in rows.settled}
    # Producer 100 begins with the second key, so that its second message has the third.
    assert outcomes == {seq: Outcome.RETURNED if seq % 3 == 1 else Outcome.CONFIRMED for seq in range(9)}


@pytest.mark.parametrize("driver", OVER_091)
def test_an_exchange_that_is_not_there_is_named(broker: Broker, driver: str) -> None:
    """Before anything is sent."""
    asked = spec(endpoint(broker, driver), ("",), route=Route("no-such-exchange", ("k",), in_turn(1)))
    said = r"refused producer 100 to exchange 'no-such-exchange' over AMQP 0-9-1: 404"
    with pytest.raises(Refused, match=said), port(driver, asked):
        pass


@pytest.mark.parametrize("driver", DRIVERS)
def test_properties_and_contents_arrive(broker: Broker, driver: str) -> None:
    """As a client of 0-9-1 reads them, with the number of each message in its texts, and a compact stamp."""
    content, sent = BodyContent("random"), PROPERTIES
    at = endpoint(broker, driver)
    if at.confirms_unadvertised:
        sent = replace(sent, expiration_ms=None)  # Broker-J takes it for an instant: what has one is gone at once
    options = {"size": 64, "compact": True, "body": content, "properties": sent}
    with queue(broker) as name:
        with port(driver, spec(at, (name,), **options)) as opened:
            rows = Exchanged()
            settle(opened, rows, 0, 3)
        found = fetched(broker, name, 3)
    digits = 13 if driver == "proton-engine" else 10
    for seq, (properties, body) in enumerate(found):
        number = f"{seq:0{digits}d}"
        assert properties.headers.items() >= {"trace": f"t-{number}", "tries": 7, "urgent": True}.items()
        assert properties.correlation_id == f"call {number}"
        assert properties.message_id == f"id-{number}"
        assert properties.priority == 3
        if at.protocol == "amqp091" or at.address_prefix:  # Broker-J makes up another for a client of 0-9-1
            assert properties.content_type == "application/json"
        assert "order" in (properties.type, properties.headers.get("type"))
        assert body[stamp.COMPACT_SIZE :] == content.fill(64)[stamp.COMPACT_SIZE :]
        stamped = stamp.unpack_compact(body, rows.settled[-1][3])
        assert stamped is not None
        assert stamped[:3] == (100, seq, rows.sent[100, seq][0])


@pytest.mark.parametrize("driver", DRIVERS)
def test_compact_stamps_are_read(rabbitmq: Broker, driver: str) -> None:
    """Bodies of 12 octets tell producer, number and intended time."""
    with (
        queue(rabbitmq) as name,
        port(driver, spec(endpoint(rabbitmq, driver), (name,), (name,), size=12, compact=True)) as opened,
    ):
        rows = exchange(opened, 50)
    assert [row[1:4] for row in rows.delivered] == [(100, seq, rows.sent[100, seq][0]) for seq in range(50)]


@pytest.mark.parametrize("driver", [*OVER_091, "proton-engine"])
def test_some_are_rejected_and_some_given_back(broker: Broker, driver: str) -> None:
    """Those that a hash says; what is given back comes again, and is taken. Nothing is left.

    Over 1.0 Broker-J takes what is given back for a failed delivery, of which its queues have one at most.
    """
    once = driver == "proton-engine" and broker.endpoint("amqp091").confirms_unadvertised
    consuming = Consuming(reject=0.2, requeue=0.0 if once else 0.3)
    options = {"consuming": consuming, "ack_batch": 7, "prefetch": 20}
    with queue(broker, rejecting=True) as name:
        asked = spec(endpoint(broker, driver), (name,), (name,), **options)
        refusals = Refusals(asked)
        dispositions = [refusals.of(100, seq, redelivered=False) for seq in range(100)]
        rejected, requeued = dispositions.count(Disposition.REJECTED), dispositions.count(Disposition.REQUEUED)
        assert rejected > 10
        assert (requeued > 10) == (consuming.requeue > 0)
        with port(driver, asked) as opened:
            rows = Exchanged()
            settle(opened, rows, 0, 100)
            receive(opened, rows, 100 + requeued)
            until_ns = CLOCK.now_ns() + 5 * NS_PER_S
            while (counted := opened.counters()).get("requeued", 0) + counted.get("rejected", 0) < rejected + requeued:
                assert CLOCK.now_ns() < until_ns, counted
                opened.poll(5 * NS_PER_MS)  # what lingers is settled
        assert broker.depth(name) == 0
    assert (counted["rejected"], counted.get("requeued", 0)) == (rejected, requeued)
    came = {seq: [row[6] for row in rows.delivered if row[2] == seq] for seq in range(100)}
    assert came == {
        seq: [0, 1] if disposition is Disposition.REQUEUED else [0] for seq, disposition in enumerate(dispositions)
    }


@pytest.mark.parametrize("driver", OVER_091)
def test_a_consumer_declares_the_queue_that_it_alone_may_use(broker: Broker, driver: str) -> None:
    """With its bindings; it goes with its connection. Nobody else may consume beside it."""
    with queue(broker) as name, topic(broker, (name, "order.#")) as route:
        own = f"own-{driver}"
        bindings = tuple(Binding(route.exchange, own, key) for key in KEYS[:2])
        kind = QueueKind(durable=False, exclusive=True, auto_delete=True)
        asked = spec(endpoint(broker, driver), consuming=Consuming((("x-priority", 3),), exclusive=True))
        consumer = ConsumerLane(0, own, OwnedQueue(kind, bindings))
        with (
            port(driver, replace(asked, consumers=(consumer,))) as receiving,
            port(driver, replace(asked, producers=(ProducerLane(100, ""),), route=route)) as sending,
        ):
            rows = Exchanged()
            settle(sending, rows, 0, 9)
            receive(receiving, rows, 6)
        assert [row[2] % 3 for row in rows.delivered] == [0, 2, 0, 2, 0, 2]
        again = replace(asked, consumers=(ConsumerLane(0, name),))
        with (
            port(driver, again),
            pytest.raises(Refused, match=r"refused consumer 0 of queue .*: 40\d "),
            port(driver, again),
        ):
            pass
