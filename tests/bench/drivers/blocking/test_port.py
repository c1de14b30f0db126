"""The port over libraries that block: what it asks of its lanes, and when it waits for what."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pytest

from bench.arrivals import stamp
from bench.drivers.base import ConnectionLost, ConsumerLane, Outcome, PortSpec, ProducerLane
from bench.drivers.blocking.lane import BlockingConsumer, BlockingLane, BlockingProducer
from bench.drivers.blocking.port import BlockingPort
from bench.host.clock import RealClock
from bench.units import NS_PER_MS, NS_PER_S
from brokers.endpoint import Endpoint
from tests.bench.drivers.lane_server import listening

SIZE = 64


class Library(BlockingLane):
    """A client library of one line of protocol: bodies of 64 bytes, each echoed where that is a confirm."""

    _socket: socket.socket | None = None

    def connect(self) -> None:
        """Connect and block from then on."""
        at = self.context.endpoint
        self._socket = self.stream = socket.create_connection((at.host, at.port))
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)

    def open(self) -> None:
        """Nothing is shaken."""

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self.stream.fileno()

    def read(self) -> bool:
        """Hand a body over, where one has come."""
        try:
            body = self.stream.recv(SIZE, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        if not body:
            raise ConnectionResetError("the broker hung up")
        self.took(body)
        return True

    def took(self, body: bytes) -> None:
        """Act on a body."""

    def counts(self) -> Mapping[str, int]:
        """Return one connection."""
        return {"connections": 1}

    def say(self, error: Exception) -> str:
        """Return the error's text."""
        return str(error)

    def close(self) -> None:
        """Fail, as a library may whose broker is gone."""
        raise OSError("nobody listens")

    def abandon(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            self._socket.close()


class LibraryProducer(Library, BlockingProducer):
    """Sends, and waits for the echo where it confirms."""

    def deliver(self, body: bytes) -> Outcome:
        """Send a body."""
        self.stream.sendall(body)
        if self.confirms:
            self.stream.recv(SIZE, socket.MSG_WAITALL)
        return Outcome.CONFIRMED


class LibraryConsumer(Library, BlockingConsumer):
    """Receives; an acknowledgement is one byte."""

    def took(self, body: bytes) -> None:
        """Hand a body over."""
        self.delivered(body, redelivered=False)

    def acknowledge(self) -> None:
        """Send a byte."""
        self.stream.sendall(b"a")


class Server:
    """The other ends of the port's connections, in the order in which they were made."""

    def __init__(self, listener: socket.socket) -> None:
        """Accept from a listening socket."""
        self._listener = listener
        self.ends: list[socket.socket] = []

    def accept(self, number: int) -> None:
        """Take in so many connections."""
        for _ in range(number):
            self.ends.append(self._listener.accept()[0])
            self.ends[-1].settimeout(5)

    def echo(self, lane: int, messages: int) -> None:
        """Confirm so many messages of a lane, in the background."""
        end = self.ends[lane]

        def serve() -> None:
            for _ in range(messages):
                end.sendall(end.recv(SIZE, socket.MSG_WAITALL))

        threading.Thread(target=serve, daemon=True).start()


Opened = Callable[..., tuple[BlockingPort, Server]]


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Open a port with so many lanes on a server; all ends are closed after the test."""
    with listening() as (listener, at):
        made: list[tuple[BlockingPort, Server]] = []

        def open_one(producers: int = 0, consumers: int = 0, **options: Any) -> tuple[BlockingPort, Server]:
            port = BlockingPort(
                asked(at, producers, consumers, **options), RealClock(), LibraryProducer, LibraryConsumer
            )
            server = Server(listener)
            server.accept(producers + consumers)
            made.append((port, server))
            return made[-1]

        yield open_one
        for port, server in made:
            port.close()
            for end in server.ends:
                end.close()


def asked(at: Endpoint, producers: int, consumers: int, **options: Any) -> PortSpec:
    """Return a spec of so many lanes on one queue."""
    lanes = tuple(ProducerLane(n, "q") for n in range(producers)), tuple(ConsumerLane(n, "q") for n in range(consumers))
    return PortSpec(at, *lanes, SIZE, **options)


def send(port: BlockingPort, lane: int, seq: int) -> None:
    """Send one message."""
    port.send(np.array([lane]), np.array([seq]), np.array([0]))


def poll_twice(port: BlockingPort) -> None:
    """Poll, and once more, as a failure is told by the poll after the one that met it."""
    port.poll(5 * NS_PER_S)
    port.poll(5 * NS_PER_S)


def test_with_confirms_lanes_take_one_message_in_turn(opened: Opened) -> None:
    """So that each wait shows: no room until `poll` has told the outcome, whichever lane is next."""
    port, server = opened(producers=2)
    for lane, seq in ((0, 0), (1, 0), (0, 1)):
        server.echo(lane, 1)
        assert port.room() == 1
        send(port, lane, seq)
        assert port.room() == 0
        settlements, _ = port.poll(5 * NS_PER_S)
        assert (settlements.lane.tolist(), settlements.seq.tolist()) == ([lane], [seq])
    nothing = np.empty(0, np.int64)
    assert port.send(nothing, nothing, nothing).tolist() == []
    assert port.room() == 1
    assert port.counters() == {"connections": 2}


def test_a_full_socket_has_no_room_until_it_drains(opened: Opened) -> None:
    """Without confirms; the poll ends when there is room again, long before its timeout."""
    port, server = opened(producers=1, confirm_window=0)
    server.ends[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sent = 0
    while room := port.room():
        assert room <= 4096 // SIZE
        for _ in range(room):
            send(port, 0, sent)
            sent += 1
    port.poll(20 * NS_PER_MS)
    assert port.room() == 0
    drain = threading.Timer(0.05, lambda: [server.ends[0].recv(SIZE, socket.MSG_WAITALL) for _ in range(sent)])
    drain.start()
    begin_ns = RealClock().now_ns()
    while not port.room():
        port.poll(5 * NS_PER_S)
    assert RealClock().now_ns() - begin_ns < 3 * NS_PER_S
    drain.join()


def test_the_wake_descriptor_is_read_empty(opened: Opened) -> None:
    """It ends a poll once; the next one keeps its timeout."""
    wake = os.eventfd(0)
    port, _ = opened(consumers=1, wake_fd=wake)
    os.eventfd_write(wake, 1)
    begin_ns = RealClock().now_ns()
    port.poll(5 * NS_PER_S)
    assert RealClock().now_ns() - begin_ns < NS_PER_S
    port.poll(30 * NS_PER_MS)
    assert RealClock().now_ns() - begin_ns >= 30 * NS_PER_MS
    os.close(wake)


def test_what_came_before_a_loss_is_handed_over_first(opened: Opened) -> None:
    """Rows of the poll that meets the end are returned; the next poll says what happened."""
    port, server = opened(consumers=1)
    body = bytearray(SIZE)
    stamp.pack_into(body, 3, 5, 100, 200)
    server.ends[0].sendall(bytes(body))
    server.ends[0].close()
    _, rows = port.poll(5 * NS_PER_S)
    assert rows.seq.tolist() == [5]
    for _ in range(2):
        with pytest.raises(ConnectionLost, match="dropped consumer 0 of queue 'q' over AMQP 0-9-1: the broker hung up"):
            poll_twice(port)


def test_closing_acknowledges_and_raises_nothing(opened: Opened) -> None:
    """Also where the library fails to close."""
    port, server = opened(consumers=1, ack_batch=10)
    body = bytearray(SIZE)
    stamp.pack_into(body, 3, 5, 100, 200)
    server.ends[0].sendall(bytes(body))
    assert port.poll(5 * NS_PER_S)[1].producer.tolist() == [3]
    port.close()
    assert server.ends[0].recv(10) == b"a"


def test_a_port_whose_second_lane_fails_leaves_nothing_open() -> None:
    """The lane that did open is closed too."""
    with listening() as (listener, at):

        def refuse(*_: Any) -> LibraryConsumer:
            raise ConnectionLost("no")

        with pytest.raises(ConnectionLost, match="no"):
            BlockingPort(asked(at, 1, 1), RealClock(), LibraryProducer, refuse)
        end, _ = listener.accept()
        end.settimeout(5)
        assert end.recv(1) == b""
        end.close()


class GenerousConsumer(LibraryConsumer):
    """Hands over 100 messages at each read, without end."""

    def read(self) -> bool:
        """Find more, always."""
        for _ in range(100):
            self.took(bytes(SIZE))
        return True


def test_a_library_that_hands_over_many_at_once_leaves_others_their_turn() -> None:
    """A poll returns after some hundred messages, however many a read hands over."""
    with listening() as (listener, at):
        port = BlockingPort(asked(at, 0, 1, ack_batch=0), RealClock(), LibraryProducer, GenerousConsumer)
        end, _ = listener.accept()
        end.sendall(b"x")
        _, deliveries = port.poll(NS_PER_S)
        port.close()
        end.close()
    assert 0 < len(deliveries.seq) + deliveries.foreign < 1_000
