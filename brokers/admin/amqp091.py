"""An admin over AMQP 0-9-1, by pika: queues and exchanges are declared, bound, counted, emptied and deleted."""

import contextlib
import functools
import ssl
import uuid
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pika
import pika.exceptions
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException, AMQPConnectorStackTimeout

from brokers import tls
from brokers.admin.base import (
    Address,
    AdminError,
    ConnectedAdmin,
    Holding,
    LoginRefusedError,
    OtherProtocolError,
    SilentError,
    TlsRefusedError,
    UnreachableError,
    VirtualHostRefusedError,
)
from brokers.admin.checked_connection import checked
from brokers.admin.handshake import CONNECT_TIMEOUT_S
from brokers.frame091 import NotAFrameError
from brokers.plain_text import printable
from brokers.sasl import credentials
from brokers.topology import Binding, Exchange, QueueKind, TakenMessage

HANDSHAKE_TIMEOUT_S = 6.0
ANSWER_TIMEOUT_S = 5.0
"""How long any one method may stay unanswered; a frozen broker keeps its connections open for ever."""
_HARD_ERROR = 500
"""Reply codes from here on answer what was asked (AMQP 0-9-1 section 1.2)."""
TAKE_TIMEOUT_S = 30.0
"""For one batch of messages that are taken out of a queue."""
TAKE_QUIET_S = 1.0
"""How long nothing must come from a queue that hands out no more: others hold what it counts."""
TAKEN_AT_ONCE = 5_000
DELETE_TIMEOUT_S = 30.0
"""The same for queue.delete: Broker-J discards durable messages one by one, 100,000 in 4 s on two cores."""


class Amqp091Admin(ConnectedAdmin):
    """See `Admin`."""

    def __init__(self, address: Address) -> None:
        """Take the address; nothing is opened yet."""
        super().__init__(address)
        self._connection: pika.BlockingConnection | None = None
        self._channel: BlockingChannel | None = None
        self._properties: dict[str, Any] = {}
        self._faults: list[NotAFrameError] = []
        self._blocked: list[str] | None = None
        self._in_force: list[str] = []
        """Reasons for which publishers are held back, as told since last asked; and now."""

    def declare(self, queue: str, kind: QueueKind) -> None:
        """Declare a queue; raise AdminError where the broker refuses."""
        with self._asking("queue.declare") as channel:
            channel.queue_declare(
                queue,
                durable=kind.durable,
                exclusive=kind.exclusive,
                auto_delete=kind.auto_delete,
                arguments=dict(kind.arguments),
            )

    def declare_exchange(self, exchange: Exchange) -> None:
        """See `Admin`."""
        with self._asking("exchange.declare") as channel:
            channel.exchange_declare(exchange.name, exchange.type, durable=exchange.durable)

    def has_exchange(self, exchange: Exchange) -> bool:
        """See `Admin`."""
        try:
            with self._asking("exchange.declare (passive)") as channel:
                # Broker-J compares the type here as well.
                channel.exchange_declare(exchange.name, exchange.type, passive=True)
        except _NotFoundError:
            return False
        return True

    def delete_exchange(self, name: str) -> None:
        """See `Admin`."""
        with contextlib.suppress(_NotFoundError), self._asking("exchange.delete") as channel:
            channel.exchange_delete(name)

    def bind(self, binding: Binding) -> None:
        """See `Admin`."""
        with self._asking("queue.bind") as channel:
            channel.queue_bind(binding.queue, binding.exchange, binding.key, dict(binding.arguments))

    def depth(self, queue: str) -> int | None:
        """Return the message count of queue.declare-ok, or None where there is no such queue.

        RabbitMQ counts ready messages, Broker-J those that are delivered and not
        acknowledged as well.
        """
        found = self.holding(queue)
        return None if found is None else found.messages

    def holding(self, queue: str) -> Holding | None:
        """See `Admin`; by queue.declare-ok."""
        try:
            with self._asking("queue.declare (passive)") as channel:
                said = channel.queue_declare(queue, passive=True).method
                return Holding(int(said.message_count), int(said.consumer_count))
        except _NotFoundError:
            return None

    def purge(self, queue: str) -> None:
        """See `Admin`."""
        with self._asking("queue.purge", DELETE_TIMEOUT_S) as channel:
            channel.queue_purge(queue)

    def take(self, queue: str, most: int) -> Iterator[TakenMessage]:
        """See `Admin`."""
        while most > 0:
            depth = self.depth(queue)
            if depth is None:
                message = f"there is no queue {queue!r}"
                raise AdminError(message)
            wanted = min(depth, most, TAKEN_AT_ONCE)
            batch = self._taken(queue, wanted) if wanted else []
            yield from batch
            if len(batch) < wanted or not wanted:
                return
            most -= wanted

    def _taken(self, queue: str, wanted: int) -> list[TakenMessage]:
        """Take that many messages; fewer where no more come."""
        with self._asking("basic.consume", TAKE_TIMEOUT_S) as channel:
            # No more than is wanted is on its way, so that nothing is given back.
            channel.basic_qos(prefetch_count=wanted)
            found, last = [], 0
            for method, properties, body in channel.consume(queue, inactivity_timeout=TAKE_QUIET_S):
                if method is None:
                    break
                found.append(_with_its_death(body, properties.headers or {}))
                last = method.delivery_tag
                if len(found) == wanted:
                    break
            channel.cancel()
            if found:
                channel.basic_ack(last, multiple=True)
            return found

    def confirm_one(self, queue: str) -> None:
        """See `Admin`; on a channel of its own, as a channel stays in confirm mode."""
        with self._asking("confirm.select, basic.publish"):
            connection = cast("pika.BlockingConnection", self._connection)
            # Some confirm though they do not advertise it.
            connection._impl.server_capabilities |= {"publisher_confirms": True, "basic.nack": True}  # noqa: SLF001
            channel = connection.channel()
            try:
                channel.confirm_delivery()
                channel.basic_publish("", queue, b"", mandatory=True)
            except (pika.exceptions.NackError, pika.exceptions.UnroutableError) as error:
                message = f"the broker did not take a message for {queue!r}"
                raise AdminError(message) from error
            channel.close()

    def delete(self, queue: str) -> None:
        """Delete a queue with its messages; nothing happens where there is none."""
        # A broker that answers nothing is found out by the question, without the patience of a deletion.
        if self.depth(queue) is None:
            return
        with contextlib.suppress(_NotFoundError), self._asking("queue.delete", DELETE_TIMEOUT_S) as channel:
            channel.queue_delete(queue)

    def check(self) -> None:
        """See `Admin`."""
        with self._asking("channel.open"):
            cast("pika.BlockingConnection", self._connection).process_data_events(time_limit=0)

    def held_back(self) -> tuple[str, ...] | None:
        """See `Admin`; by connection.blocked, an extension of RabbitMQ that tells publishers of an alarm.

        Source: https://www.rabbitmq.com/docs/connection-blocked. Who publishes is told, so that each question is a
        message to the default exchange, by a key that no queue has.
        """
        with self._asking("connection.blocked") as channel:
            connection = cast("pika.BlockingConnection", self._connection)
            if self._blocked is None:
                if not self._tells_of_alarms():
                    return None
                self._blocked, self._in_force = [], []
                connection.add_on_connection_blocked_callback(self._on_blocked)
                connection.add_on_connection_unblocked_callback(lambda *_: self._in_force.clear())
            channel.basic_publish("", f"busbench-nobody-{uuid.uuid4()}", b"")
            connection.process_data_events(time_limit=0)
            told = tuple(dict.fromkeys(self._blocked))
            self._blocked = list(self._in_force)
            return told

    def _on_blocked(self, _connection: object, said: Any) -> None:
        self._in_force = [printable(str(said.method.reason))]
        self._blocked = [*(self._blocked or ()), *self._in_force]

    def _tells_of_alarms(self) -> bool:
        known = self._properties.get("capabilities")
        return isinstance(known, dict) and known.get("connection.blocked") is True

    def is_open(self) -> bool:
        """Return whether it was open when it was last used."""
        return self._connection is not None and self._connection.is_open

    def peer_property(self, name: str) -> str:
        """Return what the broker said of itself at the last handshake (connection.start), or nothing."""
        value = self._properties.get(name, "")
        return value.decode(errors="replace") if isinstance(value, bytes) else str(value)

    def cipher(self) -> str:
        """Return protocol and cipher that TLS agreed on, such as `TLSv1.3 TLS_AES_256_GCM_SHA384`; or nothing."""
        # pika keeps the socket where only its inner layers show it.
        inner = None if self._connection is None else self._connection._impl._transport  # noqa: SLF001
        connected = None if inner is None else inner._sock  # noqa: SLF001
        agreed = connected.cipher() if isinstance(connected, ssl.SSLSocket) else None
        return f"{agreed[1]} {agreed[0]}" if agreed else ""

    def close(self) -> None:
        """Close the connection if it is open, with the closing handshake where the broker answers it."""
        with self._lock:
            connection = self._connection
            if connection is not None and connection.is_open:
                faults = (_UnansweredError, pika.exceptions.AMQPError, OSError)
                with contextlib.suppress(*faults), _deadline(connection, "connection.close"):
                    connection.close()
            self._drop()

    @contextlib.contextmanager
    def _asking(self, method: str, within_s: float | None = None) -> Iterator[BlockingChannel]:
        """Yield a channel for one method; turn pika's faults into ours, and forget what they broke."""
        with self._lock:
            try:
                if self._connection is None or not self._connection.is_open:
                    self._drop()
                    self._connect()
                connection = cast("pika.BlockingConnection", self._connection)
                if self._channel is None or not self._channel.is_open:
                    with _deadline(connection, "channel.open"):
                        self._channel = connection.channel()
                with _deadline(connection, method, within_s):
                    yield self._channel
            except pika.exceptions.ChannelClosedByBroker as error:
                kind = _NotFoundError if error.reply_code == 404 else AdminError  # noqa: PLR2004
                message = f"the broker refused: {error.reply_code} {error.reply_text}"
                raise kind(message) from error
            except pika.exceptions.ConnectionClosedByBroker as error:
                self._drop()
                if error.reply_code < _HARD_ERROR:  # it ends the connection for a reason of its own
                    message = f"the connection was lost: {_words(error)}"
                    raise UnreachableError(message) from error
                words = " ".join(error.reply_text.split())
                message = f"the broker refused, and closed the connection: {error.reply_code} {words}"
                raise AdminError(message) from error
            except _UnansweredError as error:
                self._drop()
                message = f"it did not answer {error}"
                raise SilentError(message) from error
            except (pika.exceptions.AMQPError, OSError) as error:
                self._drop()
                message = f"the connection was lost: {self._faults[0] if self._faults else _words(error)}"
                raise UnreachableError(message) from error
            except KeyboardInterrupt:
                # An answer may still be on its way: the next call must not take it for its own.
                self._drop()
                raise

    def _connect(self) -> None:
        at = self._address
        parameters = pika.ConnectionParameters(
            host=at.host,
            port=at.port,
            virtual_host=at.virtual_host,
            credentials=credentials(at.sasl, at.username, at.password),
            ssl_options=self._ssl_options(),
            # No heartbeat: nobody serves this connection between two calls.
            heartbeat=0,
            connection_attempts=1,
            socket_timeout=CONNECT_TIMEOUT_S,
            stack_timeout=HANDSHAKE_TIMEOUT_S,
            blocked_connection_timeout=HANDSHAKE_TIMEOUT_S,
        )
        try:
            self._faults = []
            self._connection = pika.BlockingConnection(parameters, _impl_class=checked(self._faults))
        except (pika.exceptions.AMQPError, AMQPConnectorException, OSError) as error:
            if self._faults:
                raise OtherProtocolError(str(self._faults[0])) from error
            raise _refusal(error, at) from error
        # pika keeps them where only its connection of the inner layer shows them.
        self._properties = dict(self._connection._impl.server_properties or {})  # noqa: SLF001

    def _ssl_options(self) -> pika.SSLOptions | None:
        asked = self._address.tls
        if asked is None:
            return None
        try:
            return pika.SSLOptions(tls.context(asked), asked.server_name or self._address.host)
        except tls.TlsError as error:
            raise TlsRefusedError(str(error)) from error

    def _drop(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        self._blocked = None
        if connection is not None and not connection.is_closed:
            with contextlib.suppress(pika.exceptions.AMQPError, OSError):
                _cut(connection, pika.exceptions.ConnectionClosedByClient(200, "dropped"))
                # pika closes the socket in its loop; process_data_events can return before that.
                connection._flush_output(lambda: False)  # noqa: SLF001  (returns once the connection is closed)


class _UnansweredError(Exception):
    """A method was not answered in time; names method and time."""


@contextlib.contextmanager
def _deadline(connection: pika.BlockingConnection, method: str, within_s: float | None = None) -> Iterator[None]:
    """End the connection with _UnansweredError where the method takes longer (ANSWER_TIMEOUT_S unless given).

    pika's blocking calls wait without a limit of their own. A timer of its inner loop ends
    the connection as pika itself does when a connection stays blocked too long.
    """
    loop = connection._impl.ioloop  # noqa: SLF001  (BlockingConnection.call_later fires between calls only)
    within_s = ANSWER_TIMEOUT_S if within_s is None else within_s
    error = _UnansweredError(f"{method} within {within_s:g} s")
    timer = loop.call_later(within_s, functools.partial(_cut, connection, error))
    try:
        yield
    finally:
        loop.remove_timeout(timer)


def _cut(connection: pika.BlockingConnection, error: Exception) -> None:
    """Have pika close the socket without a handshake; its running or next call raises the error."""
    connection._impl._terminate_stream(error)  # noqa: SLF001  (pika has no public way)


class _NotFoundError(AdminError):
    """Reply code 404: no such queue."""


def _with_its_death(body: bytes, headers: Mapping[str, Any]) -> TakenMessage:
    """Return a message with the last of its deaths (https://www.rabbitmq.com/docs/dlx#effects), where it has any."""
    deaths = headers.get("x-death")
    if not isinstance(deaths, list) or not deaths or not isinstance(deaths[0], dict):
        return TakenMessage(body)
    last = deaths[0]
    reason, queue = (printable(str(last.get(name, ""))) for name in ("reason", "queue"))
    count = last.get("count", 0)
    return TakenMessage(body, reason, queue, int(count) if isinstance(count, int) else 0)


def _refusal(error: Exception, address: Address) -> AdminError:
    """Return what pika's failure to connect means."""
    words, reason = _words(error), _innermost(error)
    if isinstance(reason, ssl.SSLError) and address.tls is not None:
        return TlsRefusedError(tls.failure(reason, address.tls))
    if isinstance(error, AMQPConnectorStackTimeout):  # connected, but the handshake did not end
        return SilentError(f"it did not answer the AMQP 0-9-1 handshake within {HANDSHAKE_TIMEOUT_S:g} s")
    # ProbableAuthenticationError: closed while we logged in (AMQP 0-9-1 section 2.2.4 lets
    # a broker close without a word); with connection.close, 403 after RabbitMQ's extension.
    if isinstance(error, (pika.exceptions.AuthenticationError, pika.exceptions.ProbableAuthenticationError)):
        return LoginRefusedError(words)
    if isinstance(error, pika.exceptions.ProbableAccessDeniedError):
        return VirtualHostRefusedError(words)
    if isinstance(error, pika.exceptions.ConnectionClosedByBroker):
        login = error.reply_code == 403 and "login" in error.reply_text.lower()  # noqa: PLR2004
        return LoginRefusedError(words) if login else VirtualHostRefusedError(words)
    return UnreachableError(words)


def _words(error: BaseException) -> str:
    """Return the innermost reason in words; pika's own errors often have none."""
    reason = _innermost(error)
    return str(reason) or type(reason).__name__


def _innermost(error: BaseException) -> BaseException:
    for name in ("exceptions", "exception", "args"):
        inner = getattr(error, name, None)
        if isinstance(inner, BaseException):
            return _innermost(inner)
        if isinstance(inner, (list, tuple)) and inner and isinstance(inner[-1], BaseException):
            return _innermost(inner[-1])
    return error
