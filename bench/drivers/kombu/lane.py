"""Lanes over AMQP 0-9-1 with kombu and its usual transport, py-amqp: one connection and one channel each.

A publisher that wants confirms waits for each of them: kombu's transport option
`confirm_publish`, as oslo.messaging sets it. Without confirms, what bounds it is the socket.
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import kombu
from amqp.exceptions import AMQPError, ConsumerCancelled, MessageNacked, UnexpectedFrame
from amqp.transport import TCPTransport
from kombu.transport import pyamqp

from bench.drivers.base import Outcome, Properties
from bench.drivers.blocking.lane import BlockingConsumer, BlockingLane, BlockingProducer, only_plain
from bench.drivers.blocking.patience import PATIENCE_S
from bench.drivers.blocking.port import BlockingPort
from bench.drivers.sockets.connection import SILENT_END
from brokers.frame091 import FRAME_HEADER, FRAME_MAX, frame_length

_CLOSE_S = 1.0
_EOF = "Server unexpectedly closed connection"
_UNKNOWN = "Unknown AMQP method"
"""py-amqp's own words."""
_FRAME_LIMIT = 16 * 2**20
_TEXTS = ("correlation_id", "message_id", "type", "app_id")
"""Properties that kombu takes as they are."""
_PERSISTENT = 2
_TRANSIENT = 1


class _KombuStream(TCPTransport):  # type: ignore[misc]
    """py-amqp's socket, which looks at what a frame claims: py-amqp would gather whatever length it names."""

    lane: "KombuLane"

    def _setup_transport(self) -> None:
        super()._setup_transport()
        self.lane.begin(int(self.sock.fileno()))

    def _read(self, n: int, initial: bool = False, *rest: Any) -> bytes:  # noqa: FBT001, FBT002  (py-amqp's own)
        octets: bytes = super()._read(n, initial, *rest)
        if initial and n == FRAME_HEADER:
            frame_length(octets, 0, self.lane.largest_frame)
        return octets


class _KombuChannel(pyamqp.Channel):  # type: ignore[misc]
    def _do_revive(self) -> None:
        """Stay closed: py-amqp would open it again, and keep the broker's reason back until that is answered."""
        self.is_open = False


class _KombuConnection(pyamqp.Connection):  # type: ignore[misc]
    """py-amqp's connection, of which its lane knows before it is open."""

    Channel = _KombuChannel

    def Transport(self, host: str, *_: Any, socket_settings: Any = None) -> _KombuStream:  # noqa: N802  (py-amqp's own)
        """Return what reads and writes; it is not connected yet."""
        stream = _KombuStream(host, connect_timeout=PATIENCE_S, socket_settings=socket_settings)
        stream.lane = self.client.lane
        stream.lane.use(self)
        return stream

    def _on_tune(self, channel_max: int, frame_max: int, *rest: Any) -> None:
        """Agree to frames of a bounded size: py-amqp takes what a broker names, and as much memory, up to 4 GiB."""
        super()._on_tune(channel_max, min(frame_max, _FRAME_LIMIT), *rest)


class _KombuTransport(pyamqp.Transport):  # type: ignore[misc]
    Connection = _KombuConnection


class KombuLane(BlockingLane):
    """What producing and consuming lanes share: opening, reading, ends."""

    errors = (AMQPError, OSError)
    _amqp: Any = None

    def connect(self) -> None:
        """Connect by kombu, once: it would repeat what fails."""
        at = self.context.endpoint
        only_plain(self.context, "kombu")
        self._connection: Any = kombu.Connection(
            hostname=f"[{at.host}]" if ":" in at.host else at.host,
            port=at.port,
            userid=at.username,
            password=at.password,
            virtual_host=at.virtual_host,
            transport=_KombuTransport,
            connect_timeout=PATIENCE_S,
            transport_options={
                "confirm_publish": self.context.spec.confirm_window > 0,
                "client_properties": {"connection_name": f"busbench {self.owner}"},
                "on_blocked": self.on_blocked,
                "on_unblocked": self.on_unblocked,
            },
        )
        self._connection.lane = self
        self._connection.ensure_connection(max_retries=0, reraise_as_library_errors=False)

    def use(self, connection: Any) -> None:
        """Note py-amqp's connection: kombu's own property connects anew where it is lost."""
        self._amqp = connection

    @property
    def largest_frame(self) -> int:
        """The largest frame that was agreed on, octets."""
        return max(FRAME_MAX, int(self._amqp.frame_max))

    def begin(self, descriptor: int) -> None:
        """Note the socket that was connected: from here on it may take too long to open."""
        self._descriptor = descriptor

    def open(self) -> None:
        """Open a channel; prove that the queue is there, as publishing to none would be no fault."""
        self.channel: Any = self._connection.channel()
        self.prove()

    def prove(self) -> None:
        """Prove that the queue is there, where the lane has one."""
        if self.queue:
            self.channel.queue_declare(self.queue, passive=True)

    def read(self) -> bool:
        """Act on one method that has come, such as a delivery."""
        try:
            self._amqp.drain_events(timeout=0)
        except TimeoutError as error:
            if error.errno:
                raise  # from the kernel, which gave the connection up
            return False
        return True

    def counts(self) -> Mapping[str, int]:
        """Return methods written and frames read: this is what py-amqp's `bytes_` count."""
        return {"methods_out": self._amqp.bytes_sent, "frames_in": self._amqp.bytes_recv}

    def say(self, error: Exception) -> str:
        """Return the broker's code and text, where it sent any."""
        if isinstance(error, ConsumerCancelled):
            return "basic.cancel: the queue was deleted or has moved"
        if str(error) == _EOF:
            return SILENT_END
        # py-amqp's own findings, no words of the broker's.
        if isinstance(error, UnexpectedFrame) or (isinstance(error, AMQPError) and _UNKNOWN in str(error)):
            return f"it sent what the library cannot take ({error.reply_text})"
        if isinstance(error, AMQPError) and error.reply_code:
            return f"{error.reply_code} {error.reply_text}"
        return f"{type(error).__name__}: {error}"

    def close(self) -> None:
        """Close the connection, and the channel with it."""
        if self._amqp.connected:
            self._amqp.sock.settimeout(_CLOSE_S)
            self._amqp.close()

    def abandon(self) -> None:
        """Close py-amqp's socket."""
        if self._amqp is not None:
            self._amqp.collect()


class KombuProducer(KombuLane, BlockingProducer):
    """Publishes to an exchange: to the default one, with the queue's name as routing key, where there is no route."""

    _returned = False

    def open(self) -> None:
        """Make ready to publish."""
        super().open()
        exchange = kombu.Exchange(self.exchange)
        self._publish: Any = kombu.Producer(
            self.channel, exchange, auto_declare=False, on_return=self._on_return
        ).publish

    def prove(self) -> None:
        """Prove that queue or exchange are there."""
        super().prove()
        if self.exchange:
            self.channel.exchange_declare(self.exchange, "", passive=True)

    def described(self, properties: Properties) -> dict[str, Any]:
        """Return how a message is published; what is left out has kombu's own default."""
        expiration_ms = properties.expiration_ms
        texts = {name: getattr(properties, name) for name in _TEXTS}
        return {
            **{name: text for name, text in texts.items() if text},
            "delivery_mode": _PERSISTENT if self.context.spec.durable else _TRANSIENT,
            "content_type": properties.content_type or "application/octet-stream",
            "content_encoding": properties.content_encoding or "binary",
            "headers": dict(properties.headers),
            "priority": properties.priority or 0,
            "expiration": None if expiration_ms is None else (expiration_ms + 0.5) / 1_000,  # kombu rounds it down
            "mandatory": self.confirms,
            "timeout": PATIENCE_S,
            "confirm_timeout": PATIENCE_S,
        }

    def room(self) -> int:
        """Return how many messages may be published now; none while channel.flow forbids it."""
        return super().room() if self.channel.active else 0

    def deliver(self, body: bytes) -> Outcome:
        """Publish a message; with confirms, kombu returns once the broker has spoken."""
        self._returned = False
        try:
            self._publish(body, routing_key=self.key, **self.properties)
        except MessageNacked:
            return Outcome.REFUSED
        return Outcome.RETURNED if self._returned else Outcome.CONFIRMED

    def _on_return(self, *_: Any) -> None:
        self._returned = True


class KombuConsumer(KombuLane, BlockingConsumer):
    """Consumes with a prefetch and acknowledges with `multiple`, or automatically."""

    def open(self) -> None:
        """Begin to consume."""
        super().open()
        spec = self.context.spec
        # kombu has exclusive queues, and no word for exclusive consumers.
        self.channel.basic_consume = partial(self.channel.basic_consume, exclusive=spec.consuming.exclusive)
        self._consumer: Any = kombu.Consumer(
            self.channel,
            [kombu.Queue(self.queue, consumer_arguments=dict(spec.consuming.arguments))],
            no_ack=self.automatic,
            auto_declare=False,
            on_message=self._on_message,
        )
        self._consumer.qos(prefetch_count=spec.prefetch)
        self._consumer.consume()

    def prove(self) -> None:
        """Prove that the queue is there, or declare it where only this lane may use it."""
        if self.owned is None:
            super().prove()
            return
        self.channel.queue_declare(self.queue, **asdict(self.owned.kind))
        for bound in self.owned.bindings:
            self.channel.queue_bind(bound.queue, bound.exchange, bound.key, arguments=dict(bound.arguments))

    def acknowledge(self) -> None:
        """Acknowledge up to the last message that is accepted."""
        self.channel.basic_ack(self.accepted_tag, multiple=True)

    def refuse(self, tag: int, *, requeue: bool) -> None:
        """Reject one message."""
        self.channel.basic_reject(tag, requeue=requeue)

    def _on_message(self, message: Any) -> None:
        self.tagged(message.delivery_tag)
        self.delivered(message.body, redelivered=message.delivery_info["redelivered"])


open_port = partial(BlockingPort, open_producer=KombuProducer, open_consumer=KombuConsumer)
