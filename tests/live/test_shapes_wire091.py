"""What wire091 does with real brokers beyond a queue for each producer: topics, headers, rejects, own queues, calls."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from bench.arrivals import keys, stamp
from bench.arrivals.body_content import BodyContent
from bench.arrivals.sizes import REFUSAL_SEED, Sizes
from bench.drivers.base import (
    ConsumerLane,
    Consuming,
    Outcome,
    OwnedQueue,
    PortSpec,
    ProducerLane,
    Properties,
    Refused,
    ReplyAddress,
    Route,
)
from bench.drivers.wire.port import WirePort
from bench.drivers.wire.wire091 import open_port
from bench.units import NS_PER_MS, NS_PER_S
from brokers.base import Broker
from brokers.topology import Binding, QueueKind
from tests.live.driver_exchange import CLOCK, Exchanged, channel, gather, port, queue, receive, settle, spec

pytestmark = pytest.mark.live

DRIVER = "wire091"
TOPIC = "shapes-of-wire091"


@pytest.fixture
def topic(broker: Broker) -> Iterator[Any]:
    """A topic exchange, and the pika channel that declared it."""
    with channel(broker) as plain:
        plain.exchange_declare(TOPIC, "topic", auto_delete=False)
        yield plain
        plain.exchange_delete(TOPIC)


def test_each_queue_gets_what_its_binding_asks_for(broker: Broker, topic: Any) -> None:
    """Three keys in turn; one queue takes two of them, one the third, nobody a fourth, which is returned."""
    route = Route(TOPIC, ("orders.eu", "orders.us", "news.eu", "void"), keys.in_turn(4))
    at = broker.endpoint("amqp091")
    with queue(broker) as orders, queue(broker) as news:
        topic.queue_bind(orders, TOPIC, "orders.*")
        topic.queue_bind(news, TOPIC, "news.#")
        asked = PortSpec(at, (ProducerLane(100, ""), ProducerLane(101, "")), (), 100, route=route)
        rows = Exchanged()
        with port(DRIVER, asked) as sending:
            send_all(sending, rows, 400, lanes=2)
        chosen = {(p, s): int(keys.keys_of(route.choice, p, s, 1)[0]) for p, s in rows.sent}
        outcomes = {(100 + lane, seq): outcome for lane, seq, outcome, _ in rows.settled}
        # Broker-J refuses what no queue takes, and returns it after that.
        unroutable = Outcome.REFUSED if is_broker_j(broker) else Outcome.RETURNED
        assert outcomes == {one: unroutable if key == 3 else Outcome.CONFIRMED for one, key in chosen.items()}
        with port(DRIVER, spec(at, (), (orders, news))) as receiving:
            receive(receiving, rows, 300)
        came = Counter(row[:3] for row in rows.delivered)
        assert came == Counter({(key // 2, *one): 1 for one, key in chosen.items() if key < 3})
        assert all(row[3:5] == rows.sent[row[1], row[2]] for row in rows.delivered)


def is_broker_j(broker: Broker) -> bool:
    """Return whether it is the one that does some things in its own way."""
    return broker.name == "qpid"


def send_all(sending: Any, rows: Exchanged, number: int, lanes: int = 1) -> None:
    """Send messages in turn, and wait until the broker has spoken of all of them."""
    message = np.arange(number)
    intended_ns = np.full(number, CLOCK.now_ns()) - message
    deadline_ns, sent = CLOCK.now_ns() + 20 * NS_PER_S, 0
    while len(rows.settled) < number:
        assert CLOCK.now_ns() < deadline_ns, (len(rows.settled), sending.counters())
        now = message[sent : sent + min(sending.room(), number - sent)]
        sent_ns = sending.send(now % lanes, now // lanes, intended_ns[now]) if len(now) else now
        for n, at_ns in zip(now.tolist(), sent_ns.tolist(), strict=True):
            rows.sent[100 + n % lanes, n // lanes] = (int(intended_ns[n]), at_ns)
        sent += len(now)
        gather(sending, rows, NS_PER_MS)


@pytest.mark.parametrize("compact", [False, True])
def test_messages_have_their_properties_and_content(broker: Broker, compact: bool) -> None:  # noqa: FBT001
    """As pika reads them, number by number."""
    headers = (("tenant", "t-{seq}"), ("retries", 3), ("urgent", True))
    properties = Properties(
        headers=headers,
        content_type="application/json",
        content_encoding="identity",
        priority=4,
        correlation_id="c-{seq}",
        # Broker-J takes it for an instant, in milliseconds since 1970.
        expiration_ms=None if is_broker_j(broker) else 60_000,
        message_id="{seq}",
        type="order",
        app_id="busbench",
    )
    content = BodyContent("json")
    with queue(broker) as name, channel(broker) as plain:
        rows = Exchanged()
        options = {"properties": properties, "body": content, "compact": compact, "size": 400, "durable": True}
        with port(DRIVER, spec(broker.endpoint("amqp091"), (name,), **options)) as sending:
            settle(sending, rows, 0, 30)
        for seq in range(30):
            _, found, body = plain.basic_get(name, auto_ack=True)
            assert found.headers == {"tenant": f"t-{seq:013d}", "retries": 3, "urgent": True}
            said = (found.content_type, found.content_encoding, found.type, found.app_id, found.expiration)
            assert said == (
                "application/json",
                "identity",
                "order",
                "busbench",
                None if is_broker_j(broker) else "60000",
            )
            assert (found.priority, found.delivery_mode) == (4, 2)
            assert (found.correlation_id, found.message_id) == (f"c-{seq:013d}", f"{seq:013d}")
            stamped = stamp.unpack_compact(body, CLOCK.now_ns()) if compact else stamp.unpack(body)
            intended_ns, sent_ns = rows.sent[100, seq]
            assert stamped == (100, seq, intended_ns, intended_ns if compact else sent_ns)
            begin = stamp.COMPACT_SIZE if compact else stamp.SIZE
            assert body[begin:] == content.fill(400)[begin:]


def test_compact_stamps_go_round(broker: Broker) -> None:
    """From 12 octets on; the time of sending is not known."""
    at, rows = broker.endpoint("amqp091"), Exchanged()
    with queue(broker) as name, port(DRIVER, spec(at, (name,), (name,), 12, compact=True)) as both:
        settle(both, rows, 0, 500)
        receive(both, rows, 500)
    assert [row[2] for row in rows.delivered] == list(range(500))
    assert all(row[3] == row[4] == rows.sent[100, row[2]][0] for row in rows.delivered)


def test_shares_are_rejected_and_given_back(broker: Broker) -> None:
    """What is given back comes again, marked so, and is taken then; what is rejected is gone; nothing is left over."""
    consuming, number = Consuming(reject=0.2, requeue=0.3), 400
    with queue(broker, rejecting=True) as name:
        at, rows = broker.endpoint("amqp091"), Exchanged()
        with port(DRIVER, spec(at, (name,))) as sending:
            settle(sending, rows, 0, number)
        kinds = [Sizes((0, 1, 2), (0.2, 0.3, 0.5), REFUSAL_SEED).of(100, seq) for seq in range(number)]
        with port(DRIVER, spec(at, (), (name,), consuming=consuming)) as receiving:
            receive(receiving, rows, number + kinds.count(1))
            gather(receiving, rows)
            counted = receiving.counters()
        assert (counted["rejected"], counted["requeued"]) == (kinds.count(0), kinds.count(1))
        assert Counter(row[2] for row in rows.delivered) == Counter(
            {seq: 2 if kind == 1 else 1 for seq, kind in enumerate(kinds)}
        )
        again = sorted(row[2] for row in rows.delivered if row[6])
        assert again == [seq for seq, kind in enumerate(kinds) if kind == 1]
        assert broker.depth(name) == 0


def test_an_exclusive_queue_of_a_consumer_gets_what_it_is_bound_to(broker: Broker, topic: Any) -> None:  # noqa: ARG001
    """It declares and binds it itself; when it leaves, the queue goes."""
    at, name = broker.endpoint("amqp091"), "shapes-own-of-wire091"
    owned = OwnedQueue(QueueKind(durable=False, exclusive=True), (Binding(TOPIC, name, "orders.#"),))
    route = Route(TOPIC, ("orders.eu", "news.eu"), keys.in_turn(2))
    rows = Exchanged()
    with port(DRIVER, PortSpec(at, (), (ConsumerLane(0, name, owned),), 100)) as receiving:
        with port(DRIVER, PortSpec(at, (ProducerLane(100, ""),), (), 100, route=route)) as sending:
            send_all(sending, rows, 200)
        receive(receiving, rows, 100)
        with pytest.raises(Refused):
            open_port(PortSpec(at, (), (ConsumerLane(1, name),), 100), CLOCK)
    assert sorted(row[2] for row in rows.delivered) == list(range(0, 200, 2))
    with pytest.raises(Refused, match="404"):
        open_port(PortSpec(at, (), (ConsumerLane(1, name),), 100), CLOCK)


def test_arguments_of_a_consumer_reach_the_broker(rabbitmq: Broker) -> None:
    """One with a higher priority gets the messages."""
    at, rows = rabbitmq.endpoint("amqp091"), Exchanged()
    with (
        queue(rabbitmq) as name,
        port(DRIVER, spec(at, (), (name,))) as lower,
        port(DRIVER, spec(at, (), (name,), consuming=Consuming((("x-priority", 9),)))) as higher,
    ):
        with port(DRIVER, spec(at, (name,))) as sending:
            settle(sending, rows, 0, 200)
        receive(higher, rows, 200)
        gather(lower, rows, 0)
        assert len(rows.delivered) == 200
        with pytest.raises(Refused, match="403"):
            open_port(spec(at, (), (name,), consuming=Consuming(exclusive=True)), CLOCK)


def test_an_exchange_that_is_not_there_is_a_refusal(broker: Broker) -> None:
    """As the broker says it."""
    route = Route("shapes-nowhere", ("k",), keys.by_producer(1))
    with pytest.raises(Refused, match="shapes-nowhere"):
        open_port(PortSpec(broker.endpoint("amqp091"), (ProducerLane(0, ""),), (), 100, route=route), CLOCK)


@pytest.mark.parametrize("address", ["queue", "owned", "dynamic", "direct"])
@pytest.mark.parametrize("together", [1, 3])
def test_calls_go_round(broker: Broker, address: str, together: int) -> None:
    """Each reply comes to its requester once, with the stamp of the request; responders learn addresses themselves."""
    at, requesters, calls = broker.endpoint("amqp091"), 3, 100
    with queue(broker) as work, queue(broker) as first, queue(broker) as second, queue(broker) as third:
        lanes = []
        for number, name in enumerate((first, second, third)):
            owned = OwnedQueue(QueueKind(durable=False, exclusive=True)) if address == "owned" else None
            named = {
                "queue": name,
                "owned": f"own-{name}",
                "dynamic": ReplyAddress.DYNAMIC,
                "direct": ReplyAddress.DIRECT,
            }[address]
            lanes.append(ConsumerLane(number, named, owned, reply=True))
        asked = PortSpec(
            at,
            tuple(ProducerLane(100 + number, work) for number in range(requesters)),
            tuple(lanes),
            100,
            requests=True,
            lanes_per_connection=together,
        )
        if address == "direct" and is_broker_j(broker):
            with pytest.raises(Refused, match=r"amq\.rabbitmq\.reply-to"):
                open_port(asked, CLOCK)
            return
        responding = spec(at, (), (work, work), reply_size=300)
        with port(DRIVER, asked) as requester, port(DRIVER, responding) as responder:
            assert isinstance(responder, WirePort)
            rows = called(requester, responder, requesters, calls)
            assert "unanswerable" not in responder.counters()
        assert sorted(row[:3] for row in rows.delivered) == [
            (lane, 100 + lane, seq) for lane in range(requesters) for seq in range(calls)
        ]
        assert all(row[3:5] == rows.sent[row[1], row[2]] for row in rows.delivered)
        assert all(row[5] > row[4] for row in rows.delivered)
        assert {row[2] for row in rows.settled} == {Outcome.CONFIRMED}
        assert broker.depth(work) == broker.depth(first) == 0


def called(requester: Any, responder: WirePort, requesters: int, calls: int) -> Exchanged:
    """Make calls, some at a time, and answer them; return what requesters saw."""
    rows, total, sent = Exchanged(), requesters * calls, 0
    deadline_ns = CLOCK.now_ns() + 20 * NS_PER_S
    while len(rows.delivered) < total or len(rows.settled) < total:
        assert CLOCK.now_ns() < deadline_ns, (sent, len(rows.delivered), len(rows.settled), requester.counters())
        now = np.arange(sent, min(total, sent + min(30, requester.room())))
        intended_ns = np.full(len(now), CLOCK.now_ns())
        sent_ns = requester.send(now % requesters, now // requesters, intended_ns) if len(now) else now
        for n, intended, at_ns in zip(now.tolist(), intended_ns.tolist(), sent_ns.tolist(), strict=True):
            rows.sent[100 + n % requesters, n // requesters] = (intended, at_ns)
        sent += len(now)
        _, came = responder.poll(NS_PER_MS)
        before_ns = CLOCK.now_ns()
        replied_ns = responder.reply(came.producer, came.seq, came.intended_ns, came.sent_ns)
        assert (replied_ns >= before_ns).all()
        gather(requester, rows, NS_PER_MS)
    return rows
