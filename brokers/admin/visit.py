"""Finds out what a broker lets a driver do: over one connection a protocol, by what is announced and by trying.

Over AMQP 0-9-1 a message of each size is sent to a queue of ours and consumed, as that protocol
announces no largest message; over 1.0 links are attached, and nothing is sent.
"""

import contextlib
from collections.abc import Sequence
from typing import cast

import pika

from brokers.admin.admission import Admission
from brokers.admin.amqp091 import ANSWER_TIMEOUT_S, Amqp091Admin
from brokers.admin.amqp10_conditions import RefusedError
from brokers.admin.amqp10_connection import Amqp10Connection
from brokers.admin.amqp10_links import receiver, sender
from brokers.admin.base import Address, AdminError, SilentError, UnreachableError
from brokers.endpoint import Endpoint

_BYTES_A_SECOND = 1e6
"""Patience for large messages."""


def visit(endpoint: Endpoint, queue: str | None, bodies: Sequence[int], *, ours: bool) -> Admission:
    """Return what a broker lets us do with a queue.

    Args:
        endpoint: where, and by which protocol.
        queue: it is there; None = none is named.
        bodies: sizes of messages that are to be sent, bytes.
        ours: whether messages may be sent to it and taken from it.

    Raises:
        AdminError: it lets nobody in, or answers nothing.
    """
    at = Address(
        host=endpoint.host,
        port=endpoint.port,
        virtual_host=endpoint.virtual_host,
        username=endpoint.username,
        password=endpoint.password,
        tls=endpoint.tls,
        sasl=endpoint.sasl,
    )
    if endpoint.protocol == "amqp10":
        return _over_10(endpoint, at, queue)
    visitor = _Visitor(at)
    visitor.open()
    try:
        channels = visitor.channels()  # before a refusal that ends the connection
        size, words, refused = visitor.tried(queue, sorted(set(bodies))) if ours and queue else (None, "", ())
        return Admission(endpoint.protocol, channels, None, size, words, refused)
    finally:
        visitor.close()


class _Visitor(Amqp091Admin):
    """Does once what drivers do all the time."""

    def channels(self) -> int | None:
        """Return how many channels a connection may have; None = any number."""
        agreed = cast("pika.BlockingConnection", self._connection)._impl.params  # noqa: SLF001  (shown there alone)
        return int(agreed.channel_max) or None

    def tried(self, queue: str, bodies: Sequence[int]) -> tuple[int | None, str, tuple[tuple[str, str], ...]]:
        """Send a message of each size and consume; return the size that is refused, why, and what else is."""
        for number, size in enumerate(bodies):
            try:
                self._send(queue, size)
            except (SilentError, UnreachableError):
                raise
            except AdminError as error:
                if number == 0 and self._takes_none(queue):
                    return None, "", (("publish to", str(error)),)
                return size, str(error), ()
        try:
            with self._asking("basic.consume") as channel:
                channel.basic_consume(queue, lambda *_: None, auto_ack=True)
        except (SilentError, UnreachableError):
            raise
        except AdminError as error:
            return None, "", (("consume from", str(error)),)
        return None, "", ()

    def _takes_none(self, queue: str) -> bool:
        """Return whether an empty message is refused too, so that it is not for its size."""
        try:
            self._send(queue, 0)
        except (SilentError, UnreachableError):
            raise
        except AdminError:
            return True
        return False

    def _send(self, queue: str, size: int) -> None:
        """Send a message and learn what became of it: the next answer on its channel comes after a refusal."""
        within_s = ANSWER_TIMEOUT_S + size / _BYTES_A_SECOND
        with self._asking("basic.publish", within_s) as channel:
            channel.basic_publish("", queue, bytes(size))
            channel.queue_declare(queue, passive=True)


def _over_10(endpoint: Endpoint, at: Address, queue: str | None) -> Admission:
    message, refused = None, []
    node = None if queue is None else endpoint.address(queue)
    for what, make in (("publish to", sender), ("consume from", receiver)):
        if node is None and make is receiver:
            break
        # One connection each: a broker may refuse a link by the end of its session.
        connection = Amqp10Connection(at, endpoint.hostname)
        try:
            link = make(connection.session(), node)
            connection.attach(link)
            if make is sender:
                message = int(link.remote_max_message_size) or None
            connection.detach(link)
        except RefusedError as error:
            refused.append((what, str(error)))
        except AdminError:
            if node is not None:  # some hang up on a link without an address
                raise
        finally:
            with contextlib.suppress(AdminError):
                connection.close()
    return Admission("amqp10", None, message, refused=() if node is None else tuple(refused))
