"""Frames of which messages are made, once a port: methods, content headers with all properties, bodies. By pika.

In a text `{seq}` stands for the sequence number: a header frame is made with zeros in its
place, and says where the digits of each message are to be written.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pika
import pika.frame
from numpy.typing import NDArray

from bench.drivers.base import Properties
from bench.wire.amqp091_deliver import BODY, END_OCTET, FRAME_EXTRA, FRAME_HEADER
from bench.wire.octets import DIGITS, Int64

SEQ = "{seq}"
LONGEST_NAME = 255
"""Octets of a short string at most: a name, a routing key."""
_PERSISTENT, _TRANSIENT = 2, 1
_BODY_SIZE_AT = FRAME_HEADER + 4
"""Where in a header frame the body size stands: behind class and weight."""


class HeaderFrame(NamedTuple):
    """The content header of a message.

    Attributes:
        octets: the frame.
        digits: where each `{seq}` begins: behind the place of the body size where `reply-to` comes later, so that its
            length makes no difference; else below 0, counted from the end.
    """

    octets: bytes
    digits: tuple[int, ...] = ()

    @property
    def size_at(self) -> int:
        """How far before its end the body size stands."""
        return len(self.octets) - _BODY_SIZE_AT


def publish_frame(channel: int, exchange: str, key: str, *, mandatory: bool) -> bytes:
    """Return the method frame that publishes a message."""
    publish = pika.spec.Basic.Publish(exchange=exchange, routing_key=key, mandatory=mandatory)
    octets: bytes = pika.frame.Method(channel, publish).marshal()
    return octets


def header_frame(channel: int, size: int, properties: Properties, *, durable: bool, reply_to: str = "") -> HeaderFrame:
    """Return the header frame of a message whose body has `size` octets."""
    zeros, ones = (
        pika.frame.Header(channel, size, _encoded(properties, digit * DIGITS, reply_to, durable=durable)).marshal()
        for digit in "01"
    )
    differ = [at for at, (zero, one) in enumerate(zip(zeros, ones, strict=True)) if zero != one][::DIGITS]
    values = [properties.content_type, properties.content_encoding, properties.correlation_id]
    values += [value for _, value in properties.headers if isinstance(value, str)]
    early = sum(value.count(SEQ) for value in values)
    digits = (at - (_BODY_SIZE_AT if number < early else len(zeros)) for number, at in enumerate(differ))
    return HeaderFrame(zeros, tuple(digits))


def _encoded(given: Properties, seq: str, reply_to: str, *, durable: bool) -> pika.BasicProperties:
    def text(template: str) -> str | None:
        return template.replace(SEQ, seq) or None

    headers: dict[str, Any] = {
        name: value.replace(SEQ, seq) if isinstance(value, str) else value for name, value in given.headers
    }
    return pika.BasicProperties(
        content_type=text(given.content_type),
        content_encoding=text(given.content_encoding),
        headers=headers or None,
        delivery_mode=_PERSISTENT if durable else _TRANSIENT,
        priority=given.priority,
        correlation_id=text(given.correlation_id),
        reply_to=reply_to or None,
        expiration=None if given.expiration_ms is None else str(given.expiration_ms),
        message_id=text(given.message_id),
        type=text(given.type),
        app_id=text(given.app_id),
    )


def make_outline(
    texts: Sequence[int], choice: Int64 | None, keys: Sequence[bytes], begin: int, *, compact: bool
) -> Int64:
    """Return what messages have beyond a prefix a lane; see `bench.wire.amqp091_layout.OUTLINE`.

    Args:
        texts: `HeaderFrame.digits`.
        choice: of a key; None where there are none.
        keys: the method frame of each key.
        begin: where the first one stands among the prefixes.
        compact: whether stamps are.
    """
    front = np.array([len(texts), len(keys), compact, *texts], np.int64)
    if choice is None:
        return front
    return np.concatenate([front, choice, np.cumsum([begin, *map(len, keys)], dtype=np.int64)])


def delivery_prefix(channel: int, consumer_tag: str, queue: str, size: int) -> tuple[bytes, int]:
    """Return the method and header frames of a delivery, and where in them the delivery tag stands."""
    deliver = pika.spec.Basic.Deliver(consumer_tag, 0, redelivered=False, exchange="", routing_key=queue)
    frames = (pika.frame.Method(channel, deliver), pika.frame.Header(channel, size, pika.BasicProperties()))
    return b"".join(frame.marshal() for frame in frames), FRAME_HEADER + 5 + len(consumer_tag.encode())


def body_frames(body: bytes, frame_max: int) -> NDArray[np.uint8]:
    """Return the frames of a body, on channel 0; uint8."""
    most = frame_max - FRAME_EXTRA
    pieces = [body[start : start + most] for start in range(0, len(body), most)]
    frames = [bytes((BODY, 0, 0)) + len(one).to_bytes(4, "big") + one + bytes((END_OCTET,)) for one in pieces]
    return np.frombuffer(b"".join(frames), np.uint8)
