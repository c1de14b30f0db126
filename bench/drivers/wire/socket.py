"""The socket of a compiled connection: octets out, octets counted, and what is said when it ends.

Reading, and what octets mean, is the business of `connection` and the protocols.
"""

from abc import ABC
from collections.abc import Sequence

from bench.drivers.base import ConnectionLost, DriverError, Refused
from bench.drivers.sockets.connection import OUTPUT_LIMIT, departure, ending
from bench.drivers.sockets.stream import Stream
from bench.drivers.wire.context import IO_WIDTH, LAST_IN, LAST_OUT, SAY_EVERY, SILENT_AFTER, WireContext
from bench.drivers.wire.lanes import Lane


class WireSocket(ABC):  # noqa: B024  (what it lacks, its subclasses have)
    """One connection's way out, from connect to close; its lanes are all producing or all consuming."""

    def __init__(self, context: WireContext, index: int, lanes: Sequence[Lane], stream: Stream) -> None:
        """Use a connected stream.

        Args:
            context: what the connections of the port share.
            index: row of the connection in the port's tables.
            lanes: its lanes, in the order of their rows, which follow each other.
            stream: the connected socket.
        """
        self.context = context
        self.index = index
        self.lanes = tuple(lanes)
        self.first = self.lanes[0].row
        self.producing = self.lanes[0].producing
        self.ready = False
        self.closed = False
        self.pending = bytearray()
        self._watched = False
        self._stream = stream
        self._descriptor = self._stream.fileno()

    def fileno(self) -> int:
        """Return the socket's descriptor, also after it was closed."""
        return self._descriptor

    def write(self, data: memoryview | bytes) -> None:
        """Send octets, or keep them until the socket takes them."""
        if self.pending:
            self.pending += data
            return
        sent = self._transmit(memoryview(data))
        if sent < len(data) and not self.closed:
            self._keep(data[sent:])

    def drain(self) -> None:
        """Send what is kept as far as the socket takes it."""
        if self.pending and not self.closed:
            with memoryview(self.pending) as view:
                sent = self._transmit(view)
            del self.pending[:sent]
        if not self.pending or self.closed:
            self.context.laggards.discard(self)
            if not self.closed:
                self.context.watch_writable(self, False)  # noqa: FBT003

    def keep_up(self, say_every_ns: int, silent_after_ns: int) -> None:
        """Have the port say something whenever we were silent for so long, and give up a peer that was; 0 = never."""
        self._watched = True
        io = self.context.io
        io[self.index, (LAST_IN, LAST_OUT)] = self.context.clock.now_ns()
        io[self.index, (SAY_EVERY, SILENT_AFTER)] = say_every_ns, silent_after_ns

    def _account(self, received: int, sent: int) -> None:
        """Count octets that compiled code moved."""
        context = self.context
        context.bytes_in += received
        context.bytes_out += sent
        if self._watched and (received or sent):
            now_ns, at = context.clock.now_ns(), self.index * IO_WIDTH
            if received:
                context.io_marks[at + LAST_IN] = now_ns
            if sent:
                context.io_marks[at + LAST_OUT] = now_ns

    def octets_left(self) -> int:
        """Return how many octets may be written before the connection has no room."""
        return max(0, OUTPUT_LIMIT - len(self.pending))

    def abandon(self) -> None:
        """Close the socket, whatever the state."""
        self.closed = True
        self._stream.close()

    def refuse_or_lose(self, detail: str, lane: Lane | None = None) -> None:
        """Record that the broker said no: a refusal while opening, a loss afterwards."""
        self._fail(ConnectionLost if self.ready else Refused, detail, lane)

    def lose(self, detail: str) -> None:
        """Record that the connection broke."""
        self._fail(ConnectionLost, detail, None)

    def _depart(self, error: OSError | None = None) -> None:
        refused, detail = departure(self.context.endpoint, self._stream, error)
        if refused:
            self.refuse_or_lose(detail)
        else:
            self.lose(detail)

    def _fail(self, kind: type[DriverError], detail: str, lane: Lane | None) -> None:
        if self.closed:
            return
        self.closed = True
        about = lane or self.lanes[0]
        others = 0 if lane else len(self.lanes) - 1
        owner = f"{about.owner} and {others} more on its connection" if others else about.owner
        self.context.failures.append(ending(kind, self.context.endpoint, owner, about.queue, detail))

    def _keep(self, data: memoryview | bytes) -> None:
        """Keep octets until the socket takes them."""
        self.pending += data
        self.context.laggards.add(self)
        self.context.watch_writable(self, True)  # noqa: FBT003  (a callback)

    def _transmit(self, data: memoryview) -> int:
        """Return how many of these octets the kernel took."""
        if self.closed:
            return len(data)
        try:
            sent = self._stream.send(data)
        except OSError as error:
            self._depart(error)
            return len(data)
        context = self.context
        context.bytes_out += sent
        if self._watched:
            context.io_marks[self.index * IO_WIDTH + LAST_OUT] = context.clock.now_ns()
        return sent
