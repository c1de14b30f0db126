"""AMQP 1.0: what a receiver owes its peer, written in batches, compiled.

`answer` writes acknowledgements whose batch is full, credit once half of it is used, the
session's window likewise, and settlement of deliveries whose outcome the peer holds open.
What is due is noted by `amqp10_scan` and `amqp10_settle`.
"""

import numpy as np

from bench.jit import kernel_aside, kernel_entry
from bench.wire.amqp10_layout import (
    ACCEPTED,
    C_DUE,
    C_IN_SIZE,
    C_IN_WINDOW,
    C_LANE0,
    C_LANES,
    C_NEXT_IN,
    C_NEXT_OUT,
    C_OWED,
    C_OWED_FIRST,
    DISPOSITION,
    DUE_LANES,
    DUE_NOW,
    DUE_OWED,
    DUE_WINDOW,
    FLOW,
    L_ACK_BATCH,
    L_COUNT,
    L_CREDIT,
    L_DRAINED,
    L_FLOW,
    L_HANDLE,
    L_LAST_NS,
    L_OPEN,
    L_OURS,
    L_PENDING,
    L_PREFETCH,
    L_REQUEUE,
    L_RUNS,
    L_SENDS,
    MASK32,
    MODIFIED,
    REJECTED,
    RUN_BITS,
    T_ACKS,
    T_CREDITS,
    LinkTables,
)
from bench.wire.octets import Int64, Octets, put32

ANSWER_ROOM = 64
"""Octets that the longest frame written here may take. An empty buffer of `answer` needs so
many for each entry of a lane's run list."""

NEVER = -(1 << 62)
"""A time before every message."""

OUT_WINDOW = 0x7FFFFFFF
"""Our outgoing-window: we promise nothing about it."""


def _frame(code: int, fields: bytes, count: int) -> Octets:
    """Return a frame of a performative with a list8."""
    body = bytes((0x00, 0x53, code, 0xC0, len(fields) + 1, count)) + fields
    return np.frombuffer((8 + len(body)).to_bytes(4, "big") + b"\x02\0\0\0" + body, np.uint8)


_ID = b"\x70\0\0\0\0"
_ACCEPT = _frame(DISPOSITION, b"\x41" + 2 * _ID + b"\x41\x00\x53" + bytes((ACCEPTED, 0x45)), 5)
"""role receiver, first, last, settled, accepted."""
_REJECT = _frame(DISPOSITION, b"\x41" + 2 * _ID + b"\x41\x00\x53" + bytes((REJECTED, 0x45)), 5)
_REQUEUE = _frame(DISPOSITION, b"\x41" + 2 * _ID + b"\x41\x00\x53" + bytes((MODIFIED, 0xC0, 2, 1, 0x41)), 5)
"""As above, but rejected, and modified with delivery-failed."""
_SETTLE = _frame(DISPOSITION, b"\x42" + 2 * _ID + b"\x41", 4)
"""role sender, first, last, settled."""
_FIRST, _LAST = 16, 21
_WINDOW = _frame(FLOW, 4 * _ID, 4)
"""next-incoming-id, incoming-window, next-outgoing-id, outgoing-window."""
_CREDIT = _frame(FLOW, 7 * _ID + b"\x43\x42", 9)
"""As above, and handle, delivery-count, link-credit, available, drain."""
_UINTS, _DRAIN = 15, 50


@kernel_aside
def _disposition(out: Octets, at: int, template: Octets, first: int, count: int) -> int:
    """Write that a range is settled; return the offset behind."""
    for byte in range(len(template)):
        out[np.uint64(at + byte)] = template[byte]
    put32(out, at + _FIRST, first)
    put32(out, at + _LAST, (first + count - 1) & MASK32)
    return at + len(template)


@kernel_aside
def _flow(out: Octets, at: int, template: Octets, tables: LinkTables, conn: int, lane: int) -> int:
    """Write the session's state and, with the longer template, a link's; the window is restored."""
    conns, lanes = tables.conns, tables.lanes
    conns[conn, C_IN_WINDOW] = conns[conn, C_IN_SIZE]
    for byte in range(len(template)):
        out[np.uint64(at + byte)] = template[byte]
    put32(out, at + _UINTS, conns[conn, C_NEXT_IN])
    put32(out, at + _UINTS + 5, conns[conn, C_IN_WINDOW])
    put32(out, at + _UINTS + 10, conns[conn, C_NEXT_OUT])
    put32(out, at + _UINTS + 15, OUT_WINDOW)
    if len(template) > _DRAIN:
        put32(out, at + _UINTS + 20, lanes[lane, L_OURS])
        put32(out, at + _UINTS + 25, lanes[lane, L_COUNT])
        put32(out, at + _UINTS + 30, lanes[lane, L_CREDIT])
        if lanes[lane, L_DRAINED] == 1:
            out[at + _DRAIN] = 0x41
            lanes[lane, L_DRAINED] = 0
    return at + len(template)


@kernel_aside
def _lane(out: Octets, at: int, tables: LinkTables, conn: int, lane: int, tally: Int64, before_ns: int) -> int:
    """Write what one lane owes; return the offset behind, or -1 - offset where there is no more room."""
    lanes, runs = tables.lanes, tables.runs
    pending, count = lanes[lane, L_PENDING], lanes[lane, L_RUNS]
    is_due = pending >= lanes[lane, L_ACK_BATCH] or count == runs.shape[1] or lanes[lane, L_LAST_NS] <= before_ns
    if count > 0 and is_due:
        if len(out) - at < count * ANSWER_ROOM:
            return -1 - at
        for place in range(count):
            run = runs[lane, place]
            first = run >> RUN_BITS & MASK32
            if lanes[lane, L_REQUEUE] == 0:
                at = _disposition(out, at, _ACCEPT, first, run & MASK32)
            elif run & MASK32 == REJECTED:
                at = _disposition(out, at, _REJECT, first, 1)
            elif run & MASK32 == MODIFIED:
                at = _disposition(out, at, _REQUEUE, first, 1)
            else:
                at = _disposition(out, at, _ACCEPT, first, 1)
        lanes[lane, L_RUNS] = 0
        lanes[lane, L_PENDING] = 0
        tally[T_ACKS] += count
    held = lanes[lane, L_CREDIT] + lanes[lane, L_PENDING] + lanes[lane, L_OPEN]
    restore = lanes[lane, L_SENDS] == 0 and 2 * held <= lanes[lane, L_PREFETCH]
    if restore or lanes[lane, L_FLOW] == 1:
        if len(out) - at < ANSWER_ROOM:
            return -1 - at
        if restore:
            lanes[lane, L_CREDIT] += lanes[lane, L_PREFETCH] - held
        at = _flow(out, at, _CREDIT, tables, conn, lane)
        lanes[lane, L_FLOW] = 0
        tables.conns[conn, C_DUE] &= ~DUE_WINDOW
        tally[T_CREDITS] += 1
    return at


@kernel_entry
def answer(out: Octets, at: int, tables: LinkTables, conn: int, tally: Int64, before_ns: int) -> int:
    """Write what a connection owes its peer.

    Args:
        out: where to write, up to its end.
        at: offset of the first byte to write.
        tables: the state of all connections.
        conn: row of the connection.
        tally: int64 (TALLIES,), counted up.
        before_ns: also acknowledge lanes whose batch is not full, where the last message came
            no later than that; `NEVER` = none.

    Returns:
        The offset behind the last byte written. Where `C_DUE` is not 0 then, there was no
        room for the rest.
    """
    tables = LinkTables(*tables)
    conns = tables.conns
    if conns[conn, C_DUE] & DUE_OWED:
        if len(out) - at < ANSWER_ROOM:
            return at
        at = _disposition(out, at, _SETTLE, conns[conn, C_OWED_FIRST], conns[conn, C_OWED])
        conns[conn, C_OWED] = 0
        conns[conn, C_DUE] &= ~DUE_OWED
    if conns[conn, C_DUE] & DUE_LANES or before_ns != NEVER:
        first = conns[conn, C_LANE0]
        for lane in range(first, first + conns[conn, C_LANES]):
            if tables.lanes[lane, L_HANDLE] >= 0:
                after = _lane(out, at, tables, conn, lane, tally, before_ns)
                if after < 0:
                    conns[conn, C_DUE] |= DUE_LANES
                    return -1 - after
                at = after
        conns[conn, C_DUE] &= ~(DUE_LANES | DUE_NOW)
    if conns[conn, C_DUE] & DUE_WINDOW:
        if len(out) - at < ANSWER_ROOM:
            return at
        at = _flow(out, at, _WINDOW, tables, conn, conns[conn, C_LANE0])
        conns[conn, C_DUE] &= ~DUE_WINDOW
        tally[T_CREDITS] += 1
    return at
