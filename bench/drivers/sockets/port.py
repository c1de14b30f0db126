"""The port of every driver over sockets: many connections, one loop, one thread.

It decides when sockets are read and written and when timers run. It knows no protocol:
that is in the lanes (`connection.Producer`, `connection.Consumer`) it is given.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import numpy as np

from bench.drivers.base import (
    ConsumerLane,
    Deliveries,
    Int64,
    PortSpec,
    ProducerLane,
    Settlements,
)
from bench.drivers.sockets.connection import (
    CLOSE_NS,
    FLUSH_BYTES,
    OPEN_NS,
    OPENING_AT_ONCE,
    Connection,
    Consumer,
    Context,
    Producer,
    unopened,
)
from bench.drivers.sockets.selector import READABLE, Selector
from bench.host.clock import Clock
from bench.units import NS_PER_S

OpenProducer = Callable[[Context, int, ProducerLane], Producer]
OpenConsumer = Callable[[Context, int, ConsumerLane], Consumer]
Lane = TypeVar("Lane", bound=Connection)


class SocketPort:
    """A `bench.drivers.base.Port` over lanes that have a connection each."""

    def __init__(self, spec: PortSpec, clock: Clock, open_producer: OpenProducer, open_consumer: OpenConsumer) -> None:
        """Open every lane; on failure nothing stays open.

        Raises:
            ConnectionLost: a broker does not answer, or ended a connection.
            Refused: a broker refused credentials, virtual host or queue.
        """
        if spec.endpoint is None:
            message = "a driver over sockets needs an endpoint"
            raise ValueError(message)
        self._clock = clock
        self._context = Context(spec, spec.endpoint, clock)
        self._context.watch_writable = self._watch_writable
        self._selector = Selector()
        self._wake_fd = spec.wake_fd
        if self._wake_fd is not None:
            self._selector.watch(self._wake_fd)
        self._producers: list[Producer] = []
        self._consumers: list[Consumer] = []
        self._connections: dict[int, Connection] = {}
        self._unread: list[Connection] = []
        """Connections that hold bytes which the selector does not see."""
        try:
            self._open(spec, open_producer, open_consumer)
        except BaseException:
            self._release()
            raise

    def room(self) -> int:
        """See `bench.drivers.base.Port`."""
        if not self._producers:
            return 0
        return min([lane.room() for lane in self._producers]) * len(self._producers)

    def send(self, lane: Int64, seq: Int64, intended_ns: Int64) -> Int64:
        """See `bench.drivers.base.Port`."""
        self._raise_failure()
        sent = np.empty(len(seq), np.int64)
        touched: set[Producer] = set()
        for row, (which, number, intended) in enumerate(
            zip(lane.tolist(), seq.tolist(), intended_ns.tolist(), strict=True)
        ):
            producer = self._producers[which]
            sent[row] = producer.publish(number, intended)
            touched.add(producer)
            if producer.unwritten() > FLUSH_BYTES:
                producer.drain()
                self._raise_failure()
        for producer in touched:
            producer.drain()
        return sent

    def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
        """See `bench.drivers.base.Port`."""
        self._raise_failure()
        context = self._context
        deadline_ns = self._clock.now_ns() + timeout_ns
        had_no_room = bool(self._producers) and timeout_ns > 0 and self.room() == 0
        woken = self._turn(0 if context.news else timeout_ns)
        while not (woken or context.news):
            self._raise_failure()
            left_ns = deadline_ns - self._clock.now_ns()
            if left_ns <= 0 or (had_no_room and self.room() > 0):
                break
            woken = self._turn(left_ns)
        return context.settlements.settlements(), context.deliveries.deliveries()

    def counters(self) -> dict[str, int]:
        """See `bench.drivers.base.Port`: `bytes_in`, `bytes_out`, and what the lanes count."""
        return self._context.counted(connection.counts() for connection in self._connections.values())

    def close(self) -> None:
        """See `bench.drivers.base.Port`."""
        for connection in self._connections.values():
            if not connection.closed:
                connection.begin_close()
                connection.drain()
        deadline_ns = self._clock.now_ns() + CLOSE_NS
        with suppress(OSError):
            while any(not c.closed for c in self._connections.values()) and self._clock.now_ns() < deadline_ns:
                self._turn(deadline_ns - self._clock.now_ns())
        self._release()

    def _open(self, spec: PortSpec, open_producer: OpenProducer, open_consumer: OpenConsumer) -> None:
        for lane, producer in enumerate(spec.producers):
            self._producers.append(self._adopt(spec, open_producer(self._context, lane, producer)))
        for lane, consumer in enumerate(spec.consumers):
            self._consumers.append(self._adopt(spec, open_consumer(self._context, lane, consumer)))
        self._await_ready(spec)

    def _await_ready(self, spec: PortSpec) -> None:
        deadline_ns = self._clock.now_ns() + OPEN_NS
        while waiting := [c for c in self._connections.values() if not c.ready]:
            self._raise_failure()
            left_ns = deadline_ns - self._clock.now_ns()
            if left_ns <= 0:
                count = f"{len(waiting)} of {len(spec.producers) + len(spec.consumers)} lanes"
                first, endpoint = waiting[0], self._context.endpoint
                raise unopened(endpoint, first.owner, first.queue, count, OPEN_NS // NS_PER_S)
            self._turn(left_ns)
        self._raise_failure()

    def _adopt(self, spec: PortSpec, connection: Lane) -> Lane:
        self._connections[connection.fileno()] = connection
        self._selector.watch(connection.fileno())
        connection.drain()
        if len(self._connections) % OPENING_AT_ONCE == 0:
            self._await_ready(spec)
        return connection

    def _turn(self, timeout_ns: int) -> bool:
        """Run timers, wait, read, write; return whether the wake descriptor was readable."""
        timers = self._context.timers
        now_ns = self._clock.now_ns()
        if timers.next_due_ns <= now_ns:
            timers.run(now_ns)
        woken = False
        pending, self._unread = self._unread, []
        for descriptor, events in self._selector.wait(0 if pending else min(timeout_ns, timers.next_due_ns - now_ns)):
            if descriptor == self._wake_fd:
                os.eventfd_read(descriptor)
                woken = True
            else:
                self._serve(self._connections[descriptor], readable=bool(events & READABLE))
        for connection in pending:
            # One that was readable as well may have been read, or have ended, just now.
            if connection.unread() and connection not in self._unread:
                self._serve(connection, readable=True)
        return woken

    def _serve(self, connection: Connection, *, readable: bool) -> None:
        """Read or write one connection; forget it once it is closed."""
        if not connection.closed:
            if readable:
                connection.fill()
            else:
                connection.drain()
        if connection.closed:
            self._selector.forget(connection.fileno())
        elif connection.unread():
            self._unread.append(connection)

    def _watch_writable(self, connection: Connection, wanted: bool) -> None:  # noqa: FBT001
        if not connection.closed:
            self._selector.change(connection.fileno(), writable=wanted)

    def _raise_failure(self) -> None:
        if self._context.failures:
            raise self._context.failures[0]

    def _release(self) -> None:
        for connection in self._connections.values():
            connection.abandon()
        self._selector.close()
