"""Opening, throttling and ending AMQP 0-9-1 connections of the compiled driver; messages pass it by.

Everything after connection.tune goes out at once, as a broker answers in order.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from pika import spec as amqp

from bench.drivers.base import ReplyAddress
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

    tables: ClientTables091

    def __init__(self, tables: ClientTables091, index: int, lanes: Sequence[Lane]) -> None:
        """Connect; see `WireConnection`.

        Raises:
            ConnectionLost: nobody answers.
            Refused: TLS failed.
        """
        super().__init__(tables, index, lanes, Stream(connect(tables.context.endpoint)))
        self._unanswered = 0
        self._stopped_by: set[str] = set()
        self.handlers |= {
            amqp.Connection.Start: self._on_start,
            amqp.Connection.Tune: self._on_tune,
            amqp.Connection.OpenOk: self._pass_over,
            amqp.Connection.Blocked: self._on_blocked,
            amqp.Connection.Unblocked: self._on_unblocked,
            amqp.Connection.Close: self._on_connection_close,
            amqp.Connection.CloseOk: self._on_close_ok,
            amqp.Channel.OpenOk: self._on_answer,
            amqp.Channel.Flow: self._on_flow,
            amqp.Channel.Close: self._on_channel_close,
            amqp.Exchange.DeclareOk: self._on_answer,
            amqp.Queue.DeclareOk: self._on_queue,
            amqp.Queue.BindOk: self._on_answer,
            amqp.Confirm.SelectOk: self._on_answer,
            amqp.Basic.QosOk: self._on_answer,
            amqp.Basic.ConsumeOk: self._on_answer,
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

    def _lane(self, channel: int) -> Lane | None:
        return self.lanes[channel - 1] if 0 < channel <= len(self.lanes) else None

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
            methods = (amqp.Channel.Open(), *self._begin_producer(lane), *self._begin_consumer(lane))
            self._unanswered += len(methods)
            self.say(channel, *methods)

    def _begin_producer(self, lane: Lane) -> Iterator[Any]:
        """Yield the methods that let an open channel publish, if it does: where messages go must be there."""
        if not lane.producing:
            return
        given = self.context.spec
        if lane.queue:
            yield amqp.Queue.Declare(queue=lane.queue, passive=True)
        if given.route is not None and given.route.exchange:
            # Without a type: Broker-J compares that of a passive declaration too.
            yield amqp.Exchange.Declare(exchange=given.route.exchange, type="", passive=True)
        if given.confirm_window:
            yield amqp.Confirm.Select()

    def _begin_consumer(self, lane: Lane) -> Iterator[Any]:
        """Yield the methods that let an open channel consume, if it does."""
        given, consumer = self.context.spec, self.tables.consumer_of(lane)
        if consumer is None:
            return
        queue, direct = consumer.queue, consumer.queue == ReplyAddress.DIRECT
        if consumer.owned is not None:
            kind = consumer.owned.kind
            yield amqp.Queue.Declare(
                queue=queue,
                durable=kind.durable,
                exclusive=kind.exclusive,
                auto_delete=kind.auto_delete,
                arguments=dict(kind.arguments),
            )
            for one in consumer.owned.bindings:
                yield amqp.Queue.Bind(
                    queue=one.queue, exchange=one.exchange, routing_key=one.key, arguments=dict(one.arguments)
                )
        elif queue == ReplyAddress.DYNAMIC:
            yield amqp.Queue.Declare(queue="", exclusive=True)
        elif not direct:
            yield amqp.Queue.Declare(queue=queue, passive=True)
        yield amqp.Basic.Qos(prefetch_count=given.prefetch)
        # Without a name it is the queue that was declared last on the channel.
        yield amqp.Basic.Consume(
            queue=queue,
            no_ack=direct or given.ack_batch == 0,
            exclusive=given.consuming.exclusive,
            arguments=dict(given.consuming.arguments),
        )

    def _on_queue(self, channel: int, method: Any) -> None:
        lane = self._lane(channel)
        if lane is not None and self.context.spec.requests:
            self.tables.name_reply_queue(channel, lane, method.queue)
        self._on_answer(channel, method)

    def _on_answer(self, _channel: int, _method: Any) -> None:
        self._unanswered -= 1
        self.ready = self._unanswered <= 0

    def _on_cancelled(self, channel: int, _method: Any) -> None:
        self.refuse_or_lose("basic.cancel: the queue was deleted or has moved", self._lane(channel))

    def _on_flow(self, channel: int, method: Any) -> None:
        """Honour channel.flow and answer it: Broker-J closes the channel 5 s after one that was ignored."""
        self.context.count("flow_frames")
        self._stop(f"flow {channel}", stopped=not method.active)
        self.say(channel, amqp.Channel.FlowOk(active=method.active))

    def _on_blocked(self, _channel: int, _method: Any) -> None:
        self.context.count("blocked_events")
        self._stop("blocked", stopped=self.producing or self.context.spec.reply_size > 0)

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
