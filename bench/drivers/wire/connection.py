"""One connection of a compiled port, with its lanes: octets into rows, messages into octets.

What a frame means that is not about messages is the business of a protocol's own
connection (`wire091_connection`, `wire10_connection`), when to read or write that of `port`. A lane is known
by its row in the port's tables: producing lanes come first.
"""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from bench.drivers.base import Sends
from bench.drivers.sockets.connection import ACK_LINGER_NS, FLUSH_BYTES
from bench.drivers.sockets.stream import Stream
from bench.drivers.wire.codec_tables import WireTables
from bench.drivers.wire.context import IO_WIDTH, LAST_IN, READ_BYTES
from bench.drivers.wire.kernel_timestamps import LAST_READ_NS, LAST_RECEIVED_NS, WANTED
from bench.drivers.wire.lanes import Lane
from bench.drivers.wire.receive_loop import (
    AT,
    COALESCE,
    COMPILED,
    COUNT,
    DESCRIPTOR,
    END,
    GATHER,
    RECEIVED,
    SENT,
    STATUS,
    UNSENT_FROM,
    UNSENT_TO,
    UNTIL,
    WAKE,
    Stop,
)
from bench.drivers.wire.socket import WireSocket
from bench.jit import packed
from bench.wire.cursor import FRAME_END, OUT, OWES, READ_NS, TAKEN

UNSENT, WOKEN, SOCKET = int(Stop.UNSENT), int(Stop.WOKEN), int(Stop.SOCKET)

MORE, CONTROL, FULL = 0, 1, 2
"""Why a scan stopped, in every codec; below 0 the octets are at fault."""
_LONG_NS = 1 << 60


class WireConnection(WireSocket):
    """One connection, from connect to close, whose octets a compiled codec takes apart.

    Attributes:
        tables: the codec's state of all connections and lanes of the port.
        handlers: what acts on what is not about messages, by the class of it.
        empty_frame: what says that we are there, and nothing else.
        closing: the closing handshake has begun: nothing that comes is acknowledged any more.
        times: the kernel tells when octets came.
    """

    tables: WireTables[Any]
    empty_frame: ClassVar[bytes]

    def __init__(self, tables: WireTables[Any], index: int, lanes: Sequence[Lane], stream: Stream) -> None:
        """Use a connected stream; the protocol's handshake goes on in `fill`. See `WireSocket`."""
        super().__init__(tables.context, index, lanes, stream)
        self.tables = tables
        self.handlers: dict[type, Callable[..., None]] = {}
        self.closing = False
        self.times = tables.context.spec.kernel_times and COMPILED and stream.tell_times()
        self._received_ns = self._read_ns = 0
        self._is_full = False
        self._carry = b""
        self._lingers = False

    @abstractmethod
    def begin(self) -> None:
        """Begin the protocol's handshake."""

    @abstractmethod
    def begin_close(self) -> None:
        """Acknowledge what is pending and begin the closing handshake."""

    def keep_alive(self) -> None:
        """Say that we are there, by an empty frame."""
        self.write(self.empty_frame)

    @abstractmethod
    def acknowledge_before(self, before_ns: int) -> int | None:
        """Acknowledge unfinished batches whose last message came before that.

        Returns when the last message of the others came, or None where none is unfinished.
        """

    @abstractmethod
    def _on_control(self, frame: bytes) -> None:
        """Act on a frame that is not about messages."""

    @abstractmethod
    def fault(self, status: int) -> str:
        """Return what the peer sent that it must not, for a status below 0."""

    def fill(self) -> bool:
        """Receive once and act on it; return whether more is there that a selector would not show.

        That is what TLS holds, and what a scan left for lack of rows.
        """
        context = self.context
        kept = len(self._carry)
        if kept:
            context.inbox_view[:kept] = self._carry
            if self._is_full or kept >= READ_BYTES:
                # They came earlier than what a read would bring, and keep their time.
                return self._use(kept) or self._stream.pending()
        try:
            got = self._read(kept)
        except OSError as error:
            self._depart(error)
            return False
        if got is None:
            return False
        if not got:
            self._depart()
            return False
        if self._watched:
            context.io_marks[self.index * IO_WIDTH + LAST_IN] = self._read_ns
        context.bytes_in += got
        return self._use(kept + got) or self._stream.pending()

    def _read(self, start: int) -> int | None:
        """Read into the inbox from `start` on, and note when; as `Stream.recv_into`."""
        context = self.context
        if self.times:
            context.state_marks[DESCRIPTOR], context.received_marks[WANTED] = self._descriptor, 1
            got = self.tables.read_once(start, READ_BYTES)
            if got > 0:
                self._note_read()
                return got
        read = self._stream.recv_into(context.inbox_view[start : start + READ_BYTES])
        if read:
            self._received_ns = self._read_ns = context.clock.now_ns()
        return read

    def _note_read(self) -> None:
        """Keep when compiled code read, and when that came."""
        received = self.context.received_marks
        self._received_ns, self._read_ns = received[LAST_RECEIVED_NS], received[LAST_READ_NS]

    def receive(self, until_ns: int, gather_ns: int, wake_fd: int) -> tuple[bool, bool]:
        """Receive in compiled code, at the latest until a time; see `bench.drivers.wire.receive_loop`.

        Only for a plain socket that has taken all that was written. Returns whether the
        wake descriptor is readable, and what `fill` returns.
        """
        self._before_loop(until_ns, gather_ns, wake_fd)
        stop = self.tables.receive(self.index)
        return stop == WOKEN, self._after_loop(stop, self.tables.acks_view)

    def pace(self, sends: Sends, until_ns: int, coalesce_ns: int) -> tuple[int, bool]:
        """Send messages of its one lane at their times, in compiled code; see `bench.drivers.wire.send_loop`.

        As `receive`; returns how many were sent, and what `fill` returns.
        """
        self._before_loop(until_ns, _LONG_NS, -1)
        self.context.state_marks[COALESCE] = coalesce_ns
        stop = self.tables.pace(self.index, sends)
        sent = self.context.state_marks[COUNT]
        return sent, self._after_loop(stop, self.context.outbox_view)

    def _before_loop(self, until_ns: int, gather_ns: int, wake_fd: int) -> None:
        """Say what is asked for, and put the unfinished rest where compiled code expects it."""
        context, marks = self.context, self.context.state_marks
        marks[DESCRIPTOR], marks[WAKE], marks[UNTIL], marks[GATHER] = self._descriptor, wake_fd, until_ns, gather_ns
        context.received_marks[WANTED] = self.times
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
            self._note_read()
            self._after_scan()
        if status == MORE or not marks[RECEIVED]:
            self._carry = bytes(context.inbox_view[at:end]) if at < end else b""
            return stop == SOCKET and self.fill()
        return self._go_on((status, at, context.marks[FRAME_END]), end)

    def publish(self, sends: Sends, octets: int, first: int, end: int) -> None:
        """Make and send messages first <= i < end of `octets` each, some 64 KiB at a time.

        Writes the time of the stamp into `sent_ns`: one reading of the clock serves what goes out at once.
        """
        self._put_out(self.tables.encode, sends, octets, first, end)

    def reply(self, sends: Sends, octets: int) -> None:
        """As `publish`, for replies: `sent_ns` has the times that requests were sent, and then those of the replies."""
        self._put_out(self.tables.encode_replies, sends, octets, 0, len(sends.seq))

    def _put_out(self, encode: Callable[..., int], sends: Sends, octets: int, first: int, end: int) -> None:
        rows = packed(sends)
        step = max(1, FLUSH_BYTES // octets)
        for start in range(first, end, step):
            stop = min(start + step, end)
            now_ns = self.context.clock.now_ns()
            length = encode(rows, now_ns, start, stop)
            sends.sent_ns[start:stop] = now_ns
            self.write(self.context.outbox_view[:length])

    def _owe_acks(self) -> None:
        """Wait for more messages of a batch, but not for long."""
        self.linger(self._read_ns)

    def linger(self, now_ns: int) -> None:
        """Acknowledge, 10 ms after the last message, what fills no batch."""
        if not self._lingers and not self.closed:
            self._lingers = True
            self.context.timers.call_at(now_ns + ACK_LINGER_NS, self._on_linger)

    def _scan(self, start: int, end: int) -> tuple[int, int, int]:
        """Use up octets of the inbox; write acknowledgements.

        Returns a status, where the scan stopped, and where the control frame ends that
        stopped it, if one did.
        """
        marks = self.context.marks
        marks[READ_NS] = self._read_ns
        status = self.tables.scan(self.index, start, end, self._received_ns)
        if out := marks[OUT]:
            marks[OUT] = 0
            if not self.closing:
                self.write(self.tables.acks_view[:out])
        self._after_scan()
        return status, marks[TAKEN], marks[FRAME_END]

    def _after_scan(self) -> None:
        """See to acknowledgements that are owed and were not written."""
        marks = self.context.marks
        if marks[OWES]:
            marks[OWES] = 0
            self._owe_acks()

    def _use(self, end: int) -> bool:
        """Scan the inbox up to `end`; return whether there was no room for all rows."""
        return self._go_on(self._scan(0, end), end)

    def _go_on(self, scanned: tuple[int, int, int], end: int) -> bool:
        """Act on what stopped a scan, and scan on up to `end`; as `_use`."""
        status, taken, frame_end = scanned
        while status == CONTROL:
            self._on_control(bytes(self.context.inbox_view[taken:frame_end]))
            if self.closed:
                return False
            status, taken, frame_end = self._scan(frame_end, end)
        if status < 0:
            self.lose(f"it sent {self.fault(status)}")
            return False
        self._carry = bytes(self.context.inbox_view[taken:end]) if taken < end else b""
        self._is_full = status == FULL
        return self._is_full

    def _on_linger(self) -> None:
        self._lingers = False
        if self.closed:
            return
        if self.context.held_ns:  # what came was not delivered yet
            self.linger(self.context.held_ns)
            return
        last_ns = self.acknowledge_before(self.context.clock.now_ns() - ACK_LINGER_NS)
        if last_ns is not None:
            self.linger(last_ns)
