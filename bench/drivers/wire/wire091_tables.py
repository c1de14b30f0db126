"""The tables of the compiled AMQP 0-9-1 codec for all lanes and connections of one port."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bench.arrivals.sizes import MASK
from bench.drivers.base import ConsumerLane, PortSpec, ReplyAddress, Sends
from bench.drivers.wire.codec_tables import Kernels, WireTables, ring_span
from bench.drivers.wire.context import IO_WIDTH, ROWS, WireContext
from bench.drivers.wire.lanes import Lane, connections, deal
from bench.drivers.wire.wire091_loops import pace, receive
from bench.drivers.wire.wire091_replies import Replies091
from bench.host.clock import Clock
from bench.wire import amqp091_layout as layout
from bench.wire.amqp091_deliver import ACK_FRAME, FRAME_HEADER, acknowledge_before
from bench.wire.amqp091_encode import encode
from bench.wire.amqp091_frames import LONGEST_NAME, SEQ, body_frames, header_frame, make_outline, publish_frame
from bench.wire.amqp091_requesters import ANSWERING_WIDTH, make_requesters, read_letters
from bench.wire.amqp091_scan import scan
from bench.wire.amqp091_settle import room
from bench.wire.octets import Int64
from bench.wire.templates import make_templates
from brokers.endpoint import Endpoint

_WAKING = 2
"""Replies of a channel that are awaited at any time: as many as need to be looked at when they come."""
_LETTERS = 1 << 15
"""Requesters that may make themselves known before one of them is answered."""
FRAME_MAX = 131_072
"""Largest frame, octets, until a smaller one is agreed on."""

_VIOLATIONS = {
    "confirms_never_sent": layout.NEVER_SENT,
    "confirms_again": layout.AGAIN,
    "confirms_beyond": layout.BEYOND,
    "tags_repeated": layout.REPEATED,
}
_COUNTED = _VIOLATIONS | {"rejected": layout.REJECTED, "requeued": layout.REQUEUED}
_KERNELS = Kernels(scan=scan, receive=receive, pace=pace)


class Tables091(WireTables[layout.ChannelTables]):
    """State of every connection and lane, whichever end we are; layouts are in `bench.wire.amqp091_layout`."""

    def __init__(self, context: WireContext, state: layout.ChannelTables, acks: int, width: int) -> None:
        """Use the tables of all connections.

        Args:
            context: buffers and rows.
            state: as `bench.wire.amqp091_layout.make_channel_tables` makes it.
            acks: acknowledgements that one scan may make.
            width: octets that the prefix of a lane has room for.
        """
        super().__init__(context, _KERNELS, state, ACK_FRAME * max(acks, 1))
        self.conns, self.lanes = state.conns, state.lanes
        self.frame_max = FRAME_MAX
        self.width = width
        self._make_bodies()
        self._load_kernels()

    def enter(self, index: int, lanes: Sequence[Lane]) -> None:
        """Note the lanes of a connection: the channels from 1 on."""
        self.conns[index, (layout.FIRST_LANE, layout.CHANNELS)] = lanes[0].row, len(lanes)
        for channel, lane in enumerate(lanes, 1):
            self.lanes[lane.row, (layout.CHANNEL, layout.OWN, layout.PRODUCER)] = channel, lane.row, lane.number

    def enter_prefix(self, row: int, octets: bytes, size_at: int = 0) -> None:
        """Note the method and header frames of a lane that sends, and where in them the body size stands."""
        at = row * self.width
        self.lanes[row, (layout.PREFIX_AT, layout.PREFIX, layout.SIZE_AT)] = at, len(octets), size_at
        self.state.prefixes[at : at + len(octets)] = np.frombuffer(octets, np.uint8)

    def agree(self, index: int, frame_max: int) -> None:
        """Note the frame size that was agreed on; bodies are cut for the smallest of all connections."""
        self.conns[index, layout.FRAME_MAX] = frame_max
        if frame_max < self.frame_max:
            self.frame_max = frame_max
            self._make_bodies()

    def _make_bodies(self) -> None:
        spec = self.context.spec
        bodies = [body_frames(spec.body.fill(size), self.frame_max) for size in spec.sizes]
        self._use(make_templates(bodies, [FRAME_HEADER] * len(bodies), spec.mix))
        self._grow_outbox(max(1 << 17, self.message_octets()))

    def message_octets(self) -> int:
        """Return the octets of an encoded message, framing included, at most."""
        return self.width + self._longest

    def counters(self) -> dict[str, int]:
        """Return what was rejected and given back, and what the peer said that it must not, by name.

        See `bench.drivers.base.VIOLATIONS`.
        """
        counted = {name: int(self.lanes[:, column].sum()) for name, column in _COUNTED.items()}
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
    """The tables of a worker's port.

    Attributes:
        mandatory: messages that no queue takes are returned.
    """

    def __init__(self, spec: PortSpec, endpoint: Endpoint, clock: Clock) -> None:
        """Make tables for the lanes and connections of `spec`."""
        self.mandatory = spec.confirm_window > 0
        self._properties = spec.properties
        if spec.requests and not spec.properties.correlation_id:
            self._properties = replace(spec.properties, correlation_id=SEQ)
        route, names = spec.route, [lane.queue for lane in spec.producers]
        header = header_frame(1, spec.size, self._properties, durable=spec.durable)
        keys = [] if route is None else [self._publish(0, route.exchange, key) for key in route.keys]
        self._longest_key = max(map(len, keys), default=0)
        width = len(header.octets) + len(self._publish(1, "", ""))
        width += max((len(name.encode()) for name in names), default=0) + (1 + LONGEST_NAME if spec.requests else 0)
        dealt, rings = _dealt(spec), len(spec.producers)
        lanes = len(dealt.producers) + len(dealt.consumers)
        span = ring_span(spec.confirm_window) if rings else 1
        prefixes = rings * width
        state = layout.make_channel_tables(
            connections(dealt), lanes, rings, span, prefixes + sum(map(len, keys)), FRAME_MAX
        )
        choice = None if route is None else route.choice
        state = state._replace(outline=make_outline(header.digits, choice, keys, prefixes, compact=spec.compact))
        state.prefixes[prefixes:] = np.frombuffer(b"".join(keys), np.uint8)
        if spec.reply_size:
            state = state._replace(requesters=make_requesters(lanes, _LETTERS))
        self._connection_of = np.zeros(lanes, np.int64)
        io = np.zeros((len(state.conns), IO_WIDTH), np.int64)
        context = WireContext(spec, endpoint, clock, io, np.zeros(ANSWERING_WIDTH, np.int64))
        self._replies = Replies091(context) if spec.reply_size else None
        super().__init__(context, state, acks=ROWS if spec.consumers and spec.ack_batch else 1, width=width)

    def find_requesters(self, producer: Int64) -> tuple[Int64, Int64]:
        """See `WireTables`."""
        replies = self.replies
        for known, row, address in read_letters(self.state.requesters, len(self.lanes), self.cursor):
            replies.learn(known, int(self.lanes[row, layout.CHANNEL]), int(self._connection_of[row]), address)
        return replies.find(producer)

    def encode_replies(self, sends: Sends, _sent_ns: int, first: int, end: int) -> int:
        """See `WireTables`."""
        return self.replies.encode(sends, first, end)

    def reply_octets(self) -> int:
        """See `WireTables`."""
        return self.replies.octets

    def deal(self) -> list[list[Lane]]:
        """Return the lanes of each connection; one that requests is a channel with the consumer of its row."""
        return deal(_dealt(self.context.spec))

    def consumer_of(self, lane: Lane) -> ConsumerLane | None:
        """Return what a lane consumes, if it does."""
        spec = self.context.spec
        if lane.producing:
            return spec.consumers[lane.row] if spec.requests else None
        return spec.consumers[lane.row - len(spec.producers)]

    def enter(self, index: int, lanes: Sequence[Lane]) -> None:
        """Note the lanes of a connection: the channels from 1 on."""
        super().enter(index, lanes)
        self._connection_of[[lane.row for lane in lanes]] = index
        for channel, lane in enumerate(lanes, 1):
            consumer = self.consumer_of(lane)
            if lane.producing:
                self._enter_producer(channel, lane, "" if consumer is None else consumer.queue)
            if consumer is not None:
                self._enter_consumer(lane, consumer)

    def _enter_producer(self, channel: int, lane: Lane, reply_to: str) -> None:
        """Note the first frames of a lane that sends, and where it takes replies: a queue, or nowhere."""
        spec = self.context.spec
        method = b"" if spec.route else self._publish(channel, "", lane.queue)
        header = header_frame(channel, spec.size, self._properties, durable=spec.durable, reply_to=reply_to)
        octets = method + header.octets
        self.enter_prefix(lane.row, octets, len(octets) - header.size_at)

    def name_reply_queue(self, channel: int, lane: Lane, name: str) -> None:
        """Note the name of a queue that a requester declared, where it takes its replies from one without a name."""
        consumer = self.consumer_of(lane)
        if consumer is not None and consumer.queue == ReplyAddress.DYNAMIC:
            self._enter_producer(channel, lane, name)

    def _enter_consumer(self, lane: Lane, consumer: ConsumerLane) -> None:
        spec, row = self.context.spec, self.lanes[lane.row]
        asked = spec.consuming
        row[layout.REPLIES] = lane.producing * _WAKING
        row[layout.OWN] = lane.row if lane.producing else lane.row - len(spec.producers)
        row[layout.ACK_BATCH] = 0 if consumer.queue == ReplyAddress.DIRECT else spec.ack_batch
        if row[layout.ACK_BATCH] and asked.reject + asked.requeue:
            row[layout.ACK_BATCH] = 1
            row[layout.REJECT_BELOW] = round(asked.reject * (MASK + 1))
            row[layout.REQUEUE_BELOW] = round((asked.reject + asked.requeue) * (MASK + 1))

    def _make_bodies(self) -> None:
        super()._make_bodies()
        if self._replies is not None:
            self._replies.cut(self.frame_max)
            self._grow_outbox(self._replies.octets)

    def message_octets(self) -> int:
        """Return the octets of an encoded message, framing included, at most."""
        return super().message_octets() + self._longest_key

    def batch_acks(self, messages: int) -> None:
        """Acknowledge so many messages at once from now on, where they are not answered one by one anyway."""
        batched = (self.lanes[:, layout.ACK_BATCH] > 0) & (self.lanes[:, layout.REQUEUE_BELOW] == 0)
        self.lanes[batched, layout.ACK_BATCH] = messages

    def window_room(self) -> int:
        """Return the messages that the fullest of the producing lanes may still send."""
        spec, span = self.context.spec, self.state.ring.shape[1]
        if span == 1:
            return 1 << 40
        return int(room(self.lanes, 0, len(spec.producers), spec.confirm_window, span))

    def _publish(self, channel: int, exchange: str, key: str) -> bytes:
        return publish_frame(channel, exchange, key, mandatory=self.mandatory)

    @property
    def replies(self) -> Replies091:
        """Who is answered, and how; of a port that answers."""
        assert self._replies is not None  # noqa: S101  (for the type checker: `PortSpec.reply_size`)
        return self._replies


def _dealt(spec: PortSpec) -> PortSpec:
    """Return what is dealt out to connections: a consumer of replies has no channel of its own."""
    return replace(spec, consumers=()) if spec.requests else spec
