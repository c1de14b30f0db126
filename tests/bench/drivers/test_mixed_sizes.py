"""Every driver over sockets sends each message in the size that the mix gives it, however it is cut into frames."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from bench.arrivals import stamp
from bench.arrivals.sizes import Sizes
from bench.drivers.base import PortSpec, ProducerLane
from bench.drivers.registry import driver_named, open_port
from bench.drivers.wire.receive_loop import COMPILED
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from bench.wire.amqp10_body import find_body
from tests.bench.drivers.amqp091_server import Amqp091Server
from tests.bench.drivers.amqp10_server import Amqp10Server

pytestmark = pytest.mark.compiled


CLOCK = RealClock()
COUNT = 60
MIX = Sizes((33, 300, 5_000, 150_000), (4.0, 3.0, 2.0, 1.0), seed=11)


class Served:
    """A port of one producer, 7, on a server of few words, and what that server got."""

    def __init__(self, driver: str, mix: Sizes) -> None:
        """Open both."""
        self.server: Any
        if driver_named(driver).protocol == "amqp091":
            self.server = Amqp091Server()
        else:
            self.server = Amqp10Server(grant=1_000, max_frame=4_096)
        lanes = (ProducerLane(7, "q"),), ()
        spec = PortSpec(self.server.endpoint, *lanes, max(mix.sizes), confirm_window=0, mix=mix)
        self.port: Any = open_port(driver, spec, CLOCK)

    def bodies(self) -> list[bytes]:
        """Return the bodies that came so far."""
        if isinstance(self.server, Amqp091Server):
            return list(self.server.bodies)
        found = []
        for message in list(self.server.messages):
            body = find_body(message)
            assert body is not None
            found.append(bytes(message[body.start : body.start + body.length]))
        return found

    def until(self, count: int) -> list[bytes]:
        """Poll until so many bodies have come, at most 10 s; return them."""
        deadline_ns = CLOCK.now_ns() + 10 * NS_PER_S
        while len(bodies := self.bodies()) < count:
            assert CLOCK.now_ns() < deadline_ns, len(bodies)
            self.port.poll(5 * NS_PER_MS)
        return bodies


@pytest.fixture(params=["pika-codec", "pika-select", "kombu", "proton-engine", "wire091", "wire10"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """Open a port of each driver; both ends end with the test."""
    made = Served(request.param, MIX)
    yield made
    made.port.close()
    made.server.stop()


def check(bodies: list[bytes]) -> None:
    """Each message is there once, in order, as long as the mix says, zeros behind its stamp."""
    stamps = [stamp.unpack(body) for body in bodies]
    assert [found and found[:3] for found in stamps] == [(7, seq, seq * 5) for seq in range(COUNT)]
    assert [len(body) for body in bodies] == [MIX.of(7, seq) for seq in range(COUNT)]
    assert {len(body) for body in bodies} == set(MIX.sizes)
    assert all(body[stamp.SIZE :] == bytes(len(body) - stamp.SIZE) for body in bodies)


@pytest.mark.compiled
def test_each_message_has_its_size(served: Served) -> None:
    """In batches as large as there is room for."""
    sent = 0
    while sent < COUNT:
        count = min(served.port.room(), COUNT - sent, 20)
        seq = np.arange(sent, sent + count)
        if count:
            served.port.send(np.zeros(count, np.int64), seq, seq * 5)
        sent += count
        served.port.poll(NS_PER_MS)
    check(served.until(COUNT))


@pytest.mark.skipif(not COMPILED, reason="the loops that plan run compiled only")
@pytest.mark.parametrize("served", ["wire091", "wire10"], indirect=True)
def test_planned_messages_have_their_sizes(served: Served) -> None:
    """Sent by the compiled loop at their times, they are the same."""
    sent, seq = 0, np.arange(COUNT)
    while sent < COUNT:
        if served.port.plans():
            lane = np.zeros(COUNT - sent, np.int64)
            sent += len(served.port.send_planned(lane, seq[sent:], seq[sent:] * 5, CLOCK.now_ns() + NS_PER_MS, 0))
        served.port.poll(0)
    check(served.until(COUNT))
