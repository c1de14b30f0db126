"""Lanes over AMQP 0-9-1 with pika's callbacks: one connection and one channel each.

What a lane asks of the broker, how it settles and what it says when the broker refuses.
Whose socket and loop carry that is the business of `codec_lane` and `select_lane`.
"""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

import pika
import pika.exceptions

from bench.drivers.base import ConsumerLane, Outcome, ProducerLane
from bench.drivers.bodies import Bodies
from bench.drivers.message_keys import MessageKeys
from bench.drivers.message_properties import MessageProperties
from bench.drivers.pika.confirm_window import ConfirmWindow
from bench.drivers.pika.parameters import ask_for_confirms, words
from bench.drivers.pika.properties import basic_properties
from bench.drivers.refusals import Disposition
from bench.drivers.sockets.connection import OUTPUT_LIMIT, SLIPS, Connection, Consumer, Context, Producer, is_ours
from brokers.frame091 import NotAFrameError

_FRAMING_BYTES = 128
"""About what method frame, header frame and frame ends add to a body."""

_UNBOUNDED = 1 << 30


class PikaLane(Connection):
    """What producing and consuming lanes share: opening, closing, ends."""

    _amqp: Any
    """pika's connection, of whichever kind."""
    _channel: Any = None

    @abstractmethod
    def _start(self) -> None:
        """Begin to open pika's connection, which calls `_on_open` and `_on_end`."""

    def begin_close(self) -> None:
        """Acknowledge what is pending and begin the closing handshake."""
        if self._amqp.is_open:
            self._amqp.close()

    @contextmanager
    def _caught(self) -> Iterator[None]:
        """End the lane where what came is more than pika can take."""
        try:
            yield
        except NotAFrameError as error:
            self.lose(str(error))
        except (pika.exceptions.AMQPError, *SLIPS) as error:
            if is_ours(error):
                raise
            self.lose(f"it sent what the library cannot take ({type(error).__name__}: {error})")

    def _on_open(self, connection: Any) -> None:
        ask_for_confirms(connection, self.context.endpoint)
        connection.add_on_connection_blocked_callback(self._on_blocked)
        connection.add_on_connection_unblocked_callback(self._on_unblocked)
        connection.channel(on_open_callback=self._on_channel)

    def _on_channel(self, channel: Any) -> None:
        self._channel = channel
        channel.add_on_close_callback(self._on_channel_closed)
        self._prove(channel)

    def _prove(self, channel: Any) -> None:
        """Prove that the queue is there, as publishing to none would be no fault."""
        channel.queue_declare(self.queue, passive=True, callback=self._on_proof)

    @abstractmethod
    def _on_proof(self, _frame: Any) -> None:
        """Go on with opening, now that the queue is known to be there."""

    def _on_blocked(self, _connection: Any, _frame: Any) -> None:
        self.context.count("blocked_events")

    def _on_unblocked(self, _connection: Any, _frame: Any) -> None:
        """Only a producer acts on it."""

    def _on_channel_closed(self, _channel: Any, reason: BaseException) -> None:
        if isinstance(reason, pika.exceptions.ChannelClosedByBroker):
            self.refuse_or_lose(f"{reason.reply_code} {reason.reply_text}")

    def _on_end(self, reason: Exception) -> None:
        if isinstance(reason, pika.exceptions.ConnectionClosedByBroker):
            self.refuse_or_lose(f"{reason.reply_code} {reason.reply_text}")
        elif isinstance(reason, pika.exceptions.ConnectionClosedByClient):
            self.closed = True
        elif isinstance(reason, pika.exceptions.AuthenticationError):
            self.refuse_or_lose(f"it does not offer SASL {self.context.endpoint.sasl.upper()}")
        else:
            self.refuse_or_lose(words(reason))


class PikaProducer(PikaLane, Producer):
    """Publishes to an exchange: to the default one, with the queue's name as routing key, where there is no route.

    With a confirm window, messages are mandatory, so that one that reaches no queue is
    returned instead of silently confirmed. Without, what bounds it is the socket, as
    pika buffers without limit, and the broker's flow control.
    """

    def __init__(self, context: Context, lane: int, producer: ProducerLane) -> None:
        """Connect and begin to open."""
        spec = context.spec
        self._keys = MessageKeys(spec.route, producer)
        super().__init__(context, lane, producer)
        self._window = ConfirmWindow()
        self._limit = spec.confirm_window
        self._bodies = Bodies(spec)
        self._stopped_by: set[str] = set()
        self._properties = MessageProperties(spec.properties, partial(basic_properties, durable=spec.durable))
        self._start()

    def counts(self) -> Mapping[str, int]:
        """Return what the broker said that it must not, beside what pika counts."""
        return {**super().counts(), **self._window.violations}

    def room(self) -> int:
        """Return how many messages fit into the confirm window and the output buffer."""
        if self._stopped_by or self.closed:
            return 0
        bytes_left = OUTPUT_LIMIT - self.unwritten()
        if bytes_left <= 0:
            return 0
        fits = 1 + bytes_left // (self.context.spec.size + _FRAMING_BYTES)
        if not self._limit:
            return fits
        # What was confirmed since the last poll is not free before the caller has heard of it.
        return max(0, min(fits, self._limit - len(self._window) - len(self.context.settlements)))

    def publish(self, seq: int, intended_ns: int) -> int:
        """Stamp and encode one message; return the time of the stamp, monotonic ns."""
        if self._limit:
            self._window.publish(seq)
        key, properties = self._keys.of(seq), self._properties.of(seq)
        sent_ns = self.context.clock.now_ns()
        body = bytes(self._bodies.stamped(self.producer, seq, intended_ns, sent_ns))
        self._channel.basic_publish(self._keys.exchange, key, body, properties, mandatory=self._limit > 0)
        return sent_ns

    def _prove(self, channel: Any) -> None:
        """Prove that exchange or queue are there; the default exchange is."""
        if self._keys.exchange:
            channel.exchange_declare(self._keys.exchange, "", passive=True, callback=self._on_proof)
        elif self.queue:
            super()._prove(channel)
        else:
            self._on_proof(None)

    def _on_proof(self, _frame: Any) -> None:
        self._channel.add_on_flow_callback(self._on_flow)
        if self._limit:
            self._channel.add_on_return_callback(self._on_return)
            self._channel.confirm_delivery(self._on_settled, callback=self._on_confirm_mode)
        else:
            self.ready = True

    def _on_confirm_mode(self, _frame: Any) -> None:
        self.ready = True

    def _on_settled(self, frame: Any) -> None:
        method = frame.method
        outcome = Outcome.CONFIRMED if isinstance(method, pika.spec.Basic.Ack) else Outcome.REFUSED
        now_ns = self.context.clock.now_ns()
        add = self.context.settlements.add
        for seq, what in self._window.settle(method.delivery_tag, multiple=method.multiple, outcome=outcome):
            add(self.lane, seq, what, now_ns)

    def _on_return(self, _channel: Any, _method: Any, _properties: Any, body: bytes) -> None:
        stamped = self.context.unstamp(body, self.context.clock.now_ns())
        if stamped is not None:
            self._window.give_back(stamped[1])

    def _on_flow(self, frame: Any) -> None:
        """Honour channel.flow and answer it, which pika leaves undone.

        Broker-J closes the channel 5 s after a channel.flow(false) that was ignored.
        """
        self.context.count("flow_frames")
        self._stop("flow", stopped=not frame.method.active)
        self._channel._send_method(pika.spec.Channel.FlowOk(active=frame.method.active))  # noqa: SLF001

    def _on_blocked(self, connection: Any, frame: Any) -> None:
        super()._on_blocked(connection, frame)
        self._stop("blocked", stopped=True)

    def _on_unblocked(self, _connection: Any, _frame: Any) -> None:
        self._stop("blocked", stopped=False)

    def _stop(self, why: str, *, stopped: bool) -> None:
        if stopped:
            self._stopped_by.add(why)
        else:
            self._stopped_by.discard(why)


class PikaConsumer(PikaLane, Consumer):
    """Consumes with a prefetch and acknowledges with `multiple`, or automatically.

    `received_ns` is one reading of the clock a message, at the moment pika hands it over.
    """

    def __init__(self, context: Context, lane: int, consumer: ConsumerLane) -> None:
        """Connect and begin to open."""
        super().__init__(context, lane, consumer)
        self._automatic = context.spec.ack_batch == 0
        self._owned = consumer.owned
        self._last_tag = 0
        self._accepted_tag: int | None = None
        self._refused: list[tuple[int, Disposition]] = []
        self._start()

    def begin_close(self) -> None:
        """Acknowledge what is pending and begin the closing handshake."""
        if self._amqp.is_open:
            self.settle_rest()
        super().begin_close()

    def acknowledge(self) -> None:
        """Refuse what is refused, and acknowledge everything else up to the last message that is not."""
        refused, self._refused = self._refused, []
        for tag, disposition in refused:
            self._channel.basic_reject(tag, requeue=disposition is Disposition.REQUEUED)
            self.context.count(disposition.value)
        if self._accepted_tag is not None:
            self._channel.basic_ack(self._accepted_tag, multiple=True)
            self._accepted_tag = None

    def _prove(self, channel: Any) -> None:
        """Prove that the queue is there, or declare it where only this lane may use it."""
        if self._owned is None:
            super()._prove(channel)
            return
        kind, bindings = self._owned.kind, self._owned.bindings
        channel.queue_declare(self.queue, **asdict(kind), callback=None if bindings else self._on_proof)
        for bound in bindings:
            proof = self._on_proof if bound is bindings[-1] else None
            channel.queue_bind(bound.queue, bound.exchange, bound.key, dict(bound.arguments), callback=proof)

    def _on_proof(self, _frame: Any) -> None:
        self._channel.add_on_cancel_callback(self._on_cancelled)
        self._channel.basic_qos(prefetch_count=self.context.spec.prefetch, callback=self._on_prefetch)

    def _on_prefetch(self, _frame: Any) -> None:
        consuming = self.context.spec.consuming
        self._channel.basic_consume(
            self.queue,
            self._on_message,
            auto_ack=self._automatic,
            exclusive=consuming.exclusive,
            arguments=dict(consuming.arguments),
            callback=self._on_consuming,
        )

    def _on_consuming(self, _frame: Any) -> None:
        self.ready = True

    def _on_cancelled(self, _frame: Any) -> None:
        self.refuse_or_lose("basic.cancel: the queue was deleted or has moved")

    def _on_message(self, _channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        now_ns = self.context.clock.now_ns()
        disposition = self.context.take(self.lane, body, now_ns, redelivered=method.redelivered)
        tag = method.delivery_tag
        if disposition is Disposition.ACCEPTED:
            self._accepted_tag = tag
        else:
            self._refused.append((tag, disposition))
        if tag <= self._last_tag:
            self.context.count("tags_repeated")
        self._last_tag = tag
        if not self._automatic:
            self.delivered(now_ns)
