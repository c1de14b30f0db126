"""The tables of the compiled AMQP 0-9-1 codec for all lanes and connections of one port."""

from collections.abc import Sequence

import numpy as np

from bench.drivers.base import PortSpec, Sends
from bench.drivers.wire.codec_tables import Kernels, WireTables, ring_span
from bench.drivers.wire.context import IO_WIDTH, ROWS, WireContext
from bench.drivers.wire.lanes import Lane, connections
from bench.drivers.wire.wire091_loops import pace, receive
from bench.host.clock import Clock
from bench.wire import amqp091_layout as layout
from bench.wire import cursor as cursor_at
from bench.wire.amqp091_deliver import ACK_FRAME, FRAME_HEADER, acknowledge_before
from bench.wire.amqp091_encode import body_frames, encode, prefix
from bench.wire.amqp091_scan import scan
from bench.wire.amqp091_settle import room
from bench.wire.templates import make_templates
from brokers.endpoint import Endpoint

FRAME_MAX = 131_072
"""Largest frame, octets, until a smaller one is agreed on."""

_VIOLATIONS = {
    "confirms_never_sent": layout.NEVER_SENT,
    "confirms_again": layout.AGAIN,
    "confirms_beyond": layout.BEYOND,
    "tags_repeated": layout.REPEATED,
}
_KERNELS = Kernels(scan=scan, receive=receive, pace=pace)


class Tables091(WireTables[layout.ChannelTables]):
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
        state = layout.make_channel_tables(len(context.io), lanes, rings, span, rings * width, FRAME_MAX)
        super().__init__(context, _KERNELS, state, ACK_FRAME * max(acks, 1))
        self.conns, self.lanes = state.conns, state.lanes
        self.tracked = span > 1
        self.frame_max = FRAME_MAX
        self.width = width
        self._make_bodies()
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
        self.state.prefixes[at : at + len(octets)] = np.frombuffer(octets, np.uint8)

    def agree(self, index: int, frame_max: int) -> None:
        """Note the frame size that was agreed on; bodies are cut for the smallest of all connections."""
        self.conns[index, layout.FRAME_MAX] = frame_max
        if frame_max < self.frame_max:
            self.frame_max = frame_max
            self._make_bodies()

    def _make_bodies(self) -> None:
        spec = self.context.spec
        bodies = [body_frames(size, self.frame_max) for size in spec.sizes]
        self._use(make_templates(bodies, [FRAME_HEADER] * len(bodies), spec.mix))
        self._grow_outbox(max(1 << 17, self.message_octets()))

    def message_octets(self) -> int:
        """Return the octets of an encoded message, framing included, at most."""
        return self.width + self._longest

    def counters(self) -> dict[str, int]:
        """Return what the peer said that it must not, by name; see `bench.drivers.base.VIOLATIONS`."""
        counted = {name: int(self.lanes[:, column].sum()) for name, column in _VIOLATIONS.items()}
        return {name: count for name, count in counted.items() if count}

    def encode(self, sends: Sends, sent_ns: int, first: int, end: int) -> int:
        """Call `bench.wire.amqp091_encode.encode` on the outbox."""
        return encode(self.context.outbox, 0, self._templates, self._state, sends, sent_ns, first, end)

    def acknowledge_before(self, first: int, count: int, before_ns: int) -> int:
        """Call `bench.wire.amqp091_deliver.acknowledge_before` for lanes; return the octets."""
        return acknowledge_before(self._state, first, count, before_ns, self.acks, 0)

    def _load_kernels(self) -> None:
        super()._load_kernels()
        self.acknowledge_before(0, 0, 0)
        room(self.lanes, 0, 0, 0, 0)


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

    def batch_acks(self, messages: int) -> None:
        """Acknowledge so many messages at once from now on."""
        self.lanes[len(self.context.spec.producers) :, layout.ACK_BATCH] = messages

    def window_room(self) -> int:
        """Return the messages that the fullest of the producing lanes may still send."""
        spec = self.context.spec
        if not self.tracked:
            return 1 << 40
        return int(room(self.lanes, 0, len(spec.producers), spec.confirm_window, self.state.ring.shape[1]))
