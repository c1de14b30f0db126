"""Consumers that rest take nothing, and hear what their broker says all the same."""

from collections.abc import Callable, Iterator

import pytest
from pika import spec
from proton import Condition

from bench.arrivals import stamp
from bench.drivers.base import ConnectionLost, ConsumerLane, HoldingPort, PortSpec
from bench.drivers.registry import open_port, registry
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Endpoint
from tests.bench.drivers.amqp091_server import Amqp091Server
from tests.bench.drivers.amqp10_server import Amqp10Server

pytestmark = pytest.mark.compiled

OVER_091 = ["wire091", "pika-codec", "pika-select", "pika-blocking", "kombu"]
OVER_10 = ["wire10", "proton-engine"]
Opened = Callable[[str, Endpoint], HoldingPort]
CLOCK = RealClock()


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Open a port with one consumer that acknowledges each message; it is closed after the test."""
    ports: list[HoldingPort] = []

    def open_one(driver: str, at: Endpoint) -> HoldingPort:
        spec = PortSpec(at, (), (ConsumerLane(0, "q"),), 40, prefetch=10, ack_batch=1)
        port = open_port(driver, spec, CLOCK)
        assert hasattr(port, "hold")
        ports.append(port)
        return port

    yield open_one
    for port in ports:
        port.close()


def body(seq: int) -> bytes:
    """Return a body of producer 3."""
    made = bytearray(40)
    stamp.pack_into(made, 3, seq, 0, 0)
    return bytes(made)


def taken(port: HoldingPort, number: int) -> list[tuple[int, int]]:
    """Poll until so many messages were delivered, at most 5 s; return their numbers and when they were received."""
    rows: list[tuple[int, int]] = []
    until_ns = CLOCK.now_ns() + 5 * NS_PER_S
    while len(rows) < number:
        assert CLOCK.now_ns() < until_ns, rows
        _, came = port.poll(20 * NS_PER_MS)
        rows += zip(came.seq.tolist(), came.received_ns.tolist(), strict=True)
    return rows


def test_who_holds_says_so() -> None:
    """All but Proton's blocking receiver, which asks for more as it takes, whether or not that was acknowledged."""
    holding = {name for name, one in registry().installed.items() if one.member.holds and one.member.now is None}
    assert holding >= {*OVER_091, *OVER_10, "memory"}
    assert "proton-blocking" not in holding


@pytest.mark.parametrize("driver", OVER_091)
def test_what_comes_in_a_rest_is_taken_after_it(driver: str, opened: Opened) -> None:
    """It is received then, and acknowledged once it was; what was taken before is acknowledged as the rest begins."""
    server = Amqp091Server()
    try:
        port = opened(driver, server.endpoint)
        server.deliver(1, body(0))
        assert [seq for seq, _ in taken(port, 1)] == [0]
        until_ns = CLOCK.now_ns() + NS_PER_S
        port.hold(until_ns)
        assert server.hear(spec.Basic.Ack).delivery_tag == 1
        server.deliver(2, body(1))
        server.deliver(3, body(2))
        assert not len(port.poll(50 * NS_PER_MS)[1].seq)
        rows = taken(port, 2)
        assert [seq for seq, _ in rows] == [1, 2]
        assert min(at for _, at in rows) >= until_ns
        assert server.heard.empty()
        port.hold(CLOCK.now_ns() + 50 * NS_PER_MS)
        acked = server.hear(spec.Basic.Ack)
        assert (acked.delivery_tag, acked.multiple) in {(3, True), (2, False)}
    finally:
        server.stop()


@pytest.mark.parametrize("driver", OVER_091)
def test_a_brokers_last_words_reach_a_consumer_that_rests(driver: str, opened: Opened) -> None:
    """Also behind messages that it has not taken yet, such as that it took too long to acknowledge one."""
    server = Amqp091Server()
    try:
        port = opened(driver, server.endpoint)
        port.hold(CLOCK.now_ns() + 60 * NS_PER_S)
        server.deliver(1, body(0))
        text = "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out"
        server.say(spec.Channel.Close(406, text, 0, 0))
        with pytest.raises(ConnectionLost, match=f"dropped consumer 0 .*: 406 {text}"):
            taken(port, 1)
    finally:
        server.stop()


@pytest.mark.parametrize("driver", OVER_10)
def test_a_rest_over_amqp10_is_as_one_over_091(driver: str, opened: Opened) -> None:
    """What comes is taken after it; a detach ends it."""
    server = Amqp10Server()
    message = b"\x00\x53\x75\xa0\x28"  # a data section of 40 octets
    port = opened(driver, server.endpoint)
    server.do(lambda: server.deliver(message + body(0)))
    assert [seq for seq, _ in taken(port, 1)] == [0]
    until_ns = CLOCK.now_ns() + NS_PER_S
    port.hold(until_ns)
    server.do(lambda: server.deliver(message + body(1)))
    assert not len(port.poll(50 * NS_PER_MS)[1].seq)
    ((seq, received_ns),) = taken(port, 1)
    assert (seq, received_ns >= until_ns) == (1, True)
    port.hold(CLOCK.now_ns() + 60 * NS_PER_S)

    def detach() -> None:
        server.link.condition = Condition("amqp:resource-deleted", "it is gone")
        server.link.close()

    server.do(detach)
    with pytest.raises(ConnectionLost, match=r"dropped consumer 0 .*amqp:resource-deleted: it is gone"):
        taken(port, 1)
    port.close()
    server.stop()
