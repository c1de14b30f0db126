"""The tables of the compiled AMQP 0-9-1 codec for all lanes and connections of one port."""

from collections.abc import Sequence

import numpy as np

from bench.clock import Clock
from bench.drivers.base import PortSpec
from bench.drivers.wire_connection import Lane
from bench.drivers.wire_context import IO_WIDTH, ROWS, WireContext
from bench.drivers.wire_port import connections
from bench.wire import amqp091_layout as layout
from bench.wire.amqp091_deliver import ACK_FRAME
from bench.wire.amqp091_encode import body_frames, prefix
from bench.wire.amqp091_settle import room
from bench.wire.octets import STAMP
from brokers.endpoint import Endpoint

_FRAME_MAX = 131_072
_SPAN = 4
"""The ring is so many windows long: a broker that settles out of order may leave gaps."""


class Tables091:
    """State and templates; layouts are in `bench.wire.amqp091_layout`."""

    def __init__(self, spec: PortSpec, endpoint: Endpoint, clock: Clock) -> None:
        """Make tables for the lanes and connections of `spec`."""
        count, lanes = connections(spec), len(spec.producers) + len(spec.consumers)
        self.cursor = np.zeros(layout.CURSOR_WIDTH, np.int64)
        self.context = WireContext(spec, endpoint, clock, np.zeros((count, IO_WIDTH), np.int64), self.cursor)
        self.tracked = spec.confirm_window > 0
        span = 1 << (_SPAN * spec.confirm_window - 1).bit_length() if self.tracked else 1
        self.conns = np.zeros((count, layout.CONN_WIDTH), np.int64)
        self.conns[:, layout.FRAME_MAX] = _FRAME_MAX
        self.lanes = np.zeros((lanes, layout.LANE_WIDTH), np.int64)
        self.heads = np.zeros(lanes * STAMP, np.uint8)
        self.ring = np.zeros((max(len(spec.producers), 1), span), np.int64)
        self.acks = np.zeros(ACK_FRAME * (ROWS if spec.consumers and spec.ack_batch else 1), np.uint8)
        self.acks_view = self.acks.data
        self.frame_max = _FRAME_MAX
        self.body = body_frames(spec.size, _FRAME_MAX)
        longest = max((len(lane.queue.encode()) for lane in spec.producers), default=0)
        self._width = len(self._prefix(1, "")) + longest
        self.prefixes = np.zeros(len(spec.producers) * self._width, np.uint8)
        self.context.grow_outbox(max(1 << 17, self.message_octets()))

    def enter(self, index: int, lanes: Sequence[Lane]) -> None:
        """Note the lanes of a connection: the channels from 1 on."""
        self.conns[index, (layout.FIRST_LANE, layout.CHANNELS)] = lanes[0].row, len(lanes)
        spec = self.context.spec
        for channel, lane in enumerate(lanes, 1):
            row = self.lanes[lane.row]
            row[layout.CHANNEL] = channel
            row[layout.OLDEST] = 1
            row[layout.OWN] = lane.row
            if lane.producing:
                octets = self._prefix(channel, lane.queue)
                at = lane.row * self._width
                row[[layout.PRODUCER, layout.PREFIX_AT, layout.PREFIX]] = lane.number, at, len(octets)
                self.prefixes[at : at + len(octets)] = np.frombuffer(octets, np.uint8)
            else:
                row[layout.OWN] = lane.row - len(spec.producers)
                row[layout.ACK_BATCH] = spec.ack_batch

    def agree(self, index: int, frame_max: int) -> None:
        """Note the frame size that was agreed on; bodies are cut for the smallest of all connections."""
        self.conns[index, layout.FRAME_MAX] = frame_max
        if frame_max < self.frame_max:
            self.frame_max = frame_max
            self.body = body_frames(self.context.spec.size, frame_max)
            self.context.grow_outbox(max(len(self.context.outbox), self.message_octets()))

    def wants_acks(self, first: int, count: int) -> bool:
        """Return whether any of the lanes has messages that are not acknowledged yet."""
        if count == 1:
            return bool(self.lanes[first, layout.UNACKED])
        return bool(self.lanes[first : first + count, layout.UNACKED].any())

    def window_room(self) -> int:
        """Return the messages that the fullest of the producing lanes may still send."""
        spec = self.context.spec
        if not self.tracked:
            return 1 << 40
        return int(room(self.lanes, 0, len(spec.producers), spec.confirm_window, self.ring.shape[1]))

    def message_octets(self) -> int:
        """Return the octets of an encoded message, framing included."""
        return self._width + len(self.body)

    def _prefix(self, channel: int, queue: str) -> bytes:
        spec = self.context.spec
        return prefix(channel, queue, spec.size, durable=spec.durable, mandatory=self.tracked)
