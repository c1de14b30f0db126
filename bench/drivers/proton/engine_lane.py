"""Lanes over AMQP 1.0 with Proton's engine: one connection, session and link each.

Here is what a message costs: encoding is a stamp written over a message made beforehand,
decoding is finding the body; settlement is by delivery.
"""

import struct
from collections.abc import Mapping
from functools import partial
from typing import Any

import cproton as pn
from proton import Data, Described, symbol

from bench.drivers.base import ConsumerLane, Outcome, ProducerLane, Refused
from bench.drivers.proton.addressing import Addressing
from bench.drivers.proton.encoded import EncodedMessages
from bench.drivers.proton.engine import ProtonConnection
from bench.drivers.refusals import Disposition
from bench.drivers.sockets.connection import OUTPUT_LIMIT, Consumer, Context, Producer
from bench.drivers.sockets.credit_watch import CreditWatch
from bench.drivers.sockets.port import SocketPort
from bench.wire.amqp10_body import find_body

_FRAMING_BYTES = 64
"""About what a transfer adds to a message."""

_TAG = struct.Struct(">I")
_TAGS = 1 << 32

_OUTCOMES = {
    pn.PN_ACCEPTED: Outcome.CONFIRMED,
    pn.PN_REJECTED: Outcome.REFUSED,
    pn.PN_MODIFIED: Outcome.REFUSED,
    pn.PN_RELEASED: Outcome.RETURNED,
}
_STATES = {
    Disposition.ACCEPTED: pn.PN_ACCEPTED,
    Disposition.REJECTED: pn.PN_REJECTED,
    Disposition.REQUEUED: pn.PN_MODIFIED,
}


class ProtonProducer(ProtonConnection, Producer):
    """Sends unsettled within a window, or pre-settled where the window is 0.

    Pre-settled senders starve on Broker-J (10.1.0 and before): each *read* of its socket
    gives back one credit, however many messages it held, so that after some 20,000
    messages the credit falls to 1 and one flow comes for each message. That is shown, not
    worked around: such flows are counted (`credit_leak`).
    """

    def __init__(self, context: Context, lane: int, producer: ProducerLane) -> None:
        """Connect and begin to open."""
        spec = context.spec
        addressing = Addressing(spec, context.endpoint, producer)
        super().__init__(context, lane, producer)
        self._target = addressing.target
        self._limit = spec.confirm_window
        self._messages = EncodedMessages(spec, self.producer, addressing)
        self._unsettled: dict[Any, int] = {}
        self._tags = 0
        self._credit_watch = CreditWatch()
        self._start(pn.pn_sender)

    def room(self) -> int:
        """Return how many messages fit into credit, window and output buffer.

        A session window that is used up leaves its bytes in the engine, so that they
        count as output. Credit is negative after a peer has lowered it.
        """
        if self.closed:
            return 0
        bytes_left = OUTPUT_LIMIT - self.unwritten()
        if bytes_left <= 0:
            return 0
        credit = max(0, int(pn.pn_link_credit(self._link)))
        if not credit or self._credit_watch.since_ns is not None:
            self._credit_watch.look(self.context.clock.now_ns(), credit=credit > 0)
        fits = min(credit, 1 + bytes_left // (self._messages.longest + _FRAMING_BYTES))
        return min(fits, self._limit - len(self._unsettled)) if self._limit else fits

    def counts(self) -> Mapping[str, int]:
        """Return how long there was no credit."""
        return self._credit_watch.counts()

    def publish(self, seq: int, intended_ns: int) -> int:
        """Stamp and encode one message; return the time of the stamp, monotonic ns."""
        link = self._link
        front = self._messages.front(seq)
        sent_ns = self.context.clock.now_ns()
        rest = self._messages.rest(seq, intended_ns, sent_ns)
        self._tags = (self._tags + 1) % _TAGS
        delivery = pn.pn_delivery(link, _TAG.pack(self._tags))
        if front is not None:
            pn.pn_link_send(link, front)
        pn.pn_link_send(link, rest)
        pn.pn_link_advance(link)
        if self._limit:
            self._unsettled[delivery] = seq
        else:
            pn.pn_delivery_settle(delivery)
        return sent_ns

    def unwritten(self) -> int:
        """Return the bytes that the kernel has not yet been given."""
        return int(pn.pn_session_outgoing_bytes(self._session)) + self._unsent

    def _attach(self) -> None:
        if self._target is not None:
            pn.pn_terminus_set_address(pn.pn_link_target(self._link), self._target)
        pn.pn_link_set_snd_settle_mode(self._link, pn.PN_SND_UNSETTLED if self._limit else pn.PN_SND_SETTLED)

    def _on_link_news(self) -> None:
        target = pn.pn_terminus_get_type(pn.pn_link_remote_target(self._link))
        if target != pn.PN_UNSPECIFIED and pn.pn_link_credit(self._link) > 0:
            self.ready = True

    def _on_flow(self) -> None:
        super()._on_flow()
        if not self._limit and pn.pn_link_credit(self._link) == 1:
            self.context.count("credit_leak")

    def _on_delivery(self, delivery: Any) -> None:
        """Settle on a terminal outcome.

        A broker that settles without saying how has given no promise: refused.
        """
        state = pn.pn_delivery_remote_state(delivery)
        if state in _OUTCOMES or pn.pn_delivery_settled(delivery):
            seq = self._unsettled.pop(delivery, None)
            if seq is not None:
                now_ns = self.context.clock.now_ns()
                self.context.settlements.add(self.lane, seq, _OUTCOMES.get(state, Outcome.REFUSED), now_ns)
                pn.pn_delivery_settle(delivery)


class ProtonConsumer(ProtonConnection, Consumer):
    """Receives on credit, accepts and settles in batches; or pre-settled where the batch is 0.

    `received_ns` is one reading of the clock a message, when the engine holds all of it
    and it is taken out.
    """

    def __init__(self, context: Context, lane: int, consumer: ConsumerLane) -> None:
        """Connect and begin to open."""
        spec = context.spec
        if spec.consuming.exclusive:
            message = "AMQP 1.0 has no exclusive consumers: use AMQP 0-9-1, or leave `exclusive` out"
            raise Refused(message)
        super().__init__(context, lane, consumer)
        self._prefetch = spec.prefetch
        self._automatic = spec.ack_batch == 0
        self._stamp_size = spec.stamp_size
        self._filters = spec.consuming.arguments
        self._pending: list[tuple[Any, Disposition]] = []
        self._before_body = b"\x00never"
        self._redelivered = False
        self._start(pn.pn_receiver)

    def begin_close(self) -> None:
        """Acknowledge what is pending and begin the closing handshake."""
        self.settle_rest()
        super().begin_close()

    def acknowledge(self) -> None:
        """Accept, or refuse, and settle what was delivered; the engine makes ranges of it."""
        for delivery, disposition in self._pending:
            if disposition is not Disposition.ACCEPTED:
                self.context.count(disposition.value)
                if disposition is Disposition.REQUEUED:
                    pn.pn_disposition_set_failed(pn.pn_delivery_local(delivery), True)  # noqa: FBT003  (positional only)
            pn.pn_delivery_update(delivery, _STATES[disposition])
            pn.pn_delivery_settle(delivery)
        self._pending.clear()
        self._give_credit()

    def _attach(self) -> None:
        source = pn.pn_link_source(self._link)
        pn.pn_terminus_set_address(source, self.context.endpoint.address(self.queue))
        filters = {symbol(name): Described(symbol(name), value) for name, value in self._filters}
        if filters:
            Data(pn.pn_terminus_filter(source)).put_object(filters)
        pn.pn_link_set_snd_settle_mode(self._link, pn.PN_SND_SETTLED if self._automatic else pn.PN_SND_UNSETTLED)
        pn.pn_link_flow(self._link, self._prefetch)

    def _on_link_news(self) -> None:
        if pn.pn_terminus_get_type(pn.pn_link_remote_source(self._link)) != pn.PN_UNSPECIFIED:
            self.ready = True

    def _on_delivery(self, delivery: Any) -> None:
        if pn.pn_delivery_aborted(delivery):
            pn.pn_delivery_settle(delivery)
            self._give_credit()
            return
        if pn.pn_delivery_partial(delivery) or not pn.pn_delivery_readable(delivery):
            return
        message = pn.pn_link_recv(self._link, pn.pn_delivery_pending(delivery))[1]
        pn.pn_link_advance(self._link)
        now_ns = self.context.clock.now_ns()
        stamp = self._stamp_of(message)
        disposition = self.context.take(self.lane, stamp, now_ns, redelivered=self._redelivered)
        if pn.pn_delivery_settled(delivery):
            pn.pn_delivery_settle(delivery)
            self._give_credit()
        else:
            self._pending.append((delivery, disposition))
            self.delivered(now_ns)

    def _stamp_of(self, message: bytearray) -> bytearray:
        """Return the first octets of the body, where there is one; note whether it was redelivered.

        What precedes the body is the same for nearly all messages, so it is taken apart
        only when it differs from the last.
        """
        if not message.startswith(self._before_body):
            body = find_body(message)
            if body is None:
                return bytearray()
            self._before_body = bytes(message[: body.start])
            self._redelivered = body.redelivered
        start = len(self._before_body)
        return message[start : start + self._stamp_size]

    def _give_credit(self) -> None:
        """Restore the credit once half of the prefetch is used and acknowledged."""
        held = pn.pn_link_credit(self._link) + len(self._pending)
        if 2 * held <= self._prefetch:
            pn.pn_link_flow(self._link, self._prefetch - held)


open_port = partial(SocketPort, open_producer=ProtonProducer, open_consumer=ProtonConsumer)
