"""Making messages, compiled: one is made as a template, and stamped as often as it is sent.

A message is a method frame (basic.publish or, where we play the broker, basic.deliver), a
header frame and body frames (AMQP 0-9-1 specification, 2.3.5 and 4.2.6). What differs
between lanes (channel, routing key) is a part of `prefixes`: the first two frames. The body
frames are one template for all, whose channel numbers and stamp are written over.
"""

import numpy as np
import pika
import pika.frame
from numpy.typing import NDArray

from bench.drivers.base import Sends
from bench.jit import kernel_entry
from bench.wire.amqp091_deliver import BODY, END_OCTET, FRAME_EXTRA, FRAME_HEADER
from bench.wire.amqp091_layout import CHANNEL, PREFIX, PREFIX_AT, PRODUCER, PUBLISHED, TAG_AT, ChannelTables
from bench.wire.amqp091_settle import note_published
from bench.wire.octets import Octets, copy, get32, put16, put64, write_stamp
from bench.wire.templates import FIRST, OCTETS, SIZE, Templates, class_of

_PERSISTENT, _TRANSIENT = 2, 1
_SIZE_BEFORE_END = 12
"""Where, from the end of a prefix, the body size stands: itself, property flags, delivery mode, end octet."""


def prefix(channel: int, queue: str, size: int, *, durable: bool, mandatory: bool) -> bytes:
    """Return the method and header frames of a message to the default exchange."""
    publish = pika.spec.Basic.Publish(exchange="", routing_key=queue, mandatory=mandatory)
    properties = pika.BasicProperties(delivery_mode=_PERSISTENT if durable else _TRANSIENT)
    frames = (pika.frame.Method(channel, publish), pika.frame.Header(channel, size, properties))
    return b"".join(frame.marshal() for frame in frames)


def delivery_prefix(channel: int, consumer_tag: str, queue: str, size: int) -> tuple[bytes, int]:
    """Return the method and header frames of a delivery, and where in them the delivery tag stands."""
    deliver = pika.spec.Basic.Deliver(consumer_tag, 0, redelivered=False, exchange="", routing_key=queue)
    frames = (pika.frame.Method(channel, deliver), pika.frame.Header(channel, size, pika.BasicProperties()))
    return b"".join(frame.marshal() for frame in frames), FRAME_HEADER + 5 + len(consumer_tag.encode())


def body_frames(size: int, frame_max: int) -> NDArray[np.uint8]:
    """Return the frames of a body of `size` zeros, on channel 0; uint8."""
    most = frame_max - FRAME_EXTRA
    parts = []
    for start in range(0, size, most):
        length = min(most, size - start)
        parts.append(bytes((BODY, 0, 0)) + length.to_bytes(4, "big") + bytes(length) + bytes((END_OCTET,)))
    return np.frombuffer(b"".join(parts), np.uint8)


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
        sent_ns: stamped on all of them, monotonic ns.
        first: the first message to write.
        end: behind the last one.
    """
    templates, tables, sends = Templates(*templates), ChannelTables(*tables), Sends(*sends)
    body, classes, lanes, seq = templates.octets, templates.classes, tables.lanes, sends.seq
    tracked = tables.ring.shape[1] > 1
    body_at, octets, mixed = 0, len(body), len(classes) > 1
    for i in range(first, end):
        row = sends.lane[i]
        length = lanes[row, PREFIX]
        copy(out, at, tables.prefixes, lanes[row, PREFIX_AT], length)
        if mixed:
            kind = class_of(classes, lanes[row, PRODUCER], seq[i])
            body_at, octets = int(classes[kind, FIRST]), int(classes[kind, OCTETS])
            put64(out, at + length - _SIZE_BEFORE_END, classes[kind, SIZE])
        if lanes[row, TAG_AT]:
            put64(out, at + lanes[row, TAG_AT], lanes[row, PUBLISHED] + 1)
        at += length
        copy(out, at, body, body_at, octets)
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
