"""A broker of one line of protocol for tests of the port: it echoes 32-byte stamps.

A producing lane sends stamps and takes each echo for a confirmation. The lanes here and
the server behind them are all that a test of `sockets.port` needs.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from bench.arrivals import stamp
from bench.drivers.base import ConsumerLane, Outcome, ProducerLane
from bench.drivers.sockets.connection import OUTPUT_LIMIT, Consumer, Context, Producer
from brokers.endpoint import Endpoint


@contextmanager
def listening() -> Iterator[tuple[socket.socket, Endpoint]]:
    """Yield a listening socket and the endpoint that reaches it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server, Endpoint("amqp091", "127.0.0.1", server.getsockname()[1], "/", None, "guest", "secret")


class StampProducer(Producer):
    """Writes stamps; an echoed stamp confirms."""

    def __init__(self, context: Context, lane: int, producer: ProducerLane) -> None:
        """Connect; nothing is shaken."""
        super().__init__(context, lane, producer)
        self.output = bytearray()
        self.ready = True

    def room(self) -> int:
        """Return what fits into the output buffer."""
        return max(0, OUTPUT_LIMIT - len(self.output)) // stamp.SIZE

    def publish(self, seq: int, intended_ns: int) -> int:
        """Append a stamp."""
        sent_ns = self.context.clock.now_ns()
        written = bytearray(stamp.SIZE)
        stamp.pack_into(written, self.producer, seq, intended_ns, sent_ns)
        self.output += written
        return sent_ns

    def unwritten(self) -> int:
        """Return the bytes that wait."""
        return len(self.output)

    def begin_close(self) -> None:
        """Nothing is shaken."""
        self.closed = True

    def _write(self) -> bool:
        del self.output[: self._transmit(self.output)]
        return not self.output

    def _read(self) -> None:
        data = self._receive(1 << 16)
        for at in range(0, len(data), stamp.SIZE):
            stamped = stamp.unpack(data[at : at + stamp.SIZE])
            assert stamped is not None
            self.context.settlements.add(self.lane, stamped[1], Outcome.CONFIRMED, self.context.clock.now_ns())


class StampConsumer(Consumer):
    """Takes each byte for a message and answers with the number it acknowledges."""

    def __init__(self, context: Context, lane: int, consumer: ConsumerLane) -> None:
        """Connect; nothing is shaken."""
        super().__init__(context, lane, consumer)
        self.output = bytearray()
        self.pending = 0
        self.ready = True

    def acknowledge(self) -> None:
        """Answer with one byte: how many messages this acknowledges."""
        self.output.append(self.pending)
        self.pending = 0

    def begin_close(self) -> None:
        """Acknowledge the rest."""
        self.settle_rest()
        self.drain()
        self.closed = True

    def _write(self) -> bool:
        del self.output[: self._transmit(self.output)]
        return not self.output

    def _read(self) -> None:
        for _ in self._receive(1 << 16):
            self.pending += 1
            self.delivered(self.context.clock.now_ns())
