"""Publisher confirms, compiled: which messages of a channel an ack, nack or return is about.

The n-th message published on a channel has delivery tag n; ack and nack may settle all up
to a tag; basic.return comes before the ack of the message it returns
(https://www.rabbitmq.com/docs/confirms). The ring and the columns are those of
`amqp091_layout`.
"""

from bench.drivers.base import Outcome
from bench.jit import kernel_entry
from bench.wire.amqp091_layout import (
    AGAIN,
    BEYOND,
    CAME_BACK,
    FREE,
    IN_FLIGHT,
    NEVER_SENT,
    OLDEST,
    OWN,
    PUBLISHED,
    STATE_BITS,
    WAITING,
    ChannelTables,
)
from bench.wire.cursor import SETTLED, Scanned
from bench.wire.octets import Int64

_CONFIRMED = int(Outcome.CONFIRMED)
_RETURNED = int(Outcome.RETURNED)
_STATE = (1 << STATE_BITS) - 1


@kernel_entry
def note_published(tables: ChannelTables, lane: int, seq: int) -> None:
    """Enter the next message of a lane."""
    lanes, ring = tables.lanes, tables.ring
    tag = lanes[lane, PUBLISHED] + 1
    lanes[lane, PUBLISHED] = tag
    lanes[lane, IN_FLIGHT] += 1
    ring[lane, tag & (ring.shape[1] - 1)] = (seq << STATE_BITS) | WAITING


@kernel_entry
def note_returned(tables: ChannelTables, lane: int, seq: int) -> None:
    """Note that the broker returned a message; its ack is still to come."""
    lanes, ring = tables.lanes, tables.ring
    mask = ring.shape[1] - 1
    oldest, last = lanes[lane, OLDEST], lanes[lane, PUBLISHED]
    wanted = (seq << STATE_BITS) | WAITING
    # Numbers of a lane follow each other, so the place can nearly always be computed.
    guess = oldest + seq - (ring[lane, oldest & mask] >> STATE_BITS)
    if oldest <= guess <= last and ring[lane, guess & mask] == wanted:
        ring[lane, guess & mask] = (seq << STATE_BITS) | CAME_BACK
        return
    for tag in range(oldest, last + 1):
        if ring[lane, tag & mask] == wanted:
            ring[lane, tag & mask] = (seq << STATE_BITS) | CAME_BACK
            return


@kernel_entry
def settle(
    tables: ChannelTables, lane: int, found: Scanned, tag: int, multiple: bool, outcome: int, at_ns: int
) -> bool:
    """Append a row for each message that an ack or nack settles; return whether there was room for all.

    Where there was none, call it again with the same arguments once rows were taken out.
    A confirmed message that was returned has the outcome RETURNED. Tag 0 with `multiple`
    is all in flight (AMQP 0-9-1 reference, basic.ack). What is settled already, or was
    never published, is passed over and counted.
    """
    lanes, ring, rows, cursor = tables.lanes, tables.ring, found.rows, found.cursor
    mask = ring.shape[1] - 1
    oldest, last = lanes[lane, OLDEST], lanes[lane, PUBLISHED]
    end = last if multiple and tag == 0 else min(tag, last)
    first = oldest if multiple else tag
    if not multiple:
        if tag > last or tag == 0:
            lanes[lane, NEVER_SENT] += 1
            return True
        if tag < oldest or ring[lane, tag & mask] & _STATE == FREE:
            lanes[lane, AGAIN] += 1
            return True
    elif end < oldest and tag != 0 and tag <= last:
        lanes[lane, AGAIN] += 1
    row, at = cursor[SETTLED], first
    while at <= end and row < rows.shape[1]:
        entry = ring[lane, at & mask]
        if entry & _STATE != FREE:
            rows[0, row] = lanes[lane, OWN]
            rows[1, row] = entry >> STATE_BITS
            rows[2, row] = _RETURNED if entry & _STATE == CAME_BACK and outcome == _CONFIRMED else outcome
            rows[3, row] = at_ns
            row += 1
            ring[lane, at & mask] = FREE
        at += 1
    lanes[lane, IN_FLIGHT] -= row - cursor[SETTLED]
    cursor[SETTLED] = row
    if first == oldest:
        while oldest <= last and ring[lane, oldest & mask] & _STATE == FREE:
            oldest += 1
        lanes[lane, OLDEST] = oldest
    whole = at > end or lanes[lane, OLDEST] > end
    if whole and multiple and tag > last:
        lanes[lane, BEYOND] += 1
    return bool(whole)


@kernel_entry
def room(lanes: Int64, first: int, count: int, window: int, span: int) -> int:
    """Return the smallest number of messages that any of `count` lanes may publish now.

    `span` bounds the distance of unsettled tags, which is the length of the ring.
    """
    least = 1 << 40
    for lane in range(first, first + count):
        free = window - lanes[lane, IN_FLIGHT]
        reach = span - 1 - (lanes[lane, PUBLISHED] - lanes[lane, OLDEST])
        least = min(least, free, reach)
    return max(0, least)
