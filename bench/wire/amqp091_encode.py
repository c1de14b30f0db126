"""Making messages, compiled: one is made as a template, and stamped as often as it is sent.

A message is a method frame (basic.publish or, where we play the broker, basic.deliver), a
header frame and body frames (AMQP 0-9-1 specification, 2.3.5 and 4.2.6). What differs
between lanes (channel, routing key) is a row of `prefixes`: the first two frames. The body
frames are one template for all, whose channel numbers and stamp are written over.
"""

import numpy as np
import pika
import pika.frame
from numpy.typing import NDArray

from bench.kernels import kernel
from bench.wire.amqp091_deliver import BODY, END_OCTET, FRAME_EXTRA, FRAME_HEADER
from bench.wire.amqp091_layout import CHANNEL, PREFIX, PREFIX_AT, PRODUCER, PUBLISHED, TAG_AT
from bench.wire.amqp091_settle import note_published
from bench.wire.octets import Int64, Octets, copy, put16, put64, write_stamp
from bench.wire.templates import FIRST, OCTETS, SIZE, class_of

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


@kernel
def encode(
    out: Octets,
    at: int,
    prefixes: Octets,
    body: Octets,
    frame_max: int,
    lanes: Int64,
    ring: Int64,
    tracked: bool,
    lane: Int64,
    seq: Int64,
    intended_ns: Int64,
    sent_ns: int,
    first: int,
    end: int,
    classes: Int64,
) -> int:
    """Write the messages first <= i < end at out[at:]; return the offset behind them.

    Args:
        out: uint8, long enough for them.
        at: where to begin.
        prefixes: uint8, see `prefix`; one for each lane, at its PREFIX_AT.
        body: uint8, see `body_frames`; with several sizes those of all.
        frame_max: the frame size that `body` was made for.
        lanes: int64 (lanes, LANE_WIDTH).
        ring: int64 (lanes, power of two).
        tracked: whether confirms are awaited, so that messages are entered in the ring.
        lane: int64 (n,), row of each message's lane; all of one connection.
        seq: int64 (n,).
        intended_ns: int64 (n,), monotonic ns.
        sent_ns: stamped on all of them, monotonic ns.
        first: the first message to write.
        end: behind the last one.
        classes: int64, see `bench.wire.templates`.
    """
    body_at, octets, mixed = 0, len(body), len(classes) > 1
    for i in range(first, end):
        row = lane[i]
        length = lanes[row, PREFIX]
        copy(out, at, prefixes, lanes[row, PREFIX_AT], length)
        if mixed:
            kind = class_of(classes, lanes[row, PRODUCER], seq[i])
            body_at, octets = int(classes[kind, FIRST]), int(classes[kind, OCTETS])
            put64(out, at + length - _SIZE_BEFORE_END, classes[kind, SIZE])
        if lanes[row, TAG_AT]:
            put64(out, at + lanes[row, TAG_AT], lanes[row, PUBLISHED] + 1)
        at += length
        copy(out, at, body, body_at, octets)
        channel = lanes[row, CHANNEL]
        for frame in range(at, at + octets, frame_max):
            put16(out, frame + 1, channel)
        write_stamp(out, at + FRAME_HEADER, lanes[row, PRODUCER], seq[i], intended_ns[i], sent_ns)
        at += octets
        if tracked:
            note_published(lanes, row, ring, seq[i])
        else:
            lanes[row, PUBLISHED] += 1
    return at
