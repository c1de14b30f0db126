"""Making messages, compiled: one is made as a template, and stamped as often as it is sent.

A message is a method frame (basic.publish or, where we play the broker, basic.deliver), a
header frame and body frames (AMQP 0-9-1 specification, 2.3.5 and 4.2.6). What differs
between lanes (channel, routing key, reply-to) is a part of `prefixes`: the first two frames. Where
messages have routing keys of their own, method frames are there once a key, and the lane has
the header frame alone. The body frames are one template for all, whose channel numbers and
stamp are written over.
"""

from bench.arrivals.key_kernels import key_of
from bench.drivers.base import Sends
from bench.jit import kernel_aside, kernel_entry, kernel_part
from bench.wire.amqp091_deliver import FRAME_EXTRA, FRAME_HEADER
from bench.wire.amqp091_layout import (
    CHANNEL,
    COMPACT,
    KEYS,
    OUTLINE,
    PREFIX,
    PREFIX_AT,
    PRODUCER,
    PUBLISHED,
    SEQ_TEXTS,
    SIZE_AT,
    TAG_AT,
    ChannelTables,
)
from bench.wire.amqp091_settle import note_published
from bench.wire.octets import Octets, copy, get32, put16, put64, put_digits, write_compact_stamp, write_stamp
from bench.wire.templates import FIRST, OCTETS, SIZE, Templates, class_of

OF_REQUESTS = -1
"""In place of a time: each stamp has the time that its request was sent, which is in `Sends.sent_ns`."""


@kernel_aside
def _put_method(out: Octets, at: int, tables: ChannelTables, row: int, seq: int) -> int:
    """Write the method frame of a message's key; return the offset behind it."""
    outline = tables.outline
    frames = len(outline) - outline[KEYS] - 1
    key = frames + key_of(outline[OUTLINE + outline[SEQ_TEXTS] : frames], tables.lanes[row, PRODUCER], seq)
    length = int(outline[key + 1] - outline[key])
    copy(out, at, tables.prefixes, outline[key], length)
    put16(out, at + 1, tables.lanes[row, CHANNEL])
    return at + length


@kernel_part
def _put_special(out: Octets, at: int, tables: ChannelTables, sends: Sends, sent_ns: int, i: int) -> None:
    """Write the sequence number into the header frame that ends at `at`, and a stamp, of either form, behind it."""
    outline, lanes, row, seq = tables.outline, tables.lanes, sends.lane[i], sends.seq[i]
    producer, intended_ns, begin = lanes[row, PRODUCER], sends.intended_ns[i], at - lanes[row, PREFIX]
    for text in range(outline[SEQ_TEXTS]):
        place = outline[OUTLINE + text]
        put_digits(out, begin + lanes[row, SIZE_AT] + place if place >= 0 else at + place, seq)
    if outline[COMPACT]:
        write_compact_stamp(out, at + FRAME_HEADER, producer, seq, intended_ns)
    else:
        stamped_ns = sends.sent_ns[i] if sent_ns == OF_REQUESTS else sent_ns
        write_stamp(out, at + FRAME_HEADER, producer, seq, intended_ns, stamped_ns)


@kernel_entry
def encode(
    out: Octets, at: int, templates: Templates, tables: ChannelTables, sends: Sends, sent_ns: int, first: int, end: int
) -> int:
    """Write the messages first <= i < end at out[at:]; return the offset behind them.

    Args:
        out: uint8, long enough for them.
        at: where to begin.
        templates: of `body_frames`.
        tables: the state of all lanes.
        sends: messages; `lane` is the row of each one's lane, all of one connection.
        sent_ns: stamped on all of them, monotonic ns; or `OF_REQUESTS`.
        first: the first message to write.
        end: behind the last one.
    """
    templates, tables, sends = Templates(*templates), ChannelTables(*tables), Sends(*sends)
    body, classes, lanes, seq = templates.octets, templates.classes, tables.lanes, sends.seq
    tracked = tables.ring.shape[1] > 1
    body_at, octets, mixed = 0, len(body), len(classes) > 1
    outline, has_keys = tables.outline, tables.outline[KEYS] > 0
    special = outline[SEQ_TEXTS] > 0 or outline[COMPACT] > 0 or sent_ns == OF_REQUESTS
    for i in range(first, end):
        row = sends.lane[i]
        if has_keys:
            at = _put_method(out, at, tables, row, seq[i])
        length = lanes[row, PREFIX]
        copy(out, at, tables.prefixes, lanes[row, PREFIX_AT], length)
        if mixed:
            kind = class_of(classes, lanes[row, PRODUCER], seq[i])
            body_at, octets = int(classes[kind, FIRST]), int(classes[kind, OCTETS])
            put64(out, at + lanes[row, SIZE_AT], classes[kind, SIZE])
        if lanes[row, TAG_AT]:
            put64(out, at + lanes[row, TAG_AT], lanes[row, PUBLISHED] + 1)
        at += length
        copy(out, at, body, body_at, octets)
        if special:
            _put_special(out, at, tables, sends, sent_ns, i)
        else:
            write_stamp(out, at + FRAME_HEADER, lanes[row, PRODUCER], seq[i], sends.intended_ns[i], sent_ns)
        channel, after = lanes[row, CHANNEL], at + octets
        while at < after:
            put16(out, at + 1, channel)
            at += FRAME_EXTRA + get32(out, at + 3)
        if tracked:
            note_published(tables, row, seq[i])
        else:
            lanes[row, PUBLISHED] += 1
    return at
