"""Proton's engine as the peer of a `Client`, in memory: it answers what is opened."""

from collections.abc import Callable
from typing import Any

import cproton as pn

from tests.bench.wire.amqp10_client import Client

STATES = {pn.PN_ACCEPTED: 1, pn.PN_REJECTED: 2, pn.PN_MODIFIED: 2, pn.PN_RELEASED: 3}
"""Proton's states and the outcomes they stand for."""


class ProtonPeer:
    """A server without SASL.

    Attributes:
        links: by name, as soon as the client has attached them.
        received: (link name, tag, settled, bytes) of deliveries that came whole.
        deliveries: those deliveries.
        news: of deliveries that were sent: (tag, state, settled), as the client updates them.
    """

    def __init__(self, *, max_frame: int = 0, capacity: int = 0, grant: int = 100) -> None:
        """Make an engine; capacity bounds the bytes of its session, 0 = not."""
        self.links: dict[str, Any] = {}
        self.received: list[tuple[str, bytes, bool, bytes]] = []
        self.deliveries: list[Any] = []
        self.news: list[tuple[bytes, int, bool]] = []
        self._parts: dict[str, bytearray] = {}
        self._capacity, self._grant = capacity, grant
        self._collector, self.amqp, self.transport = pn.pn_collector(), pn.pn_connection(), pn.pn_transport()
        pn.pn_transport_set_server(self.transport)
        if max_frame:
            pn.pn_transport_set_max_frame(self.transport, max_frame)
        pn.pn_connection_collect(self.amqp, self._collector)
        pn.pn_transport_bind(self.transport, self.amqp)
        self._handlers: dict[int, Callable[[Any], None]] = {
            pn.PN_CONNECTION_REMOTE_OPEN: lambda event: pn.pn_connection_open(pn.pn_event_connection(event)),
            pn.PN_SESSION_REMOTE_OPEN: self._on_session,
            pn.PN_LINK_REMOTE_OPEN: self._on_link,
            pn.PN_DELIVERY: self._on_delivery,
        }

    def push(self, data: bytes) -> None:
        """Give it bytes and let it act."""
        while data:
            taken = pn.pn_transport_push(self.transport, data)
            assert taken > 0, self.error()
            data = data[taken:]
            self._dispatch()
        assert self.error() is None

    def pop(self) -> bytes:
        """Return the bytes it has for the client."""
        data = b""
        while (pending := pn.pn_transport_pending(self.transport)) > 0:
            part = pn.pn_transport_peek(self.transport, pending)[1]
            pn.pn_transport_pop(self.transport, len(part))
            data += bytes(part)
            self._dispatch()
        return data

    def error(self) -> str | None:
        """Return why it ended the connection."""
        condition = pn.pn_transport_condition(self.transport)
        if not pn.pn_condition_is_set(condition):
            return None
        return f"{pn.pn_condition_get_name(condition)}: {pn.pn_condition_get_description(condition)}"

    def deliver(self, link: str, tag: bytes, parts: list[bytes], *, settled: bool) -> Any:
        """Begin a delivery with its first part; the rest is for `go_on`."""
        delivery = pn.pn_delivery(self.links[link], tag)
        pn.pn_link_send(self.links[link], parts[0])
        if len(parts) == 1:
            self.finish(link, delivery, settled=settled)
        return delivery

    def finish(self, link: str, delivery: Any, *, settled: bool) -> None:
        """End a delivery."""
        pn.pn_link_advance(self.links[link])
        if settled:
            pn.pn_delivery_settle(delivery)

    def close(self) -> None:
        """Release the engine."""
        pn.pn_transport_unbind(self.transport)
        pn.pn_collector_release(self._collector)
        pn.pn_decref(self.transport)
        pn.pn_decref(self.amqp)
        pn.pn_collector_free(self._collector)

    def _dispatch(self) -> None:
        while event := pn.pn_collector_peek(self._collector):
            handler = self._handlers.get(pn.pn_event_type(event))
            if handler is not None:
                handler(event)
            pn.pn_collector_pop(self._collector)

    def _on_session(self, event: Any) -> None:
        session = pn.pn_event_session(event)
        if self._capacity:
            pn.pn_session_set_incoming_capacity(session, self._capacity)
        pn.pn_session_open(session)

    def _on_link(self, event: Any) -> None:
        link = pn.pn_event_link(event)
        pn.pn_terminus_copy(pn.pn_link_source(link), pn.pn_link_remote_source(link))
        pn.pn_terminus_copy(pn.pn_link_target(link), pn.pn_link_remote_target(link))
        pn.pn_link_set_snd_settle_mode(link, pn.pn_link_remote_snd_settle_mode(link))
        pn.pn_link_open(link)
        if pn.pn_link_is_receiver(link):
            pn.pn_link_flow(link, self._grant)
        self.links[pn.pn_link_name(link)] = link

    def _on_delivery(self, event: Any) -> None:
        delivery = pn.pn_event_delivery(event)
        link = pn.pn_delivery_link(delivery)
        if pn.pn_link_is_sender(link):
            state, settled = pn.pn_delivery_remote_state(delivery), pn.pn_delivery_settled(delivery)
            self.news.append((tag_of(delivery), state, settled))
            if settled:
                pn.pn_delivery_settle(delivery)
            return
        name = pn.pn_link_name(link)
        if pn.pn_delivery_readable(delivery):
            part = self._parts.setdefault(name, bytearray())
            part += pn.pn_link_recv(link, pn.pn_delivery_pending(delivery))[1]
            if not pn.pn_delivery_partial(delivery):
                pn.pn_link_advance(link)
                self.received.append((name, tag_of(delivery), pn.pn_delivery_settled(delivery), bytes(part)))
                self.deliveries.append(delivery)
                del self._parts[name]


def tag_of(delivery: Any) -> bytes:
    """Return a delivery's tag, which need not be text."""
    tag = pn.lib.pn_delivery_tag(delivery)
    return bytes(pn.ffi.buffer(tag.start, tag.size))


def settle(delivery: Any, state: int) -> None:
    """Give a delivery its outcome and settle it."""
    pn.pn_delivery_update(delivery, state)
    pn.pn_delivery_settle(delivery)


def exchange(client: Client, peer: ProtonPeer, step: int = 0) -> None:
    """Pass bytes both ways until none are left, to the client in pieces of `step` bytes, 0 = at once."""
    while True:
        ours, theirs = client.take_out(), b""
        if ours:
            peer.push(ours)
        theirs = peer.pop()
        if not ours and not theirs:
            return
        for at in range(0, len(theirs), step or len(theirs) or 1):
            client.feed(theirs[at : at + (step or len(theirs))])
