"""A message that comes piece by piece, compiled: its header, its body octet by octet, its end.

Sources: AMQP 0-9-1 specification, 4.2.6 (content); the layout of the tables is in
`amqp091_layout`.
"""

from bench.jit import kernel_aside
from bench.wire.amqp091_deliver import (
    BASIC,
    HEADER_LEAST,
    RETURN,
    delivered,
    owe_ack,
    stamp_octets,
    stamped_seq,
    take_stamp,
)
from bench.wire.amqp091_layout import (
    BODY_LEFT,
    HEAD,
    KIND,
    PHASE,
    REDELIVERED,
    TAG,
    ChannelState,
    ChannelTables,
    Status,
)
from bench.wire.amqp091_requesters import keep_reply_to, note_requester
from bench.wire.amqp091_settle import note_returned
from bench.wire.cursor import FOREIGN, Scanned
from bench.wire.octets import STAMP, Octets, copy, get16, get63

_AWAIT_METHOD, _AWAIT_HEADER, _AWAIT_BODY = int(ChannelState.METHOD), int(ChannelState.HEADER), int(ChannelState.BODY)
_MORE, _SHORT, _BAD_CLASS = int(Status.MORE), int(Status.SHORT), int(Status.BAD_CLASS)
_UNEXPECTED_HEADER, _BODY_SIZE = int(Status.UNEXPECTED_HEADER), int(Status.BODY_SIZE)
_BODY_SIZE_LARGEST = 0x7FFF_FFFF_FFFF_FFFF


@kernel_aside
def end_content(buf: Octets, at: int, now_ns: int, tables: ChannelTables, lane: int, found: Scanned) -> None:
    """End the content of a lane; its stamp, where it is long enough for one, begins at `at` of `buf`."""
    lanes, cursor = tables.lanes, found.cursor
    lanes[lane, PHASE] = _AWAIT_METHOD
    whole = lanes[lane, HEAD] == stamp_octets(tables)
    if lanes[lane, KIND] == RETURN:
        seq = stamped_seq(buf, at, tables) if whole else -1
        if seq >= 0:
            note_returned(tables, lane, seq)
    elif whole and take_stamp(buf, at, tables, found):
        if len(tables.requesters):
            note_requester(tables, lane, found)
        delivered(tables, lane, found, lanes[lane, TAG], lanes[lane, REDELIVERED], now_ns)
    else:
        cursor[FOREIGN] += 1
        owe_ack(tables, lane, found, lanes[lane, TAG], now_ns, -1)


@kernel_aside
def take_body(buf: Octets, at: int, size: int, now_ns: int, tables: ChannelTables, lane: int, found: Scanned) -> None:
    """Use up `size` octets of a body."""
    lanes, heads = tables.lanes, tables.heads
    left = lanes[lane, BODY_LEFT] - size
    lanes[lane, BODY_LEFT] = left
    head, stamp = lanes[lane, HEAD], stamp_octets(tables)
    if head == 0 and left == 0 and size >= stamp:
        lanes[lane, HEAD] = stamp
        end_content(buf, at, now_ns, tables, lane, found)
        return
    take = min(stamp - head, size)
    copy(heads, lane * STAMP + head, buf, at, take)
    lanes[lane, HEAD] = head + take
    if left == 0:
        end_content(heads, lane * STAMP, now_ns, tables, lane, found)


@kernel_aside
def begin_body(buf: Octets, at: int, size: int, tables: ChannelTables, lane: int) -> int:
    """Act on a content header of `size` octets at `at`; return a status."""
    lanes = tables.lanes
    if lanes[lane, PHASE] != _AWAIT_HEADER:
        return _UNEXPECTED_HEADER
    if size < HEADER_LEAST:
        return _SHORT
    if get16(buf, at) != BASIC:
        return _BAD_CLASS
    length = get63(buf, at + 4)
    if length == _BODY_SIZE_LARGEST:
        return _BODY_SIZE
    if len(tables.requesters):
        keep_reply_to(buf, at, size, tables, lane)
    lanes[lane, BODY_LEFT] = length
    lanes[lane, HEAD] = 0
    lanes[lane, PHASE] = _AWAIT_BODY
    return _MORE
