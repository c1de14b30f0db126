"""What drivers over client libraries ask a broker for beside a queue: consumers of a kind, and refusals."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pika import spec as methods
from proton import Delivery

from bench.arrivals import stamp
from bench.drivers.base import ConsumerLane, Consuming, Port, PortSpec, Refused
from bench.drivers.refusals import Disposition, Refusals
from bench.drivers.registry import driver_named, open_port, registry
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from tests.bench.drivers.amqp091_server import ANSWERS, Amqp091Server
from tests.bench.drivers.amqp10_server import Amqp10Server

pytestmark = pytest.mark.compiled

OVER_091 = ["pika-codec", "pika-select", "pika-blocking", "kombu"]
CLOCK = RealClock()
MESSAGES = 12
SHARES = Consuming(reject=0.3, requeue=0.3)
Opened = Callable[..., Port]


def body(seq: int) -> bytes:
    """Return a body of producer 3."""
    made = bytearray(40)
    stamp.pack_into(made, 3, seq, 0, 0)
    return bytes(made)


def spec(server: Any, consuming: Consuming) -> PortSpec:
    """Ask for one consumer that settles all messages at once."""
    lanes = (), (ConsumerLane(0, "q"),)
    return PortSpec(server.endpoint, *lanes, 40, prefetch=100, ack_batch=MESSAGES, consuming=consuming)


def dispositions(server: Any) -> list[Disposition]:
    """Return what is to be said of each message, all of them kinds of which there are several."""
    refusals = Refusals(spec(server, SHARES))
    found = [refusals.of(3, seq, redelivered=False) for seq in range(MESSAGES)]
    assert min(found.count(one) for one in Disposition) > 1
    return found


@pytest.fixture
def server() -> Iterator[Amqp091Server]:
    """Serve one client over 0-9-1."""
    made = Amqp091Server()
    yield made
    made.stop()


def taken(port: Port) -> list[int]:
    """Poll until all messages were delivered; return their numbers."""
    numbers: list[int] = []
    until_ns = CLOCK.now_ns() + 5 * NS_PER_S
    while len(numbers) < MESSAGES:
        assert CLOCK.now_ns() < until_ns, numbers
        numbers += port.poll(20 * NS_PER_MS)[1].seq.tolist()
    return numbers


def test_who_does_what() -> None:
    """Requests are for compiled drivers; who cannot tell what comes again refuses nothing."""
    shapes = {name: set(driver_named(name).shapes) for name in registry().installed}
    most = {"route", "properties", "body", "compact", "consuming"}
    assert all(shapes[name] == most for name in (*OVER_091, "pika", "proton", "proton-engine"))
    assert shapes["proton-blocking"] == most - {"consuming"}


@pytest.mark.parametrize("driver", OVER_091)
def test_some_deliveries_are_refused_the_rest_is_acknowledged_at_once(driver: str, server: Amqp091Server) -> None:
    """Each refusal names its message; the acknowledgement names one that was not refused, as a broker wants it."""
    port = open_port(driver, spec(server, SHARES), CLOCK)
    try:
        for seq in range(MESSAGES):
            server.deliver(seq + 1, body(seq))
        assert taken(port) == list(range(MESSAGES))
        port.poll(0)
        said = dispositions(server)
        for tag, disposition in enumerate(said, 1):
            if disposition is not Disposition.ACCEPTED:
                refused = server.hear(methods.Basic.Reject)
                assert (refused.delivery_tag, bool(refused.requeue)) == (tag, disposition is Disposition.REQUEUED)
        acked = server.hear(methods.Basic.Ack)
        last = max(tag for tag, disposition in enumerate(said, 1) if disposition is Disposition.ACCEPTED)
        assert (acked.delivery_tag, acked.multiple) == (last, True)
        counted = port.counters()
        refusals = (Disposition.REJECTED, Disposition.REQUEUED)
        assert [counted[one.value] for one in refusals] == [said.count(one) for one in refusals]
    finally:
        port.close()


@pytest.mark.parametrize("driver", OVER_091)
def test_where_all_is_refused_nothing_is_acknowledged(driver: str, server: Amqp091Server) -> None:
    """A broker would take an acknowledgement of nothing for a fault."""
    port = open_port(driver, spec(server, Consuming(reject=1.0)), CLOCK)
    for seq in range(MESSAGES):
        server.deliver(seq + 1, body(seq))
    taken(port)
    port.close()
    server.stop()
    heard = [type(one) for one in server.heard.queue]
    assert heard.count(methods.Basic.Reject) == MESSAGES
    assert methods.Basic.Ack not in heard


@pytest.mark.parametrize("driver", OVER_091)
def test_consumers_ask_as_they_are_told(driver: str, server: Amqp091Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """For themselves alone, with arguments."""
    asked: list[Any] = []

    def answer(method: Any) -> Any:
        asked.append(method)
        return methods.Basic.ConsumeOk(method.consumer_tag)

    monkeypatch.setitem(ANSWERS, methods.Basic.Consume, answer)
    consuming = Consuming((("x-priority", 5), ("x-stream-offset", "first")), exclusive=True)
    open_port(driver, spec(server, consuming), CLOCK).close()
    assert [(bool(one.exclusive), one.arguments) for one in asked] == [(True, dict(consuming.arguments))]


def test_over_amqp10_deliveries_are_rejected_and_modified() -> None:
    """Modified with delivery-failed, so that a broker counts the delivery; each is settled by the receiver."""
    server = Amqp10Server()
    port = open_port("proton-engine", spec(server, SHARES), CLOCK)
    sent: list[Any] = []

    def deliver(seq: int) -> None:
        sent.append(server.link.delivery(f"tag-{seq}"))
        server.link.send(b"\x00\x53\x75\xa0\x28" + body(seq))
        server.link.advance()

    for seq in range(MESSAGES):
        server.do(lambda seq=seq: deliver(seq))
    assert taken(port) == list(range(MESSAGES))
    until_ns = CLOCK.now_ns() + 5 * NS_PER_S
    while not all(one.settled for one in sent):
        assert CLOCK.now_ns() < until_ns
        port.poll(5 * NS_PER_MS)
    states = {
        Disposition.ACCEPTED: (Delivery.ACCEPTED, False),
        Disposition.REJECTED: (Delivery.REJECTED, False),
        Disposition.REQUEUED: (Delivery.MODIFIED, True),
    }
    said = [(one.remote_state, one.remote_state == Delivery.MODIFIED and one.remote.failed) for one in sent]
    assert said == [states[disposition] for disposition in dispositions(server)]
    port.close()
    server.stop()


def test_arguments_are_filters_over_amqp10() -> None:
    """Each described by its own name."""
    server = Amqp10Server()
    consuming = Consuming((("rabbitmq:stream-offset-spec", "first"), ("n", 7)))
    open_port("proton-engine", spec(server, consuming), CLOCK).close()
    server.stop()
    server.link.remote_source.filter.rewind()
    assert server.link.remote_source.filter.next()
    filters = server.link.remote_source.filter.get_dict()
    assert {str(name): (str(one.descriptor), one.value) for name, one in filters.items()} == {
        name: (name, value) for name, value in consuming.arguments
    }


def test_amqp10_has_no_exclusive_consumers() -> None:
    """Nothing is connected to."""
    server = Amqp10Server()
    with pytest.raises(Refused, match=r"AMQP 1.0 has no exclusive consumers: use AMQP 0-9-1"):
        open_port("proton-engine", spec(server, Consuming(exclusive=True)), CLOCK)
    open_port("proton-engine", spec(server, Consuming()), CLOCK).close()
    server.stop()
