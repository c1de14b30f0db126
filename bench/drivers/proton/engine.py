"""Proton's engine on our own socket: one connection, one session, one link.

The engine turns bytes into events and calls into bytes; it owns no socket and no clock.
It logs in by `sasl10`, and begins when the broker has let us in.
It is used through `cproton`, the C binding under the `proton` package: the event objects
of that package cost ten times what the engine does. What the link carries is the business
of `engine_lane`.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import cproton as pn

from bench.drivers.sockets.connection import Connection
from bench.units import NS_PER_MS
from brokers.sasl10 import SaslClient, SaslRefused

_READ_BYTES = 64 * 1024
_MAX_FRAME = 64 * 1024


def _condition(condition: Any) -> str:
    """Return an error condition as `name: description`."""
    if not pn.pn_condition_is_set(condition):
        return "no reason given"
    name, description = pn.pn_condition_get_name(condition), pn.pn_condition_get_description(condition)
    return f"{name}: {description}" if description else str(name)


class ProtonConnection(Connection):
    """What sending and receiving lanes share: handshake, bytes, events, ends.

    There is no reconnecting: a connection that ends has failed.
    """

    def _start(self, make_link: Callable[[Any, str], Any]) -> None:
        """Begin the handshake; `make_link` is `pn_sender` or `pn_receiver`."""
        endpoint = self.context.endpoint
        self._closing = False
        self._opened = False
        self._unsent = 0
        self._handlers: dict[int, Callable[[], None]] = {
            pn.PN_CONNECTION_REMOTE_OPEN: self._on_connection_open,
            pn.PN_CONNECTION_REMOTE_CLOSE: self._on_connection_closed,
            pn.PN_SESSION_REMOTE_CLOSE: self._on_session_closed,
            pn.PN_LINK_REMOTE_OPEN: self._on_link_news,
            pn.PN_LINK_FLOW: self._on_flow,
            pn.PN_LINK_REMOTE_CLOSE: self._on_link_closed,
            pn.PN_LINK_REMOTE_DETACH: self._on_link_closed,
            pn.PN_TRANSPORT_ERROR: self._on_transport_error,
        }
        self._collector = pn.pn_collector()
        self._amqp = pn.pn_connection()
        pn.pn_connection_collect(self._amqp, self._collector)
        pn.pn_connection_set_container(self._amqp, f"busbench-{self.owner.replace(' ', '-')}-{uuid4()}")
        if endpoint.hostname is not None:
            pn.pn_connection_set_hostname(self._amqp, endpoint.hostname)
        self._transport = pn.pn_transport()
        pn.pn_transport_set_max_frame(self._transport, _MAX_FRAME)
        self._sasl = SaslClient(endpoint.sasl, endpoint.username, endpoint.password)
        pn.pn_transport_bind(self._transport, self._amqp)
        pn.pn_connection_open(self._amqp)
        self._session = pn.pn_session(self._amqp)
        pn.pn_session_open(self._session)
        self._link = make_link(self._session, f"{self.owner} {uuid4()}")
        self._attach()
        pn.pn_link_open(self._link)

    @abstractmethod
    def _attach(self) -> None:
        """Set the link's terminus and settlement modes before it is opened."""

    @abstractmethod
    def _on_link_news(self) -> None:
        """See whether the link is open and usable; credit may have come."""

    @abstractmethod
    def _on_delivery(self, delivery: Any) -> None:
        """Act on a delivery's news: a settlement, or a message."""

    def lose(self, detail: str) -> None:
        """Record that the connection broke; RabbitMQ refuses a virtual host in this way."""
        if not self._opened and self._sasl.done:
            hostname = self.context.endpoint.hostname
            self.refuse_or_lose(f"{detail}, in answer to the open frame: is there a virtual host for {hostname!r}?")
        else:
            super().lose(detail)

    def begin_close(self) -> None:
        """Begin the closing handshake."""
        self._closing = True
        pn.pn_link_close(self._link)
        pn.pn_session_close(self._session)
        pn.pn_connection_close(self._amqp)

    def abandon(self) -> None:
        """Close the socket and release what the engine holds."""
        super().abandon()
        if self._transport is not None:
            pn.pn_transport_unbind(self._transport)
            pn.pn_collector_release(self._collector)
            pn.pn_decref(self._transport)
            pn.pn_decref(self._amqp)
            pn.pn_collector_free(self._collector)
            self._transport = None

    def _read(self) -> None:
        data = memoryview(self._receive(_READ_BYTES))
        if self.closed:
            return
        if not self._sasl.done:
            try:
                data = memoryview(self._sasl.feed(bytes(data)))
            except SaslRefused as error:
                self.refuse_or_lose(str(error))
                return
        while data and (taken := pn.pn_transport_push(self._transport, data)) > 0:
            data = data[taken:]
        self._dispatch()

    def _write(self) -> bool:
        login = self._sasl.output
        if login:
            del login[: self._transmit(login)]
        if login or not self._sasl.done:
            return not login
        transport = self._transport
        while (pending := pn.pn_transport_pending(transport)) > 0:
            data = pn.pn_transport_peek(transport, pending)[1]
            sent = self._transmit(data)
            pn.pn_transport_pop(transport, sent)
            self._unsent = len(data) - sent
            if self._unsent:
                return False
        return True

    def _dispatch(self) -> None:
        """Act on every event that the engine has gathered."""
        collector, handlers = self._collector, self._handlers
        while event := pn.pn_collector_peek(collector):
            kind = pn.pn_event_type(event)
            if kind == pn.PN_DELIVERY:
                self._on_delivery(pn.pn_event_delivery(event))
            elif kind in handlers:
                handlers[kind]()
            pn.pn_collector_pop(collector)

    def _tick(self) -> None:
        """Honour idle timeouts: the engine says when it must next be told the time."""
        if self.closed:
            return
        due_ms = pn.pn_transport_tick(self._transport, self.context.clock.now_ns() // NS_PER_MS)
        if due_ms:
            self.context.timers.call_at(due_ms * NS_PER_MS, self._on_tick)

    def _on_tick(self) -> None:
        self._tick()
        if not self.closed:
            self._dispatch()
            self.drain()

    def _on_connection_open(self) -> None:
        self._opened = True
        self._tick()

    def _on_flow(self) -> None:
        self.context.count("flow_frames")
        self._on_link_news()

    def _on_connection_closed(self) -> None:
        self._ended(pn.pn_connection_remote_condition(self._amqp))
        self.closed = True

    def _on_session_closed(self) -> None:
        self._ended(pn.pn_session_remote_condition(self._session))

    def _on_link_closed(self) -> None:
        self._ended(pn.pn_link_remote_condition(self._link))

    def _on_transport_error(self) -> None:
        self._ended(pn.pn_transport_condition(self._transport))
        self.closed = True

    def _ended(self, condition: Any) -> None:
        if not self._closing:
            self.refuse_or_lose(_condition(condition))
