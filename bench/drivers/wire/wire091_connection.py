"""Opening, throttling and ending AMQP 0-9-1 connections of the compiled driver; messages pass it by.

Everything after connection.tune goes out at once, as a broker answers in order.
"""

from collections.abc import Sequence
from typing import Any

from pika import spec as amqp

from bench.drivers.sockets.connection import connect
from bench.drivers.sockets.stream import Stream
from bench.drivers.wire.lanes import Lane
from bench.drivers.wire.wire091_frames import Frames091
from bench.drivers.wire.wire091_tables import FRAME_MAX, ClientTables091
from bench.units import NS_PER_S

_HEADER = b"AMQP\x00\x00\x09\x01"
_CAPABILITIES = {
    "authentication_failure_close": True,
    "basic.nack": True,
    "connection.blocked": True,
    "consumer_cancel_notify": True,
    "publisher_confirms": True,
}


class Connection091(Frames091):
    """One connection; its lanes are the channels from 1 on."""

    def __init__(self, tables: ClientTables091, index: int, lanes: Sequence[Lane]) -> None:
        """Connect; see `WireConnection`.

        Raises:
            ConnectionLost: nobody answers.
            Refused: TLS failed.
        """
        super().__init__(tables, index, lanes, Stream(connect(tables.context.endpoint)))
        self._unopened = len(self.lanes)
        self._stopped_by: set[str] = set()
        self.handlers |= {
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
        if not self.context.held_ns:  # else what came was not delivered
            self.acknowledge_before(1 << 62)
        self.closing = True
        self.say(0, amqp.Connection.Close(reply_code=200, reply_text="done", class_id=0, method_id=0))

    def _pass_over(self, _channel: int, _method: Any) -> None:
        """Nothing follows from it."""

    def _lane(self, channel: int) -> Lane:
        return self.lanes[channel - 1]

    def _on_start(self, _channel: int, method: Any) -> None:
        endpoint = self.context.endpoint
        mechanism = endpoint.sasl.upper()
        offered = [str(name, "ascii") if isinstance(name, bytes) else name for name in method.mechanisms.split()]
        if mechanism not in offered:
            self.refuse_or_lose(f"it does not offer SASL {mechanism}")
            return
        response = f"\0{endpoint.username}\0{endpoint.password}" if mechanism == "PLAIN" else ""
        properties = {
            "product": "busbench",
            "connection_name": f"busbench {self.lanes[0].owner}",
            "capabilities": _CAPABILITIES,
        }
        self.say(0, amqp.Connection.StartOk(properties, mechanism, response, "en_US"))

    def _on_tune(self, _channel: int, method: Any) -> None:
        """Agree to what the broker wants, and open everything."""
        frame_max = min(method.frame_max or FRAME_MAX, FRAME_MAX)
        self.tables.agree(self.index, frame_max)
        if method.heartbeat:
            # Half of the interval, so that a late one is still in time; two missed ones are the end (4.2.7).
            self.keep_up(method.heartbeat * NS_PER_S // 2, 2 * method.heartbeat * NS_PER_S)
        channels = method.channel_max
        if channels and len(self.lanes) > channels:
            self.refuse_or_lose(
                f"it allows {channels} channels a connection, fewer than lanes_per_connection = {len(self.lanes)}"
            )
            return
        self.say(
            0,
            amqp.Connection.TuneOk(channels, frame_max, method.heartbeat),
            amqp.Connection.Open(self.context.endpoint.virtual_host),
        )
        for channel, lane in enumerate(self.lanes, 1):
            self.say(
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
        self.say(channel, amqp.Channel.FlowOk(active=method.active))

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
        self.say(channel, amqp.Channel.CloseOk())
        if not self.closing:
            self.refuse_or_lose(f"{method.reply_code} {method.reply_text}", self._lane(channel))

    def _on_connection_close(self, _channel: int, method: Any) -> None:
        self.say(0, amqp.Connection.CloseOk())
        self.refuse_or_lose(f"{method.reply_code} {method.reply_text}")

    def _on_close_ok(self, _channel: int, _method: Any) -> None:
        self.closed = True
