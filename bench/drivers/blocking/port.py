"""The port over client libraries that own their sockets and block: many lanes, one loop, one thread.

It decides when a library is asked to read, and when acknowledgements that linger are
given. It knows no protocol and no library: that is in the lanes
(`lane.BlockingProducer`, `lane.BlockingConsumer`) it is given.
"""

import os
import select
from collections.abc import Callable, Sequence
from contextlib import suppress

import numpy as np

from bench.drivers.base import ConsumerLane, Deliveries, DriverError, Int64, PortSpec, ProducerLane, Settlements
from bench.drivers.blocking.lane import BlockingConsumer, BlockingLane, BlockingProducer
from bench.drivers.sockets.connection import Context
from bench.drivers.sockets.selector import Selector
from bench.drivers.sockets.timers import NEVER_NS
from bench.host.clock import Clock

_AT_ONCE = 256
"""Things taken in from one connection before the others have their turn."""

OpenProducer = Callable[[Context, int, ProducerLane], BlockingProducer]
OpenConsumer = Callable[[Context, int, ConsumerLane], BlockingConsumer]


class BlockingPort:
    """A `bench.drivers.base.Port` over lanes that have a connection each."""

    def __init__(self, spec: PortSpec, clock: Clock, open_producer: OpenProducer, open_consumer: OpenConsumer) -> None:
        """Open every lane, one after the other; on failure nothing stays open.

        Raises:
            ConnectionLost: a broker does not answer, or ended a connection.
            Refused: a broker refused credentials, virtual host or queue.
        """
        if spec.endpoint is None:
            message = "a driver over a network needs an endpoint"
            raise ValueError(message)
        self._clock = clock
        self._context = Context(spec, spec.endpoint, clock)
        self._next = 0
        self._producers: list[BlockingProducer] = []
        self._consumers: list[BlockingConsumer] = []
        self._connections: dict[int, BlockingLane] = {}
        self._selector = Selector()
        self._wake_fd = spec.wake_fd
        if self._wake_fd is not None:
            self._selector.watch(self._wake_fd)
        try:
            for lane, producer in enumerate(spec.producers):
                self._producers.append(open_producer(self._context, lane, producer))
                self._adopt(self._producers[-1])
            for lane, consumer in enumerate(spec.consumers):
                self._consumers.append(open_consumer(self._context, lane, consumer))
                self._adopt(self._consumers[-1])
        except BaseException:
            self._release()
            raise

    def room(self) -> int:
        """See `bench.drivers.base.Port`: with confirms one message at a time, so that each wait is seen as such."""
        if not self._producers or self._context.settlements:
            return 0
        if self._producers[0].confirms:
            return self._producers[self._next].room()
        return min([lane.room() for lane in self._producers]) * len(self._producers)

    def send(self, lane: Int64, seq: Int64, intended_ns: Int64) -> Int64:
        """See `bench.drivers.base.Port`; with confirms it takes a round trip a message."""
        self._raise_failure()
        if len(lane):
            self._next = (int(lane[-1]) + 1) % len(self._producers)
        rows = zip(lane.tolist(), seq.tolist(), intended_ns.tolist(), strict=True)
        return np.array([self._producers[which].publish(number, due_ns) for which, number, due_ns in rows], np.int64)

    def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
        """See `bench.drivers.base.Port`."""
        self._raise_failure()
        context = self._context
        deadline_ns = self._clock.now_ns() + timeout_ns
        had_no_room = bool(self._producers) and timeout_ns > 0 and self.room() == 0
        full = [lane for lane in self._producers if lane.full()] if had_no_room else []
        self._watch_writable(full, wanted=True)
        woken = self._turn(0 if context.settlements else timeout_ns)
        while not (woken or context.news):
            self._raise_failure()
            left_ns = deadline_ns - self._clock.now_ns()
            if left_ns <= 0 or (had_no_room and self.room() > 0):
                break
            woken = self._turn(left_ns)
        self._watch_writable(full, wanted=False)
        return context.settlements.settlements(), context.deliveries.deliveries()

    def counters(self) -> dict[str, int]:
        """See `bench.drivers.base.Port`: what the library counts of each connection, summed, and what lanes count."""
        return self._context.counted(connection.counts() for connection in self._connections.values())

    def close(self) -> None:
        """See `bench.drivers.base.Port`."""
        for consumer in self._consumers:
            with suppress(DriverError):
                consumer.settle()
        for connection in self._connections.values():
            with suppress(*connection.errors):
                connection.close()
        self._release()

    def _adopt(self, connection: BlockingLane) -> None:
        self._connections[connection.fileno()] = connection
        self._selector.watch(connection.fileno())

    def _turn(self, timeout_ns: int) -> bool:
        """Acknowledge what lingers, wait, read; return whether the wake descriptor was readable."""
        woken = False
        now_ns = self._clock.now_ns()
        try:
            for consumer in self._consumers:
                if consumer.ack_due_ns <= now_ns:
                    consumer.settle()
            held = [consumer for consumer in self._consumers if consumer.pending()]
            for consumer in held:
                self._read(consumer)
            if held:
                timeout_ns = 0
            due_ns = min([consumer.ack_due_ns for consumer in self._consumers], default=NEVER_NS)
            for descriptor, events in self._selector.wait(min(timeout_ns, due_ns - now_ns)):
                if descriptor == self._wake_fd:
                    os.eventfd_read(descriptor)
                    woken = True
                elif events & ~select.EPOLLOUT:
                    self._read(self._connections[descriptor])
        except DriverError as error:
            self._context.failures.append(error)
        return woken

    def _read(self, connection: BlockingLane) -> None:
        came = self._context.deliveries
        with connection.told():
            for _ in range(_AT_ONCE):
                # One read of some libraries hands over many messages.
                if not connection.read() or len(came) + came.foreign >= _AT_ONCE:
                    return

    def _watch_writable(self, lanes: Sequence[BlockingProducer], *, wanted: bool) -> None:
        if self._context.failures:
            return  # the socket may be gone, and no other poll will wait
        for lane in lanes:
            self._selector.change(lane.fileno(), writable=wanted)

    def _raise_failure(self) -> None:
        if self._context.failures:
            raise self._context.failures[0]

    def _release(self) -> None:
        for connection in self._connections.values():
            connection.abandon()
        self._selector.close()
