"""Stock clients of the relay: pika's blocking connection, and Proton's."""

from collections.abc import Iterator
from contextlib import contextmanager

import pika
from pika.adapters.blocking_connection import BlockingChannel


@contextmanager
def channel(port: int) -> Iterator[BlockingChannel]:
    """Yield a channel of a connection of its own."""
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", port, blocked_connection_timeout=10))
    try:
        yield connection.channel()
    finally:
        if connection.is_open:
            connection.close()


def declared(port: int, queue: str, *, passive: bool = False) -> tuple[int, int]:
    """Declare a queue; return how many messages and consumers it has."""
    with channel(port) as asked:
        found = asked.queue_declare(queue, durable=True, passive=passive).method
        return found.message_count, found.consumer_count
