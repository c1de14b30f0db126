"""The way of nearly every message, compiled: three whole frames, and the acknowledgement owed for it.

What comes may be a delivery or, where we play the broker, basic.publish: the acknowledgement
is basic.ack either way.

`take_whole` only uses up what it is sure of; anything else (a body in pieces, another
method, a fault) it leaves to the state machine in `amqp091_scan`, which knows every case.
"""

from bench.arrivals.key_kernels import message_hash
from bench.arrivals.sizes import REFUSAL_SEED
from bench.jit import kernel_aside, kernel_entry, kernel_part
from bench.wire.amqp091_layout import (
    ACK_BATCH,
    CHANNEL,
    CHANNELS,
    COMPACT,
    FIRST_LANE,
    FRAME_MAX,
    LAST_NS,
    LAST_TAG,
    OWN,
    PHASE,
    REJECT_BELOW,
    REJECTED,
    REPEATED,
    REQUEUE_BELOW,
    REQUEUED,
    TAG,
    UNACKED,
    ChannelState,
    ChannelTables,
)
from bench.wire.amqp091_requesters import learn
from bench.wire.cursor import DELIVERED, OUT, OWES, READ_NS, SETTLED_ROWS, Scanned
from bench.wire.octets import (
    COMPACT_STAMP,
    STAMP,
    Octets,
    compact_seq,
    get16,
    get32,
    get63,
    octet,
    put32,
    put64,
    read_compact_stamp,
    read_stamp,
    stamp_seq,
)

FRAME_HEADER = 7
"""Octets before a frame's payload: type, channel, size."""
FRAME_EXTRA = 8
"""Octets of a frame beside its payload."""
END_OCTET = 0xCE
METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
BASIC = 60
PUBLISH, RETURN, DELIVER, GET_OK, ACK, REJECT, NACK = 40, 50, 60, 71, 80, 90, 120
ACK_FRAME = 21
"""Octets of a basic.ack frame, or basic.reject."""

_AWAIT_METHOD = int(ChannelState.METHOD)
_DELIVERY = (BASIC << 16) | DELIVER
_PUBLISH = (BASIC << 16) | PUBLISH
HEADER_LEAST = 14
"""Octets of a content header at least: class, weight, body size, property flags."""


@kernel_aside
def put_answer(out: Octets, at: int, channel: int, method: int, tag: int, flag: int) -> int:
    """Write a frame of basic.ack, whose flag is `multiple`, or basic.reject (`requeue`); return the offset behind."""
    out[at] = METHOD
    out[at + 1] = (channel >> 8) & 0xFF
    out[at + 2] = channel & 0xFF
    put32(out, at + 3, ACK_FRAME - FRAME_EXTRA)
    put32(out, at + 7, (BASIC << 16) | method)
    put64(out, at + 11, tag)
    out[at + 19] = flag
    out[at + 20] = END_OCTET
    return at + ACK_FRAME


@kernel_aside
def acknowledge(tables: ChannelTables, lane: int, out: Octets, at: int) -> int:
    """Acknowledge what was delivered to a lane and was not yet; return the offset behind the frame."""
    lanes = tables.lanes
    multiple = 1 if lanes[lane, UNACKED] > 1 else 0
    lanes[lane, UNACKED] = 0
    return put_answer(out, at, lanes[lane, CHANNEL], ACK, lanes[lane, LAST_TAG], multiple)


@kernel_entry
def acknowledge_before(tables: ChannelTables, first: int, count: int, before_ns: int, out: Octets, at: int) -> int:
    """Acknowledge unfinished batches of `count` lanes whose last message came no later; return the offset behind."""
    tables = ChannelTables(*tables)
    lanes = tables.lanes
    for lane in range(first, first + count):
        if lanes[lane, UNACKED] and lanes[lane, LAST_NS] <= before_ns and at + ACK_FRAME <= len(out):
            at = acknowledge(tables, lane, out, at)
    return at


@kernel_aside
def _answer(tables: ChannelTables, lane: int, found: Scanned, row: int) -> None:
    """Acknowledge, reject or give back the one message that a lane has not answered, which is in a row or in none."""
    lanes, rows, cursor = tables.lanes, found.rows, found.cursor
    method, flag = ACK, 0
    if row >= 0:
        word = message_hash(REFUSAL_SEED, rows[SETTLED_ROWS + 1, row], rows[SETTLED_ROWS + 2, row])
        if word < lanes[lane, REJECT_BELOW]:
            method = REJECT
            lanes[lane, REJECTED] += 1
        elif word < lanes[lane, REQUEUE_BELOW] and not rows[SETTLED_ROWS + 6, row]:
            method, flag = REJECT, 1
            lanes[lane, REQUEUED] += 1
    lanes[lane, UNACKED] = 0
    cursor[OUT] = put_answer(found.out, cursor[OUT], lanes[lane, CHANNEL], method, lanes[lane, LAST_TAG], flag)


@kernel_part
def owe_ack(tables: ChannelTables, lane: int, found: Scanned, tag: int, now_ns: int, row: int) -> None:
    """Count a message that wants an acknowledgement, and give it when a batch is full; one that is not ours has row -1.

    Lanes that reject or give back have batches of one.
    """
    lanes, cursor = tables.lanes, found.cursor
    if lanes[lane, ACK_BATCH]:
        lanes[lane, LAST_TAG] = tag
        lanes[lane, LAST_NS] = now_ns
        lanes[lane, UNACKED] += 1
        if lanes[lane, UNACKED] < lanes[lane, ACK_BATCH]:
            cursor[OWES] = 1
        elif lanes[lane, REQUEUE_BELOW]:
            _answer(tables, lane, found, row)
        else:
            cursor[OUT] = acknowledge(tables, lane, found.out, cursor[OUT])


@kernel_part
def take_stamp(buf: Octets, at: int, tables: ChannelTables, found: Scanned) -> bool:
    """Begin a row of deliveries by the stamp at `at`; return False, and write nothing, where there is none."""
    cursor = found.cursor
    if tables.outline[COMPACT]:
        read_compact_stamp(buf, at, found.rows, SETTLED_ROWS + 1, cursor[DELIVERED], cursor[READ_NS])
        return True
    return read_stamp(buf, at, found.rows, SETTLED_ROWS + 1, cursor[DELIVERED])


@kernel_part
def stamped_seq(buf: Octets, at: int, tables: ChannelTables) -> int:
    """Return the sequence number of the stamp at `at`; -1 where there is none."""
    return compact_seq(buf, at) if tables.outline[COMPACT] else stamp_seq(buf, at)


@kernel_part
def stamp_octets(tables: ChannelTables) -> int:
    """Return the octets of a stamp."""
    return COMPACT_STAMP if tables.outline[COMPACT] else STAMP


@kernel_part
def delivered(tables: ChannelTables, lane: int, found: Scanned, tag: int, redelivered: int, now_ns: int) -> None:
    """End the row of deliveries whose stamp was just read."""
    rows, cursor = found.rows, found.cursor
    row = cursor[DELIVERED]
    rows[SETTLED_ROWS, row] = tables.lanes[lane, OWN]
    rows[SETTLED_ROWS + 5, row] = now_ns
    rows[SETTLED_ROWS + 6, row] = redelivered
    rows[SETTLED_ROWS + 7, row] = cursor[READ_NS]
    cursor[DELIVERED] = row + 1
    owe_ack(tables, lane, found, tag, now_ns, row)


@kernel_part
def _body_frame(buf: Octets, at: int, end: int, channel: int, largest: int, least: int) -> int:
    """Return the offset of a whole body frame, all of a body of `least` octets, behind the header frame at `at`.

    -1 stands for anything else.
    """
    if end - at < FRAME_EXTRA + HEADER_LEAST or buf[at] != HEADER or get16(buf, at + 1) != channel:
        return -1
    size, length = get32(buf, at + 3), get63(buf, at + FRAME_HEADER + 4)
    if size < HEADER_LEAST or size > largest or get16(buf, at + FRAME_HEADER) != BASIC or length < least:
        return -1
    body = at + FRAME_EXTRA + size
    if end - body - FRAME_EXTRA < length or buf[body - 1] != END_OCTET or buf[body] != BODY:
        return -1
    if get16(buf, body + 1) != channel or get32(buf, body + 3) != length or length > largest:
        return -1
    return body if buf[body + FRAME_HEADER + length] == END_OCTET else -1


@kernel_aside
def take_whole(buf: Octets, at: int, end: int, now_ns: int, tables: ChannelTables, conn: int, found: Scanned) -> int:
    """Use up messages of ours that lie whole at `at` and behind it; return the offset behind the last of them.

    Arguments are those of `amqp091_scan.scan`.
    """
    lanes, conns, rows, cursor = tables.lanes, tables.conns, found.rows, found.cursor
    first, channels, largest = conns[conn, FIRST_LANE], conns[conn, CHANNELS], conns[conn, FRAME_MAX] - FRAME_EXTRA
    acks_end, learns, stamp = len(found.out) - ACK_FRAME, len(tables.requesters) > 0, stamp_octets(tables)
    while cursor[DELIVERED] < rows.shape[1] and cursor[OUT] <= acks_end and end - at > FRAME_EXTRA + 4:
        channel, size = get16(buf, at + 1), get32(buf, at + 3)
        header = at + FRAME_EXTRA + size
        if buf[at] != METHOD or channel == 0 or channel > channels or size > largest or header >= end:
            break
        lane, method = first + channel - 1, get32(buf, at + FRAME_HEADER)
        if lanes[lane, PHASE] != _AWAIT_METHOD or buf[header - 1] != END_OCTET:
            break
        tag, redelivered = lanes[lane, TAG] + 1, 0
        if method == _DELIVERY:
            tag_at = at + FRAME_HEADER + 5 + octet(buf, at + FRAME_HEADER + 4)
            if tag_at + 9 > header - 1:
                break
            tag, redelivered = get63(buf, tag_at), octet(buf, tag_at + 8) & 1
        elif method != _PUBLISH:
            break
        body = _body_frame(buf, header, end, channel, largest, stamp)
        if body < 0 or not take_stamp(buf, body + FRAME_HEADER, tables, found):
            break
        if learns:
            learn(buf, header + FRAME_HEADER, get32(buf, header + 3), tables, lane, found)
        if tag <= lanes[lane, TAG]:
            lanes[lane, REPEATED] += 1
        lanes[lane, TAG] = tag
        delivered(tables, lane, found, tag, redelivered, now_ns)
        at = body + FRAME_EXTRA + get32(buf, body + 3)
    return at
