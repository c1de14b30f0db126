"""The null peer's end of AMQP 1.0: it agrees to everything, accepts, drops, and delivers without end."""

from collections.abc import Sequence

from proton import symbol, ubyte

from bench.ceiling.null_peer import PREFETCH_MOST, Delivering, Host, PeerConnection, new_context
from bench.drivers.sockets.stream import Stream
from bench.drivers.wire.codec_tables import ring_span
from bench.drivers.wire.lanes import Lane
from bench.drivers.wire.wire10_frames import Frames10
from bench.drivers.wire.wire10_tables import FRAME_MAX, IN_WINDOW, Tables10
from bench.wire import amqp10_control as control
from bench.wire import amqp10_layout as layout
from bench.wire.amqp10_answer import OUT_WINDOW
from bench.wire.amqp10_control import SETTLED, Attach, Begin, Close, Condition, Detach, End, Open, SourceTerminus
from bench.wire.amqp10_table_rows import attached, begun, detached, new_connection, new_receiver, new_sender

_CREDIT = 20_000
"""Messages that a producer may send before it is given more."""
_ACCEPT_BATCH = 1 << 20
_SASL = 1


class Peer10(Frames10, PeerConnection):
    """The broker's end of one connection."""

    def __init__(self, tables: Tables10, index: int, lanes: Sequence[Lane], stream: Stream) -> None:
        """Serve a client that has connected."""
        super().__init__(tables, index, lanes, stream)
        self.handlers = {
            Open: self._on_open,
            Begin: self._on_begin,
            Attach: self._on_attach,
            Detach: self._on_detach,
            End: self._on_end,
            Close: self._on_close,
        }

    def _on_control(self, frame: bytes) -> None:
        """Let everyone in, by any mechanism, then act as usual."""
        if frame.startswith(control.AMQP_HEADER[:4]) or frame[5] != _SASL:
            super()._on_control(frame)
        else:
            self.write(control.control_frame(layout.SASL_OUTCOME, ubyte(0), kind=_SASL))

    def _on_header(self, header: bytes) -> None:
        self.write(header)
        if header == control.SASL_HEADER:
            self.write(control.control_frame(layout.SASL_MECHANISMS, symbol("PLAIN"), kind=_SASL))

    def _on_open(self, peer: Open) -> None:
        self.tables.agree(self.index, peer)
        self.write(control.open_frame("busbench null peer", None, max_frame=FRAME_MAX))

    def _on_begin(self, peer: Begin) -> None:
        begun(self.tables.state, self.index, peer)
        self.write(
            control.begin_frame(
                incoming_window=IN_WINDOW,
                outgoing_window=OUT_WINDOW,
                handle_max=len(self.lanes) - 1,
                remote_channel=peer.channel,
            )
        )

    def _on_attach(self, peer: Attach) -> None:
        if peer.handle >= len(self.lanes):
            self.write(control.close_frame(Condition("amqp:resource-limit-exceeded", "it was told the highest handle")))
            return
        row, settled = self.first + peer.handle, peer.snd_settle_mode == SETTLED
        t, handle = self.tables, peer.handle
        if peer.receives:
            new_sender(t.state, row, number=0, handle=handle, producer=0, limit=0 if settled else PREFETCH_MOST)
            self.consuming.append(Delivering(self, row, lambda: t.room(row, 1)))
        else:
            new_receiver(t.state, row, number=0, handle=handle, prefetch=_CREDIT, ack_batch=_ACCEPT_BATCH)
        attached(t.state, row, peer)
        self.write(
            control.attach_frame(  # Proton takes a source or target without an address for none
                peer.name,
                handle,
                receives=not peer.receives,
                settled=settled,
                source=SourceTerminus("queue"),
                target="queue",
            )
        )

    def _on_detach(self, peer: Detach) -> None:
        self.consuming.clear()
        if self.lane_of(peer.handle) is not None:
            detached(self.tables.state, self.first + peer.handle)
            self.write(control.detach_frame(peer.handle))

    def _on_end(self, _peer: End) -> None:
        self.write(control.end_frame())

    def _on_close(self, _peer: Close) -> None:
        """Say goodbye and wait until the client hangs up."""
        self.write(control.close_frame())


class _Host10(Host):
    """Tables of all connections."""

    def __init__(self, connections: int, lanes: int, size: int) -> None:
        """Make them."""
        super().__init__(new_context(connections, size, "amqp10", layout.TALLIES), lanes)
        rows = connections * lanes
        ring = ring_span(min(PREFETCH_MOST, (1 << 22) // rows) * lanes)
        self._tables = Tables10(self.context, rows, connections, lanes, ring, runs=16)

    def connect(self, index: int, lanes: Sequence[Lane], stream: Stream) -> Peer10:
        """Return the broker's end of a connection whose rows, used or not, are as new."""
        new_connection(
            self._tables.state, index, lane0=lanes[0].row, lanes=len(lanes), max_frame=FRAME_MAX, window=IN_WINDOW
        )
        return Peer10(self._tables, index, lanes, stream)


def open_host(connections: int, lanes: int, size: int) -> Host:
    """Make the tables for so many connections with so many links each, and bodies of `size` bytes."""
    return _Host10(connections, lanes, size)
