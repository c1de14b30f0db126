"""AMQP 1.0: dispositions and flows from the peer, compiled (parts 2.5.6, 2.6.7, 2.6.12).

What was sent waits in the connection's ring for an outcome; an outcome is a row of
`settlements`. Credit and window are serial numbers (RFC 1982), which the peer counts from
what it has seen. Nothing is written here.
"""

import numpy as np

from bench.jit import kernel_aside, kernel_part
from bench.wire.amqp10_layout import (
    ACCEPTED,
    ANSWER,
    C_DELIVERY,
    C_DUE,
    C_LANE0,
    C_LANES,
    C_NEXT_IN,
    C_NEXT_OUT,
    C_OLDEST,
    C_OUT_WINDOW,
    C_OWED,
    C_OWED_FIRST,
    CONFIRMED,
    DONE,
    DUE_LANES,
    DUE_OWED,
    DUE_WINDOW,
    E_COUNT,
    E_HANDLE,
    E_MISSING,
    E_WINDOW,
    HALF32,
    L_COUNT,
    L_CREDIT,
    L_DRAINED,
    L_FLOW,
    L_HANDLE,
    L_INFLIGHT,
    L_LAST,
    L_LIMIT,
    L_NUMBER,
    L_SENDS,
    MASK32,
    MODIFIED,
    REFUSED,
    REJECTED,
    RELEASED,
    RETURNED,
    ROWS_FULL,
    SEQ_BITS,
    T_AGAIN,
    T_NEVER_SENT,
    T_SETTLEMENTS,
    T_STARVED,
    LinkTables,
)
from bench.wire.amqp10_types import ANY, BOOLEAN, NULL, STATE, UINT, ahead
from bench.wire.cursor import Scanned
from bench.wire.octets import Int64

FLOW_SCHEMA = np.array((UINT, UINT, UINT, UINT, UINT, UINT, UINT, UINT, BOOLEAN, BOOLEAN, ANY), np.int64)
DISPOSITION_SCHEMA = np.array((BOOLEAN, UINT, UINT, BOOLEAN, STATE, BOOLEAN), np.int64)


@kernel_part
def lane_of(tables: LinkTables, conn: int, handle: int) -> int:
    """Return the lane that the peer knows by a handle, or an error."""
    conns, lanes = tables.conns, tables.lanes
    first, count = conns[conn, C_LANE0], conns[conn, C_LANES]
    if handle < count and lanes[first + handle, L_HANDLE] == handle:
        return int(first + handle)
    for lane in range(first, first + count):
        if lanes[lane, L_HANDLE] == handle:
            return lane
    return E_HANDLE


@kernel_part
def _outcome(state: int, settled: int) -> int:
    """Return the outcome of a state; a peer that settles without saying how promised nothing."""
    if state == ACCEPTED:
        return CONFIRMED
    if state == RELEASED:
        return RETURNED
    if state == REJECTED or state == MODIFIED or settled == 1:
        return REFUSED
    return 0


@kernel_part
def _owe(conns: Int64, conn: int, first: int, count: int) -> None:
    """Note that deliveries have an outcome that the peer keeps until we settle them."""
    if conns[conn, C_OWED] == 0:
        conns[conn, C_OWED_FIRST] = first
    conns[conn, C_OWED] += count
    conns[conn, C_DUE] |= DUE_OWED


@kernel_part
def settle(now_ns: int, tables: LinkTables, conn: int, found: Scanned) -> int:
    """Act on a disposition: a row for each message of its range that waits for an outcome.

    It may be called again with the same fields after `ROWS_FULL` or `ANSWER`.
    """
    fields, conns, rings, rows, tally = tables.fields, tables.conns, tables.rings, found.rows, found.cursor
    role, first, last, settled = fields[0], fields[1], fields[2], fields[3]
    if role == NULL or first == NULL:
        return E_MISSING
    outcome = _outcome(fields[4], settled)
    if role == 0 or outcome == 0:
        return DONE
    if last == NULL:
        last = first
    oldest = conns[conn, C_OLDEST]
    ring = rings.shape[1] - 1
    # Positions count from the oldest message that waits, in whose place a range may begin.
    begin = max(0, ahead(first, oldest))
    sent, wanted = (conns[conn, C_DELIVERY] - oldest) & MASK32, ahead(last, oldest) + 1
    end = min(wanted, sent)
    if begin >= end:
        tally[T_NEVER_SENT if wanted > sent else T_AGAIN] += 1
        return DONE
    start = (oldest + begin) & MASK32
    follows = start == (conns[conn, C_OWED_FIRST] + conns[conn, C_OWED]) & MASK32
    if settled != 1 and conns[conn, C_OWED] > 0 and not follows:
        return ANSWER
    row = tally[T_SETTLEMENTS]
    capacity = rows.shape[1]
    first_lane = conns[conn, C_LANE0] - 1
    at = begin
    while at < end:
        slot = (oldest + at) & ring
        entry = rings[conn, slot]
        if entry != 0:
            if row == capacity:
                break
            rings[conn, slot] = 0
            lane = first_lane + (entry >> SEQ_BITS)
            tables.lanes[lane, L_INFLIGHT] -= 1
            rows[0, row] = tables.lanes[lane, L_NUMBER]
            rows[1, row] = entry & ((1 << SEQ_BITS) - 1)
            rows[2, row] = outcome
            rows[3, row] = now_ns
            row += 1
        at += 1
    if settled != 1 and at > begin:
        _owe(conns, conn, start, at - begin)
    tally[T_SETTLEMENTS] = row
    find_oldest(tables, conn)
    if at < end:
        return ROWS_FULL
    if wanted > sent:
        tally[T_NEVER_SENT] += 1
    return DONE


@kernel_part
def find_oldest(tables: LinkTables, conn: int) -> None:
    """Move `C_OLDEST` on to the oldest message that waits for an outcome."""
    conns, rings = tables.conns, tables.rings
    ring = rings.shape[1] - 1
    oldest, following = conns[conn, C_OLDEST], conns[conn, C_DELIVERY]
    while oldest != following and rings[conn, oldest & ring] == 0:
        oldest = (oldest + 1) & MASK32
    conns[conn, C_OLDEST] = oldest


@kernel_aside
def flow(tables: LinkTables, conn: int, tally: Int64) -> int:
    """Act on a flow: session window, and a link's credit where it names one; return 0 or an error."""
    fields, conns, lanes = tables.fields, tables.conns, tables.lanes
    next_in, window, next_out, echo = fields[0], fields[1], fields[2], fields[9]
    if window == NULL or next_out == NULL or fields[3] == NULL:
        return E_MISSING
    # A peer that had not seen our begin counts from the id we began with, which is 0.
    unseen = (conns[conn, C_NEXT_OUT] - max(0, next_in)) & MASK32
    if unseen >= HALF32:
        return E_WINDOW
    conns[conn, C_OUT_WINDOW] = max(0, window - unseen)
    conns[conn, C_NEXT_IN] = next_out
    handle = fields[4]
    if handle == NULL:
        if echo == 1:
            conns[conn, C_DUE] |= DUE_WINDOW
        return DONE
    lane = lane_of(tables, conn, handle)
    if lane < 0:
        return lane
    if echo == 1:
        lanes[lane, L_FLOW] = 1
        conns[conn, C_DUE] |= DUE_LANES
    if lanes[lane, L_SENDS] == 1:
        return _credit(tables, conn, lane, tally)
    if fields[5] != NULL:
        drained = ahead(fields[5], lanes[lane, L_COUNT])
        if drained > 0:
            lanes[lane, L_COUNT] = fields[5]
            lanes[lane, L_CREDIT] = max(0, lanes[lane, L_CREDIT] - drained)
            conns[conn, C_DUE] |= DUE_LANES
    return DONE


@kernel_part
def _credit(tables: LinkTables, conn: int, lane: int, tally: Int64) -> int:
    """Take the credit that a receiver gives; what it asks to drain is used up at once.

    No more is taken than the link may use before it is attached anew.
    """
    fields, conns, lanes = tables.fields, tables.conns, tables.lanes
    credit, drain = fields[6], fields[8]
    unseen = (lanes[lane, L_COUNT] - max(0, fields[5])) & MASK32
    if unseen >= HALF32:
        return E_COUNT
    if credit != NULL:
        credit -= unseen
        if lanes[lane, L_LIMIT] == 0 and credit == 1:
            tally[T_STARVED] += 1
        if lanes[lane, L_LAST] > 0:
            credit = min(credit, lanes[lane, L_LAST] - lanes[lane, L_COUNT])
        lanes[lane, L_CREDIT] = max(0, credit)
    if drain == 1 and lanes[lane, L_CREDIT] > 0:
        lanes[lane, L_COUNT] = (lanes[lane, L_COUNT] + lanes[lane, L_CREDIT]) & MASK32
        lanes[lane, L_CREDIT] = 0
        lanes[lane, L_FLOW] = 1
        lanes[lane, L_DRAINED] = 1
        conns[conn, C_DUE] |= DUE_LANES
    return DONE
