"""An admin over AMQP 1.0: what the protocol itself can do, and request and response for what a product adds.

AMQP 1.0 has no way to declare, count or delete a queue. Many brokers create one where a
link asks for it; products that are managed by messages derive an admin from this one.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from proton import Message

from brokers.admin.amqp10_conditions import RefusedError
from brokers.admin.amqp10_connection import Amqp10Connection
from brokers.admin.amqp10_links import NOT_FOUND, Dialogue, browsed, deliver_one, empty, received, receiver, sender
from brokers.admin.base import (
    Address,
    AdminError,
    ConnectedAdmin,
    Holding,
    SilentError,
    UnreachableError,
    UnsupportedError,
    VirtualHostRefusedError,
)
from brokers.topology import QueueKind, TakenMessage

PURGE_TIMEOUT_S = 30.0
"""For all that is taken out of a queue."""


class Amqp10Admin(ConnectedAdmin):
    """See `Admin`; over plain AMQP 1.0 a queue can be declared, at most, and neither counted nor deleted."""

    def __init__(self, address: Address, hostname: str | None = None) -> None:
        """Take what is needed to be let in; nothing is opened yet.

        Args:
            address: where, and as whom; its virtual host is not looked at.
            hostname: of the open frame, by which brokers find a virtual host (section 2.7.1); None = not sent.
        """
        super().__init__(address)
        self._hostname = hostname
        self._connection: Amqp10Connection | None = None
        self._session: Any = None
        self._dialogue: Dialogue | None = None
        self._said: dict[str, str] = {}
        self._cipher = ""

    def declare(self, queue: str, kind: QueueKind) -> None:
        """Have the broker create a queue, by a sender whose target asks for the capability `queue`.

        Whether the queue is durable is for the broker to say.

        Raises:
            UnsupportedError: it creates none on demand, or arguments are asked for.
            AdminError: it does not answer.
        """
        if kind.arguments:
            names = ", ".join(kind.arguments)
            message = f"AMQP 1.0 cannot declare a queue with arguments ({names})"
            raise UnsupportedError(message)
        try:
            with self._attached(lambda session: sender(session, queue, "queue")):
                pass
        except RefusedError as error:
            message = (
                f"AMQP 1.0 cannot declare a queue, and this broker does not create {queue!r} on demand; name one that"
                f" is there (`external.queues`, or --queue of `bench load`): {error}"
            )
            raise UnsupportedError(message) from error

    def depth(self, queue: str) -> int | None:
        """Raise UnsupportedError: AMQP 1.0 has no such question."""
        message = f"AMQP 1.0 cannot ask how many messages {queue!r} holds: it takes the product's own management"
        raise UnsupportedError(message)

    def holding(self, queue: str) -> Holding | None:
        """Return whether a queue holds messages: 0, or 1 for one or more; None where there is no such queue.

        One message is asked for as a copy (distribution mode, part 3, 3.5.3) and given back,
        whether it is a copy or not. A broker that creates queues on demand may create this one.
        """
        try:
            with self._attached(lambda session: receiver(session, queue, copies=True)) as (connection, link):
                return Holding(browsed(connection, link), None)
        except RefusedError as error:
            if error.condition == NOT_FOUND:
                return None
            raise

    def purge(self, queue: str) -> None:
        """Take every message out of a queue, by receiving them all; those that others hold stay.

        Raises:
            AdminError: it is refused, or does not end within PURGE_TIMEOUT_S.
        """
        with self._attached(lambda session: receiver(session, queue)) as (connection, link):
            empty(connection, link, PURGE_TIMEOUT_S)

    def take(self, queue: str, most: int) -> Iterator[TakenMessage]:
        """See `Admin`; the queue is empty once nothing comes for a second."""
        with self._attached(lambda session: receiver(session, queue)) as (connection, link):
            found = received(connection, link, most, PURGE_TIMEOUT_S)
        for message in found:
            yield self._with_its_death(_bytes(message.body), message)

    def _take_counted(self, queue: str, most: int, source: Callable[[str], str]) -> Iterator[TakenMessage]:
        """As `take`, of a queue whose depth is known, so that nothing is waited for.

        Args:
            queue: its name.
            most: messages.
            source: returns the address that it is consumed from; asked only where there is something to take.
        """
        depth = self.depth(queue)
        if depth is None:
            message = f"there is no queue {queue!r}"
            raise AdminError(message)
        if depth and most > 0:
            yield from Amqp10Admin.take(self, source(queue), min(depth, most))

    def _with_its_death(self, body: bytes, message: Message) -> TakenMessage:  # noqa: ARG002
        """Return a message with what it tells of its death; the protocol itself has no words for that."""
        return TakenMessage(body)

    def confirm_one(self, queue: str) -> None:
        """See `Admin`; accepted is confirmed (section 3.4.2)."""
        with self._attached(lambda session: sender(session, queue)) as (connection, link):
            deliver_one(connection, link)

    def delete(self, queue: str) -> None:
        """Raise UnsupportedError: AMQP 1.0 cannot delete a node that it did not make for one link."""
        message = f"AMQP 1.0 cannot delete {queue!r}: it takes the product's own management"
        raise UnsupportedError(message)

    @property
    def deletes(self) -> bool:
        """Whether a product's own admin deletes queues."""
        return type(self).delete is not Amqp10Admin.delete

    def request(self, address: str, message: Message, within_s: float | None = None) -> Message:
        """Send a message to a node that answers, and return the answer.

        Links are made at the first request and kept. The message's id, correlation id and
        reply-to are set here: products copy either id into the answer.

        Args:
            address: of the node that answers.
            message: the request; changed as said.
            within_s: patience for the answer; by default that of any one.

        Raises:
            RefusedError: there is no such node, it is not open to this user, or it did not accept the message.
            AdminError: it does not answer.
        """
        with self._asking() as connection:
            if self._dialogue is None:
                self._dialogue = Dialogue(connection, self._session)
            return self._dialogue.request(address, message, within_s)

    def check(self) -> None:
        """See `Admin`."""
        with self._asking():
            pass

    def is_open(self) -> bool:
        """Return whether it was open when it was last used."""
        return self._connection is not None and self._connection.is_open()

    def peer_property(self, name: str) -> str:
        """Return a property of the broker's last open frame, or its `container-id`; or nothing."""
        return self._said.get(name, "")

    def cipher(self) -> str:
        """Return protocol and cipher that TLS agreed on, such as `TLSv1.3 TLS_AES_256_GCM_SHA384`; or nothing."""
        return self._cipher

    def close(self) -> None:
        """Close the connection if it is open, with the closing handshake where the broker answers it."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._drop()

    @contextlib.contextmanager
    def _asking(self) -> Iterator[Amqp10Connection]:
        """Yield a connection that stands; forget it where it was lost, or an answer may still be on its way."""
        with self._lock:
            try:
                if self._connection is None or not self._connection.look():
                    self._drop()
                    self._connect()
                assert self._connection is not None  # noqa: S101  (for mypy)
                yield self._connection
            except (SilentError, UnreachableError, KeyboardInterrupt):
                self._drop()
                raise
            except RefusedError:
                # A broker may refuse a link by the end of its session.
                if self._connection is not None and not self._connection.stands(self._session):
                    self._drop()
                raise

    @contextlib.contextmanager
    def _attached(self, describe: Callable[[Any], Any]) -> Iterator[tuple[Amqp10Connection, Any]]:
        """Yield a link for one call, and detach it.

        All calls share one session. RabbitMQ 4 passes over a begin that follows the end of a
        session on the same channel too soon, so that a session's end costs the connection.
        """
        with self._asking() as connection:
            link = describe(self._session)
            try:
                connection.attach(link)
                yield connection, link
            finally:
                if self._connection is not None and not connection.detach(link):
                    self._drop()

    def _connect(self) -> None:
        connection = self._connection = Amqp10Connection(self._address, self._hostname)
        try:
            self._session = connection.session()
        except (RefusedError, UnreachableError) as error:
            # RabbitMQ 3 looks for the virtual host here.
            self._drop()
            raise VirtualHostRefusedError(str(error)) from error
        except BaseException:
            self._drop()
            raise
        properties = connection.amqp.remote_properties or {}
        self._said = {str(name): str(value) for name, value in properties.items()}
        self._said["container-id"] = connection.amqp.remote_container or ""
        self._cipher = connection.cipher

    def _drop(self) -> None:
        connection, self._connection, self._session, self._dialogue = self._connection, None, None, None
        if connection is not None:
            connection.drop()


def _bytes(body: object) -> bytes:
    """Return the body of a message as bytes, be it data (section 3.2.6) or a value."""
    if isinstance(body, (bytes, memoryview)):
        return bytes(body)
    return b"" if body is None else str(body).encode()
