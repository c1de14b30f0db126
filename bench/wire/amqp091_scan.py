"""Finding deliveries, confirms and acknowledgements in a buffer of AMQP 0-9-1 frames, compiled.

`scan` uses up whole method and header frames, and body frames as they come, octet by
octet if need be, so that a body of any size is never gathered. What it makes of them are
rows; any frame that is not about messages stops it and is left to the caller. The octets
are those of a peer that may be broken or hostile: nothing is read behind `end`, and every
length is looked at before it is believed.

Sources: AMQP 0-9-1 specification, 2.3.5 (frames), 4.2.6 (content), and its XML for the
arguments of methods; the layout of the tables is in `amqp091_layout`.
"""

from bench.drivers.base import Outcome
from bench.jit import kernel_aside, kernel_entry, kernel_part
from bench.wire.amqp091_content import begin_body, end_content, take_body
from bench.wire.amqp091_deliver import (
    ACK,
    ACK_FRAME,
    BASIC,
    BODY,
    DELIVER,
    END_OCTET,
    FRAME_EXTRA,
    FRAME_HEADER,
    GET_OK,
    HEADER,
    HEARTBEAT,
    METHOD,
    NACK,
    PUBLISH,
    RETURN,
    take_whole,
)
from bench.wire.amqp091_layout import (
    BODY_LEFT,
    CHANNELS,
    FIRST_LANE,
    FRAME_LANE,
    FRAME_LEFT,
    FRAME_MAX,
    HEARTBEATS,
    IN_FRAME,
    KIND,
    PHASE,
    REDELIVERED,
    REPEATED,
    TAG,
    ChannelState,
    ChannelTables,
    Status,
)
from bench.wire.amqp091_settle import settle
from bench.wire.cursor import DELIVERED, FRAME_END, OUT, TAKEN, Scanned
from bench.wire.octets import STAMP, Octets, get16, get32, get63, octet

_CONFIRMED = int(Outcome.CONFIRMED)
_REFUSED = int(Outcome.REFUSED)
_AWAIT_METHOD, _AWAIT_HEADER, _AWAIT_BODY = int(ChannelState.METHOD), int(ChannelState.HEADER), int(ChannelState.BODY)
_MORE, _CONTROL, _FULL = int(Status.MORE), int(Status.CONTROL), int(Status.FULL)
_BAD_TYPE, _BAD_END, _TOO_LARGE = int(Status.BAD_TYPE), int(Status.BAD_END), int(Status.TOO_LARGE)
_BAD_CHANNEL, _SHORT = int(Status.BAD_CHANNEL), int(Status.SHORT)
_UNEXPECTED_METHOD, _UNEXPECTED_BODY = int(Status.UNEXPECTED_METHOD), int(Status.UNEXPECTED_BODY)
_BODY_TOO_LONG = int(Status.BODY_TOO_LONG)


@kernel_part
def _flag_after_tag(buf: Octets, at: int, end: int, before: int) -> int:
    """Return the offset of a tag and its octet of bits, `before` short strings on; -1 where there is none."""
    for _ in range(before):
        if at >= end:
            return -1
        at += 1 + octet(buf, at)
    return at if at + 9 <= end else -1


@kernel_aside
def _method(buf: Octets, at: int, end: int, now_ns: int, tables: ChannelTables, lane: int, found: Scanned) -> int:
    """Act on a method of class basic whose arguments are at..end; return a status."""
    lanes = tables.lanes
    method = get16(buf, at - 2)
    if method in (ACK, NACK):
        if end - at < 9:
            return _SHORT
        outcome = _CONFIRMED if method == ACK else _REFUSED
        multiple = (octet(buf, at + 8) & 1) == 1
        whole = settle(tables, lane, found, get63(buf, at), multiple, outcome, now_ns)
        return _MORE if whole else _FULL
    if method in (DELIVER, GET_OK):
        tag_at = _flag_after_tag(buf, at, end, 1 if method == DELIVER else 0)
        if tag_at < 0:
            return _SHORT
        tag = get63(buf, tag_at)
        if tag <= lanes[lane, TAG]:
            lanes[lane, REPEATED] += 1
        lanes[lane, TAG] = tag
        lanes[lane, REDELIVERED] = octet(buf, tag_at + 8) & 1
    elif method == PUBLISH:
        lanes[lane, TAG] += 1
        lanes[lane, REDELIVERED] = 0
    elif method != RETURN:
        return _CONTROL
    lanes[lane, KIND] = method
    lanes[lane, PHASE] = _AWAIT_HEADER
    return _MORE


@kernel_aside
def _content(
    buf: Octets, at: int, end: int, now_ns: int, tables: ChannelTables, conn: int, found: Scanned
) -> tuple[int, int]:
    """Act on the body frame at `at`, whole or begun; return a status and the offset behind what was used up."""
    conns, lanes = tables.conns, tables.lanes
    channel, size, payload = get16(buf, at + 1), get32(buf, at + 3), at + FRAME_HEADER
    lane = conns[conn, FIRST_LANE] + channel - 1
    status = _MORE
    if channel == 0 or channel > conns[conn, CHANNELS]:
        status = _BAD_CHANNEL
    elif lanes[lane, PHASE] != _AWAIT_BODY:
        status = _UNEXPECTED_BODY
    elif size > lanes[lane, BODY_LEFT]:
        status = _BODY_TOO_LONG
    elif end - payload <= size:
        conns[conn, IN_FRAME] = 1
        conns[conn, FRAME_LEFT] = size
        conns[conn, FRAME_LANE] = lane
        at = payload
    elif buf[payload + size] != END_OCTET:
        status = _BAD_END
    else:
        if size:
            take_body(buf, payload, size, now_ns, tables, lane, found)
        at = payload + size + 1
    return status, at


@kernel_aside
def _go_on(
    buf: Octets, at: int, end: int, now_ns: int, tables: ChannelTables, conn: int, found: Scanned
) -> tuple[int, int]:
    """Use up what has come of a body frame that has begun; as `_content`."""
    conns = tables.conns
    left = conns[conn, FRAME_LEFT]
    size = min(left, end - at)
    if size:
        conns[conn, FRAME_LEFT] = left - size
        take_body(buf, at, size, now_ns, tables, conns[conn, FRAME_LANE], found)
        at += size
    if size < left or at >= end:
        return _MORE, at
    if buf[at] != END_OCTET:
        return _BAD_END, at
    conns[conn, IN_FRAME] = 0
    return _MORE, at + 1


@kernel_aside
def _whole(buf: Octets, at: int, now_ns: int, tables: ChannelTables, conn: int, found: Scanned) -> int:
    """Act on the whole method, header or heartbeat frame at `at`; return a status."""
    conns, lanes = tables.conns, tables.lanes
    kind, channel, size, payload = octet(buf, at), get16(buf, at + 1), get32(buf, at + 3), at + FRAME_HEADER
    is_open = 0 < channel <= conns[conn, CHANNELS]
    lane = conns[conn, FIRST_LANE] + channel - 1
    status = _MORE
    if buf[payload + size] != END_OCTET:
        status = _BAD_END
    elif kind == HEARTBEAT:
        conns[conn, HEARTBEATS] += 1
    elif kind == HEADER:
        status = begin_body(buf, payload, size, tables, lane) if is_open else _BAD_CHANNEL
        if status == _MORE and lanes[lane, BODY_LEFT] == 0:
            end_content(tables.heads, lane * STAMP, now_ns, tables, lane, found)
    elif size < 4:
        status = _SHORT
    elif not is_open or get16(buf, payload) != BASIC:
        status = _CONTROL
    elif lanes[lane, PHASE] != _AWAIT_METHOD:
        status = _UNEXPECTED_METHOD
    else:
        status = _method(buf, payload + 4, payload + size, now_ns, tables, lane, found)
    return status


@kernel_part
def _known(kind: int) -> bool:
    return kind in (METHOD, HEADER, BODY, HEARTBEAT)


@kernel_entry
def scan(buf: Octets, start: int, end: int, now_ns: int, tables: ChannelTables, conn: int, found: Scanned) -> int:
    """Use up the frames in buf[start:end] of one connection; return a `Status`.

    cursor[TAKEN] is where it stopped. After MORE the octets from there on are the beginning
    of a frame: put the next ones behind them. Body octets are never left over.

    Args:
        buf: uint8, what was received.
        start: first octet to use.
        end: offset behind the last octet.
        now_ns: when the octets came, monotonic ns.
        tables: the state of all connections.
        conn: row of the connection.
        found: where rows and acknowledgements go; of these, 21 octets each.
    """
    tables, found = ChannelTables(*tables), Scanned(*found)
    conns, cursor = tables.conns, found.cursor
    at, status, moved = start, _MORE, True
    largest = conns[conn, FRAME_MAX] - FRAME_EXTRA
    acks_end = len(found.out) - ACK_FRAME
    while status == _MORE and moved and at < end:
        begin = at
        if cursor[DELIVERED] >= found.rows.shape[1] or cursor[OUT] > acks_end:
            status = _FULL
        elif conns[conn, IN_FRAME]:
            status, at = _go_on(buf, at, end, now_ns, tables, conn, found)
        elif not _known(octet(buf, at)):
            status = _BAD_TYPE
        elif end - at >= FRAME_HEADER:
            size = get32(buf, at + 3)
            if size > largest:
                status = _TOO_LARGE
            elif buf[at] == BODY:
                status, at = _content(buf, at, end, now_ns, tables, conn, found)
            elif end - at >= FRAME_EXTRA + size:
                at = take_whole(buf, at, end, now_ns, tables, conn, found)
                if at == begin:
                    status = _whole(buf, at, now_ns, tables, conn, found)
                    at += FRAME_EXTRA + size if status == _MORE else 0
        moved = at > begin
    cursor[TAKEN] = at
    if status == _CONTROL:
        cursor[FRAME_END] = at + FRAME_EXTRA + get32(buf, at + 3)
    return status
