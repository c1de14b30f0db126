"""What the compiled driver does over 0-9-1 of what few workloads ask for: routes, own queues, rejects, requests."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from pika import spec

from bench.arrivals import keys, stamp
from bench.arrivals.body_content import BodyContent
from bench.arrivals.sizes import REFUSAL_SEED, Sizes
from bench.ceiling.measure import relay
from bench.drivers.base import (
    ConsumerLane,
    Consuming,
    Deliveries,
    OwnedQueue,
    PortSpec,
    ProducerLane,
    Properties,
    Refused,
    ReplyAddress,
    Route,
)
from bench.drivers.wire.port import WirePort
from bench.drivers.wire.receive_loop import COMPILED
from bench.drivers.wire.wire091 import open_port
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Endpoint
from brokers.topology import Binding, QueueKind
from tests.bench.drivers.amqp091_server import ANSWERS, NAMED, Amqp091Server
from tests.bench.wire.amqp091_twin import stamped

pytestmark = pytest.mark.compiled

CLOCK = RealClock()
Opened = Callable[..., tuple[WirePort, Amqp091Server]]
PRODUCER, CONSUMER = ProducerLane(7, ""), ConsumerLane(3, "q")


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Open a port on a server of few words; both end with the test."""
    ends: list[Callable[[], None]] = []

    def open_one(producers: tuple[Any, ...], consumers: tuple[Any, ...], **options: Any) -> tuple[Any, Amqp091Server]:
        server = Amqp091Server()
        ends.append(server.stop)
        port = open_port(PortSpec(server.endpoint, producers, consumers, **{"size": 40, **options}), CLOCK)
        ends.append(port.close)
        server.hear(spec.Connection.TuneOk)
        return port, server

    yield open_one
    for end in reversed(ends):
        end()


def until(port: WirePort, holds: Callable[[], bool]) -> None:
    """Poll until it holds, at most 5 s."""
    deadline_ns = CLOCK.now_ns() + 5 * NS_PER_S
    while not holds():
        assert CLOCK.now_ns() < deadline_ns
        port.poll(5 * NS_PER_MS)


def taken(port: WirePort, number: int) -> list[tuple[int, ...]]:
    """Poll until so many messages came, at most 5 s; return (lane, producer, seq, intended, sent)."""
    rows: list[tuple[int, ...]] = []
    deadline_ns = CLOCK.now_ns() + 5 * NS_PER_S
    while len(rows) < number:
        assert CLOCK.now_ns() < deadline_ns, rows
        rows += tuples(port.poll(5 * NS_PER_MS)[1])
    return rows


def tuples(came: Deliveries) -> list[tuple[int, ...]]:
    """Return (lane, producer, seq, intended, sent) of each."""
    columns = (came.lane, came.producer, came.seq, came.intended_ns, came.sent_ns)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def send(port: WirePort, count: int, lane: int = 0) -> None:
    """Send the first messages of a lane, which are due at 100, 101 and so on."""
    seq = np.arange(count)
    port.send(np.full(count, lane), seq, 100 + seq)


def kinds(server: Amqp091Server, channel: int = 1) -> list[type]:
    """Return what was asked on a channel."""
    return [type(method) for number, method in server.asked if number == channel]


def asked(server: Amqp091Server, kind: type) -> Any:
    """Return the last of these methods that was asked."""
    return next(method for _, method in reversed(server.asked) if type(method) is kind)


def test_a_route_goes_by_its_exchange_and_keys(opened: Opened) -> None:
    """The exchange must be there; each message has its key, its properties and its content."""
    route = Route("events", ("a", "b.b", ""), keys.in_turn(3))
    properties = Properties((("n", "m-{seq}"),), priority=4, expiration_ms=900, message_id="{seq}")
    content = BodyContent("random")
    port, server = opened((PRODUCER,), (), route=route, properties=properties, body=content, compact=True)
    assert kinds(server) == [spec.Channel.Open, spec.Exchange.Declare, spec.Confirm.Select]
    assert asked(server, spec.Exchange.Declare).passive
    send(port, 5)
    until(port, lambda: len(server.bodies) == 5)
    published = [server.hear(spec.Basic.Publish) for _ in range(5)]
    assert {(one.exchange, one.mandatory) for one in published} == {("events", True)}
    assert [one.routing_key for one in published] == [route.keys[(7 + seq) % 3] for seq in range(5)]
    for seq, (header, body) in enumerate(zip(server.headers, server.bodies, strict=True)):
        said = header.properties
        assert (said.headers, said.message_id) == ({"n": f"m-{seq:013d}"}, f"{seq:013d}")
        assert (said.priority, said.expiration, said.delivery_mode) == (4, "900", 1)
        assert stamp.unpack_compact(body, 1_000) == (7, seq, 100 + seq, 100 + seq)
        assert body[stamp.COMPACT_SIZE :] == content.fill(40)[stamp.COMPACT_SIZE :]


@pytest.mark.parametrize("window", [0, 5])
def test_a_route_by_the_default_exchange_declares_nothing(opened: Opened, window: int) -> None:
    """Several lanes on a connection have a channel each, and a size each."""
    mix = Sizes((40, 300), (1.0, 1.0), seed=2)
    lanes = (PRODUCER, ProducerLane(8, ""))
    options = {"lanes_per_connection": 2, "confirm_window": window, "mix": mix, "size": 300}
    port, server = opened(lanes, (), route=Route("", ("left", "right"), keys.by_producer(2)), **options)
    assert kinds(server) == kinds(server, 2) == [spec.Channel.Open] + [spec.Confirm.Select] * (window > 0)
    for lane in (0, 1):
        send(port, 5, lane)
    until(port, lambda: len(server.bodies) == 10)
    published = [server.hear(spec.Basic.Publish) for _ in range(10)]
    assert [one.routing_key for one in published] == ["right"] * 5 + ["left"] * 5
    assert [header.channel_number for header in server.headers] == [1] * 5 + [2] * 5
    assert [len(body) for body in server.bodies] == [mix.of(producer, seq) for producer in (7, 8) for seq in range(5)]


def test_ten_thousand_keys_cost_a_frame_each(opened: Opened) -> None:
    """Whatever the number of lanes."""
    route = Route("events", tuple(f"orders.{n}.eu" for n in range(10_000)), keys.in_turn(10_000))
    port, server = opened((PRODUCER,) * 3, (), route=route, lanes_per_connection=3)
    assert len(port._tables.state.prefixes) < 10_000 * 50
    port.send(np.array([2]), np.array([9_990]), np.array([0]))
    assert server.hear(spec.Basic.Publish).routing_key == "orders.9997.eu"


def test_an_exchange_that_is_not_there_is_a_refusal(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the broker's words, without a queue that nobody named."""
    close = spec.Channel.Close(404, "NOT_FOUND - no exchange 'events'", 40, 10)
    monkeypatch.setitem(ANSWERS, spec.Exchange.Declare, lambda _: close)
    with pytest.raises(Refused, match=r"refused producer 7 over AMQP 0-9-1: 404 NOT_FOUND - no exchange 'events'"):
        opened((PRODUCER,), (), route=Route("events", ("k",), keys.by_producer(1)))


def test_a_consumer_says_what_it_asks_for(opened: Opened) -> None:
    """Its arguments, and that it is alone."""
    consuming = Consuming((("x-priority", 5), ("x-stream-offset", "first")), exclusive=True)
    _, server = opened((), (CONSUMER,), consuming=consuming)
    assert kinds(server) == [spec.Channel.Open, spec.Queue.Declare, spec.Basic.Qos, spec.Basic.Consume]
    assert asked(server, spec.Queue.Declare).passive
    consume = asked(server, spec.Basic.Consume)
    assert (consume.exclusive, consume.arguments) == (True, {"x-priority": 5, "x-stream-offset": "first"})


def test_a_queue_of_its_own_is_declared_and_bound_before_it_is_consumed(opened: Opened) -> None:
    """On the channel that consumes, as no other connection could."""
    kind = QueueKind(durable=False, arguments={"x-max-length": 9}, exclusive=True, auto_delete=True)
    owned = OwnedQueue(kind, (Binding("events", "q", "a.#"), Binding("events", "q", "b", {"x": 1})))
    _, server = opened((), (ConsumerLane(3, "q", owned),))
    began = [spec.Channel.Open, spec.Queue.Declare, spec.Queue.Bind, spec.Queue.Bind, spec.Basic.Qos]
    assert kinds(server) == [*began, spec.Basic.Consume]
    declared = asked(server, spec.Queue.Declare)
    assert (declared.queue, declared.passive, declared.durable) == ("q", False, False)
    assert (declared.exclusive, declared.auto_delete, declared.arguments) == (True, True, {"x-max-length": 9})
    bound = asked(server, spec.Queue.Bind)
    assert (bound.queue, bound.exchange, bound.routing_key, bound.arguments) == ("q", "events", "b", {"x": 1})


def answers(server: Amqp091Server, number: int) -> list[tuple[int, str, bool]]:
    """Return tag, method and flag of the next answers to deliveries."""
    found = []
    for _ in range(number):
        method = server.heard.get(timeout=5)
        rejects = isinstance(method, spec.Basic.Reject)
        found.append((method.delivery_tag, method.NAME, method.requeue if rejects else method.multiple))
    return found


def expected(consuming: Consuming, count: int) -> list[tuple[int, str, bool]]:
    """Return what is answered to the first messages of producer 9, whose tags are above their numbers by 1."""
    shares = (consuming.reject, consuming.requeue, 1 - consuming.reject - consuming.requeue)
    kinds = {0: ("Basic.Reject", False), 1: ("Basic.Reject", True), 2: ("Basic.Ack", False)}
    return [(seq + 1, *kinds[Sizes((0, 1, 2), shares, REFUSAL_SEED).of(9, seq)]) for seq in range(count)]


def test_shares_are_rejected_and_given_back(opened: Opened) -> None:
    """Each message is answered on its own, and all are delivered."""
    consuming = Consuming(reject=0.3, requeue=0.3)
    port, server = opened((), (CONSUMER,), consuming=consuming, ack_batch=64)
    for seq in range(40):
        server.deliver(seq + 1, stamped(9, seq, 40))
    assert [row[2] for row in taken(port, 40)] == list(range(40))
    there = expected(consuming, 40)
    assert answers(server, 40) == there
    rejects = [flag for _, name, flag in there if name == "Basic.Reject"]
    assert port.counters()["rejected"] == rejects.count(False) > 0
    assert port.counters()["requeued"] == rejects.count(True) > 0


def test_who_rests_rejects_nothing_until_it_takes_messages(opened: Opened) -> None:
    """Then each has its answer at once."""
    consuming = Consuming(reject=0.5)
    port, server = opened((), (CONSUMER,), consuming=consuming)
    until_ns = CLOCK.now_ns() + 200 * NS_PER_MS
    port.hold(until_ns)
    for seq in range(10):
        server.deliver(seq + 1, stamped(9, seq, 40))
    assert not len(port.poll(50 * NS_PER_MS)[1].seq)
    assert server.heard.empty()
    assert [row[2] for row in taken(port, 10)] == list(range(10))
    assert CLOCK.now_ns() >= until_ns
    assert answers(server, 10) == expected(consuming, 10)


def test_compact_stamps_are_unfolded(opened: Opened) -> None:
    """By the time they are read; there is no time of sending."""
    port, server = opened((), (CONSUMER,), compact=True, size=12)
    intended_ns, body = CLOCK.now_ns() - NS_PER_S, bytearray(12)
    stamp.pack_compact_into(body, 9, 5, intended_ns)
    server.deliver(1, bytes(body))
    assert taken(port, 1) == [(0, 9, 5, intended_ns, intended_ns)]


@pytest.mark.parametrize(
    ("address", "named", "declared"),
    [
        (ReplyAddress.DIRECT, ReplyAddress.DIRECT, []),
        (ReplyAddress.DYNAMIC, NAMED, [("", False, True)]),
        ("replies", "replies", [("replies", True, False)]),
    ],
)
def test_a_requester_takes_replies_on_the_channel_of_its_requests(
    opened: Opened, address: str, named: str, declared: list[tuple[str, bool, bool]]
) -> None:
    """And says in each request where; direct replies are not acknowledged."""
    lanes = (ProducerLane(7, "work"),), (ConsumerLane(3, address, reply=True),)
    port, server = opened(*lanes, requests=True, ack_batch=1)
    queues = [method for _, method in server.asked if isinstance(method, spec.Queue.Declare)]
    assert [(one.queue, one.passive, one.exclusive) for one in queues] == [("work", True, False), *declared]
    consume = asked(server, spec.Basic.Consume)
    assert (consume.queue, consume.no_ack) == (address, address == ReplyAddress.DIRECT)
    send(port, 2)
    assert server.hear(spec.Basic.Publish).routing_key == "work"
    until(port, lambda: len(server.bodies) == 2)
    assert [header.properties.reply_to for header in server.headers] == [named] * 2
    assert [header.properties.correlation_id for header in server.headers] == [f"{seq:013d}" for seq in (0, 1)]
    server.say(spec.Basic.Ack(2, multiple=True))
    server.deliver(1, server.bodies[0])
    assert taken(port, 1) == [(0, *(stamp.unpack(server.bodies[0]) or ()))]
    if address != ReplyAddress.DIRECT:
        assert server.hear(spec.Basic.Ack).delivery_tag == 1


@pytest.mark.skipif(not COMPILED, reason="the loops that plan run compiled only")
@pytest.mark.parametrize("kernel_times", [False, True])
def test_replies_are_read_when_they_come_while_a_plan_goes_on(opened: Opened, kernel_times: bool) -> None:  # noqa: FBT001
    """Though the next request is due much later."""
    lanes = (ProducerLane(7, "work"),), (ConsumerLane(3, ReplyAddress.DIRECT, reply=True),)
    port, server = opened(*lanes, requests=True, confirm_window=0, kernel_times=kernel_times)
    assert port.plans()
    for turn in range(5):  # a host that is away for long may hide it
        server.deliver(turn + 1, stamped(7, turn, 40))
        begin_ns = CLOCK.now_ns()
        due_ns, seq = np.array([begin_ns, begin_ns + 200 * NS_PER_MS]), np.array([2 * turn, 2 * turn + 1])
        sent_ns = port.send_planned(np.zeros(2, np.int64), seq, due_ns, begin_ns + NS_PER_S, 0)
        assert (sent_ns >= due_ns).all()
        _, came = port.poll(0)
        assert came.seq.tolist() == [turn]
        if came.read_ns is not None and came.read_ns[0] < due_ns[1]:
            return
    pytest.fail(f"read at {came.read_ns}, not before {due_ns[1]}")


def test_a_port_answers_where_the_first_request_says(opened: Opened) -> None:
    """With the stamp of the request, also the one it was sent by; who named no address is not answered."""
    port, server = opened((), (CONSUMER,), reply_size=60, ack_batch=0, body=BodyContent("json"), confirm_window=9)
    assert port.room() > 0
    requests = [(5, "there"), (6, "elsewhere"), (5, "never"), (8, None)]
    for tag, (producer, reply_to) in enumerate(requests, 1):
        server.deliver(tag, stamped(producer, tag, 40, intended_ns=tag * 10, sent_ns=tag * 11), reply_to=reply_to)
    rows = np.array(taken(port, 4)).T
    before_ns = CLOCK.now_ns()
    replied_ns = port.reply(*rows[1:])
    assert (replied_ns >= before_ns).all()
    until(port, lambda: len(server.bodies) == 3)
    published = [server.hear(spec.Basic.Publish) for _ in range(3)]
    assert {(one.exchange, one.mandatory) for one in published} == {("", False)}
    assert [one.routing_key for one in published] == ["there", "elsewhere", "there"]
    assert [stamp.unpack(body) for body in server.bodies] == [(5, 1, 10, 11), (6, 2, 20, 22), (5, 3, 30, 33)]
    assert [header.properties.correlation_id for header in server.headers] == [f"{seq:013d}" for seq in (1, 2, 3)]
    assert {body[stamp.SIZE :] for body in server.bodies} == {BodyContent("json").fill(60)[stamp.SIZE :]}
    assert port.counters()["unanswerable"] == 1


def test_many_requesters_are_known(opened: Opened) -> None:
    """More than there is room for at first."""
    port, server = opened((), (CONSUMER,), reply_size=40, ack_batch=0, prefetch=0)
    for producer in range(150):
        server.deliver(producer + 1, stamped(producer, 0, 40), reply_to=f"of-{producer}")
    rows = np.array(taken(port, 150)).T
    port.reply(*(np.ascontiguousarray(row[::-1]) for row in rows[1:]))
    published = [server.hear(spec.Basic.Publish) for _ in range(150)]
    assert [one.routing_key for one in published] == [f"of-{producer}" for producer in reversed(range(150))]


@pytest.fixture(scope="module")
def at() -> Iterator[Endpoint]:
    """A relay."""
    with relay() as port:
        yield Endpoint("amqp091", "127.0.0.1", port, "/", None, "guest", "guest")


@pytest.mark.parametrize(("compact", "size", "calls"), [(False, 140_000, 2), (False, 32, 20), (True, 12, 20)])
def test_calls_go_round(at: Endpoint, compact: bool, size: int, calls: int) -> None:  # noqa: FBT001
    """Three requesters over two connections, two responders: each reply comes to whom it is for, with its stamp."""
    own = OwnedQueue(QueueKind(durable=False))
    responding = PortSpec(
        at, (), tuple(ConsumerLane(n, "work", own) for n in (0, 1)), 100, reply_size=size, compact=compact
    )
    responder = open_port(responding, CLOCK)
    requesting = PortSpec(
        at,
        tuple(ProducerLane(n, "work") for n in range(3)),
        tuple(ConsumerLane(n, f"replies-{n}", own, reply=True) for n in range(3)),
        100,
        requests=True,
        compact=compact,
        lanes_per_connection=2,
    )
    requester = open_port(requesting, CLOCK)
    try:
        lane, seq = np.tile(np.arange(3), calls), np.repeat(np.arange(calls), 3)
        intended_ns = CLOCK.now_ns() - 1_000 + lane
        sent_ns = intended_ns if compact else requester.send(lane, seq, intended_ns)
        if compact:
            requester.send(lane, seq, intended_ns)
        settled, asked, replies, deadline_ns = 0, [], [], CLOCK.now_ns() + 10 * NS_PER_S
        while len(replies) < len(seq) or settled < len(seq):
            assert CLOCK.now_ns() < deadline_ns, (len(replies), settled)
            _, came = responder.poll(NS_PER_MS)
            asked += [row[1:] for row in tuples(came)]
            now, asked = asked[: responder.room()], asked[responder.room() :]
            responder.reply(*np.array(now, np.int64).reshape(-1, 4).T.copy())
            settlements, back = requester.poll(NS_PER_MS)
            settled += len(settlements.seq)
            replies += tuples(back)
        columns = (lane, lane, seq, intended_ns, sent_ns)
        assert sorted(replies) == sorted(zip(*(column.tolist() for column in columns), strict=True))
        assert "unanswerable" not in responder.counters()
    finally:
        requester.close()
        responder.close()
