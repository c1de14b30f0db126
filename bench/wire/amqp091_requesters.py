"""Who sent requests, and where each wants its replies: `reply-to` of the first request of a producer, compiled.

Kept as octets, where a port answers: which producers are known; the `reply-to` of the message
under way on each lane; and letters, one for each producer since the driver last read them:
producer and lane of four octets each, and a short string. Elsewhere there are none, and
nothing is looked at.

Sources: AMQP 0-9-1 specification, 4.2.6.1 (property flags and lists), 4.2.5 (their types).
"""

from collections.abc import Iterator

import numpy as np

from bench.jit import kernel_aside, kernel_part
from bench.wire.amqp091_layout import ChannelTables
from bench.wire.cursor import CURSOR_WIDTH, DELIVERED, SETTLED_ROWS, Scanned
from bench.wire.octets import Int64, Octets, copy, get16, get32, octet, put32

NOTED = CURSOR_WIDTH
"""Cell of the cursor: octets of letters."""
ANSWERING_WIDTH = CURSOR_WIDTH + 1
"""Length of the cursor of a port that answers."""

KNOWN = 1 << 20
"""Producers that can be known, as many as compact stamps can tell apart."""
_SLOT = 256
_LETTER = 8 + _SLOT
_CONTENT_TYPE, _CONTENT_ENCODING, _HEADERS, _DELIVERY_MODE, _PRIORITY, _CORRELATION_ID, _REPLY_TO = (
    1 << bit for bit in range(15, 8, -1)
)
_BEFORE_PROPERTIES = 14


def make_requesters(lanes: int, letters: int) -> Octets:
    """Return octets for so many lanes, and so many letters before they are read."""
    return np.zeros(KNOWN + lanes * _SLOT + letters * _LETTER, np.uint8)


def read_letters(requesters: Octets, lanes: int, cursor: Int64) -> Iterator[tuple[int, int, str]]:
    """Yield producer, lane and address of each letter, and forget them."""
    begin = KNOWN + lanes * _SLOT
    data, at = bytes(requesters[begin : begin + cursor[NOTED]]), 0
    cursor[NOTED] = 0
    while at < len(data):
        producer, lane = (int.from_bytes(data[place : place + 4], "big") for place in (at, at + 4))
        end = at + 9 + data[at + 8]
        yield producer, lane, data[at + 9 : end].decode(errors="replace")
        at = end


@kernel_aside
def keep_reply_to(buf: Octets, at: int, size: int, tables: ChannelTables, lane: int) -> None:
    """Keep the `reply-to` of a content header of `size` octets at `at`; an empty one where there is none."""
    slot, end = KNOWN + lane * _SLOT, at + size
    tables.requesters[slot] = 0
    flags = get16(buf, at + _BEFORE_PROPERTIES - 2)
    at += _BEFORE_PROPERTIES
    if not flags & _REPLY_TO:
        return
    for name in (_CONTENT_TYPE, _CONTENT_ENCODING, _HEADERS, _DELIVERY_MODE, _PRIORITY, _CORRELATION_ID):
        if flags & name:
            if name in (_DELIVERY_MODE, _PRIORITY):
                at += 1
            elif name == _HEADERS:
                at += 4 + get32(buf, at) if at + 4 <= end else 4
            else:
                at += 1 + octet(buf, at) if at < end else 1
    if at < end and at + 1 + octet(buf, at) <= end:
        copy(tables.requesters, slot, buf, at, 1 + octet(buf, at))


@kernel_aside
def note_requester(tables: ChannelTables, lane: int, found: Scanned) -> None:
    """Write a letter, where the producer of the row of deliveries that was begun is not known and wants replies."""
    requesters, cursor = tables.requesters, found.cursor
    producer = found.rows[SETTLED_ROWS + 1, cursor[DELIVERED]]
    slot, at = KNOWN + lane * _SLOT, KNOWN + len(tables.lanes) * _SLOT + cursor[NOTED]
    length = 1 + octet(requesters, slot)
    if producer >= KNOWN or requesters[producer] or length == 1 or at + _LETTER > len(requesters):
        return
    requesters[producer] = 1
    put32(requesters, at, producer)
    put32(requesters, at + 4, lane)
    copy(requesters, at + 8, requesters, slot, length)
    cursor[NOTED] += 8 + length


@kernel_part
def learn(buf: Octets, at: int, size: int, tables: ChannelTables, lane: int, found: Scanned) -> None:
    """As `keep_reply_to` and `note_requester`, where the producer is not known."""
    producer = found.rows[SETTLED_ROWS + 1, found.cursor[DELIVERED]]
    if producer < KNOWN and not tables.requesters[producer]:
        keep_reply_to(buf, at, size, tables, lane)
        note_requester(tables, lane, found)
