"""AMQP 1.0: the message that is sent, made once, and how many of it there is room for."""

import struct
from dataclasses import dataclass

import numpy as np

from bench.arrivals.body_content import BodyContent
from bench.jit import kernel_entry, kernel_part
from bench.wire.amqp10_body import opening
from bench.wire.amqp10_front import Front, data_head
from bench.wire.amqp10_layout import (
    C_DELIVERY,
    C_LANES,
    C_MAX_OUT,
    C_OLDEST,
    C_OUT_WINDOW,
    C_PARKED,
    F_COMPACT,
    F_DIGITS,
    F_KEYED,
    F_REPLIES,
    F_SIZE,
    F_SIZE_AT,
    F_SPLIT,
    HEAD,
    L_CONN,
    L_CREDIT,
    L_HANDLE,
    L_INFLIGHT,
    L_LIMIT,
    L_SENDS,
    MASK32,
    TRANSFER,
    LinkTables,
)
from bench.wire.octets import Int64, Octets


@dataclass(frozen=True)
class Template:
    """A message of a given size.

    Attributes:
        frame: one frame's head, then the sections and the body.
        stamp: where the body begins in it.
    """

    frame: Octets
    stamp: int


def make_template(
    size: int, *, durable: bool = False, front: Front | None = None, content: BodyContent | None = None
) -> Template:
    """Return the template of messages with bodies of `size` bytes, at least those of a stamp.

    Args:
        size: bytes of a body.
        durable: said in the header, where no front is given.
        front: the sections before the body; by default a header.
        content: what bodies hold; by default zeros.
    """
    head = bytearray(struct.pack(">IBBHBBBBBB", 0, 2, 0, 0, 0, 0x53, TRANSFER, 0xC0, HEAD - 13, 6))
    head += b"\x70\0\0\0\0\x70\0\0\0\0\xa0\x04\0\0\0\0\x43\x42\x42"
    before = opening(size, durable=durable) if front is None else front.octets + data_head(size)
    body = bytes(size) if content is None else content.fill(size)
    frame = np.frombuffer(head + before + body, np.uint8)
    return Template(frame, HEAD + len(before))


def make_form(front: Front, *, keyed: bool = False, replies: int = -1, compact: bool = False) -> Int64:
    """Return how messages are put together; see `bench.wire.amqp10_pieces`.

    Args:
        front: of their template.
        keyed: each has the text of its key.
        replies: first row of the texts of lanes; -1 = they have none.
        compact: stamps have the compact form.
    """
    if not (front.split or front.digits or compact):
        return np.zeros(0, np.int64)
    form = np.zeros(F_DIGITS + len(front.digits), np.int64)
    form[F_SPLIT], form[F_SIZE_AT], form[F_SIZE] = HEAD + front.split, HEAD + front.size_at, front.size
    form[F_KEYED], form[F_REPLIES], form[F_COMPACT] = keyed, replies, compact
    form[F_DIGITS:] = front.digits
    form[F_DIGITS:] += HEAD
    return form


@kernel_part
def _lane_room(size: int, tables: LinkTables, lane: int) -> int:
    """Return how many messages a lane may take, where every lane of its connection takes as many."""
    conns, lanes, rings = tables.conns, tables.lanes, tables.rings
    conn = lanes[lane, L_CONN]
    if lanes[lane, L_HANDLE] < 0 or conns[conn, C_PARKED] > 0 or conns[conn, C_OUT_WINDOW] <= 0:
        return 0
    fits = lanes[lane, L_CREDIT]
    shared = conns[conn, C_LANES]
    if lanes[lane, L_LIMIT] > 0:
        span = (conns[conn, C_DELIVERY] - conns[conn, C_OLDEST]) & MASK32
        fits = min(fits, lanes[lane, L_LIMIT] - lanes[lane, L_INFLIGHT], (rings.shape[1] - span) // shared)
    payload = conns[conn, C_MAX_OUT] - HEAD
    frames = (size - HEAD + payload - 1) // payload
    # One message a lane may always begin, as what the window does not take is parked.
    return int(max(0, min(fits, max(1, conns[conn, C_OUT_WINDOW] // (frames * shared)))))


@kernel_entry
def room(size: int, tables: LinkTables, first: int, count: int, following: int, most: int) -> int:
    """Return how many messages may be dealt to lanes in turn now.

    Args:
        size: length of the template.
        tables: the state of all links.
        first: first of the rows that take messages.
        count: number of them; those that receive are passed over, where all are counted.
        following: which of them, from 0, is next in turn.
        most: stop counting there.
    """
    tables = LinkTables(*tables)
    if count <= most:
        least = most
        for lane in range(first, first + count):
            if tables.lanes[lane, L_SENDS] == 1:
                least = min(least, _lane_room(size, tables, lane))
            if least == 0:
                return 0
        return min(most, least * count)
    for step in range(most):
        if _lane_room(size, tables, first + (following + step) % count) == 0:
            return step
    return most
