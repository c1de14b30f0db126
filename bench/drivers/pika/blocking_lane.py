"""Lanes over AMQP 0-9-1 with `pika.BlockingConnection`: one connection and one channel each.

Everything is pika's: the socket, its event loop, its waits, and a publisher that waits for
each confirm. What is read is asked for by `process_data_events`, as an application would.
"""

import contextlib
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorException, AMQPConnectorStackTimeout
from pika.exceptions import AMQPConnectionError, AMQPError, ConsumerCancelled, NackError, UnroutableError

from bench.drivers.base import Outcome, Properties
from bench.drivers.blocking.lane import BlockingConsumer, BlockingLane, BlockingProducer, only_plain
from bench.drivers.blocking.patience import PATIENCE_S
from bench.drivers.blocking.port import BlockingPort
from bench.drivers.pika.parameters import ask_for_confirms, innermost, is_loss, parameters, words
from bench.drivers.pika.properties import basic_properties
from brokers.admin.checked_connection import checked
from brokers.frame091 import NotAFrameError

_CLOSE_S = 1.0


class PikaBlockingLane(BlockingLane):
    """What producing and consuming lanes share: opening, reading, ends."""

    errors = (AMQPError, AMQPConnectorException, OSError)
    silences = (AMQPConnectorStackTimeout,)
    _socket: Any = None
    _came = False

    def connect(self) -> None:
        """Connect by pika, once."""
        at = self.context.endpoint
        only_plain(self.context, "pika-blocking")
        wanted = parameters(at, f"busbench {self.owner}")
        self._faults: list[NotAFrameError] = []
        wanted.socket_timeout = wanted.stack_timeout = PATIENCE_S
        try:
            self._connection: Any = pika.BlockingConnection(wanted, _impl_class=checked(self._faults))
        except AMQPConnectionError as error:
            if type(error) is AMQPConnectionError:  # of the socket; what a broker says has a class of its own
                raise ConnectionError(*innermost(error).args) from error
            raise
        self._pika: Any = self._connection._impl  # noqa: SLF001  (pika does not show its socket and counts elsewhere)
        self._socket = self._pika._transport._sock  # noqa: SLF001
        self._descriptor = int(self._socket.fileno())
        ask_for_confirms(self._pika, at)
        self._connection.add_on_connection_blocked_callback(self.on_blocked)
        self._connection.add_on_connection_unblocked_callback(self.on_unblocked)

    def open(self) -> None:
        """Open a channel; prove that the queue is there, as publishing to none would be no fault."""
        self.channel: Any = self._connection.channel()
        self.prove()

    def prove(self) -> None:
        """Prove that the queue is there, where the lane has one."""
        if self.queue:
            self.channel.queue_declare(self.queue, passive=True)

    def read(self) -> bool:
        """Let pika act on what has come."""
        self._came = False
        self._connection.process_data_events(0)
        if self.channel.is_closed:  # of itself, pika tells that with the next thing that is asked of the channel
            raise self.channel._closing_reason  # noqa: SLF001  (it is shown nowhere else)
        return self._came

    def pending(self) -> bool:
        """Return whether something came while pika waited for something else, such as connection.blocked."""
        return bool(self._connection._ready_events)  # noqa: SLF001  (an application's next `process_data_events` has it)

    def counts(self) -> Mapping[str, int]:
        """Return bytes and frames, as pika counts them."""
        return {"bytes_out": self._pika.bytes_sent, "bytes_in": self._pika.bytes_received}

    def say(self, error: Exception) -> str:
        """Return the broker's code and text, where it sent any."""
        if isinstance(error, ConsumerCancelled):
            return "basic.cancel: the queue was deleted or has moved"
        return words(error, self._faults)

    def lost(self, error: Exception) -> bool:
        """Return whether one of `errors` means that the connection broke; else the broker said no."""
        return super().lost(error) or bool(self._faults) or is_loss(error)

    def close(self) -> None:
        """Close the connection, and the channel with it."""
        if self._connection.is_open:
            # A timer of its loop: those of pika's blocking connection fire between its calls only.
            self._pika.ioloop.call_later(_CLOSE_S, self._hang_up)
            self._connection.close()

    def abandon(self) -> None:
        """End pika's socket, and let pika find that out, as only so it gives back what it holds."""
        if self._socket is None:
            return
        self._hang_up()
        with contextlib.suppress(AMQPError, OSError):
            while self._connection.is_open:
                self._connection.process_data_events(0)

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


class PikaBlockingProducer(PikaBlockingLane, BlockingProducer):
    """Publishes to an exchange: to the default one, with the queue's name as routing key, where there is no route."""

    def open(self) -> None:
        """Make ready to publish."""
        super().open()
        if self.confirms:
            self.channel.confirm_delivery()

    def prove(self) -> None:
        """Prove that queue or exchange are there."""
        super().prove()
        if self.exchange:
            self.channel.exchange_declare(self.exchange, "", passive=True)

    def described(self, properties: Properties) -> pika.BasicProperties:
        """Return pika's own."""
        return basic_properties(properties, durable=self.context.spec.durable)

    def deliver(self, body: bytes) -> Outcome:
        """Publish a message; with confirms, pika returns once the broker has spoken."""
        try:
            self.channel.basic_publish(self.exchange, self.key, body, self.properties, mandatory=self.confirms)
        except NackError:
            return Outcome.REFUSED
        except UnroutableError:
            return Outcome.RETURNED
        return Outcome.CONFIRMED


class PikaBlockingConsumer(PikaBlockingLane, BlockingConsumer):
    """Consumes with a prefetch and acknowledges with `multiple`, or automatically.

    pika reads on while an acknowledgement goes out. Given from the callback of a message, it would make one
    call of pika hand over messages without end, where they come faster than they are taken in.
    """

    _cancelled: Any = None
    _handing_over = False

    def open(self) -> None:
        """Begin to consume."""
        super().open()
        self._due: list[Callable[[], None]] = []
        spec = self.context.spec
        self.channel.basic_qos(prefetch_count=spec.prefetch)
        self.channel.add_on_cancel_callback(self._on_cancel)
        self.channel.basic_consume(
            self.queue,
            self._on_message,
            auto_ack=self.automatic,
            exclusive=spec.consuming.exclusive,
            arguments=dict(spec.consuming.arguments),
        )

    def prove(self) -> None:
        """Prove that the queue is there, or declare it where only this lane may use it."""
        if self.owned is None:
            super().prove()
            return
        self.channel.queue_declare(self.queue, **asdict(self.owned.kind))
        for bound in self.owned.bindings:
            self.channel.queue_bind(bound.queue, bound.exchange, bound.key, dict(bound.arguments))

    def read(self) -> bool:
        """Let pika hand over what has come, then acknowledge what is due."""
        self._handing_over = True
        came = super().read()
        self._handing_over = False
        self._say_due()
        if self._cancelled is not None:
            raise ConsumerCancelled(self._cancelled)
        return came

    def pending(self) -> bool:
        """Return whether messages came while pika waited for something else, such as that acknowledgements are out."""
        return super().pending() or bool(self.channel._pending_events)  # noqa: SLF001  (an application's next `process_data_events` has them)

    def acknowledge(self) -> None:
        """Acknowledge up to the last message that is accepted; behind the read that hands it over."""
        self._say(partial(self.channel.basic_ack, self.accepted_tag, multiple=True))

    def refuse(self, tag: int, *, requeue: bool) -> None:
        """Reject one message; behind the read that hands it over."""
        self._say(partial(self.channel.basic_reject, tag, requeue=requeue))

    def _say(self, what: Callable[[], None]) -> None:
        self._due.append(what)
        if not self._handing_over:
            self._say_due()

    def _say_due(self) -> None:
        due, self._due = self._due, []
        for say in due:
            say()

    def _on_message(self, _channel: Any, method: Any, _properties: Any, body: bytes) -> None:
        self._came = True
        self.tagged(method.delivery_tag)
        self.delivered(body, redelivered=method.redelivered)

    def _on_cancel(self, frame: Any) -> None:
        self._cancelled = frame


open_port = partial(BlockingPort, open_producer=PikaBlockingProducer, open_consumer=PikaBlockingConsumer)
