"""What the relay holds between those who publish and those who consume: queues in memory, with a bound.

Clients are served one read at a time: what a read brings is put into queues, then every queue
that changed hands out what its consumers take, then each connection writes once, then
publishers are stopped or let go on. So nothing here waits, and a batch costs one write.
"""

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from typing import Protocol

from bench.wire.amqp10_body import find_body, opening

OVERHEAD = 256
"""Octets that are counted for a message in addition to its own: the objects that hold it."""
_NO_PROPERTIES = b"\0\0"


class Message(Protocol):
    """A message as it came; the other protocol's form of it is made where it is asked for.

    Only the body crosses over: headers, properties and durability stay behind.
    """

    @property
    def size(self) -> int:
        """Octets it takes."""

    def content091(self) -> tuple[bytes, bytes]:
        """Return properties, encoded with their flags, and body."""

    def encoded10(self) -> bytes:
        """Return all sections."""


class Message091:
    """A message that was published over AMQP 0-9-1."""

    __slots__ = ("_body", "_properties")

    def __init__(self, properties: bytes, body: bytes) -> None:
        """Take what header and body frames held."""
        self._properties, self._body = properties, body

    @property
    def size(self) -> int:
        """Octets it takes."""
        return len(self._properties) + len(self._body)

    def content091(self) -> tuple[bytes, bytes]:
        """Return it as it came."""
        return self._properties, self._body

    def encoded10(self) -> bytes:
        """Return a header and a data section."""
        return opening(len(self._body), durable=False) + self._body


class Message10:
    """A message that was sent over AMQP 1.0."""

    __slots__ = ("_encoded",)

    def __init__(self, encoded: bytes) -> None:
        """Take all sections."""
        self._encoded = encoded

    @property
    def size(self) -> int:
        """Octets it takes."""
        return len(self._encoded)

    def content091(self) -> tuple[bytes, bytes]:
        """Return its first binary section as a body; all of it where it has none."""
        found = find_body(self._encoded)
        body = self._encoded if found is None else self._encoded[found.start : found.start + found.length]
        return _NO_PROPERTIES, body

    def encoded10(self) -> bytes:
        """Return it as it came."""
        return self._encoded


class RelayConsumer(ABC):
    """One who is delivered the messages of a queue.

    Attributes:
        connection: over which.
        queue: whose.
    """

    def __init__(self, connection: "RelayClient", queue: "RelayQueue") -> None:
        """Begin to consume."""
        self.connection, self.queue = connection, queue
        queue.consumers.append(self)
        queue.store.touched.add(queue)
        connection.consumers.add(self)

    def leave(self) -> None:
        """Consume no more."""
        self.queue.consumers.remove(self)
        self.connection.consumers.discard(self)

    @abstractmethod
    def room(self) -> bool:
        """Return whether it takes a message now: by its prefetch or credit, and by its connection."""

    @abstractmethod
    def deliver(self, message: Message) -> None:
        """Send it a message."""

    @abstractmethod
    def queue_deleted(self) -> None:
        """Tell it that its queue is gone."""


class RelayQueue:
    """Messages in the order in which they came.

    Attributes:
        name: by which clients know it.
        store: which it is in.
        ready: messages that no consumer was delivered.
        consumers: in the order in which they are next.
    """

    def __init__(self, name: str, store: "RelayStore") -> None:
        """Hold nothing."""
        self.name, self.store = name, store
        self.ready: deque[Message] = deque()
        self.consumers: deque[RelayConsumer] = deque()

    def put(self, message: Message) -> None:
        """Add a message."""
        self.ready.append(message)
        self.store.held += message.size + OVERHEAD
        self.store.touched.add(self)

    def hand_out(self) -> None:
        """Deliver to consumers in turn until nothing is left or none takes more."""
        passed_over = 0
        while self.ready and passed_over < len(self.consumers):
            consumer = self.consumers[0]
            self.consumers.rotate(-1)
            if not consumer.room():
                passed_over += 1
                continue
            passed_over = 0
            message = self.ready.popleft()
            self.store.held -= message.size + OVERHEAD
            consumer.deliver(message)

    def purge(self) -> int:
        """Drop all that is ready; return how many messages that was."""
        count = len(self.ready)
        self.store.held -= sum(message.size + OVERHEAD for message in self.ready)
        self.ready.clear()
        return count


class RelayStore:
    """All queues, and what is still to be done for the clients that changed them.

    Attributes:
        limit: octets from which on publishers are not read any more, until half of it is left.
        held: octets of all messages that are ready.
        touched: queues that may have something to hand out.
        dirty: connections that have something to write.
        publishers: connections that ever published.
    """

    def __init__(self, limit: int) -> None:
        """Hold nothing."""
        self.limit = limit
        self.held = 0
        self.touched: set[RelayQueue] = set()
        self.dirty: set[RelayClient] = set()
        self.publishers: set[RelayClient] = set()
        self._queues: dict[str, RelayQueue] = {}
        self._names = 0
        self._full = False

    def find(self, name: str) -> RelayQueue | None:
        """Return a queue; None where there is no such."""
        return self._queues.get(name)

    def make(self, name: str = "") -> RelayQueue:
        """Return a queue, made where there is none; by a name of its own where none is given."""
        if not name:
            self._names += 1
            name = f"relay-{self._names}"
        return self._queues.setdefault(name, RelayQueue(name, self))

    def delete(self, queue: RelayQueue) -> int:
        """Delete a queue and tell its consumers; return how many messages are lost."""
        del self._queues[queue.name]
        for consumer in list(queue.consumers):
            consumer.leave()
            consumer.queue_deleted()
        return queue.purge()

    def settle(self) -> None:
        """Do what is to be done, as far as it goes now."""
        while self.touched or self.dirty:
            while self.touched:
                self.touched.pop().hand_out()
            while self.dirty:
                self.dirty.pop().flush()
        if self.held > self.limit:
            self._full = True
            for connection in self.publishers:
                connection.stop("full")
        elif self._full and self.held <= self.limit // 2:
            self._full = False
            for connection in self.publishers:
                connection.go_on("full")


class RelayClient(asyncio.Protocol, ABC):
    """One client.

    Attributes:
        store: of all queues.
        consumers: that are on it.
        output: octets that are written by the next `flush`.
        most_unflushed: octets that it is given to write at once, and that may wait for its socket.
    """

    most_unflushed = 256 * 1024

    def __init__(self, store: RelayStore, transport: asyncio.Transport) -> None:
        """Serve a client that has connected."""
        self.store = store
        self.consumers: set[RelayConsumer] = set()
        self.output = bytearray()
        self._transport = transport
        self._writable = True
        self._stopped_by: set[str] = set()
        transport.set_write_buffer_limits(self.most_unflushed)

    @abstractmethod
    def feed(self, data: bytes) -> None:
        """Act on octets that came; what follows from it waits for `Store.settle`."""

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        self.feed(data)
        self.store.settle()

    def takes(self) -> bool:
        """Return whether it may be given messages to write."""
        return self._writable and len(self.output) < self.most_unflushed

    def flush(self) -> None:
        """Write what was gathered; where that was as much as it takes at once, there may be more for it."""
        full = len(self.output) >= self.most_unflushed
        if self.output:
            self._transport.write(bytes(self.output))
            self.output.clear()
        if full and self._writable:
            self.look_again()

    def look_again(self) -> None:
        """Let the queues of its consumers see whether these take more."""
        self.store.touched.update(consumer.queue for consumer in self.consumers)

    def hang_up(self) -> None:
        """Close once all is written."""
        self.leave_all()
        self.flush()
        self._transport.close()

    def leave_all(self) -> None:
        """End every consumer; what it was delivered and did not acknowledge is lost."""
        for consumer in list(self.consumers):
            consumer.leave()

    def stop(self, why: str) -> None:
        """Do not read from it, so that it must wait."""
        if not self._stopped_by:
            self._transport.pause_reading()
        self._stopped_by.add(why)

    def go_on(self, why: str) -> None:
        """Read from it again, unless there is another reason not to."""
        if why in self._stopped_by:
            self._stopped_by.discard(why)
            if not self._stopped_by:
                self._transport.resume_reading()

    def pause_writing(self) -> None:
        """Wait until it has read; a publisher that takes no confirms is not heard either."""
        self._writable = False
        if self in self.store.publishers:
            self.stop("deaf")

    def resume_writing(self) -> None:
        """Go on with it."""
        self._writable = True
        self.go_on("deaf")
        self.look_again()
        self.store.settle()

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget it."""
        self.leave_all()
        self.store.publishers.discard(self)
        self.store.dirty.discard(self)
