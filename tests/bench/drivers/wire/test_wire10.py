"""What only the compiled driver does over 1.0: many links a connection, links attached anew, what does not fit."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from bench.arrivals import stamp
from bench.drivers.base import ConnectionLost, DriverError, Port, PortSpec, ProducerLane
from bench.drivers.wire.wire10 import open_port
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Endpoint
from tests.bench.drivers.amqp10_server import Amqp10Server

pytestmark = pytest.mark.compiled


CLOCK = RealClock()
Opened = Callable[..., tuple[Port, Amqp10Server]]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Open a port with producers on a server of few words; both end with the test."""
    ends: list[Callable[[], None]] = []

    def open_one(
        lanes: int = 1, size: int = 40, *, max_frame: int = 0, frames: int = 0, **options: Any
    ) -> tuple[Port, Amqp10Server]:
        server = Amqp10Server(grant=100, max_frame=max_frame, frames=frames)
        ends.append(server.stop)
        producers = tuple(ProducerLane(7 + lane, f"q{lane}") for lane in range(lanes))
        port = open_port(PortSpec(server.endpoint, producers, (), size, **options), CLOCK)
        ends.append(port.close)
        return port, server

    yield open_one
    for end in reversed(ends):
        end()


def send(port: Port, lanes: list[int]) -> None:
    """Send a message on each of these lanes."""
    port.send(np.array(lanes), np.arange(len(lanes)), np.zeros(len(lanes), np.int64))


def until(port: Port, holds: Callable[[], bool]) -> None:
    """Poll until it holds, at most 5 s."""
    deadline_ns = CLOCK.now_ns() + 5 * NS_PER_S
    while not holds():
        assert CLOCK.now_ns() < deadline_ns
        port.poll(5 * NS_PER_MS)


def test_lanes_share_a_connection(opened: Opened) -> None:
    """Three links on one session; each message comes on its own."""
    port, server = opened(3, lanes_per_connection=3, confirm_window=10)
    assert port.room() == 30
    send(port, [0, 1, 2, 2, 1])
    until(port, lambda: len(server.deliveries) == 5)
    names = [delivery.link.name.split()[1] for delivery in server.deliveries]
    assert names == ["7", "8", "9", "9", "8"]


def test_a_link_is_attached_anew_after_so_many_messages(opened: Opened) -> None:
    """Under another name; there is no room until the new link has credit, and none for more than it may send."""
    port, server = opened(confirm_window=0, options={"reattach": "8"})
    assert port.room() == 8
    send(port, [0] * 8)
    assert port.room() == 0
    until(port, lambda: port.room() == 8)
    send(port, [0] * 8)
    until(port, lambda: port.room() == 8)
    assert port.counters()["reattached"] == 2
    assert len(server.deliveries) == 16
    assert len(set(server.names)) == 3


def test_a_port_closes_in_the_midst_of_attaching_anew(opened: Opened) -> None:
    """What was sent arrives, and the server sees an orderly end."""
    port, server = opened(confirm_window=0, options={"reattach": "8"})
    send(port, [0] * 8)
    begin_ns = CLOCK.now_ns()
    port.close()
    assert CLOCK.now_ns() - begin_ns < NS_PER_S
    server.stop()
    assert (len(server.deliveries), len(server.names)) == (8, 1)


def test_a_link_with_a_window_stays(opened: Opened) -> None:
    """The option is for pre-settled senders; with outcomes nothing dwindles."""
    port, server = opened(confirm_window=10, options={"reattach": "8"})
    send(port, [0] * 10)
    until(port, lambda: len(server.deliveries) == 10)
    assert len(server.names) == 1


def test_an_option_that_is_no_number_is_refused() -> None:
    """Before anything is connected, and the text says what to write."""
    nowhere = Endpoint("amqp10", "127.0.0.1", 9, "/", None, "guest", "guest")
    asked = PortSpec(nowhere, (ProducerLane(0, "q"),), (), 40, options={"reattach": "often"})
    with pytest.raises(DriverError, match=r"options\.reattach = 'often': write a number of messages"):
        open_port(asked, CLOCK)


def test_a_large_message_waits_for_the_session_and_goes_on(opened: Opened) -> None:
    """Of 10 frames each where the session takes 4 at a time: one is begun, and there is no room until it is through."""
    port, server = opened(2, 9_000, max_frame=1_024, frames=4, lanes_per_connection=2, confirm_window=4)
    for turn in range(3):
        until(port, lambda: port.room() >= 2)
        send(port, [0, 1])
        assert port.room() == 0
        until(port, lambda: len(server.deliveries) == 2 * turn + 2)  # noqa: B023
    opening_and_body = len(server.bodies) // 6
    for number in range(6):
        stamped = server.bodies[(number + 1) * opening_and_body - 9_000 :]
        assert stamp.unpack(stamped[: stamp.SIZE])[:2] == (7 + number % 2, number % 2)


def test_bytes_that_are_no_amqp_are_told(opened: Opened) -> None:
    """As a loss, with what was wrong, whichever loop reads them."""
    port, server = opened()
    server.raw(b"\x00\x00\x00\x08\x01\x00\x00\x00")
    with pytest.raises(ConnectionLost, match=r"dropped producer 7 .* it sent what no peer may: a frame's data offset"):
        until(port, lambda: False)
