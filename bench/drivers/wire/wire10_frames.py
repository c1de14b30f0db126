"""AMQP 1.0 frames on a connection of the compiled driver, whichever end we are.

Messages, outcomes, credit and windows are the codec's. What opens and closes things is
little, and is taken apart in Python.
"""

from collections.abc import Sequence

from bench.drivers.sockets.stream import Stream
from bench.drivers.wire.connection import WireConnection
from bench.drivers.wire.lanes import Lane
from bench.drivers.wire.wire10_tables import Tables10
from bench.wire import amqp10_layout as layout
from bench.wire.amqp10_control import AMQP_HEADER, EMPTY, Condition, WireError, parse


class Frames10(WireConnection):
    """One connection with one session; its lanes are links. `handlers` take what opens or closes something."""

    tables: Tables10
    empty_frame = EMPTY

    def __init__(self, tables: Tables10, index: int, lanes: Sequence[Lane], stream: Stream) -> None:
        """Use a connected stream; see `WireConnection`."""
        super().__init__(tables, index, lanes, stream)
        self._parked_at = index * layout.CONN_FIELDS + layout.C_PARKED

    def acknowledge_before(self, before_ns: int) -> int | None:
        """Acknowledge unfinished batches whose last message came no later; see `WireConnection`."""
        t = self.tables
        if end := t.answer(self.index, before_ns):
            self.write(t.acks_view[:end])
        rows = t.lanes[self.first : self.first + len(self.lanes)]
        rest = rows[rows[:, layout.L_PENDING] > 0, layout.L_LAST_NS]
        return int(rest.min()) if len(rest) else None

    def fault(self, status: int) -> str:
        """Return what the peer sent that it must not, for a status below 0."""
        return f"what no peer may: {layout.ERRORS[status]}"

    def lane_of(self, handle: int) -> Lane | None:
        """Return the lane that the peer knows by a handle."""
        handles = self.tables.lanes[self.first : self.first + len(self.lanes), layout.L_HANDLE]
        return next((lane for lane, its in zip(self.lanes, handles.tolist(), strict=True) if its == handle), None)

    def _after_scan(self) -> None:
        """See to acknowledgements that are owed, and go on with messages that waited for the session's window."""
        super()._after_scan()
        if self.tables.conn_marks[self._parked_at]:
            while end := self.tables.resume(self.index):
                self.write(self.context.outbox_view[:end])

    def _on_control(self, frame: bytes) -> None:
        """Act on a frame that is not about messages, or on a protocol header."""
        if frame.startswith(AMQP_HEADER[:4]):
            self._on_header(frame)
            return
        try:
            control = parse(frame)
        except WireError as error:
            self.lose(f"it sent a frame that cannot be read ({error})")
            return
        handler = self.handlers.get(type(control))
        if handler is None:
            self.lose(f"it sent {type(control).__name__.lower()}, for which nobody asked")
        else:
            handler(control)

    def _on_header(self, header: bytes) -> None:
        if header != AMQP_HEADER:
            self.lose(f"it does not speak AMQP 1.0: it answered {header!r}")


def reason(condition: Condition | None) -> str:
    """Return why the peer ended something, in its words."""
    return "no reason given" if condition is None else str(condition)
