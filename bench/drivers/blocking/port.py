"""The port over client libraries that own their sockets and block: many lanes, one loop, one thread.

It decides when a library is asked to read, and when acknowledgements that linger are
given. It knows no protocol and no library: that is in the lanes
(`lane.BlockingProducer`, `lane.BlockingConsumer`) it is given.
"""

import os
import select
from collections.abc import Sequence
from contextlib import suppress
from typing import cast

import numpy as np

from bench.drivers.base import Deliveries, DriverError, Int64, Settlements
from bench.drivers.blocking.lane import BlockingConsumer, BlockingContext, BlockingLane, BlockingProducer
from bench.drivers.sockets.port import LanePort
from bench.drivers.sockets.timers import NEVER_NS

_AT_ONCE = 256
"""Things taken in from one connection before the others have their turn."""


class BlockingPort(LanePort[BlockingProducer, BlockingConsumer]):
    """A `bench.drivers.base.Port` over lanes that have a connection each, and open it one after the other."""

    _kind_of_context = BlockingContext
    _next = 0
    """The producing lane that is asked for room."""

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
        if context.held_ns:
            return self._rested(timeout_ns)
        had_no_room = timeout_ns > 0 and self.room() == 0
        full = [lane for lane in self._producers if lane.full()] if had_no_room else []
        self._heed(full, writable=True)
        self._turns(0 if context.settlements else timeout_ns, had_no_room=had_no_room)
        self._heed(full, writable=False)
        return context.settlements.settlements(), context.deliveries.deliveries()

    def close(self) -> None:
        """See `bench.drivers.base.Port`."""
        for consumer in self._consumers:
            with suppress(DriverError):
                consumer.settle()
        for connection in self._connections.values():
            with suppress(DriverError), connection.told():
                connection.close()
        self._release()

    def _release(self) -> None:
        super()._release()
        cast("BlockingContext", self._context).close()

    def _settle_all(self) -> None:
        for consumer in self._consumers:
            consumer.settle()

    def _turn(self, timeout_ns: int) -> bool:
        """Acknowledge what lingers, wait, read; return whether the wake descriptor was readable."""
        woken = False
        now_ns = self._clock.now_ns()
        takers: Sequence[BlockingConsumer] = () if self._context.held_ns else self._consumers
        try:
            for consumer in takers:
                if consumer.ack_due_ns <= now_ns:
                    consumer.settle()
            held = [lane for lane in self._connections.values() if lane.pending()]
            for lane in held:
                self._read(lane)
            if held:
                timeout_ns = 0
            due_ns = min([consumer.ack_due_ns for consumer in takers], default=NEVER_NS)
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

    def _heed(self, lanes: Sequence[BlockingProducer], *, writable: bool) -> None:
        if self._failures:
            return  # the socket may be gone, and no other poll will wait
        for lane in lanes:
            self._watch_writable(lane, writable)
