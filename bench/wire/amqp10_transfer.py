"""AMQP 1.0: transfer frames, one after the other, into deliveries, compiled (part 2.6.12).

A frame's performative is taken as a whole, its payload as it comes, and after the last
frame of a delivery a row is added. Frames themselves are found by `amqp10_scan`.
"""

import numpy as np

from bench.arrivals.key_kernels import message_hash
from bench.arrivals.sizes import REFUSAL_SEED
from bench.arrivals.stamp import COMPACT_SIZE, TIME_MASK
from bench.jit import kernel_aside, kernel_part
from bench.wire.amqp10_layout import (
    ACCEPTED,
    C_CHANNEL,
    C_DUE,
    C_IN_SIZE,
    C_IN_WINDOW,
    C_INSIDE,
    C_LANE,
    C_LEFT,
    C_MORE,
    C_NEXT_IN,
    DUE_LANES,
    DUE_NOW,
    DUE_WINDOW,
    E_CHANNEL,
    E_DELIVERY_ID,
    E_LIST,
    E_MISSING,
    E_ROLE,
    E_TAG,
    F_NEWS,
    L_ACK_BATCH,
    L_COUNT,
    L_CREDIT,
    L_ID,
    L_INTENDED,
    L_KEPT,
    L_LAST_NS,
    L_MORE,
    L_NUMBER,
    L_OPEN,
    L_OURS_STAMP,
    L_PENDING,
    L_PREFETCH,
    L_PRODUCER,
    L_REDELIVERED,
    L_REJECT,
    L_REQUEUE,
    L_RUNS,
    L_SECTION,
    L_SENDS,
    L_SENT,
    L_SEQ,
    L_SETTLED,
    L_STAMP,
    MASK32,
    MODIFIED,
    NEED,
    NEWS_HEAD,
    REJECTED,
    RUN_BITS,
    SCRATCH,
    SPAN_LENGTH,
    T_ABORTED,
    T_DELIVERIES,
    T_FOREIGN,
    T_LEARNED,
    T_REJECTED,
    T_REQUEUED,
    T_UNASKED,
    LinkTables,
)
from bench.wire.amqp10_message import (
    end_message,
    take_payload,
)
from bench.wire.amqp10_settle import (
    lane_of,
)
from bench.wire.amqp10_types import BINARY, BOOLEAN, NULL, STATE, UBYTE, UINT, list_at, read_fields
from bench.wire.cursor import READ_NS, SETTLED_ROWS, Scanned
from bench.wire.octets import Int64, Octets, copy, get16, put32

TRANSFER_SCHEMA = np.array(
    (UINT, UINT, BINARY, UINT, BOOLEAN, BOOLEAN, UBYTE, STATE, BOOLEAN, BOOLEAN, BOOLEAN), np.int64
)
_LONGEST_TAG = 32
_MORE, _ABORTED = 1, 2


@kernel_part
def _acknowledge_later(tables: LinkTables, conn: int, lane: int, now_ns: int) -> None:
    """Add a delivery to the runs of ids that its lane has to acknowledge."""
    conns, lanes, runs = tables.conns, tables.lanes, tables.runs
    delivery = lanes[lane, L_ID]
    count = lanes[lane, L_RUNS]
    if count > 0:
        run = runs[lane, count - 1]
        length = run & MASK32
        if ((run >> RUN_BITS & MASK32) + length) & MASK32 == delivery and length < MASK32:
            runs[lane, count - 1] = run + 1
            delivery = NULL
    if delivery != NULL:
        runs[lane, count] = delivery << RUN_BITS | 1
        lanes[lane, L_RUNS] = count + 1
        if count + 1 == runs.shape[1]:
            conns[conn, C_DUE] |= DUE_NOW | DUE_LANES
    lanes[lane, L_PENDING] += 1
    lanes[lane, L_LAST_NS] = now_ns
    if lanes[lane, L_PENDING] >= lanes[lane, L_ACK_BATCH]:
        conns[conn, C_DUE] |= DUE_LANES


@kernel_aside
def _judge(tables: LinkTables, conn: int, lane: int, now_ns: int, tally: Int64) -> None:
    """Decide by a hash whether a delivery is accepted, rejected or given back; it is a run of its own.

    Bodies of others are accepted.
    """
    conns, lanes, runs = tables.conns, tables.lanes, tables.runs
    outcome = ACCEPTED
    if lanes[lane, L_OURS_STAMP] == 1:
        word = message_hash(REFUSAL_SEED, lanes[lane, L_PRODUCER], lanes[lane, L_SEQ])
        if word < lanes[lane, L_REJECT]:
            outcome = REJECTED
            tally[T_REJECTED] += 1
        elif word < lanes[lane, L_REQUEUE] and lanes[lane, L_REDELIVERED] == 0:
            outcome = MODIFIED
            tally[T_REQUEUED] += 1
    count = lanes[lane, L_RUNS]
    runs[lane, count] = lanes[lane, L_ID] << RUN_BITS | outcome
    lanes[lane, L_RUNS] = count + 1
    lanes[lane, L_PENDING] += 1
    lanes[lane, L_LAST_NS] = now_ns
    if count + 1 == runs.shape[1]:
        conns[conn, C_DUE] |= DUE_NOW | DUE_LANES
    if lanes[lane, L_PENDING] >= lanes[lane, L_ACK_BATCH]:
        conns[conn, C_DUE] |= DUE_LANES


@kernel_aside
def _look_closer(tables: LinkTables, lane: int, rows: Int64, row: int, tally: Int64) -> None:
    """Unfold the time of a compact stamp, and learn from the message's properties, where the lane does."""
    if tables.lanes[lane, L_STAMP] == COMPACT_SIZE:
        now_ns = max(rows[SETTLED_ROWS + 5, row], tally[READ_NS])
        intended_ns = now_ns - ((now_ns - rows[SETTLED_ROWS + 3, row]) & TIME_MASK)
        rows[SETTLED_ROWS + 3, row] = intended_ns
        rows[SETTLED_ROWS + 4, row] = intended_ns
    if tables.scratch.shape[1] > SCRATCH:
        _learn(tables, lane, tally)


@kernel_aside
def _learn(tables: LinkTables, lane: int, tally: Int64) -> None:
    """Hand on the properties of a message whose producer is not known yet."""
    lanes, spans, texts = tables.lanes, tables.spans, tables.texts
    producer, at = lanes[lane, L_PRODUCER], tally[T_LEARNED]
    if producer < len(spans) and spans[producer, SPAN_LENGTH] != 0:
        return
    length = 1 + lanes[lane, L_KEPT]
    if length == 1 or length > tables.scratch.shape[1] - SCRATCH:
        length = 0
    if at + NEWS_HEAD + length > tables.form[F_NEWS]:
        return
    put32(texts, at, producer)
    put32(texts, at + 4, length)
    copy(texts, at + NEWS_HEAD, tables.scratch[lane], SCRATCH, length)
    tally[T_LEARNED] = at + NEWS_HEAD + length


@kernel_part
def _delivered(now_ns: int, tables: LinkTables, conn: int, lane: int, found: Scanned) -> int:
    """End a delivery whose last frame has come; return 0 or an error."""
    conns, lanes, rows, tally = tables.conns, tables.lanes, found.rows, found.cursor
    lanes[lane, L_OPEN] = 0
    if conns[conn, C_MORE] & _ABORTED:
        tally[T_ABORTED] += 1
    else:
        status = end_message(lanes, lane)
        if status < 0:
            return status
        if lanes[lane, L_OURS_STAMP] == 1:
            row = tally[T_DELIVERIES]
            rows[SETTLED_ROWS, row] = lanes[lane, L_NUMBER]
            rows[SETTLED_ROWS + 1, row] = lanes[lane, L_PRODUCER]
            rows[SETTLED_ROWS + 2, row] = lanes[lane, L_SEQ]
            rows[SETTLED_ROWS + 3, row] = lanes[lane, L_INTENDED]
            rows[SETTLED_ROWS + 4, row] = lanes[lane, L_SENT]
            rows[SETTLED_ROWS + 5, row] = now_ns
            rows[SETTLED_ROWS + 6, row] = lanes[lane, L_REDELIVERED]
            rows[SETTLED_ROWS + 7, row] = tally[READ_NS]
            tally[T_DELIVERIES] = row + 1
            if lanes[lane, L_MORE] == 1:
                _look_closer(tables, lane, rows, row, tally)
        else:
            tally[T_FOREIGN] += 1
        if lanes[lane, L_SETTLED] == 0:
            if lanes[lane, L_REQUEUE] > 0:
                _judge(tables, conn, lane, now_ns, tally)
            else:
                _acknowledge_later(tables, conn, lane, now_ns)
    if 2 * (lanes[lane, L_CREDIT] + lanes[lane, L_PENDING]) <= lanes[lane, L_PREFETCH]:
        conns[conn, C_DUE] |= DUE_LANES
    return 0


@kernel_part
def _begin_transfer(tables: LinkTables, conn: int, lane: int, tally: Int64) -> int:
    """Account for a frame of a delivery on a lane; return 0 or an error."""
    fields, conns, lanes = tables.fields, tables.conns, tables.lanes
    delivery = fields[1]
    conns[conn, C_NEXT_IN] = (conns[conn, C_NEXT_IN] + 1) & MASK32
    window = conns[conn, C_IN_WINDOW] - 1
    conns[conn, C_IN_WINDOW] = window
    if 2 * window <= conns[conn, C_IN_SIZE]:
        conns[conn, C_DUE] |= DUE_WINDOW
    unasked = window < 0
    if lanes[lane, L_OPEN] == 0:
        if delivery == NULL:
            return E_DELIVERY_ID
        for column in range(L_SECTION, L_OURS_STAMP + 1):
            lanes[lane, column] = 0
        lanes[lane, L_REDELIVERED] = 0
        lanes[lane, L_KEPT] = 0
        lanes[lane, L_OPEN] = 1
        lanes[lane, L_ID] = delivery
        lanes[lane, L_SETTLED] = 0
        lanes[lane, L_COUNT] = (lanes[lane, L_COUNT] + 1) & MASK32
        if lanes[lane, L_CREDIT] > 0:
            lanes[lane, L_CREDIT] -= 1
        else:
            unasked = True
    elif delivery != NULL and delivery != lanes[lane, L_ID]:
        return E_DELIVERY_ID
    if unasked:
        tally[T_UNASKED] += 1
    if fields[4] == 1:
        lanes[lane, L_SETTLED] = 1
    return 0


@kernel_part
def performative(buf: Octets, at: int, end: int, frame_end: int, schema: Int64, tables: LinkTables) -> int:
    """Read the list of a performative; return the offset behind it, or a status."""
    count, first, stop = list_at(buf, at, min(end, frame_end))
    if stop > frame_end or (stop == NEED and frame_end <= end):
        return E_LIST
    if stop < 0:
        return stop
    if stop > end:
        return NEED
    status = read_fields(buf, first, stop, schema, count, tables.fields)
    return stop if status == 0 else status


@kernel_part
def take_transfer(
    buf: Octets, at: int, after: int, end: int, stop: int, tables: LinkTables, conn: int, tally: Int64
) -> int:
    """Take the performative of a transfer frame [at, stop); return where its payload begins, or a status."""
    fields, conns = tables.fields, tables.conns
    if get16(buf, at + 6) != conns[conn, C_CHANNEL]:
        return E_CHANNEL
    after = performative(buf, after, end, stop, TRANSFER_SCHEMA, tables)
    if after < 0:
        return after
    if fields[0] == NULL:
        return E_MISSING
    if fields[2] > _LONGEST_TAG:
        return E_TAG
    lane = lane_of(tables, conn, fields[0])
    if lane < 0:
        return lane
    if tables.lanes[lane, L_SENDS] == 1:
        return E_ROLE
    status = _begin_transfer(tables, conn, lane, tally)
    if status < 0:
        return status
    conns[conn, C_LANE] = lane
    conns[conn, C_MORE] = (_MORE if fields[5] == 1 else 0) | (_ABORTED if fields[9] == 1 else 0)
    conns[conn, C_INSIDE] = 1
    conns[conn, C_LEFT] = stop - after
    return after


@kernel_part
def take_frame_payload(
    buf: Octets, at: int, end: int, now_ns: int, tables: LinkTables, conn: int, found: Scanned
) -> tuple[int, int]:
    """Take what has come of a transfer's payload: (0, `NEED` while more must come, or an error; next offset)."""
    conns = tables.conns
    lane, flags = conns[conn, C_LANE], conns[conn, C_MORE]
    size = min(conns[conn, C_LEFT], end - at)
    if flags & _ABORTED == 0:
        status = take_payload(buf, at, at + size, tables, lane)
        if status < 0:
            return status, at
    conns[conn, C_LEFT] -= size
    if conns[conn, C_LEFT] > 0:
        return NEED, at + size
    conns[conn, C_INSIDE] = 0
    if flags == _MORE:
        return 0, at + size
    return _delivered(now_ns, tables, conn, lane, found), at + size
