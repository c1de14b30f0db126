"""AMQP 1.0: reading and answering in one call, compiled, with a cursor as every codec has it.

`scan` stops where something is owed that bears no delay, and tells three offsets; a driver
wants rows, acknowledgements to send, and one status (`bench.wire.cursor`).
"""

from bench.jit import kernel_entry
from bench.wire.amqp10_answer import ANSWER_ROOM, NEVER, answer
from bench.wire.amqp10_layout import (
    ANSWER,
    C_DUE,
    C_LANE0,
    C_LANES,
    CONTROL,
    HEADER,
    L_PENDING,
    ROWS_FULL,
    LinkTables,
)
from bench.wire.amqp10_scan import scan
from bench.wire.cursor import FRAME_END, OUT, OWES, TAKEN, Scanned
from bench.wire.octets import Octets


def answer_octets(lanes: int, runs: int) -> int:
    """Return the octets that all may take which a connection with so many lanes owes at once."""
    return ANSWER_ROOM * (lanes * (runs + 1) + 2)


@kernel_entry
def take(buf: Octets, start: int, end: int, now_ns: int, tables: LinkTables, conn: int, found: Scanned) -> int:
    """Read the bytes [start, end) of a connection and write what is owed for them; return a status.

    The status is negative, DONE, CONTROL (also for a protocol header) or ROWS_FULL, where
    rows and acknowledgements must be taken out before more is read.

    Args:
        buf: see `bench.wire.amqp10_scan.scan`.
        start: offset of the first byte.
        end: offset behind the last.
        now_ns: when they came.
        tables: the state of all connections.
        conn: row of the connection.
        found: see there; `out` is where to write what is owed, at least twice `answer_octets`.
    """
    tables, found = LinkTables(*tables), Scanned(*found)
    conns, cursor, acks = tables.conns, found.cursor, found.out
    first, count = conns[conn, C_LANE0], conns[conn, C_LANES]
    # As `answer_octets`; twice, so that the last answer always has room.
    full = len(acks) - 2 * ANSWER_ROOM * (count * (tables.runs.shape[1] + 1) + 2)
    out = cursor[OUT]
    status, at, stop = ANSWER, start, start
    while status == ANSWER:
        status, at, stop = scan(buf, at, end, now_ns, tables, conn, found)
        if status == ANSWER:
            if out > full:
                status = ROWS_FULL
            else:
                out = answer(acks, out, tables, conn, cursor, NEVER)
    if conns[conn, C_DUE] != 0:
        out = answer(acks, out, tables, conn, cursor, NEVER)
    cursor[OUT], cursor[TAKEN], cursor[FRAME_END] = out, at, stop
    for lane in range(first, first + count):
        if tables.lanes[lane, L_PENDING] > 0:
            cursor[OWES] = 1
            break
    return CONTROL if status == HEADER else status
