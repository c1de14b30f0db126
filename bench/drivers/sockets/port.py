"""The port of every driver over sockets: many connections, one loop, one thread.

It decides when sockets are read and written and when timers run. It knows no protocol:
that is in the lanes (`connection.Producer`, `connection.Consumer`) it is given. What it shares
with ports of other lanes is in `LoopPort` and `LanePort`.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Generic, Protocol, TypeVar

import numpy as np

from bench.drivers.base import (
    ConsumerLane,
    Deliveries,
    DriverError,
    Int64,
    PortSpec,
    ProducerLane,
    Settlements,
    empty_deliveries,
)
from bench.drivers.sockets.connection import (
    CLOSE_NS,
    FLUSH_BYTES,
    OPEN_NS,
    OPENING_AT_ONCE,
    Consumer,
    Context,
    Producer,
    unopened,
)
from bench.drivers.sockets.selector import READABLE, Selector
from bench.host.clock import Clock
from bench.units import NS_PER_S
from brokers.endpoint import Endpoint


class Served(Protocol):
    """What a loop knows of a connection."""

    def fileno(self) -> int:
        """Return its descriptor."""

    def abandon(self) -> None:
        """Close its socket, in any state."""


class ServedLane(Served, Protocol):
    """What a port knows of a lane with a connection of its own."""

    def counts(self) -> Mapping[str, int]:
        """Return what its library counted."""


Linked = TypeVar("Linked", bound=Served)
Sender = TypeVar("Sender", bound=ServedLane)
Receiver = TypeVar("Receiver", bound=ServedLane)


def endpoint_of(spec: PortSpec) -> Endpoint:
    """Return where the broker is; raise ValueError where the port was given none."""
    if spec.endpoint is None:
        message = "a driver over a network needs an endpoint"
        raise ValueError(message)
    return spec.endpoint


class LoopPort(ABC, Generic[Linked]):
    """What every port over connections has: who waits for them, and how long; and what is left when one fails."""

    def __init__(self, spec: PortSpec, clock: Clock, failures: Sequence[DriverError]) -> None:
        """Wait for nothing yet but to be woken; `failures` will hold why connections broke."""
        self._clock = clock
        self._failures = failures
        self._connections: dict[int, Linked] = {}
        self._unread: set[Linked] = set()
        """Those that hold bytes which the selector does not see."""
        self._selector = Selector()
        self._wake_fd = spec.wake_fd
        if self._wake_fd is not None:
            self._selector.watch(self._wake_fd)

    @abstractmethod
    def room(self) -> int:
        """See `bench.drivers.base.Port`."""

    @abstractmethod
    def _news(self) -> bool:
        """Return whether there is something for `poll` to return."""

    @abstractmethod
    def _turn(self, timeout_ns: int) -> bool:
        """Do what is due, wait, read, write; return whether the wake descriptor was readable."""

    def _turns(self, timeout_ns: int, *, had_no_room: bool) -> None:
        """Take turns until there is news, or room where there was none, or the time is up."""
        deadline_ns = self._clock.now_ns() + timeout_ns
        woken = self._turn(timeout_ns)
        while not (woken or self._news()):
            self._raise_failure()
            left_ns = deadline_ns - self._clock.now_ns()
            if left_ns <= 0 or (had_no_room and self.room() > 0):
                break
            woken = self._turn(left_ns)

    def _watch(self, connection: Linked) -> None:
        self._connections[connection.fileno()] = connection
        self._selector.watch(connection.fileno())

    def _watch_writable(self, connection: Served, wanted: bool) -> None:  # noqa: FBT001
        self._selector.change(connection.fileno(), writable=wanted)

    def _raise_failure(self) -> None:
        if self._failures:
            raise self._failures[0]

    def _release(self) -> None:
        for connection in self._connections.values():
            connection.abandon()
        self._selector.close()


class LanePort(LoopPort[Sender | Receiver], Generic[Sender, Receiver]):
    """What ports share whose lanes have a connection each."""

    _kind_of_context: ClassVar[type[Context]] = Context

    def __init__(
        self,
        spec: PortSpec,
        clock: Clock,
        open_producer: Callable[[Context, int, ProducerLane], Sender],
        open_consumer: Callable[[Context, int, ConsumerLane], Receiver],
    ) -> None:
        """Open every lane; on failure nothing stays open.

        Raises:
            ConnectionLost: a broker does not answer, or ended a connection.
            Refused: a broker refused credentials, virtual host or queue.
        """
        self._context = self._kind_of_context(spec, endpoint_of(spec), clock)
        super().__init__(spec, clock, self._context.failures)
        self._context.watch_writable = self._watch_writable
        self._producers: list[Sender] = []
        self._consumers: list[Receiver] = []
        try:
            for lane, producer in enumerate(spec.producers):
                self._producers.append(open_producer(self._context, lane, producer))
                self._adopt(self._producers[-1])
            for lane, consumer in enumerate(spec.consumers):
                self._consumers.append(open_consumer(self._context, lane, consumer))
                self._adopt(self._consumers[-1])
            self._await_ready()
        except BaseException:
            self._release()
            raise

    def counters(self) -> dict[str, int]:
        """See `bench.drivers.base.Port`: what the lanes count, and what libraries count of each, summed."""
        return self._context.counted(connection.counts() for connection in self._connections.values())

    def hold(self, until_ns: int) -> None:
        """See `bench.drivers.base.HoldingPort`."""
        context = self._context
        if until_ns != context.held_ns and until_ns > self._clock.now_ns():
            self._settle_all()
            context.held_ns = until_ns

    @abstractmethod
    def _settle_all(self) -> None:
        """Acknowledge all that was delivered."""

    def _rested(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
        """Serve the connections while the consumers take nothing; return what came once they may."""
        context = self._context
        deadline_ns = min(self._clock.now_ns() + timeout_ns, context.held_ns)
        while (left_ns := deadline_ns - self._clock.now_ns()) > 0:
            self._raise_failure()
            self._turn(left_ns)
        self._raise_failure()
        now_ns = self._clock.now_ns()
        if now_ns < context.held_ns:
            return context.settlements.settlements(), empty_deliveries()
        context.held_ns = 0
        came = context.deliveries.deliveries()
        return context.settlements.settlements(), came._replace(received_ns=np.full(len(came.seq), now_ns))

    def _adopt(self, connection: Sender | Receiver) -> None:
        """Serve a connection from now on."""
        self._watch(connection)

    def _await_ready(self) -> None:
        """Wait until every lane is open, where opening one did not."""

    def _news(self) -> bool:
        return self._context.news


class SocketPort(LanePort[Producer, Consumer]):
    """A `bench.drivers.base.Port` over lanes that have a connection each."""

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
        if context.held_ns:
            return self._rested(timeout_ns)
        had_no_room = timeout_ns > 0 and self.room() == 0
        self._turns(0 if context.news else timeout_ns, had_no_room=had_no_room)
        return context.settlements.settlements(), context.deliveries.deliveries()

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

    def _settle_all(self) -> None:
        for consumer in self._consumers:
            if not consumer.closed:
                consumer.settle_rest()
                consumer.drain()

    def _await_ready(self) -> None:
        deadline_ns = self._clock.now_ns() + OPEN_NS
        while waiting := [c for c in self._connections.values() if not c.ready]:
            self._raise_failure()
            left_ns = deadline_ns - self._clock.now_ns()
            if left_ns <= 0:
                spec, first = self._context.spec, waiting[0]
                count = f"{len(waiting)} of {len(spec.producers) + len(spec.consumers)} lanes"
                raise unopened(self._context.endpoint, first.owner, first.queue, count, OPEN_NS // NS_PER_S)
            self._turn(left_ns)
        self._raise_failure()

    def _adopt(self, connection: Producer | Consumer) -> None:
        super()._adopt(connection)
        connection.drain()
        if len(self._connections) % OPENING_AT_ONCE == 0:
            self._await_ready()

    def _turn(self, timeout_ns: int) -> bool:
        """Run timers, wait, read, write; return whether the wake descriptor was readable."""
        timers = self._context.timers
        now_ns = self._clock.now_ns()
        if timers.next_due_ns <= now_ns:
            timers.run(now_ns)
        woken = False
        pending, self._unread = self._unread, set()
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

    def _serve(self, connection: Producer | Consumer, *, readable: bool) -> None:
        """Read or write one connection; forget it once it is closed."""
        if not connection.closed:
            if readable:
                connection.fill()
            else:
                connection.drain()
        if connection.closed:
            self._selector.forget(connection.fileno())
        elif connection.unread():
            self._unread.add(connection)
