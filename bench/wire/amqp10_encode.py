"""AMQP 1.0: messages into transfer frames, compiled (parts 2.6.12 and 2.7.5).

A message is a template with handle, delivery-id, tag and stamp written over it. What fits
into window and buffer is written at once; a message of which a part must wait is *parked*
in its lane's row, at most one a lane, and goes on with `resume`. When to send, and what a
connection's socket takes, is not known here.
"""

import numpy as np

from bench.drivers.base import Sends
from bench.jit import kernel_aside, kernel_entry, kernel_part
from bench.wire.amqp10_layout import (
    C_DELIVERY,
    C_LANE0,
    C_LANES,
    C_MAX_OUT,
    C_NEXT_OUT,
    C_OLDEST,
    C_OUT_WINDOW,
    C_PARKED,
    C_TICKET,
    HEAD,
    L_CONN,
    L_COUNT,
    L_CREDIT,
    L_INFLIGHT,
    L_INTENDED,
    L_LIMIT,
    L_OFFSET,
    L_OURS,
    L_PARKED,
    L_PRODUCER,
    L_SENT,
    L_SENT_ID,
    L_SEQ,
    L_TICKET,
    MASK32,
    SEQ_BITS,
    LinkTables,
)
from bench.wire.amqp10_pieces import inserted, put_front, put_stamp
from bench.wire.amqp10_settle import find_oldest
from bench.wire.octets import Int64, Octets, copy, put32, write_stamp
from bench.wire.templates import FIRST, OCTETS, STAMP_AT, Templates, class_of

_HANDLE, _DELIVERY, _TAG, _SETTLED, _MORE = 15, 20, 26, 31, 32
_TRUE, _FALSE = 0x41, 0x42


@kernel_part
def _begin(tables: LinkTables, conn: int, lane: int, seq: int) -> int:
    """Give a message its delivery-id and enter it; return the id."""
    conns, lanes, rings = tables.conns, tables.lanes, tables.rings
    delivery = int(conns[conn, C_DELIVERY])
    if lanes[lane, L_LIMIT] > 0:
        entry = (lane - conns[conn, C_LANE0] + 1) << SEQ_BITS | seq
        rings[conn, delivery & (rings.shape[1] - 1)] = entry
    elif conns[conn, C_OLDEST] == delivery:
        conns[conn, C_OLDEST] = (delivery + 1) & MASK32
    conns[conn, C_DELIVERY] = (delivery + 1) & MASK32
    lanes[lane, L_COUNT] = (lanes[lane, L_COUNT] + 1) & MASK32
    lanes[lane, L_CREDIT] -= 1
    return delivery


@kernel_aside
def _put_frame(
    out: Octets, at: int, template: Octets, first: int, size: int, lanes: Int64, lane: int, delivery: int
) -> int:
    """Write one frame with the payload bytes [first, first + size) of the template."""
    for byte in range(HEAD):
        out[np.uint64(at + byte)] = template[byte]
    put32(out, at, HEAD + size)
    put32(out, at + _HANDLE, lanes[lane, L_OURS])
    put32(out, at + _DELIVERY, delivery)
    put32(out, at + _TAG, delivery)
    out[np.uint64(at + _SETTLED)] = _FALSE if lanes[lane, L_LIMIT] > 0 else _TRUE
    out[np.uint64(at + _MORE)] = _TRUE if HEAD + first + size < len(template) else _FALSE
    copy(out, at + HEAD, template, HEAD + first, size)
    return at + HEAD + size


@kernel_aside
def _put_first(
    out: Octets, at: int, template: Octets, stamp: int, size: int, tables: LinkTables, lane: int, seq: int
) -> tuple[int, int]:
    """Write the first frame of a message that differs by more than its stamp, with `size` payload octets.

    Its delivery-id is that which was given last. Returns the offset behind it, and where its stamp begins.
    """
    more = put_front(out, at, template, HEAD + size, tables, lane, seq)
    conns, lanes = tables.conns, tables.lanes
    delivery = (conns[lanes[lane, L_CONN], C_DELIVERY] - 1) & MASK32
    put32(out, at, HEAD + size)
    put32(out, at + _HANDLE, lanes[lane, L_OURS])
    put32(out, at + _DELIVERY, delivery)
    put32(out, at + _TAG, delivery)
    out[np.uint64(at + _SETTLED)] = _FALSE if lanes[lane, L_LIMIT] > 0 else _TRUE
    out[np.uint64(at + _MORE)] = _TRUE if HEAD + size < len(template) + more else _FALSE
    return at + HEAD + size, at + stamp + more


@kernel_aside
def _park(tables: LinkTables, conn: int, lane: int, seq: int, intended_ns: int, sent_ns: int) -> None:
    """Keep a message in its lane's row until it is wholly written."""
    conns, lanes = tables.conns, tables.lanes
    lanes[lane, L_PARKED] = 1
    lanes[lane, L_SEQ] = seq
    lanes[lane, L_INTENDED] = intended_ns
    lanes[lane, L_SENT] = sent_ns
    lanes[lane, L_TICKET] = conns[conn, C_TICKET]
    conns[conn, C_TICKET] += 1
    conns[conn, C_PARKED] += 1


@kernel_part
def _ring_full(tables: LinkTables, conn: int) -> bool:
    conns, rings = tables.conns, tables.rings
    if (conns[conn, C_DELIVERY] - conns[conn, C_OLDEST]) & MASK32 < rings.shape[1]:
        return False
    find_oldest(tables, conn)
    return bool((conns[conn, C_DELIVERY] - conns[conn, C_OLDEST]) & MASK32 >= rings.shape[1])


@kernel_aside
def _continue(out: Octets, at: int, templates: Templates, tables: LinkTables, conn: int, lane: int) -> int:
    """Write frames of a parked message; return the offset behind the last.

    The message is parked no more when all of it is written.
    """
    conns, lanes, classes = tables.conns, tables.lanes, templates.classes
    kind = class_of(classes, lanes[lane, L_PRODUCER], lanes[lane, L_SEQ]) if len(classes) > 1 else 0
    template = templates.octets[classes[kind, FIRST] : classes[kind, FIRST] + classes[kind, OCTETS]]
    shaped, more = len(tables.form) > 0, 0
    if shaped:
        more = inserted(tables, lane, lanes[lane, L_SEQ])
    most = conns[conn, C_MAX_OUT] - HEAD
    total = len(template) + more - HEAD
    while conns[conn, C_OUT_WINDOW] > 0:
        offset = lanes[lane, L_OFFSET]
        size = min(most, total - offset)
        if len(out) - at < HEAD + size:
            return at
        if offset == 0:
            if _ring_full(tables, conn):
                return at
            lanes[lane, L_SENT_ID] = _begin(tables, conn, lane, lanes[lane, L_SEQ])
        seq, intended_ns, sent_ns = lanes[lane, L_SEQ], lanes[lane, L_INTENDED], lanes[lane, L_SENT]
        if offset > 0:
            after = _put_frame(out, at, template, offset - more, size, lanes, lane, lanes[lane, L_SENT_ID])
        elif shaped:
            after, stamp_at = _put_first(out, at, template, classes[kind, STAMP_AT], size, tables, lane, seq)
            put_stamp(out, stamp_at, tables, lane, seq, intended_ns, sent_ns)
        else:
            after = _put_frame(out, at, template, offset, size, lanes, lane, lanes[lane, L_SENT_ID])
            write_stamp(out, at + classes[kind, STAMP_AT], lanes[lane, L_PRODUCER], seq, intended_ns, sent_ns)
        at = after
        conns[conn, C_OUT_WINDOW] -= 1
        conns[conn, C_NEXT_OUT] = (conns[conn, C_NEXT_OUT] + 1) & MASK32
        lanes[lane, L_OFFSET] = offset + size
        if offset + size == total:
            lanes[lane, L_PARKED], lanes[lane, L_OFFSET] = 0, 0
            conns[conn, C_PARKED] -= 1
            return at
    return at


@kernel_entry
def resume(out: Octets, at: int, templates: Templates, tables: LinkTables, conn: int) -> int:
    """Go on with parked messages, oldest first, as far as window, credit and buffer allow.

    Args:
        out: where to write, up to its end; empty it must hold a frame of `C_MAX_OUT` bytes.
        at: offset of the first byte to write.
        templates: of `bench.wire.amqp10_outgoing.Template`.
        tables: the state of all links.
        conn: row of the connection.

    Returns:
        The offset behind the last byte written. `C_PARKED` tells how many are left.
    """
    templates, tables = Templates(*templates), LinkTables(*tables)
    conns, lanes = tables.conns, tables.lanes
    first = conns[conn, C_LANE0]
    while conns[conn, C_PARKED] > 0:
        found, oldest = 0, first
        for lane in range(first, first + conns[conn, C_LANES]):
            ready = lanes[lane, L_PARKED] == 1 and (lanes[lane, L_OFFSET] > 0 or lanes[lane, L_CREDIT] > 0)
            if ready and (found == 0 or lanes[lane, L_TICKET] < lanes[oldest, L_TICKET]):
                found, oldest = 1, lane
        if found == 0:
            return at
        at = _continue(out, at, templates, tables, conn, oldest)
        if lanes[oldest, L_PARKED] == 1:
            return at
    return at


@kernel_entry
def encode(
    out: Octets, at: int, templates: Templates, tables: LinkTables, sends: Sends, sent_ns: int, first: int, end: int
) -> tuple[int, int]:
    """Take messages first <= i < end, all of one connection, in order, and write them.

    Args:
        out: see `resume`, as are at, templates and tables.
        at: offset of the first byte to write.
        templates: the message; with several sizes those of all.
        tables: the state of all links.
        sends: messages; `lane` is the row of each one's lane, `seq` is below 2^40.
        sent_ns: the time now, for all stamps.
        first: the first message.
        end: behind the last one.

    Returns:
        (offset behind the last byte written, offset behind the last message taken). A message
        is not taken, nor any after it, where its lane has no credit or one parked, where too
        many wait for an outcome, or where the buffer must be emptied first.
    """
    if first == end:
        return at, end
    templates, tables, sends = Templates(*templates), LinkTables(*tables), Sends(*sends)
    conns, lanes, classes, seq = tables.conns, tables.lanes, templates.classes, sends.seq
    conn = lanes[sends.lane[first], L_CONN]
    if conns[conn, C_PARKED] > 0:
        at = resume(out, at, templates, tables, conn)
    made, size, stamp, mixed = templates.octets, len(templates.octets), classes[0, STAMP_AT], len(classes) > 1
    whole, shaped = size <= conns[conn, C_MAX_OUT], len(tables.form) > 0
    needed = min(size, conns[conn, C_MAX_OUT])
    for taken in range(first, end):
        row = sends.lane[taken]
        if mixed:
            kind = class_of(classes, lanes[row, L_PRODUCER], seq[taken])
            size, stamp = classes[kind, OCTETS], classes[kind, STAMP_AT]
            made = templates.octets[classes[kind, FIRST] : classes[kind, FIRST] + size]
            whole = size <= conns[conn, C_MAX_OUT]
            needed = min(size, conns[conn, C_MAX_OUT])
        if shaped:
            size = len(made) + inserted(tables, row, seq[taken])
            whole = size <= conns[conn, C_MAX_OUT]
            needed = min(size, conns[conn, C_MAX_OUT])
        if lanes[row, L_CREDIT] <= 0 or lanes[row, L_PARKED] == 1 or len(out) - at < needed:
            return at, taken
        if _ring_full(tables, conn):
            return at, taken
        if lanes[row, L_LIMIT] > 0:
            lanes[row, L_INFLIGHT] += 1
        if whole and conns[conn, C_PARKED] == 0 and conns[conn, C_OUT_WINDOW] > 0:
            delivery = _begin(tables, conn, row, seq[taken])
            if shaped:
                after, stamp_at = _put_first(out, at, made, stamp, size - HEAD, tables, row, seq[taken])
                put_stamp(out, stamp_at, tables, row, seq[taken], sends.intended_ns[taken], sent_ns)
            else:
                after = _put_frame(out, at, made, lanes[row, L_OFFSET], size - HEAD, lanes, row, delivery)
                write_stamp(out, at + stamp, lanes[row, L_PRODUCER], seq[taken], sends.intended_ns[taken], sent_ns)
            at = after
            conns[conn, C_OUT_WINDOW] -= 1
            conns[conn, C_NEXT_OUT] = (conns[conn, C_NEXT_OUT] + 1) & MASK32
        else:
            _park(tables, conn, row, seq[taken], sends.intended_ns[taken], sent_ns)
            at = resume(out, at, templates, tables, conn)
    return at, end
