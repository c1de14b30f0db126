"""What the messages of an AMQP 1.0 port carry: from what was asked for to templates, and texts that are put into them.

How a broker names an exchange and a key is data of the endpoint. One key is part of the
link's target, or the same in all messages; of several, each message carries its own. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.arrivals.keys import by_producer
from bench.drivers.base import Int64, PortSpec
from bench.drivers.targets import targets
from bench.wire.amqp10_front import SEQ, Front, Varying, make_front, text_value
from bench.wire.amqp10_layout import SPAN_LENGTH, SPAN_START
from bench.wire.amqp10_outgoing import make_form
from bench.wire.octets import Octets
from brokers.endpoint import Endpoint

MOST_ADDRESS = 512
"""Octets of an address that a broker or requester may name."""
_TEXT_HEAD = 5
ANSWERED = 1_024
"""Producers whose reply addresses there is room for at first."""


@dataclass(frozen=True)
class Messages:
    """What messages of a port are made of, beside their bodies.

    Attributes:
        target: the address that producing links attach, where it is not that of their queues; None = none.
        routed: whether `target` holds.
        front: the sections before the body.
        form: how a message is put together; see `bench.wire.amqp10_layout`.
        choice: which of `texts` a message has.
        texts: what a key, or a lane, puts into its messages.
        rows: texts there will be.
        longest: octets that are put into a message at most.
    """

    target: str | None
    routed: bool
    front: Front
    form: Int64
    choice: Int64
    texts: tuple[bytes, ...] = ()
    rows: int = 0
    longest: int = 0


def make_messages(spec: PortSpec, endpoint: Endpoint, lanes: int) -> Messages:
    """Return what messages are made of; `lanes` is the number of rows that lanes have.

    Raises:
        Refused: the broker cannot be told a routing key for each message.
    """
    properties = spec.properties
    if (spec.requests or spec.reply_size) and not properties.correlation_id:
        properties = replace(properties, correlation_id=SEQ)
    if spec.reply_size:
        front = make_front(properties, durable=spec.durable, varying=Varying(destination=True))
        form = make_form(front, keyed=True, compact=spec.compact)
        return Messages(
            target=None,
            routed=True,
            front=front,
            form=form,
            choice=by_producer(ANSWERED),
            rows=ANSWERED,
            longest=_TEXT_HEAD + MOST_ADDRESS + 1,
        )
    target, carried = (None, ()) if spec.route is None else targets(spec.route.exchange, spec.route.keys, endpoint)
    several = len(carried) > 1
    to, subject = carried[0] if len(carried) == 1 else ("", "")
    varying = Varying(destination=several, reply_to=spec.requests)
    front = make_front(properties, durable=spec.durable, to=to, subject=subject, varying=varying)
    texts = tuple(destination_text(*one) for one in carried) if several else ()
    longest = max((len(text) for text in texts), default=0)
    rows = len(texts) + (lanes if spec.requests else 0)
    return Messages(
        target=target,
        routed=spec.route is not None,
        front=front,
        form=make_form(front, keyed=several, replies=len(texts) if spec.requests else -1, compact=spec.compact),
        choice=np.zeros(0, np.int64) if spec.route is None else spec.route.choice,
        texts=texts,
        rows=rows,
        longest=longest + (MOST_ADDRESS + _TEXT_HEAD if spec.requests else 0),
    )


def destination_text(to: str, subject: str) -> bytes:
    """Return the fields `to` and `subject`, encoded."""
    return text_value(to) + text_value(subject)


class Texts:
    """Texts that are put into messages, in the arrays that kernels read.

    Attributes:
        texts: uint8, one behind the other.
        spans: int64 (rows, 2), where each lies.
    """

    def __init__(self, texts: Sequence[bytes], rows: int) -> None:
        """Begin with these, and room for so many rows."""
        self.texts: Octets = np.zeros(max(sum(map(len, texts)), 1), np.uint8)
        self.spans: Int64 = np.zeros((rows, 2), np.int64)
        self._used = 0
        for row, text in enumerate(texts):
            self.put(row, text)

    def put(self, row: int, text: bytes) -> None:
        """Enter a text; the arrays may be others afterwards."""
        if row >= len(self.spans):
            grown = np.zeros((max(2 * len(self.spans), row + 1), 2), np.int64)
            grown[: len(self.spans)] = self.spans
            self.spans = grown
        start, end = self._used, self._used + len(text)
        if end > len(self.texts):
            self.texts = np.concatenate([self.texts, np.zeros(max(len(self.texts), len(text)), np.uint8)])
        self.texts[start:end] = np.frombuffer(text, np.uint8)
        self.spans[row, SPAN_START], self.spans[row, SPAN_LENGTH] = start, len(text)
        self._used = end

    def miss(self, row: int) -> None:
        """Note that there is no such text."""
        self.put(row, b"")
        self.spans[row, SPAN_LENGTH] = -1
