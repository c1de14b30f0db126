"""Opening, throttling and ending AMQP 0-9-1 connections of the compiled driver; messages pass it by.

Frames that are not about messages are few, so pika's frame and method classes make and
read them. What is pipelined: everything after connection.tune goes out at once, as a
broker answers in order.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pika
import pika.exceptions
import pika.frame
from pika import spec as amqp

from bench.drivers.base import Int64
from bench.drivers.wire091_tables import Tables091
from bench.drivers.wire_connection import Lane, Scanned, WireConnection
from bench.drivers.wire_context import SAY_EVERY, SILENT_AFTER
from bench.units import NS_PER_S
from bench.wire import amqp091_layout as layout
from bench.wire.amqp091_deliver import acknowledge
from bench.wire.amqp091_encode import encode
from bench.wire.amqp091_scan import scan

_HEADER = b"AMQP\x00\x00\x09\x01"
_FRAME_MAX = 131_072
_HEARTBEAT = pika.frame.Heartbeat().marshal()
_CAPABILITIES = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "publisher_confirms": True,
}


class Connection091(WireConnection):
    """One connection; its lanes are the channels from 1 on."""

    def __init__(self, tables: Tables091, index: int, lanes: Sequence[Lane]) -> None:
        """Connect; see `WireConnection`."""
        super().__init__(tables.context, index, lanes)
        self._tables = tables
        self._closing = False
        self._unopened = len(self.lanes)
        self._stopped_by: set[str] = set()
        self._handlers: dict[type, Callable[[int, Any], None]] = {
            amqp.Connection.Start: self._on_start,
            amqp.Connection.Tune: self._on_tune,
            amqp.Connection.OpenOk: self._pass_over,
            amqp.Connection.Blocked: self._on_blocked,
            amqp.Connection.Unblocked: self._on_unblocked,
            amqp.Connection.Close: self._on_connection_close,
            amqp.Connection.CloseOk: self._on_close_ok,
            amqp.Channel.OpenOk: self._pass_over,
            amqp.Channel.Flow: self._on_flow,
            amqp.Channel.Close: self._on_channel_close,
            amqp.Queue.DeclareOk: self._on_queue,
            amqp.Confirm.SelectOk: self._on_open_lane,
            amqp.Basic.QosOk: self._pass_over,
            amqp.Basic.ConsumeOk: self._on_open_lane,
            amqp.Basic.Cancel: self._on_cancelled,
        }
        tables.enter(index, self.lanes)

    def begin(self) -> None:
        """Begin the protocol's handshake."""
        self.write(_HEADER)

    def begin_close(self) -> None:
        """Acknowledge what is pending and begin the closing handshake."""
        self.acknowledge_before(1 << 62)
        self._closing = True
        self._say(0, amqp.Connection.Close(reply_code=200, reply_text="done", class_id=0, method_id=0))

    def keep_alive(self) -> None:
        """Say that we are there, by an empty frame."""
        self.write(_HEARTBEAT)

    def acknowledge_before(self, before_ns: int) -> int | None:
        """Acknowledge unfinished batches whose last message came before that; see `WireConnection`."""
        tables, rest = self._tables, None
        lanes = tables.lanes
        for row in range(self.first, self.first + len(self.lanes)):
            if lanes[row, layout.UNACKED]:
                last_ns = int(lanes[row, layout.LAST_NS])
                if last_ns <= before_ns:
                    self.write(tables.acks_view[: acknowledge(lanes, row, tables.acks, 0)])
                else:
                    rest = last_ns if rest is None else min(rest, last_ns)
        return rest

    def fault(self, status: int) -> str:
        """Return what the peer sent that it must not, for a status below 0."""
        if status == layout.Status.BAD_TYPE and not self.ready:
            return f"no AMQP 0-9-1: {bytes(self.context.inbox_view[:16])!r}"
        return layout.FAULTS[layout.Status(status)]

    def _scan(self, start: int, end: int, now_ns: int) -> Scanned:
        """Use up octets of the inbox; write acknowledgements."""
        t, context = self._tables, self.context
        status = scan(
            context.inbox,
            start,
            end,
            t.conns,
            self.index,
            t.lanes,
            t.heads,
            t.ring,
            context.rows,
            t.cursor,
            t.acks,
            now_ns,
        )
        taken, frame_end, out = t.cursor[[layout.TAKEN, layout.FRAME_END, layout.OUT]].tolist()
        if out:
            t.cursor[layout.OUT] = 0
            self.write(t.acks_view[:out])
        if not self.producing and not self._lingers and t.wants_acks(self.first, len(self.lanes)):
            self.linger(now_ns)
        frame = bytes(context.inbox_view[taken:frame_end]) if status == layout.Status.CONTROL else b""
        return Scanned(status, taken, frame)

    def _encode(self, lane: Int64, seq: Int64, intended_ns: Int64, sent_ns: int, first: int, end: int) -> int:
        """Write messages first <= i < end to the outbox; return the octets."""
        t = self._tables
        return encode(
            self.context.outbox,
            0,
            t.prefixes,
            t.body,
            t.frame_max,
            t.lanes,
            t.ring,
            t.tracked,
            lane,
            seq,
            intended_ns,
            sent_ns,
            first,
            end,
        )

    def _on_control(self, frame: bytes) -> None:
        """Act on a frame that is not about messages."""
        try:
            _, decoded = pika.frame.decode_frame(frame)
        except (pika.exceptions.AMQPError, ValueError, LookupError) as error:
            self.lose(f"it sent a frame that cannot be read ({type(error).__name__}: {error})")
            return
        method = decoded.method
        handler = self._handlers.get(type(method))
        if handler is None:
            self.lose(f"it sent {method.NAME}, for which nobody asked")
        else:
            handler(decoded.channel_number, method)

    def _say(self, channel: int, *methods: Any) -> None:
        self.write(b"".join(pika.frame.Method(channel, method).marshal() for method in methods))

    def _pass_over(self, _channel: int, _method: Any) -> None:
        """Nothing follows from it."""

    def _lane(self, channel: int) -> Lane:
        return self.lanes[channel - 1]

    def _on_start(self, _channel: int, method: Any) -> None:
        endpoint = self.context.endpoint
        mechanism = endpoint.sasl.upper()
        offered = [str(name, "ascii") if isinstance(name, bytes) else name for name in method.mechanisms.split()]
        if mechanism not in offered:
            self.refuse_or_lose(f"it offers SASL {', '.join(offered)} and not {mechanism}")
            return
        response = f"\0{endpoint.username}\0{endpoint.password}" if mechanism == "PLAIN" else ""
        properties = {
            "product": "busbench",
            "connection_name": f"busbench {self.lanes[0].owner}",
            "capabilities": _CAPABILITIES,
        }
        self._say(0, amqp.Connection.StartOk(properties, mechanism, response, "en_US"))

    def _on_tune(self, _channel: int, method: Any) -> None:
        """Agree to what the broker wants, and open everything."""
        frame_max = min(method.frame_max or _FRAME_MAX, _FRAME_MAX)
        self._tables.agree(self.index, frame_max)
        if method.heartbeat:
            # Half of the interval, so that a late one is still in time; two missed ones are the end (4.2.7).
            self.context.io[self.index, SAY_EVERY] = method.heartbeat * NS_PER_S // 2
            self.context.io[self.index, SILENT_AFTER] = 2 * method.heartbeat * NS_PER_S
        channels = method.channel_max
        if channels and len(self.lanes) > channels:
            self.refuse_or_lose(
                f"it allows {channels} channels a connection, fewer than lanes_per_connection = {len(self.lanes)}"
            )
            return
        self._say(
            0,
            amqp.Connection.TuneOk(channels, frame_max, method.heartbeat),
            amqp.Connection.Open(self.context.endpoint.virtual_host),
        )
        for channel, lane in enumerate(self.lanes, 1):
            self._say(
                channel, amqp.Channel.Open(), amqp.Queue.Declare(queue=lane.queue, passive=True), *self._begin(lane)
            )

    def _begin(self, lane: Lane) -> tuple[Any, ...]:
        """Return the methods that make an open channel a lane."""
        given = self.context.spec
        if self.producing:
            return (amqp.Confirm.Select(),) if given.confirm_window else ()
        consume = amqp.Basic.Consume(queue=lane.queue, no_ack=given.ack_batch == 0)
        return (amqp.Basic.Qos(prefetch_count=given.prefetch), consume)

    def _on_queue(self, channel: int, method: Any) -> None:
        if self.producing and not self.context.spec.confirm_window:
            self._on_open_lane(channel, method)

    def _on_open_lane(self, _channel: int, _method: Any) -> None:
        self._unopened -= 1
        self.ready = self._unopened <= 0

    def _on_cancelled(self, channel: int, _method: Any) -> None:
        self.refuse_or_lose("basic.cancel: the queue was deleted or has moved", self._lane(channel))

    def _on_flow(self, channel: int, method: Any) -> None:
        """Honour channel.flow and answer it: Broker-J closes the channel 5 s after one that was ignored."""
        self.context.count("flow_frames")
        self._stop(f"flow {channel}", stopped=not method.active)
        self._say(channel, amqp.Channel.FlowOk(active=method.active))

    def _on_blocked(self, _channel: int, _method: Any) -> None:
        self.context.count("blocked_events")
        self._stop("blocked", stopped=self.producing)

    def _on_unblocked(self, _channel: int, _method: Any) -> None:
        self._stop("blocked", stopped=False)

    def _stop(self, why: str, *, stopped: bool) -> None:
        if stopped:
            self._stopped_by.add(why)
            self.context.stopped.add(self)
        else:
            self._stopped_by.discard(why)
            if not self._stopped_by:
                self.context.stopped.discard(self)

    def _on_channel_close(self, channel: int, method: Any) -> None:
        self._say(channel, amqp.Channel.CloseOk())
        if not self._closing:
            self.refuse_or_lose(f"{method.reply_code} {method.reply_text}", self._lane(channel))

    def _on_connection_close(self, _channel: int, method: Any) -> None:
        self._say(0, amqp.Connection.CloseOk())
        self.refuse_or_lose(f"{method.reply_code} {method.reply_text}")

    def _on_close_ok(self, _channel: int, _method: Any) -> None:
        self.closed = True
