"""One connection of a compiled port, with its lanes: octets in and out, and what is said when it ends.

What the octets mean is the business of a protocol's own connection (`wire091`, `wire10`),
when to read or write that of `wire_port`. A lane is known by its row in the port's tables:
producing lanes come first.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from bench.drivers.base import ConnectionLost, DriverError, Int64, Refused
from bench.drivers.connection import ACK_LINGER_NS, FLUSH_BYTES, OUTPUT_LIMIT, departure, ending
from bench.drivers.stream import Stream
from bench.drivers.wire_context import IO_WIDTH, LAST_IN, LAST_OUT, READ_BYTES, SAY_EVERY, SILENT_AFTER, WireContext
from bench.drivers.wire_lanes import Lane
from bench.wire.receive import AT, COUNT, END, RECEIVED, SENT, STATUS, UNSENT_FROM, UNSENT_TO, Stop

UNSENT, WOKEN, SOCKET = int(Stop.UNSENT), int(Stop.WOKEN), int(Stop.SOCKET)

MORE, CONTROL, FULL = 0, 1, 2
"""Why a scan stopped, in every codec; below 0 the octets are at fault."""


class WireConnection(ABC):
    """One connection, from connect to close; its lanes are all producing or all consuming."""

    def __init__(self, context: WireContext, index: int, lanes: Sequence[Lane], stream: Stream) -> None:
        """Use a connected stream; the protocol's handshake goes on in `fill`.

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
        self._carry = b""
        self._lingers = False
        self._watched = False
        self._stream = stream
        self._descriptor = self._stream.fileno()

    def fileno(self) -> int:
        """Return the socket's descriptor, also after it was closed."""
        return self._descriptor

    @abstractmethod
    def begin(self) -> None:
        """Begin the protocol's handshake."""

    @abstractmethod
    def begin_close(self) -> None:
        """Acknowledge what is pending and begin the closing handshake."""

    @abstractmethod
    def keep_alive(self) -> None:
        """Say that we are there, by an empty frame."""

    @abstractmethod
    def acknowledge_before(self, before_ns: int) -> int | None:
        """Acknowledge unfinished batches whose last message came before that.

        Returns when the last message of the others came, or None where none is unfinished.
        """

    @abstractmethod
    def _scan(self, start: int, end: int, now_ns: int) -> tuple[int, int, int]:
        """Use up octets of the inbox; write acknowledgements.

        Returns a status, where the scan stopped, and where the control frame ends that
        stopped it, if one did.
        """

    @abstractmethod
    def _receive(self, until_ns: int, gather_ns: int, wake_fd: int) -> int:
        """Call the protocol's compiled loop; return its `Stop`."""

    @abstractmethod
    def _pace(self, lane: Int64, seq: Int64, due_ns: Int64, sent_ns: Int64, until_ns: int, coalesce_ns: int) -> int:
        """Call the protocol's compiled loop that sends; return its `Stop`."""

    @abstractmethod
    def _after_scan(self, now_ns: int) -> None:
        """See to acknowledgements that are owed and were not written."""

    @abstractmethod
    def _acks(self) -> memoryview:
        """Return the buffer of acknowledgements."""

    @abstractmethod
    def _frame_end(self) -> int:
        """Return where the control frame ends that stopped the last scan."""

    @abstractmethod
    def _on_control(self, frame: bytes) -> None:
        """Act on a frame that is not about messages."""

    @abstractmethod
    def _encode(self, lane: Int64, seq: Int64, intended_ns: Int64, sent_ns: int, first: int, end: int) -> int:
        """Write messages first <= i < end to the outbox; return the octets."""

    @abstractmethod
    def fault(self, status: int) -> str:
        """Return what the peer sent that it must not, for a status below 0."""

    def fill(self) -> bool:
        """Receive once and act on it; return whether more is there that a selector would not show.

        That is what TLS holds, and what a scan left for lack of rows.
        """
        context = self.context
        kept, room = len(self._carry), context.inbox_head
        if kept:
            context.inbox_view[:kept] = self._carry
            if kept >= READ_BYTES:
                return self._use(kept, context.clock.now_ns())
            room = context.inbox_view[kept : kept + READ_BYTES]
        try:
            got = self._stream.recv_into(room)
        except OSError as error:
            self._depart(error)
            return False
        if got is None:
            return bool(kept) and self._use(kept, context.clock.now_ns())
        if not got:
            self._depart()
            return False
        now_ns = context.clock.now_ns()
        if self._watched:
            context.io_marks[self.index * IO_WIDTH + LAST_IN] = now_ns
        context.bytes_in += got
        return self._use(kept + got, now_ns) or self._stream.pending()

    def receive(self, until_ns: int, gather_ns: int, wake_fd: int) -> tuple[bool, bool]:
        """Receive in compiled code, at the latest until a time; see `bench.wire.receive`.

        Only for a plain socket that has taken all that was written. Returns whether the
        wake descriptor is readable, and what `fill` returns.
        """
        self._before_loop()
        stop = self._receive(until_ns, gather_ns, wake_fd)
        return stop == WOKEN, self._after_loop(stop, self._acks())

    def pace(
        self, lane: Int64, seq: Int64, due_ns: Int64, sent_ns: Int64, until_ns: int, coalesce_ns: int
    ) -> tuple[int, bool]:
        """Send messages of its one lane at their times, in compiled code; see `bench.wire.amqp091_pace.pace`.

        As `receive`; returns how many were sent, and what `fill` returns.
        """
        self._before_loop()
        stop = self._pace(lane, seq, due_ns, sent_ns, until_ns, coalesce_ns)
        sent = self.context.state_marks[COUNT]
        return sent, self._after_loop(stop, self.context.outbox_view)

    def _before_loop(self) -> None:
        """Put the unfinished rest where compiled code expects it."""
        context, marks = self.context, self.context.state_marks
        kept = len(self._carry)
        if kept:
            context.inbox_view[:kept] = self._carry
        marks[AT], marks[END] = 0, kept

    def _after_loop(self, stop: int, unsent: memoryview) -> bool:
        """Act on what stopped a compiled loop; `unsent` holds what the socket did not take. As `fill`."""
        context, marks = self.context, self.context.state_marks
        at, end, status = marks[AT], marks[END], marks[STATUS]
        self._account(marks[RECEIVED], marks[SENT])
        if stop == UNSENT:
            self._keep(bytes(unsent[marks[UNSENT_FROM] : marks[UNSENT_TO]]))
        if marks[RECEIVED]:
            self._after_scan(context.clock.now_ns())
        if status == MORE or not marks[RECEIVED]:
            self._carry = bytes(context.inbox_view[at:end]) if at < end else b""
            return stop == SOCKET and self.fill()
        return self._go_on((status, at, self._frame_end()), end, context.clock.now_ns())

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

    def publish(
        self, lane: Int64, seq: Int64, intended_ns: Int64, sent_ns: Int64, octets: int, first: int, end: int
    ) -> None:
        """Make and send messages first <= i < end of `octets` each, some 64 KiB at a time.

        Writes the time of the stamp into `sent_ns`: one reading of the clock serves what goes out at once.
        """
        step = max(1, FLUSH_BYTES // octets)
        for start in range(first, end, step):
            stop = min(start + step, end)
            now_ns = self.context.clock.now_ns()
            length = self._encode(lane, seq, intended_ns, now_ns, start, stop)
            sent_ns[start:stop] = now_ns
            self.write(self.context.outbox_view[:length])

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

    def linger(self, now_ns: int) -> None:
        """Acknowledge, 10 ms after the last message, what fills no batch."""
        if not self._lingers and not self.closed:
            self._lingers = True
            self.context.timers.call_at(now_ns + ACK_LINGER_NS, self._on_linger)

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

    def _use(self, end: int, now_ns: int) -> bool:
        """Scan the inbox up to `end`; return whether there was no room for all rows."""
        return self._go_on(self._scan(0, end, now_ns), end, now_ns)

    def _go_on(self, scanned: tuple[int, int, int], end: int, now_ns: int) -> bool:
        """Act on what stopped a scan, and scan on up to `end`; as `_use`."""
        status, taken, frame_end = scanned
        while status == CONTROL:
            self._on_control(bytes(self.context.inbox_view[taken:frame_end]))
            if self.closed:
                return False
            status, taken, frame_end = self._scan(frame_end, end, now_ns)
        if status < 0:
            self.lose(f"it sent {self.fault(status)}")
            return False
        self._carry = bytes(self.context.inbox_view[taken:end]) if taken < end else b""
        return status == FULL

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

    def _on_linger(self) -> None:
        self._lingers = False
        if self.closed:
            return
        last_ns = self.acknowledge_before(self.context.clock.now_ns() - ACK_LINGER_NS)
        if last_ns is not None:
            self.linger(last_ns)
