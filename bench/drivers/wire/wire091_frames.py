"""AMQP 0-9-1 frames on a connection of the compiled driver, whichever end we are.

Messages, confirms and acknowledgements are the codec's. Frames that are not about messages
are few, so pika's frame and method classes make and read them.
"""

from typing import Any

import pika.exceptions
import pika.frame

from bench.drivers.wire.connection import WireConnection
from bench.drivers.wire.wire091_tables import Tables091
from bench.wire import amqp091_layout as layout


class Frames091(WireConnection):
    """One connection; its lanes are the channels from 1 on. `handlers` take a channel and a method."""

    tables: Tables091
    empty_frame = pika.frame.Heartbeat().marshal()

    def acknowledge_before(self, before_ns: int) -> int | None:
        """Acknowledge unfinished batches whose last message came no later; see `WireConnection`."""
        t, count = self.tables, len(self.lanes)
        while end := t.acknowledge_before(self.first, count, before_ns):
            self.write(t.acks_view[:end])
        rows = t.lanes[self.first : self.first + count]
        rest = rows[rows[:, layout.UNACKED] > 0, layout.LAST_NS]
        return int(rest.min()) if len(rest) else None

    def fault(self, status: int) -> str:
        """Return what the peer sent that it must not, for a status below 0."""
        if status == layout.Status.BAD_TYPE and not self.ready:
            return f"no AMQP 0-9-1: {bytes(self.context.inbox_view[:16])!r}"
        return layout.FAULTS[layout.Status(status)]

    def _on_control(self, frame: bytes) -> None:
        """Act on a frame that is not about messages."""
        try:
            _, decoded = pika.frame.decode_frame(frame)
        except (pika.exceptions.AMQPError, ValueError, LookupError) as error:
            self.lose(f"it sent a frame that cannot be read ({type(error).__name__}: {error})")
            return
        method = decoded.method
        handler = self.handlers.get(type(method))
        if handler is None:
            self.lose(f"it sent {method.NAME}, for which nobody asked")
        else:
            handler(decoded.channel_number, method)

    def say(self, channel: int, *methods: Any) -> None:
        """Send methods on a channel."""
        self.write(b"".join(pika.frame.Method(channel, method).marshal() for method in methods))
