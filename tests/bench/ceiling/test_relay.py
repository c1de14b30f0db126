"""The relay, as drivers see it: everything sent arrives once, in order and as it was stamped; and its bound holds."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from typing import Any, cast
from uuid import uuid4

import numpy as np
import pytest

from bench.ceiling.measure import PeerFailed, peer, relay
from bench.drivers.base import ConsumerLane, Outcome, Port, PortSpec, ProducerLane, Refused
from bench.drivers.registry import driver_named, open_port
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Endpoint, Protocol
from tests.bench.ceiling.relay_client import declared

pytestmark = pytest.mark.compiled

CLOCK = RealClock()
COMPILED = ("wire091", "wire10")
DRIVERS = (*COMPILED, "pika-codec", "proton-engine")
Row = tuple[int, int, int, int]
"""Producer, number, intended and sent time."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """A relay: where it listens."""
    with relay() as where:
        yield where


def queues(port: int, count: int) -> list[str]:
    """Declare fresh queues."""
    names = [f"q-{uuid4()}" for _ in range(count)]
    for name in names:
        declared(port, name)
    return names


def opened(driver: str, port: int, producers: list[str], consumers: list[str], **options: Any) -> Port:
    """Open a driver with a producer and a consumer for each queue that is named, numbered from 0."""
    endpoint = Endpoint(
        cast("Protocol", driver_named(driver).protocol), "127.0.0.1", port, "/", None, "anyone", "anything"
    )
    spec = PortSpec(
        endpoint,
        tuple(ProducerLane(number, queue) for number, queue in enumerate(producers)),
        tuple(ConsumerLane(number, queue) for number, queue in enumerate(consumers)),
        options.pop("size", 100),
        **options,
    )
    return open_port(driver, spec, CLOCK)


class Traffic:
    """What went through a port.

    Attributes:
        sent: of each producer, in order.
        came: on each consuming lane, in order.
        confirmed: messages that were confirmed.
    """

    def __init__(self, port: Port, producers: int) -> None:
        """Send and receive by a port."""
        self._port = port
        self.sent: list[list[Row]] = [[] for _ in range(producers)]
        self.came: dict[int, list[Row]] = defaultdict(list)
        self.confirmed = 0
        self._deadline_ns = CLOCK.now_ns() + 20 * NS_PER_S

    def send(self, each: int) -> None:
        """Send messages up to so many of each producer, as far as there is room."""
        while (left := each - len(self.sent[0])) > 0 and (room := self._port.room()) >= len(self.sent):
            count = min(left, room // len(self.sent), 64)
            lane = np.tile(np.arange(len(self.sent)), count)
            seq = np.repeat(np.arange(len(self.sent[0]), len(self.sent[0]) + count), len(self.sent))
            intended = seq * 1_000 + lane
            sent_ns = self._port.send(lane, seq, intended)
            for row in zip(lane.tolist(), seq.tolist(), intended.tolist(), sent_ns.tolist(), strict=True):
                self.sent[row[0]].append(row)

    def poll(self, wait_ns: int = 5 * NS_PER_MS) -> None:
        """Take what is there, or comes within a time."""
        assert CLOCK.now_ns() < self._deadline_ns, (list(map(len, self.sent)), self.received, self.confirmed)
        settlements, deliveries = self._port.poll(wait_ns)
        assert deliveries.foreign == 0
        assert (settlements.outcome == Outcome.CONFIRMED).all()
        assert (deliveries.redelivered == 0).all()
        self.confirmed += len(settlements.seq)
        columns = (deliveries.producer, deliveries.seq, deliveries.intended_ns, deliveries.sent_ns)
        for lane, *row in zip(deliveries.lane.tolist(), *(column.tolist() for column in columns), strict=True):
            self.came[lane].append(cast("Row", tuple(row)))

    @property
    def received(self) -> int:
        """Messages that came."""
        return sum(map(len, self.came.values()))


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(("window", "batch"), [(64, 16), (0, 0)])
def test_all_that_is_sent_arrives_once_in_order_with_its_stamp(port: int, driver: str, window: int, batch: int) -> None:
    """Two producers and two consumers on one queue, one of each on another, persistent, with bodies of two frames."""
    first, second = queues(port, 2)
    names = [first, first, second]
    options = {"confirm_window": window, "ack_batch": batch, "prefetch": 50, "durable": True, "size": 140_000}
    with closing(opened(driver, port, names, names, **options)) as opened_port:
        traffic = Traffic(opened_port, 3)
        while traffic.received < 3 * 120 or traffic.confirmed < (3 * 120 if window else 0):
            traffic.send(120)
            traffic.poll()
    assert sorted(traffic.came[0] + traffic.came[1]) == sorted(traffic.sent[0] + traffic.sent[1])
    assert traffic.came[2] == traffic.sent[2]
    for lane in (0, 1):
        assert traffic.came[lane]
        for producer in (0, 1):
            numbers = [row[1] for row in traffic.came[lane] if row[0] == producer]
            assert numbers == sorted(numbers)


@pytest.mark.parametrize("driver", COMPILED)
def test_lanes_share_a_connection(port: int, driver: str) -> None:
    """Three channels or links to one: thousands of small messages, each to its own queue."""
    names = queues(port, 3)
    options = {"lanes_per_connection": 3, "confirm_window": 30, "prefetch": 30, "ack_batch": 10}
    with closing(opened(driver, port, names, names, **options)) as opened_port:
        traffic = Traffic(opened_port, 3)
        while traffic.received < 3_000:
            traffic.send(1_000)
            traffic.poll()
    assert [traffic.came[lane] for lane in range(3)] == traffic.sent


@pytest.mark.parametrize(("sends", "receives"), [("wire091", "wire10"), ("proton-engine", "pika-codec")])
def test_messages_cross_over_to_the_other_protocol(port: int, sends: str, receives: str) -> None:
    """Queues are the same for both."""
    names = queues(port, 1)
    with (
        closing(opened(sends, port, names, [])) as sending,
        closing(opened(receives, port, [], names)) as receiving,
    ):
        out, back = Traffic(sending, 1), Traffic(receiving, 0)
        while back.received < 500:
            out.send(500)
            out.poll(0)
            back.poll()
    assert back.came[0] == out.sent[0]


@pytest.mark.parametrize("driver", DRIVERS)
def test_publishers_are_held_back_where_nobody_consumes(driver: str) -> None:
    """Beyond the bound nothing is taken; all of it arrives once somebody consumes, and more can be sent."""
    many = 500
    with relay(memory_mib=1) as where:
        [name] = queues(where, 1)
        with closing(opened(driver, where, [name], [], confirm_window=0, size=100_000)) as sending:
            out = Traffic(sending, 1)
            idle = 0
            while idle < 20:
                before = len(out.sent[0])
                out.send(many)
                out.poll()
                idle = idle + 1 if len(out.sent[0]) == before else 0
            assert 10 <= len(out.sent[0]) < many
            with closing(opened(driver, where, [], [name], prefetch=20, ack_batch=10, size=100_000)) as receiving:
                back = Traffic(receiving, 0)
                while back.received < many:
                    out.send(many)
                    out.poll(0)
                    back.poll()
    assert back.came[0] == out.sent[0]


def test_a_queue_that_is_not_there_is_refused(port: int) -> None:
    """Over 0-9-1, as a broker does; over 1.0 a link makes it."""
    with pytest.raises(Refused, match="404 NOT_FOUND - no queue 'none'"):
        opened("wire091", port, ["none"], [])
    with closing(opened("wire10", port, ["made"], [])):
        assert declared(port, "made", passive=True) == (0, 0)


def test_its_port_can_be_chosen(port: int) -> None:
    """One that is free is, of a null peer as well; one that is taken is said to be."""
    with relay() as free:
        pass
    with relay(free) as where:
        assert where == free
    with peer("amqp091", port=free) as where:
        assert where == free
    with pytest.raises(PeerFailed, match=rf"--port {port} cannot be had \(Address already in use\): name another"):
        relay(port).__enter__()
