"""A client in memory on the AMQP 1.0 codec: one connection, fed bytes by hand, for tests.

It surrounds what it feeds with canary bytes, its rows with rows of others, and keeps its
buffers small where a test asks for it, so that every pause of the codec occurs.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from bench.drivers.base import Sends
from bench.wire import amqp10_control as control
from bench.wire import amqp10_layout as x
from bench.wire.amqp10_answer import NEVER, answer
from bench.wire.amqp10_control import Attach, Begin, Control, Open, parse
from bench.wire.amqp10_encode import encode, resume
from bench.wire.amqp10_outgoing import Template, make_template, room
from bench.wire.amqp10_scan import scan
from bench.wire.amqp10_table_rows import attached, begun, new_connection, new_receiver, new_sender, opened
from bench.wire.cursor import READ_NS, ROWS_WIDTH, SETTLED_ROWS, Scanned
from bench.wire.octets import Int64
from bench.wire.templates import Templates, make_templates

_EVER = 1 << 62
CONN, GUARDS, _GUARD_VALUE = 1, 3, -7
"""Its row, rows of others around its lanes, and what those hold."""
_READ = 77
"""When octets were read: kept with each delivery."""


class ProtocolError(Exception):
    """The codec found one; `status` says which."""

    def __init__(self, status: int) -> None:
        """Keep the status."""
        super().__init__(x.ERRORS[status])
        self.status = status


class Client:
    """One connection with sending lanes, then receiving lanes.

    Attributes:
        out: bytes for the peer.
        controls: frames that open and close things, as they came.
        deliveries: rows of deliveries.
        settlements: rows of settlements.
        rest: unfinished bytes.
        tally: counters of the codec.
    """

    def __init__(
        self,
        *,
        senders: int = 0,
        receivers: int = 0,
        limit: int = 64,
        prefetch: int = 50,
        ack_batch: int = 10,
        max_frame: int = 65_536,
        window: int = 0x7FFFFFFF,
        ring: int = 256,
        runs: int = 4,
        rows: int = 1_000,
        out_size: int = 70_000,
        canary: int = 0xA5,
        margin: int = 64,
    ) -> None:
        """Make an unopened connection."""
        self.senders, self.receivers, self.lane0 = senders, receivers, GUARDS
        lanes = senders + receivers
        self.tables = x.make_link_tables(3, lanes + 2 * GUARDS, ring, runs)
        for table in (self.tables.conns, self.tables.lanes, self.tables.rings, self.tables.runs):
            table[:] = _GUARD_VALUE
        self.max_frame, self.window, self._settled = max_frame, window, not limit
        new_connection(self.tables, CONN, lane0=GUARDS, lanes=lanes, max_frame=max_frame, window=window)
        for lane in range(lanes):
            row = GUARDS + lane
            if lane < senders:
                new_sender(self.tables, row, number=lane, handle=lane, producer=lane + 40, limit=limit)
            else:
                number = lane - senders
                new_receiver(self.tables, row, number=number, handle=lane, prefetch=prefetch, ack_batch=ack_batch)
        self.tally = np.zeros(x.TALLIES, np.int64)
        self.tally[READ_NS] = _READ
        self._found = Scanned(rows=np.zeros((ROWS_WIDTH, rows), np.int64), cursor=self.tally, out=np.zeros(0, np.uint8))
        self.deliveries: list[tuple[int, ...]] = []
        self.settlements: list[tuple[int, ...]] = []
        self.controls: list[Control] = []
        self.out, self.rest, self.now_ns, self._canary = bytearray(), b"", 5, canary
        self._margin = margin
        self._buffer = np.zeros(out_size, np.uint8)

    @property
    def conn(self) -> Int64:
        """Its row of `conns`."""
        return self.tables.conns[CONN]

    def lane(self, lane: int) -> Int64:
        """Return the row of a lane."""
        return self.tables.lanes[self.lane0 + lane]

    def hello(self) -> None:
        """Write everything that opens the connection, its session and its links."""
        self.out += control.AMQP_HEADER + control.open_frame("test", "host", max_frame=self.max_frame)
        self.out += control.begin_frame(
            incoming_window=self.window, outgoing_window=0x7FFFFFFF, handle_max=self.senders + self.receivers
        )
        for lane in range(self.senders):
            self.out += control.attach_frame(f"s{lane}", lane, receives=False, settled=self._settled, target=f"q{lane}")
        for lane in range(self.senders, self.senders + self.receivers):
            self.out += control.attach_frame(
                f"r{lane}", lane, receives=True, settled=False, source=control.SourceTerminus(f"q{lane}")
            )

    def ready(self, credit: int = 1_000, *, window: int = 100_000, peer_frame: int = 65_536) -> None:
        """Skip the handshake: everything is open, the peer's handles are ours."""
        opened(self.tables, CONN, Open(peer_frame))
        begun(self.tables, CONN, Begin(0, 0, window))
        for lane in range(self.senders + self.receivers):
            attached(
                self.tables,
                self.lane0 + lane,
                Attach(f"l{lane}", lane, lane < self.senders, has_source=True, has_target=True),
            )
            self.lane(lane)[x.L_CREDIT] = credit if lane < self.senders else self.lane(lane)[x.L_PREFETCH]
        self.conn[x.C_DUE] = 0

    def feed(self, data: bytes, *, answers: bool = True) -> None:
        """Take bytes from the peer.

        Raises:
            ProtocolError: they are wrong.
        """
        work = self.rest + bytes(data)
        at, end = self._margin, self._margin + len(work)
        buffer = np.full(end + self._margin, self._canary, np.uint8)
        buffer[at:end] = np.frombuffer(work, np.uint8)
        while True:
            before = at
            status, at, stop = scan(buffer, at, end, self.now_ns, self.tables, CONN, self._found)
            assert before <= at <= stop <= end
            self._take_rows()
            if status == x.CONTROL:
                self._control(parse(bytes(buffer[at:stop])))
                at = stop
            elif status == x.HEADER:
                at = stop
            elif status == x.ANSWER:
                self.answer()
            elif status < 0:
                raise ProtocolError(status)
            elif status == x.DONE:
                break
        self.rest = bytes(buffer[at:end])
        if answers and self.conn[x.C_DUE]:
            self.answer()

    def feed_all(self, parts: Iterable[bytes]) -> None:
        """Take bytes from the peer piece by piece.

        Raises:
            ProtocolError: they are wrong.
        """
        for part in parts:
            self.feed(part)

    def answer(self, *, flush: bool = False) -> None:
        """Write what is owed to the peer."""
        while True:
            end = answer(self._buffer, 0, self.tables, CONN, self.tally, _EVER if flush else NEVER)
            self.out += self._buffer[:end].tobytes()
            if not self.conn[x.C_DUE]:
                return
            assert end, "an answer must go on"

    def send(self, template: Template, lanes: list[int], seqs: list[int], intended_ns: int = 3) -> int:
        """Encode messages; return how many were taken."""
        self._resume(template)
        taken = 0
        rows, numbers = np.array(lanes, np.int64) + self.lane0, np.array(seqs, np.int64)
        sends = Sends(lane=rows, seq=numbers, intended_ns=np.full(len(rows), intended_ns), sent_ns=numbers)
        while taken < len(rows):
            at, more = encode(self._buffer, 0, one_size(template), self.tables, sends, self.now_ns, taken, len(rows))
            self.out += self._buffer[:at].tobytes()
            before, taken = taken, more
            self._resume(template)
            if not at and taken == before:
                break
        return taken

    def resume(self, template: Template) -> None:
        """Go on with what is parked."""
        self._resume(template)

    def room(self, template: Template, following: int = 0, most: int = 4_096) -> int:
        """Return how many messages may be dealt to the sending lanes in turn."""
        return room(len(template.frame), self.tables, self.lane0, self.senders, following, most)

    def take_out(self) -> bytes:
        """Return and forget the bytes for the peer."""
        data = bytes(self.out)
        self.out.clear()
        return data

    def others_untouched(self) -> bool:
        """Return whether the rows of other connections hold what they held."""
        mine = slice(self.lane0, self.lane0 + self.senders + self.receivers)
        parts = [np.delete(self.tables.conns, CONN, 0), np.delete(self.tables.rings, CONN, 0)]
        parts += [np.delete(table, mine, 0) for table in (self.tables.lanes, self.tables.runs)]
        return all((part == _GUARD_VALUE).all() for part in parts)

    def _resume(self, template: Template) -> None:
        while self.conn[x.C_PARKED]:
            at = resume(self._buffer, 0, one_size(template), self.tables, CONN)
            self.out += self._buffer[:at].tobytes()
            if not at:
                return

    def _take_rows(self) -> None:
        assert (self._found.rows[-1, : self.tally[x.T_DELIVERIES]] == _READ).all()
        for table, column, rows in (
            (self._found.rows[SETTLED_ROWS:-1], x.T_DELIVERIES, self.deliveries),
            (self._found.rows[:SETTLED_ROWS], x.T_SETTLEMENTS, self.settlements),
        ):
            rows.extend(map(tuple, table[:, : self.tally[column]].T.tolist()))
            self.tally[column] = 0

    def _control(self, control: Control) -> None:
        self.controls.append(control)
        if isinstance(control, Open):
            opened(self.tables, CONN, control)
        elif isinstance(control, Begin):
            begun(self.tables, CONN, control)
        elif isinstance(control, Attach):
            lane = int(control.name[1:])
            attached(self.tables, self.lane0 + lane, control)


def pieces(data: bytes, cuts: list[int]) -> Iterator[bytes]:
    """Yield a stream cut at offsets."""
    last = 0
    for cut in [*sorted({cut for cut in cuts if cut < len(data)}), len(data)]:
        yield data[last:cut]
        last = cut


def one_size(template: Template) -> Templates:
    """Return what a port has that sends messages of one size."""
    return make_templates([template.frame], [template.stamp], None)


def template(size: int, *, durable: bool = False) -> Template:
    """Return a template whose body is not all zeros behind the stamp."""
    made = make_template(size, durable=durable)
    body = made.frame[made.stamp :]
    body[:] = np.arange(len(body)) % 251
    return made
