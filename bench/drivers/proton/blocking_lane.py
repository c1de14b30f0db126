"""Lanes over AMQP 1.0 with Proton's `BlockingConnection`: one connection, session and link each.

Everything is Proton's: the socket, its `Container`, its waits, the event objects of its Python
package, and a sender that waits until each message is settled. That a message comes again is
told by its delivery-count alone: the package shows a first-acquirer of false and none alike.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

from proton import ConnectionException, Delivery, LinkException, Message, ProtonException, Timeout
from proton.reactor import AtMostOnce
from proton.utils import BlockingConnection, LinkDetached

from bench.drivers.base import Outcome, ProducerLane, Properties
from bench.drivers.blocking.lane import BlockingConsumer, BlockingLane, BlockingProducer, only_plain
from bench.drivers.blocking.patience import PATIENCE_S
from bench.drivers.blocking.port import BlockingPort
from bench.drivers.proton.addressing import Addressing
from bench.drivers.sockets.connection import Context
from bench.drivers.sockets.credit_watch import CreditWatch

_OPEN_S = 5.0
"""Longest wait of each step of opening; where Proton cannot connect, it waits as long for the close as well."""
_CLOSE_S = 1.0
_CLOSED = "the connection is closed"
_AT_ONCE_S = 0.001
"""0 would mean Proton's own minute."""
_TURNS = 3
"""Of the container until it has looked at the socket and handed over what came: it yields in between."""
_OUTCOMES = {
    Delivery.ACCEPTED: Outcome.CONFIRMED,
    Delivery.REJECTED: Outcome.REFUSED,
    Delivery.MODIFIED: Outcome.REFUSED,
    Delivery.RELEASED: Outcome.RETURNED,
}


class _Connection(BlockingConnection):
    """Proton's own, which hears of a session that the broker ends as well: it would wait for its link in vain."""

    def on_session_remote_close(self, event: Any) -> None:
        """Raise what the broker says, as Proton does of links and connections."""
        if event.session.remote_condition and not self.closing:
            raise LinkException(_words(event.session.remote_condition))


def _words(condition: Any) -> str:
    return f"{condition.name}: {condition.description}" if condition.description else str(condition.name)


class ProtonBlockingLane(BlockingLane):
    """What sending and receiving lanes share: opening, the container's turns, ends."""

    errors = (ProtonException, OSError)
    silences = (TimeoutError, Timeout)
    patience_s = _OPEN_S
    link: Any = None
    _connection: Any = None

    def connect(self) -> None:
        """Connect by Proton, once: it would repeat what fails."""
        at = self.context.endpoint
        only_plain(self.context, "proton-blocking")
        host = f"[{at.host}]" if ":" in at.host else at.host
        try:
            self._connection = _Connection(
                f"amqp://{host}:{at.port}",
                timeout=_OPEN_S,
                reconnect=False,
                user=at.username,
                password=at.password,
                allowed_mechs="PLAIN",
                virtual_host=at.hostname,
            )
        except ConnectionException as error:
            if re.search(r"proton[:.](python)?io", str(error)):
                raise ConnectionError(str(error)) from error
            asked = "SASL PLAIN" if "unauthorized-access" in str(error) else f"the open frame for host {at.hostname!r}"
            message = f"{error}, in answer to {asked}"
            raise ConnectionException(message) from error
        opened: Any = self._connection.conn
        if self._connection.disconnected or opened.remote_condition:
            raise ConnectionException(_words(opened.remote_condition or self._connection.disconnected))
        self._selectable: Any = opened.transport._selectable  # noqa: SLF001  (it is shown nowhere else)
        self._descriptor = int(self._selectable.fileno())

    def turn(self) -> None:
        """Let the container write and read what it can without waiting."""
        connection = self._connection
        if connection.container is None:
            raise ConnectionException(_CLOSED)
        before, connection.container.timeout = connection.container.timeout, 0
        try:
            for _ in range(_TURNS):
                connection.container.process()
        finally:
            connection.container.timeout = before
        if connection.disconnected:
            raise ConnectionException(str(connection.disconnected))

    def read(self) -> bool:
        """Let Proton act on what has come."""
        self.turn()
        return False

    def counts(self) -> Mapping[str, int]:
        """Return frames, as Proton's transport counts them."""
        transport = self._connection.conn and self._connection.conn.transport
        if not transport:
            return {}
        return {"frames_out": transport.frames_output, "frames_in": transport.frames_input}

    def say(self, error: Exception) -> str:
        """Return the broker's condition and text, where it sent any."""
        condition = error.link.remote_condition if isinstance(error, LinkDetached) else None
        if condition:
            return _words(condition)
        return str(error) or type(error).__name__

    def close(self) -> None:
        """Close the connection, and the link with it."""
        if self._connection.container is not None:
            self._connection.timeout = _CLOSE_S
            # What Proton does after the timeout waits for the socket's end.
            timer = threading.Timer(2 * _CLOSE_S, self.give_up)
            timer.start()
            try:
                self._connection.close()
            finally:
                timer.cancel()
                timer.join()

    def abandon(self) -> None:
        """End Proton's socket, and let Proton close, which gives back what it holds and waits for nobody."""
        connection = self._connection
        if connection is None or connection.container is None:
            return
        with contextlib.suppress(OSError, AttributeError):
            self._selectable._delegate.shutdown(socket.SHUT_RDWR)  # noqa: SLF001  (it is shown nowhere else)
        with contextlib.suppress(ProtonException):
            connection.timeout = connection.container.timeout = _AT_ONCE_S
            connection.close()


class ProtonBlockingProducer(ProtonBlockingLane, BlockingProducer):
    """Sends and waits until the message is settled; pre-settled where no confirms are wanted."""

    def __init__(self, context: Context, lane: int, producer: ProducerLane) -> None:
        """Connect and open."""
        self._addressing = Addressing(context.spec, context.endpoint, producer)
        super().__init__(context, lane, producer)

    def open(self) -> None:
        """Open the link."""
        self._credit_watch = CreditWatch()
        options = None if self.confirms else AtMostOnce()
        self.link = self._connection.create_sender(self._addressing.target, options=options)

    def described(self, properties: Properties) -> dict[str, Any]:
        """Return what Proton's Message is made with; what 1.0 has no place for is an application property."""
        more = {name: text for name in ("type", "app_id") if (text := getattr(properties, name))}
        made: dict[str, Any] = {
            "id": properties.message_id,
            "correlation_id": properties.correlation_id,
            "content_type": properties.content_type,
            "content_encoding": properties.content_encoding,
            "properties": {**dict(properties.headers), **more},
        }
        given = {name: value for name, value in made.items() if value}
        if properties.priority is not None:
            given["priority"] = properties.priority
        if properties.expiration_ms is not None:
            given["ttl"] = (properties.expiration_ms + 0.5) / 1_000  # Proton rounds it down
        return given

    def room(self) -> int:
        """Return how many messages may be sent now; none without credit."""
        credit = max(int(self.link.credit), 0)
        if not credit or self._credit_watch.since_ns is not None:
            self._credit_watch.look(self.context.clock.now_ns(), credit=credit > 0)
        return min(super().room(), credit)

    def counts(self) -> Mapping[str, int]:
        """Return how long there was no credit, beside what Proton counts."""
        return {**super().counts(), **self._credit_watch.counts()}

    def deliver(self, body: bytes) -> Outcome:
        """Send a message; with confirms, Proton returns once the broker has settled it."""
        to, subject = self._addressing.carried[self.key]
        message = Message(
            body=body,
            inferred=True,
            durable=self.context.spec.durable,
            address=to or None,
            subject=subject or None,
            **self.properties,
        )
        delivery = self.link.send(message, timeout=PATIENCE_S, error_states=[])
        if not self.confirms:
            self.turn()
            return Outcome.CONFIRMED
        return _OUTCOMES.get(delivery.remote_state, Outcome.REFUSED)


class ProtonBlockingConsumer(ProtonBlockingLane, BlockingConsumer):
    """Receives with Proton's prefetch, and accepts message by message, as there is no other way in it."""

    def open(self) -> None:
        """Open the link and give credit."""
        spec = self.context.spec
        address = self.context.endpoint.address(self.queue)
        options = AtMostOnce() if self.automatic else None
        self.link = self._connection.create_receiver(address, credit=max(spec.prefetch, 1), options=options)

    def read(self) -> bool:
        """Let Proton hand over what has come."""
        self.turn()
        fetcher = self.link.fetcher
        came = int(fetcher.has_message)  # how many; more may come as these are acknowledged, and wait for the next read
        for _ in range(came):
            message = fetcher.pop()
            body = message.body
            self.delivered(
                bytes(body) if isinstance(body, bytes | memoryview) else b"", redelivered=message.delivery_count > 0
            )
        return came > 0

    def pending(self) -> bool:
        """Return whether messages came while acknowledgements went out."""
        return bool(self.link.fetcher.has_message)

    def acknowledge(self) -> None:
        """Accept every message that was taken."""
        for _ in range(len(self.link.fetcher.unsettled)):
            self.link.accept()
        self.turn()


open_port = partial(BlockingPort, open_producer=ProtonBlockingProducer, open_consumer=ProtonBlockingConsumer)
