"""The relay's end of AMQP 0-9-1.

Publishing, delivery and acknowledgement are taken apart here; every other method is read and
made by pika's classes. There is the default exchange and no other. Methods that nobody needs
for a trial (basic.get, basic.recover, transactions, exchanges) are refused as not implemented.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Any

import pika.exceptions
import pika.frame
from pika import spec as amqp

from bench.ceiling.relay091_channel import IDS, TAG, Channel, ChannelFault, Consumer091, Content
from bench.ceiling.relay091_frames import (
    BASIC,
    BODY,
    CONTENT,
    FRAME,
    FRAME_MAX,
    FRAMING,
    HEADER,
    HEARTBEAT,
    METHOD,
    SIZES,
    ConnectionFault,
    Frames,
)
from bench.ceiling.relay_queues import Message091, RelayQueue, RelayStore

_CHANNELS = 2_047
_PUBLISH, _ACK, _REJECT, _NACK = ((BASIC, number) for number in (40, 80, 90, 120))
_CHANNEL_OPEN, _CHANNEL_CLOSE, _CHANNEL_CLOSE_OK, _CONNECTION_CLOSE_OK = (20, 10), (20, 40), (20, 41), (10, 51)
_CONNECTION = 10
_MESSAGE_METHODS = {_PUBLISH, _ACK, _REJECT, _NACK}
_MANDATORY = 1
_CAPABILITIES = {
    "publisher_confirms": True,
    "basic.nack": True,
    "consumer_cancel_notify": True,
    "per_consumer_qos": True,
}


class Relay091(Frames):
    """One client."""

    def __init__(self, store: RelayStore, transport: asyncio.Transport, product: str) -> None:
        """Serve a client that has connected, and whose protocol header is in the first octets that come."""
        super().__init__(store, transport)
        self._product = product
        self._rest = b""
        self._greeted = self._closing = False
        self._channels: dict[int, Channel] = {}
        self._unconfirmed: set[Channel] = set()
        self._heartbeat: asyncio.TimerHandle | None = None
        self._handlers: dict[type, Callable[[int, Any], None]] = {
            amqp.Connection.StartOk: lambda _, __: self.say(0, amqp.Connection.Tune(_CHANNELS, FRAME_MAX, 0)),
            amqp.Connection.TuneOk: self._on_tune_ok,
            amqp.Connection.Open: lambda _, __: self.say(0, amqp.Connection.OpenOk()),
            amqp.Connection.Close: self._on_connection_close,
            amqp.Connection.CloseOk: lambda _, __: self.hang_up(),
            amqp.Channel.Open: self._on_channel_open,
            amqp.Channel.Close: self._on_channel_close,
            amqp.Confirm.Select: self._on_confirm,
            amqp.Queue.Declare: self._on_declare,
            amqp.Queue.Delete: self._on_delete,
            amqp.Queue.Purge: self._on_purge,
            amqp.Basic.Qos: self._on_qos,
            amqp.Basic.Consume: self._on_consume,
            amqp.Basic.Cancel: self._on_cancel,
        }

    def feed(self, data: bytes) -> None:
        """See `Connection`."""
        data = self._rest + data
        if not self._greeted:
            self._greeted = True
            data = data[len(HEADER) :]
            properties = {"product": self._product, "version": "1", "platform": "", "capabilities": _CAPABILITIES}
            mechanisms = "PLAIN ANONYMOUS EXTERNAL"
            self.say(0, amqp.Connection.Start(server_properties=properties, mechanisms=mechanisms, locales="en_US"))
        try:
            self._rest = self.take_frames(data)
        except ConnectionFault as fault:
            self._rest = b""
            self._fail(*fault.args)
        for channel in self._unconfirmed:
            self.say(channel.number, amqp.Basic.Ack(channel.published, multiple=True))
        self._unconfirmed.clear()

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        super().connection_lost(error)
        if self._heartbeat is not None:
            self._heartbeat.cancel()

    def _act(self, data: bytes, at: int, stop: int) -> None:
        """Act on a frame."""
        kind, number, _ = FRAME.unpack_from(data, at)
        channel = self._channels.get(number)
        ids = IDS.unpack_from(data, at + FRAME.size) if kind == METHOD and stop - at >= FRAMING + IDS.size else ()
        if kind == HEARTBEAT or (self._closing and ids != _CONNECTION_CLOSE_OK):
            return
        if channel is not None and channel.closing:
            if ids == _CHANNEL_CLOSE_OK:
                del self._channels[number]
            elif ids == _CHANNEL_CLOSE:
                self.say(number, amqp.Channel.CloseOk())
            return
        try:
            if channel is None and ids != _CHANNEL_OPEN and ids[:1] != (_CONNECTION,):
                raise ConnectionFault(504, f"CHANNEL_ERROR - channel {number} is not open")
            if channel is None or (kind == METHOD and ids not in _MESSAGE_METHODS):
                self._on_method(number, data[at:stop])
            elif kind == METHOD:
                self._on_message(channel, ids, data[at + FRAME.size + IDS.size : stop - 1])
            else:
                self._on_content(channel, kind, data[at + FRAME.size : stop - 1])
        except ChannelFault as fault:
            code, text = fault.args
            self._leave(self._channels[number])
            self._channels[number].closing = True
            self.say(number, amqp.Channel.Close(code, text, *(ids or (0, 0))))
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise ConnectionFault(502, f"SYNTAX_ERROR - {error}") from error

    def _on_method(self, channel: int, frame: bytes) -> None:
        try:
            _, decoded = pika.frame.decode_frame(frame)
            method = decoded.method
        except (pika.exceptions.AMQPError, ValueError, LookupError, AttributeError) as error:
            raise ConnectionFault(502, f"SYNTAX_ERROR - {type(error).__name__}: {error}") from error
        handler = self._handlers.get(type(method))
        if handler is None:
            raise ConnectionFault(540, f"NOT_IMPLEMENTED - {method.NAME}")
        handler(channel, method)

    def _on_message(self, channel: Channel, ids: tuple[int, ...], arguments: bytes) -> None:
        """Act on a method about messages, the most frequent kind."""
        if ids == _PUBLISH:
            exchange_end = 3 + arguments[2]
            key_end = exchange_end + 1 + arguments[exchange_end]
            exchange, key = arguments[3:exchange_end].decode(), arguments[exchange_end + 1 : key_end].decode()
            channel.content = Content(exchange, key, arguments[key_end])
            return
        tag, flags = TAG.unpack(arguments)
        self._settle(channel, tag, multiple=bool(flags & 1) and ids != _REJECT)

    def _settle(self, channel: Channel, tag: int, *, multiple: bool) -> None:
        """Take deliveries for done, whether they were acknowledged or refused."""
        unacked = channel.unacked
        if (not multiple or tag) and tag not in unacked and not (multiple and tag <= channel.tag):
            raise ChannelFault(406, f"PRECONDITION_FAILED - unknown delivery tag {tag}")
        if not multiple:
            done = [unacked.pop(tag)]
        else:
            done = []
            while unacked and (not tag or next(iter(unacked)) <= tag):
                done.append(unacked.popitem(last=False)[1])
        for consumer in done:
            consumer.outstanding -= 1
        concerned = channel.consumers.values() if channel.limit else done
        self.store.touched.update(consumer.queue for consumer in concerned)

    def _on_content(self, channel: Channel, kind: int, payload: bytes) -> None:
        content = channel.content
        if content is None or kind not in {CONTENT, BODY} or (kind == BODY) != (content.size >= 0):
            raise ConnectionFault(505, "UNEXPECTED_FRAME - content that no method announced")
        if kind == CONTENT:
            content.size, content.properties = SIZES.unpack_from(payload)[2], payload[SIZES.size :]
            if content.size > self.store.limit:
                raise ChannelFault(311, f"CONTENT_TOO_LARGE - {content.size} octets, beyond {self.store.limit}")
        else:
            content.body = content.body + payload if content.body else payload
        if len(content.body) >= content.size:
            channel.content = None
            self._publish(channel, content)

    def _publish(self, channel: Channel, content: Content) -> None:
        self.store.publishers.add(self)
        if channel.confirms:
            channel.published += 1
            self._unconfirmed.add(channel)
        if content.exchange:
            raise ChannelFault(404, f"NOT_FOUND - no exchange {content.exchange!r}: there is the default one only")
        queue = self.store.find(content.key)
        if queue is not None:
            queue.put(Message091(content.properties, content.body))
        elif content.flags & _MANDATORY:
            self.say(channel.number, amqp.Basic.Return(312, "NO_ROUTE", content.exchange, content.key))
            self.write_content(channel.number, content.properties, content.body)

    def _queue(self, name: str) -> RelayQueue:
        queue = self.store.find(name)
        if queue is None:
            raise ChannelFault(404, f"NOT_FOUND - no queue {name!r}")
        return queue

    def _on_tune_ok(self, _channel: int, method: Any) -> None:
        self.frame_max = min(method.frame_max or FRAME_MAX, FRAME_MAX)
        if method.heartbeat:
            self._beat(method.heartbeat / 2)

    def _beat(self, interval_s: float) -> None:
        self._transport.write(pika.frame.Heartbeat().marshal())
        self._heartbeat = asyncio.get_running_loop().call_later(interval_s, self._beat, interval_s)

    def _fail(self, code: int, text: str) -> None:
        """Close the connection and wait for the answer, unless something else is wrong meanwhile."""
        if self._closing:
            self.hang_up()
            return
        self._closing = True
        self.leave_all()
        self.say(0, amqp.Connection.Close(code, text, 0, 0))

    def _on_connection_close(self, _channel: int, _method: Any) -> None:
        self.say(0, amqp.Connection.CloseOk())
        self.hang_up()

    def _on_channel_open(self, channel: int, _method: Any) -> None:
        self._channels[channel] = Channel(channel)
        self.say(channel, amqp.Channel.OpenOk())

    def _on_channel_close(self, channel: int, _method: Any) -> None:
        self._leave(self._channels.pop(channel))
        self.say(channel, amqp.Channel.CloseOk())

    def _leave(self, channel: Channel) -> None:
        """End what a channel does; what it did not acknowledge is lost."""
        for consumer in channel.consumers.values():
            consumer.leave()
        channel.consumers.clear()
        channel.unacked.clear()
        self._unconfirmed.discard(channel)

    def _on_confirm(self, channel: int, method: Any) -> None:
        self._channels[channel].confirms = True
        if not method.nowait:
            self.say(channel, amqp.Confirm.SelectOk())

    def _on_declare(self, channel: int, method: Any) -> None:
        queue = self._queue(method.queue) if method.passive else self.store.make(method.queue)
        if not method.nowait:
            self.say(channel, amqp.Queue.DeclareOk(queue.name, len(queue.ready), len(queue.consumers)))

    def _on_delete(self, channel: int, method: Any) -> None:
        queue = self.store.find(method.queue)
        if queue is not None and ((method.if_unused and queue.consumers) or (method.if_empty and queue.ready)):
            raise ChannelFault(406, f"PRECONDITION_FAILED - queue {method.queue!r} is in use or not empty")
        count = 0 if queue is None else self.store.delete(queue)
        if not method.nowait:
            self.say(channel, amqp.Queue.DeleteOk(count))

    def _on_purge(self, channel: int, method: Any) -> None:
        count = self._queue(method.queue).purge()
        if not method.nowait:
            self.say(channel, amqp.Queue.PurgeOk(count))

    def _on_qos(self, channel: int, method: Any) -> None:
        state = self._channels[channel]
        if method.global_qos:
            state.limit = method.prefetch_count
        else:
            state.prefetch = method.prefetch_count
        self.say(channel, amqp.Basic.QosOk())

    def _on_consume(self, channel: int, method: Any) -> None:
        state, queue = self._channels[channel], self._queue(method.queue)
        tag = method.consumer_tag or f"ctag{channel}.{len(state.consumers) + 1}"
        if tag in state.consumers:
            raise ConnectionFault(530, f"NOT_ALLOWED - consumer tag {tag!r} is in use")
        if not method.nowait:
            self.say(channel, amqp.Basic.ConsumeOk(tag))
        state.consumers[tag] = Consumer091(self, queue, state, tag, acks=not method.no_ack)

    def _on_cancel(self, channel: int, method: Any) -> None:
        consumer = self._channels[channel].consumers.pop(method.consumer_tag, None)
        if consumer is not None:
            consumer.leave()
        if not method.nowait:
            self.say(channel, amqp.Basic.CancelOk(method.consumer_tag))
