"""What live tests of drivers do with a port: send, receive, and gather every row."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import numpy as np
import pika

from bench.drivers.base import ConsumerLane, Port, PortSpec, ProducerLane
from bench.drivers.registry import driver_named, open_port
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from brokers.base import Broker
from brokers.endpoint import Endpoint

COMPILED = ("wire091", "wire10")
DRIVERS = ("pika-codec", "pika-select", "pika-blocking", "kombu", "proton-engine", "proton-blocking", *COMPILED)
BLOCKING = ("pika-blocking", "kombu", "proton-blocking")
"""Those that block in their library; each waits for each confirm and speaks no TLS."""
MOST_UNCONFIRMED = dict.fromkeys(BLOCKING, 1)
"""The widest confirm window of drivers that wait for each confirm, whatever window is asked for."""
TLS_DRIVERS = tuple(name for name in DRIVERS if name not in BLOCKING)
"""Those that speak TLS and every SASL mechanism; the others say that they do not."""
CLOCK = RealClock()
_PATIENCE_NS = 20 * NS_PER_S
_numbers = count()


@dataclass
class Exchanged:
    """Every row a port returned, as tuples in the order of arrival."""

    settled: list[tuple[int, int, int, int]] = field(default_factory=list)
    """(lane, seq, outcome, at_ns)."""
    delivered: list[tuple[int, ...]] = field(default_factory=list)
    """(lane, producer, seq, intended_ns, sent_ns, received_ns, redelivered)."""
    sent: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    """(producer, seq) to (intended_ns, sent_ns)."""
    foreign: int = 0


@contextmanager
def queue(broker: Broker, *, durable: bool = False, rejecting: bool = False) -> Iterator[str]:
    """Declare a queue of one's own and delete it afterwards."""
    name = f"drivers-{next(_numbers)}"
    broker.declare(name, durable=durable, rejecting=rejecting)
    try:
        yield name
    finally:
        broker.delete(name)


def credentials(broker: Broker) -> dict[str, str]:
    """Return the variables by which a broker that we started lets somebody in who says that it is another's."""
    return {"BUSBENCH_PASSWORD": broker.endpoint(broker.protocols()[0]).password}


@contextmanager
def channel(broker: Broker) -> Iterator[Any]:
    """Yield a plain blocking pika channel, to do what no driver does."""
    at = broker.endpoint("amqp091")
    credentials = pika.PlainCredentials(at.username, at.password)
    with closing(
        pika.BlockingConnection(pika.ConnectionParameters(at.host, at.port, at.virtual_host, credentials))
    ) as c:
        yield c.channel()


def endpoint(broker: Broker, driver: str) -> Endpoint:
    """Return where that driver reaches the broker."""
    protocol = driver_named(driver).protocol
    assert protocol != "memory"
    return broker.endpoint(protocol)


def spec(
    at: Endpoint, producers: tuple[str, ...] = (), consumers: tuple[str, ...] = (), size: int = 100, **options: Any
) -> PortSpec:
    """Ask for a lane on each named queue; producers are numbered from 100 in the whole trial."""
    return PortSpec(
        at,
        tuple(ProducerLane(100 + n, name) for n, name in enumerate(producers)),
        tuple(ConsumerLane(n, name) for n, name in enumerate(consumers)),
        size,
        **options,
    )


@contextmanager
def port(driver: str, asked: PortSpec) -> Iterator[Port]:
    """Open a port and close it."""
    opened = open_port(driver, asked, CLOCK)
    try:
        yield opened
    finally:
        opened.close()


def send(opened: Port, rows: Exchanged, first: int, number: int, lanes: int = 1) -> None:
    """Send messages `first` to `first + number - 1`, dealt over the lanes in turn."""
    message = np.arange(first, first + number)
    intended_ns = np.full(number, CLOCK.now_ns()) - message
    sent_ns = opened.send(message % lanes, message // lanes, intended_ns)
    for n, intended, sent in zip(message.tolist(), intended_ns.tolist(), sent_ns.tolist(), strict=True):
        rows.sent[100 + n % lanes, n // lanes] = (intended, sent)


def settle(opened: Port, rows: Exchanged, first: int, number: int) -> None:
    """Send messages as there is room for them, until the broker has spoken of all that were ever sent."""
    sent, deadline_ns = 0, CLOCK.now_ns() + _PATIENCE_NS
    while sent < number or len(rows.settled) < len(rows.sent):
        assert CLOCK.now_ns() < deadline_ns, (sent, len(rows.settled), opened.counters())
        fitting = min(number - sent, opened.room())
        if fitting:
            send(opened, rows, first + sent, fitting)
            sent += fitting
        gather(opened, rows)


def gather(opened: Port, rows: Exchanged, timeout_ns: int = 100 * NS_PER_MS) -> None:
    """Poll once and keep what came."""
    settlements, deliveries = opened.poll(timeout_ns)
    s, d = settlements, deliveries
    rows.settled += zip(s.lane.tolist(), s.seq.tolist(), s.outcome.tolist(), s.at_ns.tolist(), strict=True)
    columns = (d.lane, d.producer, d.seq, d.intended_ns, d.sent_ns, d.received_ns, d.redelivered)
    rows.delivered += zip(*(column.tolist() for column in columns), strict=True)
    rows.foreign += d.foreign


def receive(opened: Port, rows: Exchanged, messages: int, timeout_ns: int = 100 * NS_PER_MS) -> None:
    """Gather until so many messages have come in all, with our stamp or without one."""
    deadline_ns = CLOCK.now_ns() + _PATIENCE_NS
    while len(rows.delivered) + rows.foreign < messages:
        assert CLOCK.now_ns() < deadline_ns, (len(rows.delivered), rows.foreign, opened.counters())
        gather(opened, rows, timeout_ns)


def exchange(opened: Port, messages: int, *, lanes: int = 1, settled: bool = True) -> Exchanged:
    """Send as there is room until all was sent, delivered and, where awaited, settled."""
    rows, sent = Exchanged(), 0
    deadline_ns = CLOCK.now_ns() + _PATIENCE_NS
    while len(rows.delivered) < messages or (settled and len(rows.settled) < messages):
        assert CLOCK.now_ns() < deadline_ns, (sent, len(rows.delivered), len(rows.settled), opened.counters())
        number = min(messages - sent, opened.room())
        if number:
            send(opened, rows, sent, number, lanes)
            sent += number
        gather(opened, rows, 0 if number else 100 * NS_PER_MS)
    return rows
