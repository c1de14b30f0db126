"""Opening and ending AMQP 1.0 connections of the compiled driver; messages pass it by.

SASL comes first; then open and begin go out together, and the links once the session's
limit is known.
"""

from collections.abc import Sequence
from uuid import uuid4

import numpy as np

from bench.drivers.base import Sends, add_counts
from bench.drivers.sockets.connection import connect
from bench.drivers.sockets.credit_watch import CreditWatch
from bench.drivers.sockets.stream import Stream
from bench.drivers.wire.connection import MORE
from bench.drivers.wire.lanes import Lane
from bench.drivers.wire.wire10_frames import Frames10, reason
from bench.drivers.wire.wire10_tables import FRAME_MAX, IN_WINDOW, ClientTables10
from bench.units import NS_PER_MS
from bench.wire import amqp10_control as control
from bench.wire import amqp10_layout as layout
from bench.wire.amqp10_answer import OUT_WINDOW
from bench.wire.amqp10_control import Attach, Begin, Close, Detach, End, Open
from bench.wire.amqp10_table_rows import attached, begun, detached
from bench.wire.octets import Int64
from brokers.sasl10 import SaslClient, SaslRefused

_LOOK_NS = 100 * NS_PER_MS
_IDLE_MS = 30_000
"""How long we tell the peer that we bear its silence; we do so twice as long (2.4.5)."""


class Connection10(Frames10):
    """One connection with one session; its lanes are links, whose handles are counted from 0."""

    tables: ClientTables10

    def __init__(self, tables: ClientTables10, index: int, lanes: Sequence[Lane]) -> None:
        """Connect; see `WireConnection`.

        Raises:
            ConnectionLost: nobody answers.
            Refused: TLS failed.
        """
        endpoint = tables.context.endpoint
        super().__init__(tables, index, lanes, Stream(connect(endpoint)))
        self._sasl = SaslClient(endpoint.sasl, endpoint.username, endpoint.password)
        self._opened = False
        self._credit_watch = CreditWatch()
        self._counts: Int64 = np.full(len(lanes), -1)
        """Delivery-count of each lane at the last look."""
        self._links: dict[str, Lane] = {}
        self._refused: dict[int, Lane] = {}
        self._leaving: set[Lane] = set()
        self.handlers = {
            Open: self._on_open,
            Begin: self._on_begin,
            Attach: self._on_attach,
            Detach: self._on_detach,
            End: self._on_end,
            Close: self._on_close,
        }
        tables.enter(index, self.lanes)

    def begin(self) -> None:
        """Begin the protocol's handshake."""
        self._say_sasl()

    def begin_close(self) -> None:
        """Acknowledge what is pending and begin the closing handshake."""
        if not self.context.held_ns:  # else what came was not delivered
            self.acknowledge_before(1 << 62)
        self.closing = True
        attached_ones = [handle for handle, lane in enumerate(self.lanes) if lane not in self._leaving]
        links = b"".join(control.detach_frame(handle) for handle in attached_ones)
        self.write(links + control.end_frame() + control.close_frame())

    def publish(self, sends: Sends, octets: int, first: int, end: int) -> None:
        """Send messages; see `WireConnection`."""
        super().publish(sends, octets, first, end)
        self._leave()

    def pace(self, sends: Sends, until_ns: int, coalesce_ns: int) -> tuple[int, bool]:
        """Send messages at their times; see `WireConnection`."""
        done = super().pace(sends, until_ns, coalesce_ns)
        self._leave()
        return done

    def lose(self, detail: str) -> None:
        """Record that the connection broke; RabbitMQ refuses a virtual host in this way."""
        if self._sasl.done and not self._opened:
            hostname = self.context.endpoint.hostname
            self.refuse_or_lose(f"{detail}, in answer to the open frame: is there a virtual host for {hostname!r}?")
        else:
            super().lose(detail)

    def _scan(self, start: int, end: int) -> tuple[int, int, int]:
        """Take SASL off, then scan as ever."""
        if not self._sasl.done:
            try:
                rest = self._sasl.feed(bytes(self.context.inbox_view[start:end]))
            except SaslRefused as error:
                self.refuse_or_lose(str(error))
                return MORE, end, end
            self._say_sasl()
            if not self._sasl.done:
                return MORE, end, end
            self._open()
            start = end - len(rest)
        return super()._scan(start, end)

    def _after_scan(self) -> None:
        """See whether the lanes are open, then as ever."""
        if not self.ready:
            rows = self.tables.lanes[self.first : self.first + len(self.lanes)]
            usable = rows[:, layout.L_HANDLE] >= 0
            if self.producing:
                usable &= rows[:, layout.L_CREDIT] > 0
            self.ready = bool(usable.all())
            if self.ready and self.producing:
                self._look_at_credit()
        super()._after_scan()
        self._leave()

    def _look_at_credit(self) -> None:
        """Note whether any of the lanes is without credit or window, ten times a second.

        One that has sent since the last look was given some meanwhile.
        """
        if self.closed:
            return
        rows = self.tables.lanes[self.first : self.first + len(self.lanes)]
        now_ns, counts = self.context.clock.now_ns(), rows[:, layout.L_COUNT].copy()
        without = rows[:, layout.L_CREDIT] <= 0
        without |= self.tables.conns[self.index, layout.C_OUT_WINDOW] <= 0
        self._credit_watch.look(now_ns, credit=not (without & (counts == self._counts)).any())
        self._counts = counts
        add_counts(self.context.counters, self._credit_watch.counts())
        self.context.timers.call_at(now_ns + _LOOK_NS, self._look_at_credit)

    def _say_sasl(self) -> None:
        self.write(bytes(self._sasl.output))
        self._sasl.output.clear()

    def _open(self) -> None:
        owner = self.lanes[0].owner.replace(" ", "-")
        open_frame = control.open_frame(
            f"busbench-{owner}-{uuid4()}",
            self.context.endpoint.hostname,
            max_frame=FRAME_MAX,
            idle_timeout_ms=_IDLE_MS,
        )
        begin_frame = control.begin_frame(
            incoming_window=IN_WINDOW, outgoing_window=OUT_WINDOW, handle_max=len(self.lanes) - 1
        )
        self.write(control.AMQP_HEADER + open_frame + begin_frame)

    def _on_open(self, peer: Open) -> None:
        self._opened = True
        self.tables.agree(self.index, peer)
        if self.producing and self.tables.first_octets > self.tables.frame_max:
            self.refuse_or_lose(
                f"it takes frames of {self.tables.frame_max} octets, and the properties of a message with its stamp may"
                f" have {self.tables.first_octets}: make properties shorter"
            )
        # Half of what the peer bears, so that a frame that is late is still in time.
        self.keep_up(peer.idle_timeout_ms * NS_PER_MS // 2, 2 * _IDLE_MS * NS_PER_MS)

    def _on_begin(self, peer: Begin) -> None:
        begun(self.tables.state, self.index, peer)
        if peer.handle_max < len(self.lanes) - 1:
            self.refuse_or_lose(
                f"it allows {peer.handle_max + 1} links a session, fewer than lanes_per_connection = {len(self.lanes)}"
            )
            return
        self.write(b"".join(self._attach(lane, handle) for handle, lane in enumerate(self.lanes)))

    def _attach(self, lane: Lane, handle: int) -> bytes:
        """Return the frame that attaches a lane's link, by a name of its own."""
        name, spec = f"{lane.owner} {uuid4()}", self.context.spec
        self._links[name] = lane
        if lane.producing:
            messages = self.tables.messages
            address = messages.target if messages.routed else self.context.endpoint.address(lane.queue)
            return control.attach_frame(name, handle, receives=False, settled=spec.confirm_window == 0, target=address)
        address = self.context.endpoint.address(lane.queue)
        return control.attach_frame(name, handle, receives=True, settled=spec.ack_batch == 0, source=address)

    def _on_attach(self, peer: Attach) -> None:
        lane = self._links.pop(peer.name, None)
        if lane is None:
            self.lose(f"it attached link {peer.name!r}, for which nobody asked")
            return
        if peer.has_target if lane.producing else peer.has_source:
            attached(self.tables.state, lane.row, peer)
        else:  # a detach that says why follows (2.6.3)
            self._refused[peer.handle] = lane

    def _on_detach(self, peer: Detach) -> None:
        if self.closing:
            return
        lane = self._refused.get(peer.handle) or self.lane_of(peer.handle)
        if lane in self._leaving and peer.condition is None:
            self._leaving.discard(lane)
            detached(self.tables.state, lane.row)
            self.context.count("reattached")
            self.write(self._attach(lane, lane.row - self.first))
        else:
            self.refuse_or_lose(reason(peer.condition), lane)

    def _leave(self) -> None:
        """Detach links that have sent as many messages as they may; they are attached anew after the answer."""
        t = self.tables
        if not t.reattach or self.closing or not self.producing:
            return
        for lane in self.lanes:
            row = t.lanes[lane.row]
            if row[layout.L_COUNT] >= t.reattach and not row[layout.L_PARKED] and lane not in self._leaving:
                self._leaving.add(lane)
                self.write(control.detach_frame(lane.row - self.first))

    def _on_end(self, peer: End) -> None:
        if not self.closing:
            self.refuse_or_lose(reason(peer.condition))

    def _on_close(self, peer: Close) -> None:
        if not self.closing:
            self.write(control.close_frame())
            self.refuse_or_lose(reason(peer.condition))
        self.closed = True
