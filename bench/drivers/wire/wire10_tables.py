"""The tables of the compiled AMQP 1.0 codec for all links and connections of one port."""

from collections.abc import Sequence

import numpy as np

from bench.drivers.base import PortSpec, Sends
from bench.drivers.wire.codec_tables import Kernels, WireTables, ring_span
from bench.drivers.wire.context import IO_WIDTH, WireContext
from bench.drivers.wire.lanes import Lane, connections
from bench.drivers.wire.wire10_loops import pace, receive
from bench.drivers.wire.wire10_messages import Texts, make_messages
from bench.host.clock import Clock
from bench.wire import amqp10_layout as layout
from bench.wire.amqp10_answer import NEVER, answer
from bench.wire.amqp10_control import Open
from bench.wire.amqp10_encode import encode, resume
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
        self._texts = Texts(self.messages.texts, self.messages.rows)
        state = layout.make_link_tables(len(context.io), lanes, ring, runs, senders)._replace(
            form=self.messages.form, choice=self.messages.choice, texts=self._texts.texts, spans=self._texts.spans
        )
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
        if taken < end:
            message = f"{end - taken} messages were sent for which there was no room"
            raise ValueError(message)
        return at

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
        new_connection(self.state, index, lane0=first, lanes=len(lanes), max_frame=FRAME_MAX, window=IN_WINDOW)
        for handle, lane in enumerate(lanes):
            if lane.producing:
                new_sender(
                    self.state,
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
                    self.state,
                    lane.row,
                    number=number,
                    handle=handle,
                    prefetch=spec.prefetch,
                    ack_batch=spec.ack_batch,
                    stamp=spec.stamp_size,
                    shares=(spec.consuming.reject, spec.consuming.requeue),
                )

    def batch_acks(self, messages: int) -> None:
        """Acknowledge so many messages at once from now on."""
        self.lanes[len(self.context.spec.producers) :, layout.L_ACK_BATCH] = messages

    def window_room(self) -> int:
        """Return the messages that the fullest of the producing lanes may still send: window, credit."""
        return self.room(0, len(self.context.spec.producers))
