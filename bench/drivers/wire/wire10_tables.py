"""The tables of the compiled AMQP 1.0 codec for all links and connections of one port."""

from collections.abc import Sequence

import numpy as np

from bench.drivers.base import Int64, PortSpec
from bench.drivers.sockets.connection import FLUSH_BYTES
from bench.drivers.wire.codec_tables import WireTables, ring_span
from bench.drivers.wire.context import IO_WIDTH, ROWS, ROWS_KEPT_FREE, WireContext
from bench.drivers.wire.lanes import Lane, connections
from bench.drivers.wire.receive import COMPILED
from bench.drivers.wire.wire10_pace import pace
from bench.drivers.wire.wire10_receive import receive
from bench.host.clock import Clock
from bench.wire import amqp10_layout as layout
from bench.wire.amqp10_answer import NEVER, answer
from bench.wire.amqp10_control import Open
from bench.wire.amqp10_encode import encode, resume
from bench.wire.amqp10_room import make_template, room
from bench.wire.amqp10_rows import new_connection, new_receiver, new_sender, opened
from bench.wire.amqp10_take import answer_octets, take
from bench.wire.cursor import OUT, SETTLED_ROWS
from bench.wire.templates import LONGEST, make_classes
from brokers.endpoint import Endpoint

FRAME_MAX = 131_072
"""Largest frame that we take, and that we make until a peer wants smaller ones, octets."""

IN_WINDOW = 0x7FFFFFFF
"""Transfer frames that the peer may send before it hears of the window again: as many as the
standard lets us say, since links have credit."""

_UNBOUNDED = 1 << 40
_MOST_RUNS = 256
_OWED = 1 << 16
"""Octets of acknowledgements that may be gathered before a scan is interrupted for them."""


class Tables10(WireTables):
    """State of every connection and lane, whichever end we are; layouts are in `bench.wire.amqp10_layout`."""

    def __init__(self, context: WireContext, lanes: int, senders: int, together: int, ring: int, runs: int) -> None:
        """Make tables.

        Args:
            context: buffers and rows; its `io` tells the number of connections.
            lanes: lanes of all of them.
            senders: how many connections send, the first ones.
            together: most lanes of one connection.
            ring: unsettled messages of one connection, see `ring_span`.
            runs: runs of acknowledgements that a lane gathers.
        """
        owed = 2 * answer_octets(together, runs) + _OWED
        super().__init__(context, owed)
        tables = layout.make_tables(len(context.io), lanes, ring, runs, senders)
        self.rows = tables
        self.conns, self.lanes, self.scratch, self.rings, self.runs = tables
        self.conn_marks = self.conns.reshape(-1).data
        self.settlements, self.deliveries = context.rows[:SETTLED_ROWS], context.rows[SETTLED_ROWS:]
        spec = context.spec
        made = [make_template(size, durable=spec.durable) for size in spec.sizes]
        frames, stamps = [one.frame for one in made], [one.stamp for one in made]
        self.stamp = stamps[0]
        self.template, self.classes = make_classes(frames, stamps, spec.mix)
        self.longest = int(self.classes[0, LONGEST])
        self.frame_max = FRAME_MAX
        self._owed = owed
        self._grow_outbox()
        self._load_kernels()

    def agree(self, index: int, peer: Open) -> None:
        """Take over the frame size that a connection's peer bears."""
        opened(self.rows, index, peer)
        self.frame_max = min(self.frame_max, int(self.conns[index, layout.C_MAX_OUT]))
        self._grow_outbox()

    def message_octets(self) -> int:
        """Return the octets of an encoded message, framing included, at most."""
        more = self.longest - self.frame_max
        payload = self.frame_max - layout.HEAD
        return self.longest + layout.HEAD * max(0, -(-more // payload))

    def counters(self) -> dict[str, int]:
        """Return what the codec counted, by name; `credit_leak` is told where it is met."""
        leak = int(self.cursor[layout.T_STARVED])
        return {"flow_frames": int(self.cursor[layout.T_FLOWS])} | ({"credit_leak": leak} if leak else {})

    def scan(self, index: int, start: int, end: int, now_ns: int) -> int:
        """Call `bench.wire.amqp10_take.take` on the inbox for a connection."""
        return take(
            self.context.inbox,
            start,
            end,
            now_ns,
            self.conns,
            index,
            self.lanes,
            self.scratch,
            self.rings,
            self.runs,
            self.deliveries,
            self.settlements,
            self.cursor,
            self.acks,
        )

    def receive(self, descriptor: int, wake_fd: int, index: int, until_ns: int, gather_ns: int) -> int:
        """Call `bench.drivers.wire.wire10_receive.receive` for a connection."""
        context = self.context
        return receive(
            descriptor,
            wake_fd,
            index,
            until_ns,
            gather_ns,
            ROWS - ROWS_KEPT_FREE,
            context.inbox,
            self.conns,
            self.lanes,
            self.scratch,
            self.rings,
            self.runs,
            self.deliveries,
            self.settlements,
            self.cursor,
            self.acks,
            context.times,
            context.polls,
            context.state,
        )

    def pace(
        self,
        descriptor: int,
        index: int,
        lane: Int64,
        seq: Int64,
        due_ns: Int64,
        sent_ns: Int64,
        until_ns: int,
        coalesce_ns: int,
    ) -> int:
        """Call `bench.drivers.wire.wire10_pace.pace` for a connection."""
        context = self.context
        return pace(
            descriptor,
            index,
            until_ns,
            coalesce_ns,
            ROWS - ROWS_KEPT_FREE,
            max(1, FLUSH_BYTES // self.message_octets()),
            lane,
            seq,
            due_ns,
            sent_ns,
            context.outbox,
            self.template,
            self.stamp,
            context.inbox,
            self.conns,
            self.lanes,
            self.scratch,
            self.rings,
            self.runs,
            self.deliveries,
            self.settlements,
            self.cursor,
            context.times,
            context.polls,
            context.state,
            self.classes,
        )

    def encode(self, lane: Int64, seq: Int64, intended_ns: Int64, sent_ns: int, first: int, end: int) -> int:
        """Call `bench.wire.amqp10_encode.encode` on the outbox; what the session's window does not take is parked."""
        at, taken = encode(
            self.context.outbox,
            0,
            self.template,
            self.stamp,
            self.conns,
            self.lanes,
            self.rings,
            lane,
            seq,
            intended_ns,
            sent_ns,
            first,
            end,
            self.classes,
        )
        if taken < end:
            message = f"{end - taken} messages were sent for which there was no room"
            raise ValueError(message)
        return at

    def resume(self, index: int) -> int:
        """Call `bench.wire.amqp10_encode.resume` on the outbox; return the octets."""
        out, rings = self.context.outbox, self.rings
        return resume(out, 0, self.template, self.stamp, self.conns, index, self.lanes, rings, self.classes)

    def answer(self, index: int, before_ns: int = NEVER) -> int:
        """Call `bench.wire.amqp10_answer.answer` for a connection; return the octets."""
        return answer(self.acks, 0, self.conns, index, self.lanes, self.runs, self.cursor, before_ns)

    def room(self, first: int, count: int) -> int:
        """Return the messages that the fullest of `count` lanes from a row on may still send."""
        return room(self.longest, self.conns, self.lanes, self.rings, first, count, 0, _UNBOUNDED) // count

    def _grow_outbox(self) -> None:
        """Make room for some 64 KiB of messages, the largest frame, and what is owed to a peer."""
        least = max(1 << 17, self.message_octets(), self._owed)
        if len(self.context.outbox) < least:
            self.context.grow_outbox(least)

    def _load_kernels(self) -> None:
        """Compile what is not compiled, or load it, before there is a connection that would wait for it."""
        none = np.empty(0, np.int64)
        self.scan(0, 0, 0, 0)
        self.encode(none, none, none, 0, 0, 0)
        self.resume(0)
        self.answer(0)
        self.room(0, 1)
        if COMPILED:
            self.receive(-1, -1, 0, 0, 0)
            one = np.zeros(1, np.int64)
            self.pace(-1, 0, one, one, one + (1 << 62), one, 0, 0)
        self.cursor[OUT] = 0


class ClientTables10(Tables10):
    """The tables of a worker's port."""

    def __init__(self, spec: PortSpec, endpoint: Endpoint, clock: Clock, reattach: int = 0) -> None:
        """Make tables for the lanes and connections of `spec`.

        Args:
            spec: what the port was asked for.
            endpoint: where the broker is.
            clock: time.
            reattach: messages after which a pre-settled sender's link is attached anew; 0 = never.
        """
        self.reattach = 0 if spec.confirm_window else reattach
        cursor = np.zeros(layout.TALLIES, np.int64)
        context = WireContext(spec, endpoint, clock, np.zeros((connections(spec), IO_WIDTH), np.int64), cursor)
        sends = len(spec.producers)
        together = min(spec.lanes_per_connection, max(sends, len(spec.consumers), 1))
        super().__init__(
            context,
            lanes=sends + len(spec.consumers),
            senders=-(-sends // spec.lanes_per_connection),
            together=together,
            ring=ring_span(spec.confirm_window * together),
            runs=min(max(16, spec.ack_batch), _MOST_RUNS) if spec.consumers else 1,
        )

    def enter(self, index: int, lanes: Sequence[Lane]) -> None:
        """Note the lanes of a connection; their handles are counted from 0."""
        spec, first = self.context.spec, lanes[0].row
        new_connection(self.rows, index, lane0=first, lanes=len(lanes), max_frame=FRAME_MAX, window=IN_WINDOW)
        for handle, lane in enumerate(lanes):
            if lane.producing:
                new_sender(
                    self.rows,
                    lane.row,
                    number=lane.row,
                    handle=handle,
                    producer=lane.number,
                    limit=spec.confirm_window,
                    last=self.reattach,
                )
            else:
                number = lane.row - len(spec.producers)
                new_receiver(
                    self.rows,
                    lane.row,
                    number=number,
                    handle=handle,
                    prefetch=spec.prefetch,
                    ack_batch=spec.ack_batch,
                )

    def window_room(self) -> int:
        """Return the messages that the fullest of the producing lanes may still send: window, credit."""
        return self.room(0, len(self.context.spec.producers))
