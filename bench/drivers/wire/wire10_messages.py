"""What the messages of an AMQP 1.0 port carry: from what was asked for to templates, and texts that are put into them.

How a broker names an exchange and a key is data of the endpoint. One key is part of the
link's target, or the same in all messages; of several, each message carries its own. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.arrivals.keys import BY_PRODUCER, by_producer
from bench.drivers.base import ConsumerLane, Int64, PortSpec, ReplyAddress, Route
from bench.drivers.targets import Carried, targets
from bench.drivers.wire.lanes import Lane
from bench.wire.amqp10_front import SEQ, Front, Varying, make_front, text_value
from bench.wire.amqp10_layout import SPAN_LENGTH, SPAN_START
from bench.wire.amqp10_outgoing import make_form
from bench.wire.octets import Octets
from brokers.endpoint import Endpoint

MOST_ADDRESS = 1_024
"""Octets of an address of a reply queue; that of a name of 255 octets, each percent-encoded, has less."""
MOST_MADE = 256
"""Octets of an address that a broker makes."""
_TEXT_HEAD = 5
MOST_NEWS = 1 << 20
"""Octets of properties that are kept until they are learned from: more than is read at once."""
ANSWERED = 1_024
"""Producers whose reply addresses there is room for at first."""


@dataclass(frozen=True)
class Messages:
    """What messages of a port are made of, beside their bodies.

    Attributes:
        targets: addresses that links attach, one for all or one for each key; None = the anonymous terminus. Empty
            where producers send to their queues.
        front: the sections before the body.
        form: how a message is put together; see `bench.wire.amqp10_layout`.
        texts: what a key, or a lane, puts into its messages.
        rows: texts there will be.
        longest: octets that are put into a message at most.
    """

    targets: tuple[str | None, ...]
    front: Front
    form: Int64
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
        form = make_form(front, choice=by_producer(ANSWERED), compact=spec.compact, news=MOST_NEWS)
        return Messages(
            targets=(None,),
            front=front,
            form=form,
            rows=ANSWERED,
            longest=_TEXT_HEAD + MOST_ADDRESS + 1,
        )
    attached, carried = ((), ()) if spec.route is None else _targets(spec.route, endpoint)
    several = len(carried) > 1
    to, subject = carried[0] if len(carried) == 1 else ("", "")
    varying = Varying(destination=several, reply_to=spec.requests)
    front = make_front(properties, durable=spec.durable, to=to, subject=subject, varying=varying)
    texts = tuple(destination_text(*one) for one in carried) if several else ()
    longest = max((len(text) for text in texts), default=0)
    if spec.requests:
        longest += _TEXT_HEAD + max((_reply_octets(lane, endpoint) for lane in spec.consumers), default=0)
    rows = len(texts) + (lanes if spec.requests else 0)
    choice = spec.route.choice if spec.route is not None and several else None
    return Messages(
        targets=attached,
        front=front,
        form=make_form(front, choice=choice, replies=len(texts) if spec.requests else -1, compact=spec.compact),
        texts=texts,
        rows=rows,
        longest=longest,
    )


def target_of(messages: Messages, lane: Lane, endpoint: Endpoint) -> str | None:
    """Return the address that a producing lane attaches; None = the anonymous terminus."""
    attached = messages.targets
    return attached[lane.number % len(attached)] if attached else endpoint.address(lane.queue)


def _reply_octets(lane: ConsumerLane, endpoint: Endpoint) -> int:
    """Return how long the address of replies is, at most."""
    return MOST_MADE if lane.queue == ReplyAddress.DYNAMIC else len(endpoint.address(lane.queue).encode())


def destination_text(to: str, subject: str) -> bytes:
    """Return the fields `to` and `subject`, encoded."""
    return text_value(to) + text_value(subject)


def _targets(route: Route, endpoint: Endpoint) -> tuple[tuple[str | None, ...], tuple[Carried, ...]]:
    """Return the targets of links, and `to` and `subject` for each key, where messages carry them.

    Raises:
        Refused: a link of that broker has one key alone.
    """
    if route.choice[0] == BY_PRODUCER:  # a link for each key
        return tuple(targets(route.exchange, (key,), endpoint)[0] for key in route.keys), ()
    target, carried = targets(route.exchange, route.keys, endpoint)
    return (target,), carried


class Texts:
    """Texts that are put into messages, in the arrays that kernels read.

    Attributes:
        texts: uint8, one behind the other, behind what is left free for news.
        spans: int64 (rows, 2), where each lies.
    """

    def __init__(self, texts: Sequence[bytes], rows: int, news: int = 0) -> None:
        """Begin with these, and room for so many rows; `news` octets in front are for others."""
        self.texts: Octets = np.zeros(max(news + sum(map(len, texts)), 1), np.uint8)
        self.spans: Int64 = np.zeros((rows, 2), np.int64)
        self._used = news
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
