"""The tables of the compiled AMQP 0-9-1 codec for all lanes and connections of one port."""

from collections.abc import Sequence

import numpy as np

from bench.drivers.base import Int64, PortSpec
from bench.drivers.sockets.connection import FLUSH_BYTES
from bench.drivers.wire.codec_tables import WireTables, ring_span
from bench.drivers.wire.context import IO_WIDTH, ROWS, ROWS_KEPT_FREE, WireContext
from bench.drivers.wire.lanes import Lane, connections
from bench.drivers.wire.receive import COMPILED
from bench.drivers.wire.wire091_pace import pace
from bench.drivers.wire.wire091_receive import receive
from bench.host.clock import Clock
from bench.wire import amqp091_layout as layout
from bench.wire import cursor as cursor_at
from bench.wire.amqp091_deliver import ACK_FRAME, FRAME_HEADER, acknowledge_before
from bench.wire.amqp091_encode import body_frames, encode, prefix
from bench.wire.amqp091_scan import scan
from bench.wire.amqp091_settle import room
from bench.wire.octets import STAMP
from bench.wire.templates import LONGEST, make_classes
from brokers.endpoint import Endpoint

FRAME_MAX = 131_072
"""Largest frame, octets, until a smaller one is agreed on."""


class Tables091(WireTables):
    """State of every connection and lane, whichever end we are; layouts are in `bench.wire.amqp091_layout`."""

    def __init__(self, context: WireContext, lanes: int, rings: int, span: int, acks: int, width: int) -> None:
        """Make tables.

        Args:
            context: buffers and rows; its `io` tells the number of connections.
            lanes: lanes of all of them.
            rings: how many of these send.
            span: length of a ring, see `ring_span`.
            acks: acknowledgements that one scan may make.
            width: octets of the longest method and header frames of a message.
        """
        super().__init__(context, ACK_FRAME * max(acks, 1))
        self.conns = np.zeros((len(context.io), layout.CONN_WIDTH), np.int64)
        self.conns[:, layout.FRAME_MAX] = FRAME_MAX
        self.lanes = np.zeros((lanes, layout.LANE_WIDTH), np.int64)
        self.lanes[:, layout.OLDEST] = 1
        self.heads = np.zeros(lanes * STAMP, np.uint8)
        self.ring = np.zeros((max(rings, 1), span), np.int64)
        self.tracked = span > 1
        self.frame_max = FRAME_MAX
        self._make_bodies()
        self.width = width
        self.prefixes = np.zeros(rings * width, np.uint8)
        self.context.grow_outbox(max(1 << 17, self.message_octets()))
        self._load_kernels()

    def enter(self, index: int, lanes: Sequence[Lane]) -> None:
        """Note the lanes of a connection: the channels from 1 on."""
        self.conns[index, (layout.FIRST_LANE, layout.CHANNELS)] = lanes[0].row, len(lanes)
        for channel, lane in enumerate(lanes, 1):
            self.lanes[lane.row, (layout.CHANNEL, layout.OWN, layout.PRODUCER)] = channel, lane.row, lane.number

    def enter_prefix(self, row: int, octets: bytes) -> None:
        """Note the method and header frames of a lane that sends."""
        at = row * self.width
        self.lanes[row, (layout.PREFIX_AT, layout.PREFIX)] = at, len(octets)
        self.prefixes[at : at + len(octets)] = np.frombuffer(octets, np.uint8)

    def agree(self, index: int, frame_max: int) -> None:
        """Note the frame size that was agreed on; bodies are cut for the smallest of all connections."""
        self.conns[index, layout.FRAME_MAX] = frame_max
        if frame_max < self.frame_max:
            self.frame_max = frame_max
            self._make_bodies()
            self.context.grow_outbox(max(len(self.context.outbox), self.message_octets()))

    def _make_bodies(self) -> None:
        spec = self.context.spec
        bodies = [body_frames(size, self.frame_max) for size in spec.sizes]
        self.body, self.classes = make_classes(bodies, [FRAME_HEADER] * len(bodies), spec.mix)

    def message_octets(self) -> int:
        """Return the octets of an encoded message, framing included, at most."""
        return self.width + int(self.classes[0, LONGEST])

    def scan(self, index: int, start: int, end: int, now_ns: int) -> int:
        """Call `bench.wire.amqp091_scan.scan` on the inbox for a connection."""
        context = self.context
        return scan(
            context.inbox,
            start,
            end,
            self.conns,
            index,
            self.lanes,
            self.heads,
            self.ring,
            context.rows,
            self.cursor,
            self.acks,
            now_ns,
        )

    def receive(self, descriptor: int, wake_fd: int, index: int, until_ns: int, gather_ns: int) -> int:
        """Call `bench.drivers.wire.wire091_receive.receive` for a connection."""
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
            self.heads,
            self.ring,
            context.rows,
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
        """Call `bench.drivers.wire.wire091_pace.pace` for a connection."""
        context = self.context
        return pace(
            descriptor,
            index,
            until_ns,
            coalesce_ns,
            ROWS - ROWS_KEPT_FREE,
            max(1, FLUSH_BYTES // self.message_octets()),
            context.spec.confirm_window,
            lane,
            seq,
            due_ns,
            sent_ns,
            context.outbox,
            self.prefixes,
            self.body,
            self.frame_max,
            context.inbox,
            self.conns,
            self.lanes,
            self.heads,
            self.ring,
            context.rows,
            self.cursor,
            self.acks,
            context.times,
            context.polls,
            context.state,
            self.classes,
        )

    def encode(self, lane: Int64, seq: Int64, intended_ns: Int64, sent_ns: int, first: int, end: int) -> int:
        """Call `bench.wire.amqp091_encode.encode` on the outbox."""
        return encode(
            self.context.outbox,
            0,
            self.prefixes,
            self.body,
            self.frame_max,
            self.lanes,
            self.ring,
            self.tracked,
            lane,
            seq,
            intended_ns,
            sent_ns,
            first,
            end,
            self.classes,
        )

    def _load_kernels(self) -> None:
        """Compile what is not compiled, or load it, before there is a connection that would wait for it."""
        none = np.empty(0, np.int64)
        self.scan(0, 0, 0, 0)
        self.encode(none, none, none, 0, 0, 0)
        acknowledge_before(self.lanes, 0, 0, 0, self.acks, 0)
        room(self.lanes, 0, 0, 0, 0)
        if COMPILED:
            self.receive(-1, -1, 0, 0, 0)
            one = np.zeros(1, np.int64)
            self.pace(-1, 0, one, one, one + (1 << 62), one, 0, 0)


class ClientTables091(Tables091):
    """The tables of a worker's port."""

    def __init__(self, spec: PortSpec, endpoint: Endpoint, clock: Clock) -> None:
        """Make tables for the lanes and connections of `spec`."""
        cursor = np.zeros(cursor_at.CURSOR_WIDTH, np.int64)
        context = WireContext(spec, endpoint, clock, np.zeros((connections(spec), IO_WIDTH), np.int64), cursor)
        longest = max((len(lane.queue.encode()) for lane in spec.producers), default=0)
        super().__init__(
            context,
            lanes=len(spec.producers) + len(spec.consumers),
            rings=len(spec.producers),
            span=ring_span(spec.confirm_window),
            acks=ROWS if spec.consumers and spec.ack_batch else 1,
            width=longest + len(prefix(1, "", spec.size, durable=spec.durable, mandatory=True)),
        )

    def enter(self, index: int, lanes: Sequence[Lane]) -> None:
        """Note the lanes of a connection: the channels from 1 on."""
        super().enter(index, lanes)
        spec = self.context.spec
        for channel, lane in enumerate(lanes, 1):
            if lane.producing:
                octets = prefix(channel, lane.queue, spec.size, durable=spec.durable, mandatory=self.tracked)
                self.enter_prefix(lane.row, octets)
            else:
                self.lanes[lane.row, (layout.OWN, layout.ACK_BATCH)] = lane.row - len(spec.producers), spec.ack_batch

    def window_room(self) -> int:
        """Return the messages that the fullest of the producing lanes may still send."""
        spec = self.context.spec
        if not self.tracked:
            return 1 << 40
        return int(room(self.lanes, 0, len(spec.producers), spec.confirm_window, self.ring.shape[1]))
