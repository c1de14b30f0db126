"""pika's connection over our own socket: the adapter that `pika.connection.Connection` asks for.

pika leaves the socket and the event loop to an adapter. Those it ships send each frame
with a system call of its own, read 4 KiB at a time and wait in whole milliseconds; this
one gathers what is written and hands pika whole frames. Encoding, decoding, channels,
heartbeats and the handshake are pika's.
"""

from collections.abc import Callable

import pika
import pika.connection
import pika.exceptions

from bench.drivers.sockets.timers import Timer, Timers
from bench.host.clock import Clock
from bench.units import NS_PER_S
from brokers.frame091 import frame_length


class PikaConnection(pika.connection.Connection):  # type: ignore[misc]
    """A pika connection that writes into `output` and is fed by `feed`.

    Attributes:
        output: encoded bytes for the socket.
        reason: why pika ended the stream; None while it has not.
    """

    def __init__(
        self,
        connection_parameters: pika.ConnectionParameters,
        clock: Clock,
        timers: Timers,
        on_open: Callable[["PikaConnection"], None],
        on_end: Callable[[Exception], None],
        flush: Callable[[], None],
    ) -> None:
        """Begin the handshake on a stream that is connected already.

        Args:
            connection_parameters: see `parameters`.
            clock: time, for pika's timers.
            timers: where pika's timers wait.
            on_open: called when connection.open-ok has come.
            on_end: called with the reason when pika ends the stream.
            flush: called when one of pika's timers may have written, such as a heartbeat.
        """
        self.output = bytearray()
        self.reason: BaseException | None = None
        self._input = bytearray()
        self._missing = 0
        self._clock = clock
        self._timers = timers
        self._on_end = on_end
        self._flush = flush
        super().__init__(
            connection_parameters,
            on_open_callback=on_open,
            on_open_error_callback=lambda _connection, _error: None,
            on_close_callback=lambda _connection, _error: None,
        )

    @property
    def missing(self) -> int:
        """Bytes that an unfinished frame still lacks, as far as its header tells."""
        return self._missing

    def feed(self, data: bytes) -> None:
        """Act on bytes that came, frame by frame.

        pika copies all of its input for each frame in it, so it is given one at a time.

        Raises:
            ValueError: the bytes are no AMQP 0-9-1.
            pika.exceptions.AMQPError: pika makes no sense of them.
        """
        buffer = self._input
        buffer += data
        start = 0
        self._missing = 0
        while (length := frame_length(buffer, start)) is not None and self.reason is None:
            if len(buffer) - start < length:
                self._missing = length - (len(buffer) - start)
                break
            self._on_data_available(bytes(buffer[start : start + length]))
            start += length
        del buffer[:start]

    def stream_lost(self, error: BaseException) -> None:
        """Tell pika that the socket is gone."""
        if self.reason is None:
            self.reason = error
            self._on_stream_terminated(error)

    def _adapter_connect_stream(self) -> None:
        self._on_stream_connected()

    def _adapter_disconnect_stream(self) -> None:
        """End the stream; pika keeps the reason, also for an end that we asked for."""
        if self.reason is None:
            reason = self._error
            self.reason = reason
            self._timers.call_at(self._clock.now_ns(), lambda: self._on_stream_terminated(None))
            self._on_end(reason)

    def _adapter_emit_data(self, data: bytes) -> None:
        self.output += data

    def _adapter_call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        def call() -> None:
            callback()
            self._flush()

        return self._timers.call_at(self._clock.now_ns() + int(delay * NS_PER_S), call)

    def _adapter_remove_timeout(self, timeout_id: Timer) -> None:
        timeout_id.cancel()

    def _adapter_add_callback_threadsafe(self, callback: Callable[[], object]) -> None:
        self._adapter_call_later(0, callback)
