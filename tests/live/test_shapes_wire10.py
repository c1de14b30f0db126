"""Shapes of work over AMQP 1.0 by the compiled driver: routes, properties, rejections, calls; on every broker."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from itertools import count
from typing import Any

import numpy as np
import pytest
from proton.utils import BlockingConnection

from bench.arrivals import stamp
from bench.arrivals.body_content import BodyContent
from bench.arrivals.keys import drawn, keys_of
from bench.arrivals.sizes import Sizes
from bench.drivers.base import (
    ConsumerLane,
    Consuming,
    PortSpec,
    ProducerLane,
    Properties,
    Refused,
    ReplyAddress,
    Route,
)
from bench.units import NS_PER_MS, NS_PER_S
from brokers.base import Broker
from tests.live.driver_exchange import (
    CLOCK,
    Exchanged,
    channel,
    endpoint,
    exchange,
    gather,
    port,
    queue,
    receive,
    settle,
    spec,
)

BROKERS = ("rabbitmq", "qpid_broker_j", "artemis", pytest.param("activemq_classic", marks=pytest.mark.soak))
_numbers = count()


@pytest.fixture(params=BROKERS)
def any_broker(request: pytest.FixtureRequest) -> Broker:
    """Each of the brokers in turn."""
    found: Broker = request.getfixturevalue(request.param)
    return found


@contextmanager
def bound(broker: Broker, keys: tuple[str, ...]) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield an exchange and the queue of each key; where a broker knows no exchanges, a key is a queue."""
    with ExitStack() as stack:
        queues = {key: stack.enter_context(queue(broker)) for key in keys}
        if "amqp091" not in broker.protocols():
            yield "", queues
            return
        exchange = f"shapes-{next(_numbers)}"
        with channel(broker) as plain:
            plain.exchange_declare(exchange, "direct")
            for key, name in queues.items():
                plain.queue_bind(name, exchange, key)
        try:
            yield exchange, queues
        finally:
            with channel(broker) as plain:
                plain.exchange_delete(exchange)


@pytest.mark.parametrize("keys", [("one key",), ("a.1", "b/2", "c 3")], ids=len)
@pytest.mark.parametrize("size", [100, 200_000])
def test_messages_go_by_their_keys(any_broker: Broker, keys: tuple[str, ...], size: int) -> None:
    """Each to the queue of its key, once, in the order of its producer; what the broker said is that it has them."""
    messages = 60 if size == 100 else 6
    at = endpoint(any_broker, "wire10")
    with bound(any_broker, keys) as (exchange, queues):
        names = tuple(queues.values())
        routed = keys if exchange else names
        choice = drawn([3, 2, 1][: len(keys)], 5)
        asked = spec(at, ("",), (), size, route=Route(exchange, routed, choice))
        rows = Exchanged()
        with port("wire10", asked) as sending:
            settle(sending, rows, 0, messages)
        assert {outcome for _, _, outcome, _ in rows.settled} == {1}
        with port("wire10", spec(at, (), names, size)) as receiving:
            receive(receiving, rows, messages)
        wanted = keys_of(choice, 100, 0, messages).tolist()
        assert sorted((row[2], row[0]) for row in rows.delivered) == list(enumerate(wanted))
        for lane in range(len(keys)):
            seqs = [row[2] for row in rows.delivered if row[0] == lane]
            assert seqs == sorted(seqs)


PROPERTIES = Properties(
    headers=(("n", 7), ("yes", True), ("text", "order {seq}")),
    content_type="application/json",
    content_encoding="utf-8",
    priority=3,
    correlation_id="c-{seq}",
    expiration_ms=600_000,
    message_id="m-{seq}",
)


@pytest.mark.parametrize("keyed", [False, True])
def test_properties_are_read_by_others(any_broker: Broker, keyed: bool) -> None:  # noqa: FBT001
    """Proton's receiver sees what was asked for, on queues and behind an exchange."""
    at, body = endpoint(any_broker, "wire10"), BodyContent("json")
    with bound(any_broker, ("k",)) as (exchange_name, queues):
        name = queues["k"]
        route = Route(exchange_name, ("k" if exchange_name else name,) * 2, drawn([1, 1], 3)) if keyed else None
        asked = spec(at, (name,), (), 300, durable=True, properties=PROPERTIES, body=body, route=route)
        with port("wire10", asked) as sending:
            settle(sending, Exchanged(), 0, 3)
        connection = BlockingConnection(
            f"amqp://{at.host}:{at.port}",
            timeout=10,
            user=at.username,
            password=at.password,
            allowed_mechs="PLAIN",
            virtual_host=at.hostname,
        )
        with closing(connection):
            receiver = connection.create_receiver(at.address(name), credit=3)
            for seq in range(3):
                message = receiver.receive(10)
                receiver.accept()
                digits = f"{seq:013}"
                assert (message.id, message.correlation_id) == (f"m-{digits}", f"c-{digits}")
                assert (message.content_type, message.content_encoding) == ("application/json", "utf-8")
                assert message.properties == {"n": 7, "yes": True, "text": f"order {digits}"}
                assert (message.durable, message.priority) == (True, 3)
                assert 0 < message.ttl <= 600
                octets = bytes(message.body)
                assert stamp.unpack(octets)[:2] == (100, seq)  # type: ignore[index]
                assert octets[stamp.SIZE :] == body.fill(300)[stamp.SIZE :]


def test_compact_stamps_pass(any_broker: Broker) -> None:
    """Bodies of 12 octets; what was intended comes back, in place of what was sent."""
    with queue(any_broker) as name:
        asked = spec(endpoint(any_broker, "wire10"), (name,), (name,), stamp.COMPACT_SIZE, compact=True)
        with port("wire10", asked) as opened:
            rows = exchange(opened, 500)
        assert [row[1:3] for row in rows.delivered] == [(100, seq) for seq in range(500)]
        assert all(row[3] == row[4] == rows.sent[100, row[2]][0] for row in rows.delivered)
        assert rows.foreign == 0


REJECTED, GIVEN_BACK, TAKEN = range(3)


def consumed(broker: Broker, name: str, consuming: Consuming, messages: int, deliveries: int) -> tuple[Any, ...]:
    """Send messages to a consumer and take so many deliveries at least; return the rows and what was counted."""
    at, rows = endpoint(broker, "wire10"), Exchanged()
    with port("wire10", spec(at, (name,), (name,), consuming=consuming)) as opened:
        settle(opened, rows, 0, messages)
        receive(opened, rows, deliveries)
        gather(opened, rows)
        return rows, opened.counters()


@pytest.mark.parametrize("product", BROKERS)
def test_shares_are_rejected_and_given_back(product: str, request: pytest.FixtureRequest) -> None:
    """What is rejected is gone, what is given back comes again once and says so; the counters add up."""
    found: Broker = request.getfixturevalue(product)
    # Broker-J takes what is given back for a failed delivery, of which its queues have one at most.
    messages, reject, requeue = 300, 0.2, 0.0 if product == "qpid_broker_j" else 0.3
    verdicts = Sizes((REJECTED, GIVEN_BACK, TAKEN), (reject, requeue, 1 - reject - requeue), 1)
    decided = [verdicts.of(100, seq) for seq in range(messages)]
    rejected, given_back = decided.count(REJECTED), decided.count(GIVEN_BACK)
    with queue(found, rejecting=True) as name:
        rows, counters = consumed(
            found, name, Consuming(reject=reject, requeue=requeue), messages, messages + given_back
        )
        assert (counters["rejected"], counters.get("requeued", 0)) == (rejected, given_back)
        again = sorted(row[2] for row in rows.delivered if row[6])
        assert again == [seq for seq in range(messages) if decided[seq] == GIVEN_BACK]
        assert sorted({row[2] for row in rows.delivered}) == list(range(messages))
        deadline_ns = CLOCK.now_ns() + 5 * NS_PER_S
        while found.depth(name):
            assert CLOCK.now_ns() < deadline_ns
            CLOCK.sleep_ns(10 * NS_PER_MS)


def test_a_stream_is_read_from_its_beginning(rabbitmq: Broker) -> None:
    """By a filter of the source."""
    name = f"stream-{next(_numbers)}"
    with channel(rabbitmq) as plain:
        plain.queue_declare(name, durable=True, arguments={"x-queue-type": "stream"})
    at = endpoint(rabbitmq, "wire10")
    try:
        with port("wire10", spec(at, (name,), durable=True)) as sending:
            rows = Exchanged()
            settle(sending, rows, 0, 50)
        first = Consuming(arguments=(("rabbitmq:stream-offset-spec", "first"),))
        with port("wire10", spec(at, (), (name,), consuming=first)) as receiving:
            receive(receiving, rows, 50)
        assert [row[2] for row in rows.delivered] == list(range(50))
    finally:
        rabbitmq.delete(name)


@pytest.mark.parametrize("product", BROKERS[1:])
def test_a_selector_is_applied(product: str, request: pytest.FixtureRequest) -> None:
    """Of the messages of two producers, those of one."""
    found: Broker = request.getfixturevalue(product)
    with queue(found) as name:
        at = endpoint(found, "wire10")
        for number in (1, 2):
            asked = replace(spec(at, (name,)), producers=(ProducerLane(number, name),))
            with port("wire10", replace(asked, properties=Properties(headers=(("from", number),)))) as sending:
                sending.send(np.zeros(5, np.int64), np.arange(5), np.zeros(5, np.int64))
                settled = 0
                while settled < 5:
                    settled += len(sending.poll(NS_PER_S)[0].seq)
        second = Consuming(arguments=(("apache.org:selector-filter:string", "from = 2"),))
        rows = Exchanged()
        with port("wire10", spec(at, (), (name,), consuming=second)) as receiving:
            receive(receiving, rows, 5)
        assert [row[1:3] for row in rows.delivered] == [(2, seq) for seq in range(5)]


def calling(at: Any, name: str, replies: tuple[str, ...]) -> PortSpec:
    """Ask for requesters numbered from 40, three to a connection."""
    return PortSpec(
        at,
        tuple(ProducerLane(40 + lane, name) for lane in range(len(replies))),
        tuple(ConsumerLane(lane, queue_name, reply=True) for lane, queue_name in enumerate(replies)),
        100,
        lanes_per_connection=3,
        requests=True,
    )


@pytest.mark.parametrize("how", ["queue", "dynamic"])
def test_calls_are_answered(any_broker: Broker, how: str) -> None:
    """Each on the lane that asked, once, with the stamp of its request."""
    lanes, messages = 4, 200
    at = endpoint(any_broker, "wire10")
    with ExitStack() as stack:
        name = stack.enter_context(queue(any_broker))
        if how == "queue":
            replies = tuple(stack.enter_context(queue(any_broker)) for _ in range(lanes))
        else:
            replies = (ReplyAddress.DYNAMIC,) * lanes
        asked = calling(at, name, replies)
        responding: Any = stack.enter_context(port("wire10", replace(spec(at, (), (name,)), reply_size=500)))
        if any_broker.facts().product == "RabbitMQ" and how == "dynamic":
            with pytest.raises(Refused, match="Dynamic sources not supported"):
                stack.enter_context(port("wire10", asked))
            return
        requesting = stack.enter_context(port("wire10", asked))
        number = np.arange(messages)
        lane, seq, intended_ns = number % lanes, number // lanes, CLOCK.now_ns() - number
        sent, rows = 0, Exchanged()
        waiting: list[tuple[int, ...]] = []
        sent_ns = np.zeros(messages, np.int64)
        deadline_ns = CLOCK.now_ns() + 20 * NS_PER_S
        while len(rows.delivered) < messages:
            assert CLOCK.now_ns() < deadline_ns, (len(rows.delivered), responding.counters())
            fits = slice(sent, sent + min(requesting.room(), messages - sent))
            if fits.stop > sent:
                sent_ns[fits] = requesting.send(lane[fits], seq[fits], intended_ns[fits])
                sent = fits.stop
            d = responding.poll(5 * NS_PER_MS)[1]
            waiting += zip(*(row.tolist() for row in (d.producer, d.seq, d.intended_ns, d.sent_ns)), strict=True)
            fitting = waiting[: responding.room()]
            if fitting:
                responding.reply(*np.array(fitting).T.copy())
                del waiting[: len(fitting)]
            gather(requesting, rows, 5 * NS_PER_MS)
        expected = zip(*(row.tolist() for row in (lane, 40 + lane, seq, intended_ns, sent_ns)), strict=True)
        assert sorted(row[:5] for row in rows.delivered) == sorted(expected)
        assert "unanswerable" not in responding.counters()
