"""The tables of the compiled AMQP 1.0 codec for all links and connections of one port."""

import struct
from collections.abc import Sequence

import numpy as np

from bench.arrivals.keys import by_producer
from bench.arrivals.stamp import MOST_COMPACT_PRODUCERS
from bench.drivers.base import ConsumerLane, Int64, PortSpec, Sends
from bench.drivers.wire.codec_tables import Kernels, WireTables, ring_span
from bench.drivers.wire.context import IO_WIDTH, WireContext
from bench.drivers.wire.lanes import Lane, deal, deal_pairs
from bench.drivers.wire.wire10_loops import pace, receive
from bench.drivers.wire.wire10_messages import MOST_ADDRESS, MOST_NEWS, Texts, destination_text, make_messages
from bench.host.clock import Clock
from bench.jit import packed
from bench.wire import amqp10_layout as layout
from bench.wire.amqp10_answer import NEVER, answer
from bench.wire.amqp10_control import Open, reply_to
from bench.wire.amqp10_encode import encode, encode_replies, resume
from bench.wire.amqp10_front import text_value
from bench.wire.amqp10_outgoing import make_template, room
from bench.wire.amqp10_scan_answer import answer_octets, take
from bench.wire.amqp10_table_rows import new_connection, new_receiver, new_sender, opened
from bench.wire.templates import LONGEST, make_templates
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
_MET = {
    "credit_leak": layout.T_STARVED,
    "confirms_never_sent": layout.T_NEVER_SENT,
    "confirms_again": layout.T_AGAIN,
    "transfers_unasked": layout.T_UNASKED,
    "rejected": layout.T_REJECTED,
    "requeued": layout.T_REQUEUED,
}
_MOST_PROPERTIES = 2 * MOST_ADDRESS
"""Octets of a properties section that are kept to learn `reply-to` from."""
_KERNELS = Kernels(scan=take, receive=receive, pace=pace)


class Tables10(WireTables[layout.LinkTables]):
    """State of every connection and lane, whichever end we are; layouts are in `bench.wire.amqp10_layout`.

    Attributes:
        messages: what messages are made of.
        first_octets: of a message, which must be in its first frame: all up to the end of the stamp.
    """

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
        spec = context.spec
        self.messages = make_messages(spec, context.endpoint, lanes)
        self._texts = Texts(self.messages.texts, self.messages.rows, MOST_NEWS if spec.reply_size else 0)
        state = layout.make_link_tables(len(context.io), lanes, ring, runs, senders)._replace(
            form=self.messages.form, texts=self._texts.texts, spans=self._texts.spans
        )
        if spec.reply_size:
            state = state._replace(scratch=np.zeros((lanes, layout.SCRATCH + _MOST_PROPERTIES), np.uint8))
        super().__init__(context, _KERNELS, state, 2 * answer_octets(together, runs) + _OWED)
        self.conns, self.lanes = state.conns, state.lanes
        self.conn_marks = self.conns.reshape(-1).data
        made = [make_template(size, front=self.messages.front, content=spec.body) for size in spec.sizes]
        templates = make_templates([one.frame for one in made], [one.stamp for one in made], spec.mix)
        templates.classes[:, LONGEST] += self.messages.longest
        self._use(templates)
        self.first_octets = max(one.stamp for one in made) + self.messages.longest + spec.stamp_size
        self.frame_max = FRAME_MAX
        self._make_room()
        self._load_kernels()

    def agree(self, index: int, peer: Open) -> None:
        """Take over the frame size that a connection's peer bears."""
        opened(self.state, index, peer)
        self.frame_max = min(self.frame_max, int(self.conns[index, layout.C_MAX_OUT]))
        self._make_room()

    def message_octets(self) -> int:
        """Return the octets of an encoded message, framing included, at most."""
        more = self._longest - self.frame_max
        payload = self.frame_max - layout.HEAD
        return self._longest + layout.HEAD * max(0, -(-more // payload))

    def counters(self) -> dict[str, int]:
        """Return what the codec counted, by name; but for `flow_frames` only what was met."""
        met = {name: int(self.cursor[cell]) for name, cell in _MET.items()}
        return {"flow_frames": int(self.cursor[layout.T_FLOWS])} | {name: count for name, count in met.items() if count}

    def encode(self, sends: Sends, sent_ns: int, first: int, end: int) -> int:
        """Call `bench.wire.amqp10_encode.encode` on the outbox; what the session's window does not take is parked."""
        out = self.context.outbox
        at, taken = encode(out, 0, self._templates, self._state, sends, sent_ns, first, end)
        self._all_taken(taken, end)
        return at

    def encode_replies(self, sends: Sends, sent_ns: int, first: int, end: int) -> int:  # noqa: ARG002
        """Call `bench.wire.amqp10_encode.encode_replies` on the outbox, for the one producing lane."""
        producers, *rest = sends
        rows = (np.zeros(len(producers), np.int64), *rest)
        out = self.context.outbox
        at, taken = encode_replies(out, 0, self._templates, self._state, rows, producers, first, end)  # type: ignore[arg-type]
        self._all_taken(taken, end)
        return at

    def _all_taken(self, taken: int, end: int) -> None:
        if taken < end:
            message = f"{end - taken} messages were sent for which there was no room"
            raise ValueError(message)

    def put_text(self, row: int, text: bytes) -> None:
        """Have messages carry a text; see `bench.wire.amqp10_pieces`."""
        self._texts.put(row, text)
        self._renew_texts()

    def _renew_texts(self) -> None:
        """Hand over the arrays of texts, which may be others; whoever answers has a text for each producer."""
        form = self.state.form
        if self.context.spec.reply_size:
            form[form[layout.F_CHOICE] :] = by_producer(len(self._texts.spans))
        self.state = self.state._replace(texts=self._texts.texts, spans=self._texts.spans)
        self._state = packed(self.state)

    def resume(self, index: int) -> int:
        """Call `bench.wire.amqp10_encode.resume` on the outbox; return the octets."""
        return resume(self.context.outbox, 0, self._templates, self._state, index)

    def answer(self, index: int, before_ns: int = NEVER) -> int:
        """Call `bench.wire.amqp10_answer.answer` for a connection; return the octets."""
        return answer(self.acks, 0, self._state, index, self.cursor, before_ns)

    def room(self, first: int, count: int) -> int:
        """Return the messages that the fullest of `count` lanes from a row on may still send."""
        return room(self._longest, self._state, first, count, 0, _UNBOUNDED) // count

    def _make_room(self) -> None:
        """Have an outbox for some 64 KiB of messages, the largest frame, and what is owed to a peer."""
        self._grow_outbox(max(1 << 17, self.message_octets(), len(self.acks)))

    def _load_kernels(self) -> None:
        super()._load_kernels()
        self.resume(0)
        self.answer(0)
        if self.context.spec.reply_size:
            none = np.zeros(0, np.int64)
            self.encode_replies(packed(Sends(lane=none, seq=none, intended_ns=none, sent_ns=none)), 0, 0, 0)
        self.room(0, 1)


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
        self._dealt = deal_pairs(spec) if spec.requests else deal(spec)
        cursor = np.zeros(layout.TALLIES, np.int64)
        context = WireContext(spec, endpoint, clock, np.zeros((len(self._dealt), IO_WIDTH), np.int64), cursor)
        together = max((len(lanes) for lanes in self._dealt), default=1)
        every = [lane for lanes in self._dealt for lane in lanes]
        self.producing = np.array([lane.row for lane in every if lane.producing], np.int64)
        self._rows_to_ask = int(self.producing[-1]) + 1 if len(self.producing) else 0
        self.consuming = np.array([lane.row for lane in every if not lane.producing], np.int64)
        super().__init__(
            context,
            lanes=len(every),
            senders=sum(lanes[0].producing for lanes in self._dealt),
            together=together,
            ring=ring_span(spec.confirm_window * together),
            runs=min(max(16, spec.ack_batch), _MOST_RUNS) if spec.consumers else 1,
        )

    def deal(self) -> list[list[Lane]]:
        """Return the lanes of each connection; those of one that requests are those of its replies as well."""
        return self._dealt

    def consumer_of(self, lane: Lane) -> ConsumerLane:
        """Return what a consuming lane consumes."""
        return self.context.spec.consumers[int(np.searchsorted(self.consuming, lane.row))]

    def set_reply_to(self, lane: Lane, address: str) -> None:
        """Have the requests of the row of a consuming lane say that their replies go to an address."""
        row = int(self.producing[np.searchsorted(self.consuming, lane.row)])
        self.put_text(int(self.state.form[layout.F_REPLIES]) + row, text_value(address))

    def enter(self, index: int, lanes: Sequence[Lane]) -> None:
        """Note the lanes of a connection; their handles are counted from 0."""
        spec, first = self.context.spec, lanes[0].row
        new_connection(self.state, index, lane0=first, lanes=len(lanes), max_frame=FRAME_MAX, window=IN_WINDOW)
        for handle, lane in enumerate(lanes):
            if lane.producing:
                new_sender(
                    self.state,
                    lane.row,
                    number=int(np.searchsorted(self.producing, lane.row)),
                    handle=handle,
                    producer=lane.number,
                    limit=spec.confirm_window,
                    last=self.reattach,
                )
            else:
                new_receiver(
                    self.state,
                    lane.row,
                    number=int(np.searchsorted(self.consuming, lane.row)),
                    handle=handle,
                    prefetch=spec.prefetch,
                    ack_batch=spec.ack_batch,
                    stamp=spec.stamp_size,
                    shares=(spec.consuming.reject, spec.consuming.requeue),
                )

    def batch_acks(self, messages: int) -> None:
        """Acknowledge so many messages at once from now on."""
        self.lanes[self.consuming, layout.L_ACK_BATCH] = messages

    def window_room(self) -> int:
        """Return the messages that the fullest of the producing lanes may still send: window, credit."""
        return self.room(0, self._rows_to_ask)

    def find_requesters(self, producer: Int64) -> tuple[Int64, Int64]:
        """Return the row of the text of each requester, and 0, its connection; -1 where none is known."""
        spans = self.state.spans
        inside = (producer >= 0) & (producer < len(spans))
        known = inside & (spans[np.where(inside, producer, 0), layout.SPAN_LENGTH] > 0)
        return producer, np.where(known, 0, -1)

    def learn(self) -> None:
        """Take over where producers want their replies, from the properties of requests that came."""
        cursor = self.cursor
        news = bytes(self.state.texts[: cursor[layout.T_LEARNED]])
        cursor[layout.T_LEARNED] = 0
        while news:
            producer, length = struct.unpack_from(">II", news)
            end = layout.NEWS_HEAD + length
            address = reply_to(news[layout.NEWS_HEAD : end])
            news = news[end:]
            if producer >= MOST_COMPACT_PRODUCERS:
                continue
            if address and len(address.encode()) <= MOST_ADDRESS:
                self._texts.put(producer, destination_text(address, ""))
            else:
                self._texts.miss(producer)
        self._renew_texts()
