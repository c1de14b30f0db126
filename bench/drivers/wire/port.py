"""The port of the compiled drivers: any number of connections and lanes, one readiness loop, no object a message.

It decides when sockets are read and written, and when timers run. What octets mean is in a
protocol's own connections; the port knows them as `WireConnection`.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from bench.drivers.base import (
    Deliveries,
    Int64,
    PortSpec,
    Sends,
    Settlements,
    copied,
    empty_deliveries,
    empty_settlements,
)
from bench.drivers.sockets.connection import CLOSE_NS, OPEN_NS, OPENING_AT_ONCE, OUTPUT_LIMIT, unopened
from bench.drivers.sockets.port import LoopPort
from bench.drivers.sockets.selector import READABLE
from bench.drivers.sockets.timers import NEVER_NS
from bench.drivers.wire.codec_tables import WireTables
from bench.drivers.wire.connection import WireConnection
from bench.drivers.wire.context import LAST_IN, LAST_OUT, ROWS, SAY_EVERY, SILENT_AFTER
from bench.drivers.wire.kernel_timestamps import CLOCK_SET
from bench.drivers.wire.lanes import Lane
from bench.drivers.wire.receive_loop import COMPILED, ROWS_KEPT_FREE
from bench.units import NS_PER_S
from bench.wire.cursor import SETTLED_ROWS

_WATCH_NS = NS_PER_S // 2
_NEVER_FULL = 1 << 40
"""Messages of a batch, while the consumers take nothing."""
_TAKEN_AT = (SETTLED_ROWS + 5, SETTLED_ROWS + 7)
"""Columns of deliveries that tell when they came."""
_NO_SETTLEMENTS = empty_settlements()
_NO_DELIVERIES = empty_deliveries()

Tables = TypeVar("Tables", bound=WireTables[Any])


class WirePort(LoopPort[WireConnection]):
    """A `bench.drivers.base.Port` over compiled codecs."""

    def __init__(
        self, spec: PortSpec, tables: Tables, connect: Callable[[Tables, int, Sequence[Lane]], WireConnection]
    ) -> None:
        """Open every connection and lane; on failure nothing stays open.

        Args:
            spec: what is asked for.
            tables: those of the protocol.
            connect: opens a connection that uses them, given its number and its lanes.

        Raises:
            ConnectionLost: a broker does not answer, or ended a connection.
            Refused: a broker refused credentials, virtual host or queue.
        """
        super().__init__(spec, tables.context.clock, tables.context.failures)
        self._context = tables.context
        self._tables = tables
        self._marks = tables.context.marks
        self._columns = tuple(tables.context.rows)
        self._lanes = len(spec.producers)
        self._context.watch_writable = self._watch_writable
        self._of_lane: list[WireConnection] = []
        self._handed = False
        self._early: deque[tuple[Settlements, Deliveries]] = deque()
        self._opening = True
        try:
            self._open(connect(tables, index, lanes) for index, lanes in enumerate(tables.deal()))
        except BaseException:
            self._release()
            raise
        self._opening = False
        self._by_lane = np.array([connection.index for connection in self._of_lane], np.int64)
        self._in_order = tuple(self._connections.values())
        self._sends = self._lanes > 0 or spec.reply_size > 0
        self._octets = tables.message_octets() if self._lanes else tables.reply_octets() if spec.reply_size else 1
        self._solo = self._alone()
        self._gather_ns = spec.gather_ns
        self._watch_keep_alive()

    def room(self) -> int:
        """See `bench.drivers.base.Port`."""
        context = self._context
        if not self._sends or context.stopped or context.failures:
            return 0
        if not self._lanes:
            return self._room_for_replies()
        least = self._tables.window_room()
        most = OUTPUT_LIMIT // self._octets + 1
        for connection in context.laggards:
            left = connection.octets_left()
            most = min(most, (left // self._octets + 1) // len(connection.lanes) if left else 0)
        return min(least, most) * self._lanes

    def _room_for_replies(self) -> int:
        """Return how many fit, should all of them go out on one connection."""
        left = min((connection.octets_left() for connection in self._context.laggards), default=OUTPUT_LIMIT)
        return left // self._octets + 1 if left else 0

    def send(self, lane: Int64, seq: Int64, intended_ns: Int64) -> Int64:
        """See `bench.drivers.base.Port`."""
        self._raise_failure()
        count, octets = len(seq), self._octets
        sent_ns = np.empty(count, np.int64)
        if count == 1 or len(self._connections) == 1:
            sends = Sends(lane=lane, seq=seq, intended_ns=intended_ns, sent_ns=sent_ns)
            self._of_lane[lane[0]].publish(sends, octets, 0, count)
            return sent_ns
        connection = self._by_lane[lane]
        order = np.argsort(connection, kind="stable")
        sends = Sends(lane=lane[order], seq=seq[order], intended_ns=intended_ns[order], sent_ns=np.empty_like(sent_ns))
        bounds = [0, *(np.flatnonzero(np.diff(connection[order])) + 1).tolist(), count]
        for first, end in pairwise(bounds):
            self._of_lane[sends.lane[first]].publish(sends, octets, first, end)
        sent_ns[order] = sends.sent_ns
        return sent_ns

    def reply(self, producer: Int64, seq: Int64, intended_ns: Int64, sent_ns: Int64) -> Int64:
        """See `bench.drivers.base.ReplyingPort`; what cannot be answered has the time of the call."""
        self._raise_failure()
        row, index = self._tables.find_requesters(producer)
        replied_ns = np.full(len(seq), self._clock.now_ns())
        for number in sorted(set(index.tolist())):
            chosen = np.flatnonzero(index == number)
            if number < 0:
                self._context.count("unanswerable", len(chosen))
                continue
            sends = Sends(lane=row[chosen], seq=seq[chosen], intended_ns=intended_ns[chosen], sent_ns=sent_ns[chosen])
            self._in_order[number].reply(sends, self._octets)
            replied_ns[chosen] = sends.sent_ns
        return replied_ns

    def plans(self) -> bool:
        """See `bench.drivers.base.PlanningPort`: one lane on a connection that has taken all that was written."""
        solo = self._solo
        return solo is not None and self._lanes == 1 and not (solo.pending or solo.closed or self._unread)

    def send_planned(self, lane: Int64, seq: Int64, due_ns: Int64, until_ns: int, coalesce_ns: int) -> Int64:
        """See `bench.drivers.base.PlanningPort`."""
        self._raise_failure()
        solo, timers = self._solo, self._context.timers
        assert solo is not None  # noqa: S101  (for the type checker: `plans` was asked)
        self._begin_rows()
        sends = Sends(lane=lane, seq=seq, intended_ns=due_ns, sent_ns=np.empty(len(seq), np.int64))
        sent, more = solo.pace(sends, min(until_ns, timers.next_due_ns), coalesce_ns)
        if more:
            self._unread.add(solo)
        if solo.closed:
            self._forget(solo)
        return sends.sent_ns[:sent]

    def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
        """See `bench.drivers.base.Port`."""
        self._raise_failure()
        if self._early:
            return self._early.popleft()
        if self._context.held_ns:
            return self._rested(timeout_ns)
        marks = self._begin_rows()
        if marks[0] or marks[1] or marks[2]:  # it came while lanes were opened, or messages were sent
            timeout_ns = 0
        solo = self._solo
        if solo is not None and not (solo.pending or solo.closed or self._unread):
            self._receive(solo, timeout_ns)
            return self._taken()
        if timeout_ns <= 0:
            self._turn(0)
            return self._taken()
        self._turns(timeout_ns, had_no_room=self.room() == 0)
        return self._taken()

    def hold(self, until_ns: int) -> None:
        """See `bench.drivers.base.HoldingPort`."""
        context = self._context
        if until_ns == context.held_ns or until_ns <= self._clock.now_ns():
            return
        for connection in self._connections.values():
            if not (connection.closed or context.held_ns):
                connection.acknowledge_before(1 << 62)
        self._tables.batch_acks(_NEVER_FULL)
        context.held_ns = until_ns

    def _rested(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
        """Serve the connections while the consumers take nothing; return what came once they may."""
        context = self._context
        self._begin_rows()
        deadline_ns = min(self._clock.now_ns() + timeout_ns, context.held_ns)
        while (left_ns := deadline_ns - self._clock.now_ns()) > 0:
            self._raise_failure()
            if self._has_rows():
                self._turn(left_ns)
            else:
                self._clock.sleep_ns(left_ns)
        self._raise_failure()
        now_ns = self._clock.now_ns()
        if now_ns < context.held_ns:
            return _NO_SETTLEMENTS, _NO_DELIVERIES
        context.held_ns = 0
        self._tables.batch_acks(context.spec.ack_batch)
        context.rows[list(_TAKEN_AT), : self._marks[1]] = now_ns
        for connection in self._in_order:
            connection.release()
        return self._taken()

    def tells_times(self) -> bool:
        """See `bench.drivers.base.TimedPort`."""
        return all(connection.times for connection in self._connections.values())

    def counters(self) -> dict[str, int]:
        """See `bench.drivers.base.Port`: `bytes_in`, `bytes_out`, and what the connections count."""
        context = self._context
        times_set = context.received_marks[CLOCK_SET]
        return {
            "bytes_in": context.bytes_in,
            "bytes_out": context.bytes_out,
            **({"clock_set": times_set} if times_set else {}),
            **context.counters,
            **self._tables.counters(),
        }

    def close(self) -> None:
        """See `bench.drivers.base.Port`."""
        for connection in self._connections.values():
            if not connection.closed:
                connection.begin_close()
        deadline_ns = self._clock.now_ns() + CLOSE_NS
        with suppress(OSError):
            while any(not c.closed for c in self._connections.values()) and self._clock.now_ns() < deadline_ns:
                self._context.cursor[:3] = 0
                self._turn(deadline_ns - self._clock.now_ns())
        self._release()

    def _news(self) -> bool:
        marks = self._marks
        return bool(marks[0] or marks[1] or marks[2])

    def _begin_rows(self) -> memoryview:
        """Forget the rows that were handed over; return how many there are of each kind."""
        marks = self._marks
        if self._handed:
            self._handed = False
            marks[0] = marks[1] = marks[2] = 0
        return marks

    def _taken(self) -> tuple[Settlements, Deliveries]:
        """Return the rows that were filled, as views of the tables."""
        self._handed = True
        marks, rows = self._marks, self._columns
        settled, delivered, foreign = marks[0], marks[1], marks[2]
        settlements, deliveries = _NO_SETTLEMENTS, _NO_DELIVERIES
        if settled:
            settlements = Settlements(rows[0][:settled], rows[1][:settled], rows[2][:settled], rows[3][:settled])
        if delivered or foreign:
            deliveries = Deliveries._make(
                (*(row[:delivered] for row in rows[SETTLED_ROWS:-1]), foreign, rows[-1][:delivered])
            )
        return settlements, deliveries

    def _open(self, connections: Iterable[WireConnection]) -> None:
        for connection in connections:
            self._watch(connection)
            if connection.producing:
                self._of_lane += [connection] * sum(lane.producing for lane in connection.lanes)
            connection.begin()
            if len(self._connections) % OPENING_AT_ONCE == 0:
                self._await_ready()
        self._await_ready()

    def _await_ready(self) -> None:
        waiting = [c for c in self._connections.values() if not c.ready]
        deadline_ns = self._clock.now_ns() + OPEN_NS
        while waiting:
            self._raise_failure()
            left_ns = deadline_ns - self._clock.now_ns()
            if left_ns <= 0:
                lane, count = waiting[0].lanes[0], f"{len(waiting)} connections"
                raise unopened(self._context.endpoint, lane.owner, lane.queue, count, OPEN_NS // NS_PER_S)
            self._turn(left_ns)
            if not self._has_rows():
                self._early.append(copied(*self._taken()))
                self._begin_rows()
            waiting = [c for c in waiting if not c.ready]
        self._raise_failure()

    def _alone(self) -> WireConnection | None:
        """Return the only connection, where compiled code may serve it: over plain TCP."""
        if len(self._connections) > 1 or self._context.endpoint.tls is not None or not COMPILED:
            return None
        return next(iter(self._connections.values()))

    def _receive(self, solo: WireConnection, timeout_ns: int) -> None:
        """Run timers, and wait and read in compiled code, until there is news or the time is up."""
        marks, timers = self._marks, self._context.timers
        now_ns = self._clock.now_ns()
        deadline_ns = now_ns + timeout_ns
        had_no_room = self._sends and self.room() == 0
        gather_ns = 0 if had_no_room else self._gather_ns
        wake_fd = -1 if self._wake_fd is None else self._wake_fd
        while True:
            if timers.next_due_ns <= now_ns:
                timers.run(now_ns)
            woken, more = solo.receive(min(deadline_ns, timers.next_due_ns), gather_ns, wake_fd)
            if more:
                self._unread.add(solo)
            if woken:
                os.eventfd_read(wake_fd)
            if solo.closed:
                self._forget(solo)
            now_ns = self._clock.now_ns()
            if marks[0] or marks[1] or marks[2] or woken or now_ns >= deadline_ns:
                break
            self._raise_failure()
            if solo.pending or self._unread or (had_no_room and self.room()):
                break

    def _turn(self, timeout_ns: int) -> bool:
        """Run timers, wait, read, write; return whether the wake descriptor was readable."""
        timers = self._context.timers
        if timers.next_due_ns != NEVER_NS:
            now_ns = self._clock.now_ns()
            if timers.next_due_ns <= now_ns:
                timers.run(now_ns)
            timeout_ns = min(timeout_ns, timers.next_due_ns - now_ns)
        if self._unread:
            timeout_ns = 0
            for connection in [one for one in self._unread if self._listens_to(one)]:
                self._unread.discard(connection)
                self._read(connection)
        woken = False
        for descriptor, events in self._selector.wait(timeout_ns):
            if descriptor == self._wake_fd:
                os.eventfd_read(descriptor)
                woken = True
                continue
            connection = self._connections[descriptor]
            if events & ~READABLE:
                connection.drain()
            if events & READABLE and self._has_rows() and self._listens_to(connection):
                self._read(connection)
        return woken

    def _has_rows(self) -> bool:
        return max(self._marks[0], self._marks[1]) <= ROWS - ROWS_KEPT_FREE

    def _listens_to(self, connection: WireConnection) -> bool:
        """Return whether to read a connection: until all are open, only those that are not, as a flood may come."""
        return not (self._opening and connection.ready)

    def _read(self, connection: WireConnection) -> None:
        if not connection.closed and connection.fill():
            self._unread.add(connection)
        if connection.closed:
            self._forget(connection)

    def _forget(self, connection: WireConnection) -> None:
        self._unread.discard(connection)
        with suppress(OSError, ValueError):
            self._selector.forget(connection.fileno())

    def _watch_keep_alive(self) -> None:
        limits_ns = self._context.io[:, (SAY_EVERY, SILENT_AFTER)]
        if limits_ns.any():
            shortest_ns = int(limits_ns[limits_ns > 0].min())
            self._context.timers.call_at(self._clock.now_ns() + min(_WATCH_NS, shortest_ns // 2), self._keep_alive)

    def _keep_alive(self) -> None:
        """Speak where we were silent for too long, and give up peers that were (heartbeats, idle time-outs)."""
        io, now_ns = self._context.io, self._clock.now_ns()
        quiet = (io[:, SAY_EVERY] > 0) & (now_ns - io[:, LAST_OUT] >= io[:, SAY_EVERY])
        dead = (io[:, SILENT_AFTER] > 0) & (now_ns - io[:, LAST_IN] >= io[:, SILENT_AFTER])
        if quiet.any() or dead.any():
            for connection in self._connections.values():
                if connection.closed:
                    continue
                if quiet[connection.index]:
                    connection.keep_alive()
                if dead[connection.index]:
                    silent_s = (now_ns - int(io[connection.index, LAST_IN])) / NS_PER_S
                    connection.lose(f"nothing came from it for {silent_s:.0f} s, not even a heartbeat")
        self._watch_keep_alive()
