"""The loop under every driver over sockets: when `poll` returns, and what it says of the end."""

import os
import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from bench.drivers.base import ConnectionLost, ConsumerLane, PortSpec, ProducerLane
from bench.drivers.sockets.port import SocketPort
from bench.drivers.sockets.selector import Selector
from bench.host.clock import RealClock
from brokers.endpoint import Endpoint
from tests.bench.drivers.lane_server import StampConsumer, StampProducer, listening

MS = 1_000_000
SECOND = 1_000 * MS
CLOCK = RealClock()


@pytest.fixture
def server() -> Iterator[tuple[socket.socket, Endpoint]]:
    """A listening socket and its endpoint."""
    with listening() as both:
        yield both


def spec(endpoint: Endpoint | None, producers: int = 0, consumers: int = 0, **options: int) -> PortSpec:
    """Ask for so many lanes."""
    return PortSpec(
        endpoint,
        tuple(ProducerLane(n, f"q{n}") for n in range(producers)),
        tuple(ConsumerLane(n, f"q{n}") for n in range(consumers)),
        32,
        **options,  # type: ignore[arg-type]
    )


def opened(port_spec: PortSpec) -> SocketPort:
    """Open a port of the test's own lanes."""
    return SocketPort(port_spec, CLOCK, StampProducer, StampConsumer)


def send(port: SocketPort, count: int, lane_count: int = 1) -> list[int]:
    """Send messages 0 to count - 1, dealt in turn; return when each was stamped."""
    numbers = np.arange(count)
    return port.send(numbers % lane_count, numbers // lane_count, np.zeros(count, np.int64)).tolist()


def echo(peer: socket.socket, size: int) -> None:
    """Read so many bytes and send them back."""
    data = b""
    while len(data) < size:
        data += peer.recv(size - len(data))
    peer.sendall(data)


def test_a_timeout_of_zero_never_waits_and_a_short_one_is_kept(server: tuple[socket.socket, Endpoint]) -> None:
    """A wait of 200 µs ends before 1 ms has gone, which a wait in whole milliseconds cannot."""
    port = opened(spec(server[1], producers=1))
    took = {}
    for timeout_ns in (0, 200_000):
        laps = []
        for _ in range(50):
            begin = time.monotonic_ns()
            settlements, deliveries = port.poll(timeout_ns)
            laps.append(time.monotonic_ns() - begin)
            assert len(settlements.seq) == len(deliveries.seq) == 0
        took[timeout_ns] = sorted(laps)
    port.close()
    assert took[0][25] < 200_000
    assert took[200_000][0] >= 200_000
    assert took[200_000][10] < 900_000


def test_settlements_of_all_lanes_end_a_poll(server: tuple[socket.socket, Endpoint]) -> None:
    """Messages dealt over three lanes go out in order of each, stamped in order, and come back."""
    port = opened(spec(server[1], producers=3))
    peers = [server[0].accept()[0] for _ in range(3)]
    sent_ns = send(port, 30, lane_count=3)
    assert sent_ns == sorted(sent_ns)
    for peer in peers:
        echo(peer, 320)
    got: dict[int, list[int]] = {0: [], 1: [], 2: []}
    begin = time.monotonic_ns()
    while sum(map(len, got.values())) < 30:
        settlements, _ = port.poll(5 * SECOND)
        for lane, seq in zip(settlements.lane.tolist(), settlements.seq.tolist(), strict=True):
            got[lane].append(seq)
    assert got == {lane: list(range(10)) for lane in range(3)}
    assert time.monotonic_ns() - begin < 4 * SECOND
    port.close()
    for peer in peers:
        peer.close()


def test_the_wake_descriptor_ends_a_poll_and_is_read_empty(server: tuple[socket.socket, Endpoint]) -> None:
    """Once for each time it is written."""
    wake = os.eventfd(0)
    port = opened(spec(server[1], producers=1, wake_fd=wake))
    os.eventfd_write(wake, 3)
    begin = time.monotonic_ns()
    port.poll(5 * SECOND)
    assert time.monotonic_ns() - begin < 2 * SECOND
    begin = time.monotonic_ns()
    port.poll(20 * MS)
    assert time.monotonic_ns() - begin >= 20 * MS
    port.close()
    os.close(wake)


def test_room_that_comes_back_ends_a_poll(server: tuple[socket.socket, Endpoint]) -> None:
    """A peer that reads nothing takes the room; when it reads again, poll returns at once."""
    port = opened(spec(server[1], producers=1))
    peer = server[0].accept()[0]
    while port.room() > 0:
        send(port, port.room())
    begin = time.monotonic_ns()
    port.poll(20 * MS)
    assert port.room() == 0
    assert time.monotonic_ns() - begin >= 20 * MS
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set() and peer.recv(1 << 20):
            pass

    reader = threading.Thread(target=read)
    reader.start()
    begin = time.monotonic_ns()
    port.poll(5 * SECOND)
    assert port.room() > 0
    assert time.monotonic_ns() - begin < 4 * SECOND
    stop.set()
    port.close()
    reader.join()
    peer.close()


def test_the_smallest_room_counts_for_every_lane(server: tuple[socket.socket, Endpoint]) -> None:
    """So that messages dealt in turn always fit."""
    port = opened(spec(server[1], producers=2))
    full, other = port._producers
    full.output += bytes(100_000)
    assert port.room() == 2 * full.room()
    assert other.room() > full.room()
    port.close()


def test_a_batch_is_acknowledged_when_full_and_a_rest_after_ten_ms(server: tuple[socket.socket, Endpoint]) -> None:
    """Ten messages in batches of four: four and four at once, two when nothing new has come for 10 ms."""
    port = opened(spec(server[1], consumers=1, ack_batch=4))
    peer = server[0].accept()[0]
    peer.settimeout(5)
    peer.sendall(bytes(10))
    begin = time.monotonic_ns()
    port.poll(5 * MS)
    at_once = peer.recv(10)
    port.poll(30 * MS)
    assert (list(at_once), list(peer.recv(10))) == ([4, 4], [2])
    assert time.monotonic_ns() - begin >= 10 * MS
    port.close()
    peer.close()


def test_what_arrived_before_the_end_is_returned_before_the_error(server: tuple[socket.socket, Endpoint]) -> None:
    """Rows first, then ConnectionLost, again and again; closing then is quiet."""
    port = opened(spec(server[1], producers=1))
    peer = server[0].accept()[0]
    send(port, 5)
    echo(peer, 160)
    peer.close()
    settlements, _ = port.poll(5 * SECOND)
    assert settlements.seq.tolist() == [0, 1, 2, 3, 4]
    for _ in range(2):
        with pytest.raises(
            ConnectionLost, match=r"broker at 127\.0\.0\.1:\d+ dropped producer 0 of queue 'q0' over AMQP"
        ):
            port.poll(5 * SECOND)
    with pytest.raises(ConnectionLost):
        send(port, 1)
    port.close()


def test_nobody_at_the_address_is_said(server: tuple[socket.socket, Endpoint]) -> None:
    """With the address and never with the password."""
    server[0].close()
    with pytest.raises(ConnectionLost, match=r"no broker answers at 127\.0\.0\.1:\d+: Connection refused") as caught:
        opened(spec(server[1], producers=1))
    assert "secret" not in str(caught.value)


def test_a_silent_peer_is_given_up(server: tuple[socket.socket, Endpoint], monkeypatch: pytest.MonkeyPatch) -> None:
    """An opening that gets no answer ends with how many lanes wait."""
    monkeypatch.setattr("bench.drivers.sockets.port.OPEN_NS", 30 * MS)

    def silent(*args: object) -> object:
        lane = StampProducer(*args)
        lane.ready = False
        return lane

    with pytest.raises(ConnectionLost, match=r"did not open producer 0 of queue 'q0' .* \(2 of 2 lanes wait\)"):
        SocketPort(spec(server[1], producers=2), CLOCK, silent, StampConsumer)  # type: ignore[arg-type]


def test_the_selector_knows_more_than_a_thousand_descriptors() -> None:
    """Where select(2) alone fails, a descriptor above 1,023 still ends the wait."""
    selector = Selector()
    pairs = [socket.socketpair() for _ in range(520)]
    for left, _ in pairs:
        selector.watch(left.fileno())
    left, right = pairs[-1]
    assert right.fileno() > 1_023
    right.send(b"x")
    assert [descriptor for descriptor, _ in selector.wait(SECOND)] == [left.fileno()]
    for pair in pairs:
        for end in pair:
            end.close()
    selector.close()
