"""Lanes over pika's codec on our own socket, in our own loop.

The socket is the business of `bench.drivers.sockets.connection`, pika's side of it of
`codec_connection`, and what a lane says and hears that of `lane`.
"""

from functools import partial

from bench.drivers.pika.codec_connection import PikaConnection
from bench.drivers.pika.lane import PikaConsumer, PikaLane, PikaProducer
from bench.drivers.pika.parameters import parameters
from bench.drivers.sockets.port import SocketPort

_READ_BYTES = 16 * 1024
"""Read at once: about 90 messages of 100 B, so 2 ms of pika's time between two looks at the clock."""


class CodecLane(PikaLane):
    """What producing and consuming lanes share: reading and writing."""

    _amqp: PikaConnection

    def unwritten(self) -> int:
        """Return the bytes that the kernel has not yet been given."""
        return len(self._amqp.output)

    def _start(self) -> None:
        context = self.context
        self._amqp = PikaConnection(
            parameters(context.endpoint, f"busbench {self.owner}"),
            context.clock,
            context.timers,
            on_open=self._on_open,
            on_end=self._on_end,
            flush=self.drain,
        )

    def _read(self) -> None:
        data = self._receive(max(_READ_BYTES, self._amqp.missing))
        if self.closed:
            self._amqp.stream_lost(ConnectionError("the socket was closed"))
            return
        with self._caught():
            self._amqp.feed(data)

    def _write(self) -> bool:
        output = self._amqp.output
        if output:
            del output[: self._transmit(output)]
        return not output


class CodecProducer(CodecLane, PikaProducer):
    """Publishes by pika's codec."""


class CodecConsumer(CodecLane, PikaConsumer):
    """Consumes by pika's codec."""


open_port = partial(SocketPort, open_producer=CodecProducer, open_consumer=CodecConsumer)
