"""Lanes over AMQP 1.0 with Proton's engine: one connection, session and link each.

Here is what a message costs: encoding is a stamp written over a message made beforehand,
decoding is finding the body; settlement is by delivery.
"""

import struct
from collections.abc import Mapping
from functools import partial
from typing import Any

import cproton as pn

from bench.arrivals import stamp
from bench.drivers.base import ConsumerLane, Outcome, ProducerLane
from bench.drivers.proton.engine import ProtonConnection
from bench.drivers.sockets.connection import OUTPUT_LIMIT, Consumer, Context, Producer
from bench.drivers.sockets.credit_watch import CreditWatch
from bench.drivers.sockets.port import SocketPort
from bench.wire.amqp10_body import find_body, opening

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


def _message(size: int, *, durable: bool) -> tuple[bytearray, memoryview]:
    """Return a message with a body of `size` bytes, and that body in it."""
    before = opening(size, durable=durable)
    message = bytearray(before + bytes(size))
    return message, memoryview(message)[len(before) :]


class ProtonProducer(ProtonConnection, Producer):
    """Sends unsettled within a window, or pre-settled where the window is 0.

    Pre-settled senders starve on Broker-J (10.1.0 and before): each *read* of its socket
    gives back one credit, however many messages it held, so that after some 20,000
    messages the credit falls to 1 and one flow comes for each message. That is shown, not
    worked around: such flows are counted (`credit_leak`).
    """

    def __init__(self, context: Context, lane: int, producer: ProducerLane) -> None:
        """Connect and begin to open."""
        super().__init__(context, lane, producer)
        spec = context.spec
        self._limit = spec.confirm_window
        self._mix = spec.mix
        self._messages = {size: _message(size, durable=spec.durable) for size in spec.sizes}
        self._longest = self._messages[spec.size]
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
        fits = min(credit, 1 + bytes_left // (len(self._longest[0]) + _FRAMING_BYTES))
        return min(fits, self._limit - len(self._unsettled)) if self._limit else fits

    def counts(self) -> Mapping[str, int]:
        """Return how long there was no credit."""
        return self._credit_watch.counts()

    def publish(self, seq: int, intended_ns: int) -> int:
        """Stamp and encode one message; return the time of the stamp, monotonic ns."""
        link = self._link
        sent_ns = self.context.clock.now_ns()
        mix = self._mix
        message, stamp_here = self._longest if mix is None else self._messages[mix.of(self.producer, seq)]
        stamp.pack_into(stamp_here, self.producer, seq, intended_ns, sent_ns)
        self._tags = (self._tags + 1) % _TAGS
        delivery = pn.pn_delivery(link, _TAG.pack(self._tags))
        pn.pn_link_send(link, message)
        pn.pn_link_advance(link)
        if self._limit:
            self._unsettled[delivery] = seq
        else:
            pn.pn_delivery_settle(delivery)
        return sent_ns

    def unwritten(self) -> int:
        """Return the bytes that the kernel has not yet been given."""
        return int(pn.pn_session_outgoing_bytes(self._session)) + self._unsent

    def _attach(self, address: str) -> None:
        pn.pn_terminus_set_address(pn.pn_link_target(self._link), address)
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
        super().__init__(context, lane, consumer)
        self._prefetch = context.spec.prefetch
        self._automatic = context.spec.ack_batch == 0
        self._pending: list[Any] = []
        self._before_body = b"\x00never"
        self._redelivered = False
        self._start(pn.pn_receiver)

    def begin_close(self) -> None:
        """Acknowledge what is pending and begin the closing handshake."""
        self.settle_rest()
        super().begin_close()

    def acknowledge(self) -> None:
        """Accept and settle what was delivered; the engine makes ranges of it."""
        for delivery in self._pending:
            pn.pn_delivery_update(delivery, pn.PN_ACCEPTED)
            pn.pn_delivery_settle(delivery)
        self._pending.clear()
        self._give_credit()

    def _attach(self, address: str) -> None:
        pn.pn_terminus_set_address(pn.pn_link_source(self._link), address)
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
        stamped = self._stamp_of(message)
        if stamped is None:
            self.context.deliveries.foreign += 1
        else:
            self.context.deliveries.add(self.lane, *stamped, now_ns, self._redelivered)
        if pn.pn_delivery_settled(delivery):
            pn.pn_delivery_settle(delivery)
            self._give_credit()
        else:
            self._pending.append(delivery)
            self.delivered(now_ns)

    def _stamp_of(self, message: bytearray) -> tuple[int, int, int, int] | None:
        """Return the stamp, None where there is none; note whether it was redelivered.

        What precedes the body is the same for nearly all messages, so it is taken apart
        only when it differs from the last.
        """
        if not message.startswith(self._before_body):
            body = find_body(message)
            if body is None:
                return None
            self._before_body = bytes(message[: body.start])
            self._redelivered = body.redelivered
        start = len(self._before_body)
        return stamp.unpack(message[start : start + stamp.SIZE])

    def _give_credit(self) -> None:
        """Restore the credit once half of the prefetch is used and acknowledged."""
        held = pn.pn_link_credit(self._link) + len(self._pending)
        if 2 * held <= self._prefetch:
            pn.pn_link_flow(self._link, self._prefetch - held)


open_port = partial(SocketPort, open_producer=ProtonProducer, open_consumer=ProtonConsumer)
