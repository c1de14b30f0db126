"""The null peer: a process that speaks a protocol to any number of clients and does nothing else.

What is published to it is confirmed and dropped; whoever consumes from it is sent stamped
messages as fast as it takes them. So a driver's own speed can be seen without a broker.
Run as `python -m bench.ceiling.null_peer PROTOCOL …`; it prints its port, and ends when its
standard input does. `bench.ceiling.relay` is a broker
that passes on what it is sent, and does no other work.
"""

import argparse
import ctypes
import os
import signal
import socket
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Literal, cast

import numpy as np

from bench.drivers.base import PortSpec, Sends
from bench.drivers.sockets.selector import READABLE, Selector
from bench.drivers.sockets.stream import Stream
from bench.drivers.wire.codec_tables import WireTables
from bench.drivers.wire.connection import WireConnection
from bench.drivers.wire.context import IO_WIDTH, WireContext
from bench.drivers.wire.lanes import Lane
from bench.drivers.wire.socket import WireSocket
from bench.host.clock import RealClock
from bench.host.rlimit import allow_most
from brokers.endpoint import Endpoint

_BACKLOG = 4_096
_BATCH = 512
PREFETCH_MOST = 4_096
"""Unacknowledged messages that a consumer is sent at most."""
_IDLE_NS = 1_000_000_000
_PR_SET_PDEATHSIG = 1


class Host(ABC):
    """What a protocol gives to the peer: tables, and the broker's end of a connection.

    Attributes:
        context: what the connections share.
    """

    def __init__(self, context: WireContext, lanes: int) -> None:
        """Offer a place to each connection of the context, with so many lanes."""
        self.context = context
        self._lanes = lanes
        self._free = list(range(len(context.io)))[::-1]

    def accept(self, stream: Stream) -> "PeerConnection | None":
        """Return a connection for a client; None where there are too many."""
        if not self._free:
            return None
        index = self._free.pop()
        first = index * self._lanes
        lanes = [Lane(row, 0, "", producing=False) for row in range(first, first + self._lanes)]
        return self.connect(index, lanes, stream)

    def forget(self, connection: "PeerConnection") -> None:
        """Use the place of a connection again."""
        self._free.append(connection.index)

    @abstractmethod
    def connect(self, index: int, lanes: Sequence[Lane], stream: Stream) -> "PeerConnection":
        """Return the broker's end of a connection whose rows, used or not, are as new."""


class PeerConnection(WireConnection):
    """The broker's end of a connection.

    Attributes:
        consuming: those who are sent messages.
    """

    def __init__(self, tables: WireTables[Any], index: int, lanes: Sequence[Lane], stream: Stream) -> None:
        """Serve a client that has connected."""
        super().__init__(tables, index, lanes, stream)
        self.consuming: list[Delivering] = []
        self.ready = True

    def begin(self) -> None:
        """Wait for the client's protocol header."""

    def begin_close(self) -> None:
        """Hang up: there is nobody to whom it would matter."""
        self.closed = True

    def deliver(self) -> bool:
        """Send messages where there is room; return whether more could be sent at once."""
        more = False
        for consumer in self.consuming:
            if self.octets_left() and not self.closed:
                more = consumer.send() or more
        return more

    def _owe_acks(self) -> None:
        """Acknowledge all that came: a broker of no work keeps nobody waiting."""
        self.acknowledge_before(self._read_ns)


class Delivering:
    """One who consumes: is sent as many messages as there is room for."""

    def __init__(self, connection: PeerConnection, row: int, room: Callable[[], int]) -> None:
        """Send on the lane in a row of the tables; `room` tells how many it takes now."""
        self._connection = connection
        self._room = room
        self._lane = np.full(_BATCH, row, np.int64)
        self._seq = 0
        self._sent_ns = np.zeros(_BATCH, np.int64)

    def send(self) -> bool:
        """Send a batch; return whether another could follow."""
        connection = self._connection
        count = min(_BATCH, self._room())
        if count <= 0:
            return False
        seq = np.arange(self._seq, self._seq + count)
        self._seq += count
        now = np.full(count, connection.context.clock.now_ns(), np.int64)
        octets = connection.tables.message_octets()
        sends = Sends(lane=self._lane, seq=seq, intended_ns=now, sent_ns=self._sent_ns)
        connection.publish(sends, octets, 0, count)
        return not connection.pending


def new_context(connections: int, size: int, protocol: Literal["amqp091", "amqp10"], cells: int) -> WireContext:
    """Return what so many connections share, for bodies of `size` bytes and a cursor of `cells`."""
    endpoint = Endpoint(protocol, "127.0.0.1", 0, "/", None, "", "")
    io, cursor = np.zeros((connections, IO_WIDTH), np.int64), np.zeros(cells, np.int64)
    return WireContext(PortSpec(endpoint, (), (), size), endpoint, RealClock(), io, cursor)


class NullPeer:
    """Serves clients from one loop."""

    def __init__(self, host: Host, listener: socket.socket, until: int) -> None:
        """Serve whoever connects to `listener` until the descriptor `until` is at its end."""
        self._host = host
        self._listener = listener
        self._until = until
        self._selector = Selector()
        self._connections: dict[int, PeerConnection] = {}
        self._eager: set[PeerConnection] = set()
        host.context.watch_writable = self._watch_writable

    def serve(self) -> None:
        """Serve until told to end."""
        self._listener.setblocking(False)  # noqa: FBT003  (positional only)
        self._selector.watch(self._listener.fileno())
        self._selector.watch(self._until)
        while self._turn():
            pass

    def _turn(self) -> bool:
        context = self._host.context
        for descriptor, events in self._selector.wait(0 if self._eager else _IDLE_NS):
            if descriptor == self._until:
                return False
            if descriptor == self._listener.fileno():
                self._accept()
                continue
            connection = self._connections[descriptor]
            if events & ~READABLE:
                connection.drain()
            if events & READABLE:
                more = connection.fill()
                while more and not connection.closed:
                    context.cursor[:3] = 0
                    more = connection.fill()
                context.cursor[:3] = 0
            self._eager.add(connection)
            if connection.closed:
                self._drop(connection)
        for connection in list(self._eager):
            if connection.closed or not connection.deliver():
                self._eager.discard(connection)
        return True

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except BlockingIOError:
                return
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            accepted.setblocking(False)  # noqa: FBT003
            connection = self._host.accept(Stream(accepted))
            if connection is None:
                accepted.close()
                continue
            self._connections[connection.fileno()] = connection
            self._selector.watch(connection.fileno())
            connection.begin()

    def _drop(self, connection: PeerConnection) -> None:
        self._selector.forget(connection.fileno())
        del self._connections[connection.fileno()]
        self._eager.discard(connection)
        connection.abandon()
        self._host.forget(connection)
        self._host.context.failures.clear()  # a client may leave as it likes

    def _watch_writable(self, connection: WireSocket, wanted: bool) -> None:  # noqa: FBT001
        self._selector.change(connection.fileno(), writable=wanted)


def main(words: Sequence[str] | None = None) -> None:
    """Listen on a port of 127.0.0.1, print its number, serve."""
    parser = argparse.ArgumentParser(prog="python -m bench.ceiling.null_peer", description=__doc__)
    parser.add_argument("protocol", choices=("amqp091", "amqp10"))
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--lanes", type=int, default=1, help="channels or links a connection")
    parser.add_argument("--size", type=int, default=100, help="bytes of a body that is delivered")
    parser.add_argument("--port", type=int, default=0, help="port of 127.0.0.1; by default a free one")
    given = parser.parse_args(words)
    allow_most()
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    module = import_module(
        {"amqp091": "bench.ceiling.null_peer091", "amqp10": "bench.ceiling.null_peer10"}[given.protocol]
    )
    host = cast("Host", module.open_host(given.connections, given.lanes, given.size))
    with socket.create_server(("127.0.0.1", given.port), backlog=_BACKLOG) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        os.set_blocking(sys.stdin.fileno(), False)
        NullPeer(host, listener, sys.stdin.fileno()).serve()


if __name__ == "__main__":
    main()
