"""Lanes over AMQP 0-9-1 with `pika.SelectConnection`: one connection, with pika's own loop, and one channel each.

Socket, reading, writing and timers are pika's, in `IOLoop`, a bounded turn at a time. Ours
is the wait for the next turn: it watches the loop's own epoll descriptor, which is readable
when the loop has something to do, as pika waits in whole milliseconds, and the pump decides when.
What a lane says and hears is the business of `lane`.
"""

import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import pika
from pika.adapters.select_connection import IOLoop
from pika.adapters.utils.connection_workflow import AMQPConnectorException

from bench.drivers.blocking.patience import PATIENCE_S
from bench.drivers.pika.lane import PikaConsumer, PikaLane, PikaProducer
from bench.drivers.pika.parameters import innermost, is_loss, parameters, words
from bench.drivers.sockets.connection import unanswered, untrusted
from bench.drivers.sockets.port import SocketPort
from bench.units import NS_PER_MS, NS_PER_S
from brokers import tls
from brokers.admin.checked_connection import checked
from brokers.frame091 import NotAFrameError

_TURNS = 4
"""Of the loop until it has told of a connection's end, and closed the socket."""


class _Loop(IOLoop):  # type: ignore[misc]
    """pika's loop, which takes a turn when it is told to, and tells when it wants one for a timer."""

    def __init__(self, wake_after: Callable[[float], None]) -> None:
        """Begin with nothing to do; `wake_after` is told in how many seconds a timer is due."""
        self._wake_after = wake_after
        super().__init__()
        self.activate_poller()

    def fileno(self) -> int:
        """Return the descriptor that is readable when a turn has something to read or write."""
        return int(self._poller._poll.fileno())  # noqa: SLF001  (it is shown nowhere else)

    def call_later(self, delay: float, callback: Callable[[], None]) -> Any:
        """Set a timer, as pika asks for it."""
        timer = super().call_later(delay, callback)
        self._wake_after(delay)
        return timer

    def turn(self) -> None:
        """Read, write and call back what is due now, and wait for nothing."""
        super().call_later(0, int)  # a timer that is due: `poll` does not wait
        self.poll()
        self.process_timeouts()


class SelectLane(PikaLane):
    """What producing and consuming lanes share: the loop's turns, and ends."""

    _released = False

    def fileno(self) -> int:
        """Return the descriptor of pika's loop."""
        return self._loop.fileno()

    def unread(self) -> bool:
        """Return that pika's loop hides nothing."""
        return False

    def unwritten(self) -> int:
        """Return the bytes that the kernel has not yet been given."""
        transport = self._amqp._transport  # noqa: SLF001  (it is shown nowhere else)
        return int(transport.get_write_buffer_size()) if transport else 0

    def counts(self) -> Mapping[str, int]:
        """Return bytes, as pika counts them."""
        return {**super().counts(), "bytes_out": self._amqp.bytes_sent, "bytes_in": self._amqp.bytes_received}

    def abandon(self) -> None:
        """End pika's socket, and let pika find that out, as only so it gives back what it holds."""
        self.closed = True
        if self._released:
            return
        self._released = True
        transport = self._amqp._transport  # noqa: SLF001
        if transport is not None:
            with suppress(OSError):
                transport._sock.shutdown(socket.SHUT_RDWR)  # noqa: SLF001
        elif not self._amqp.is_closed and not self._amqp.is_closing:
            self._amqp.close()  # it is still connecting
        for _ in range(_TURNS):
            self._loop.turn()
        self._loop.close()

    def _connect(self) -> None:
        """Leave it to pika."""

    def _start(self) -> None:
        at = self.context.endpoint
        wanted = parameters(at, f"busbench {self.owner}")
        wanted.socket_timeout = PATIENCE_S
        if at.tls is not None:
            try:
                wanted.ssl_options = pika.SSLOptions(tls.context(at.tls), at.tls.server_name or at.host)
            except tls.TlsError as error:
                raise untrusted(at, error) from error
        self._loop = _Loop(self._wake_after)
        self._faults: list[NotAFrameError] = []
        self._amqp = checked(self._faults)(
            wanted,
            self._on_open,
            lambda _connection, error: self._on_end(error),
            lambda _connection, error: self._on_end(error),
            custom_ioloop=self._loop,
        )

    def _read(self) -> None:
        with self._caught():
            self._loop.turn()

    def _write(self) -> bool:
        """Let pika write; what the socket does not take makes the loop's descriptor readable later."""
        if self.unwritten():
            with self._caught():
                self._loop.turn()
        return True

    def _wake_after(self, delay_s: float) -> None:
        def turn() -> None:
            if not self.closed:
                self.fill()

        self.context.timers.call_at(self.context.clock.now_ns() + int(delay_s * NS_PER_S) + NS_PER_MS, turn)

    def _on_end(self, reason: Exception) -> None:
        at, found = self.context.endpoint, innermost(reason)
        if isinstance(found, ssl.SSLError) and at.tls is not None:
            self.end(untrusted(at, tls.failure(found, at.tls)))
        elif isinstance(found, (OSError, AMQPConnectorException)):
            self.end(unanswered(at, found))
        elif self._faults or is_loss(reason):
            self.lose(words(reason, self._faults))
        else:
            super()._on_end(reason)


class SelectProducer(SelectLane, PikaProducer):
    """Publishes; confirms come by callback."""


class SelectConsumer(SelectLane, PikaConsumer):
    """Consumes; messages come by callback."""


open_port = partial(SocketPort, open_producer=SelectProducer, open_consumer=SelectConsumer)
