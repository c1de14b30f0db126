"""The relay's end of AMQP 1.0: Proton's engine as a server that accepts every SASL mechanism.

A link's address is the name of a queue, which is made where there is none; RabbitMQ's form
`/queues/<name>` means the same. To a target without address each message names its own
in `to`. Credit is what bounds a receiver, and a sender is given more
as it uses it: a relay that is full does not read, as over 0-9-1.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import cproton as pn
from proton import Message as ProtonMessage
from proton import ProtonException

from bench.ceiling.relay_queues import Message, Message10, RelayClient, RelayConsumer, RelayQueue, RelayStore

HEADER = b"AMQP\0\1\0\0"
SASL_HEADER = b"AMQP\3\1\0\0"
_CREDIT = 1_000
"""Messages that a sender may send before it is given more."""
_MAX_FRAME = 65_536
_LONGEST_INIT = 4_096
_NAMES = b"".join(bytes((len(name),)) + name for name in (b"PLAIN", b"ANONYMOUS", b"EXTERNAL"))
_ARRAY = bytes((0xE0, len(_NAMES) + 2, 3, 0xA3)) + _NAMES
_MECHANISMS = b"\0\x53\x40" + bytes((0xC0, len(_ARRAY) + 1, 1)) + _ARRAY
_WELCOME = b"\0\x53\x44\xc0\x03\x01\x50\0"
_TAG = struct.Struct(">Q")
_PREFIX = "/queues/"


def _sasl_frame(body: bytes) -> bytes:
    return struct.pack(">IBBH", 8 + len(body), 2, 1, 0) + body


class Consumer10(RelayConsumer):
    """A link on which the client receives."""

    def __init__(self, connection: "Relay10", queue: RelayQueue, link: Any, *, settled: bool) -> None:
        """Begin to consume."""
        super().__init__(connection, queue)
        self.link = link
        self._relay, self._settled, self._tag = connection, settled, 0

    def room(self) -> bool:
        """See `Consumer`."""
        return pn.pn_link_credit(self.link) > 0 and self._relay.takes()

    def deliver(self, message: Message) -> None:
        """See `Consumer`."""
        self._tag += 1
        delivery = pn.pn_delivery(self.link, _TAG.pack(self._tag))
        pn.pn_link_send(self.link, message.encoded10())
        pn.pn_link_advance(self.link)
        if self._settled:
            pn.pn_delivery_settle(delivery)
        self.connection.store.dirty.add(self.connection)

    def queue_deleted(self) -> None:
        """See `Consumer`."""
        self._relay.refuse(self.link, "amqp:resource-deleted", f"queue {self.queue.name!r} was deleted")


class Relay10(RelayClient):
    """One client."""

    def __init__(self, store: RelayStore, transport: asyncio.Transport, product: str) -> None:
        """Serve a client that has connected, and whose protocol header is in the first octets that come."""
        super().__init__(store, transport)
        self._login: bytes | None = b""
        self._sessions: set[Any] = set()
        self._receiving: dict[Any, Consumer10] = {}
        self._sending: dict[Any, RelayQueue | None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._handlers: dict[int, Callable[[Any], None]] = {
            pn.PN_CONNECTION_REMOTE_OPEN: lambda _: pn.pn_connection_open(self._amqp),
            pn.PN_CONNECTION_REMOTE_CLOSE: lambda _: pn.pn_connection_close(self._amqp),
            pn.PN_SESSION_REMOTE_OPEN: self._on_session_open,
            pn.PN_SESSION_REMOTE_CLOSE: self._on_session_close,
            pn.PN_LINK_REMOTE_OPEN: self._on_link_open,
            pn.PN_LINK_REMOTE_CLOSE: lambda event: self._on_link_end(pn.pn_event_link(event), pn.pn_link_close),
            pn.PN_LINK_REMOTE_DETACH: lambda event: self._on_link_end(pn.pn_event_link(event), pn.pn_link_detach),
            pn.PN_DELIVERY: lambda event: self._on_delivery(pn.pn_event_delivery(event)),
        }
        self._engine, self._amqp, self._collector = pn.pn_transport(), pn.pn_connection(), pn.pn_collector()
        pn.pn_transport_set_server(self._engine)
        pn.pn_transport_set_max_frame(self._engine, _MAX_FRAME)
        pn.pn_connection_collect(self._amqp, self._collector)
        pn.pn_connection_set_container(self._amqp, product)
        pn.pn_transport_bind(self._engine, self._amqp)

    def feed(self, data: bytes) -> None:
        """See `Connection`."""
        if self._login is not None:
            data = self._let_in(data)
        rest = memoryview(data)
        while rest and (taken := pn.pn_transport_push(self._engine, rest)) > 0:
            rest = rest[taken:]
        self._dispatch()
        self._tick()
        self.look_again()  # credit, a window or acknowledgements may have come
        self.store.dirty.add(self)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`; then give back the credit of receivers that want what is there and no more."""
        super().data_received(data)
        for link, consumer in self._receiving.items():
            if pn.pn_link_get_drain(link) and not consumer.queue.ready and pn.pn_link_drained(link):
                self.store.dirty.add(self)
        self.store.settle()

    def takes(self) -> bool:
        """See `Connection`; what a session's window keeps back counts."""
        return self._writable and self._held() < self.most_unflushed

    def flush(self) -> None:
        """See `Connection`."""
        full = not self.takes()
        while (pending := pn.pn_transport_pending(self._engine)) > 0:
            octets = pn.pn_transport_peek(self._engine, pending)[1]
            self._transport.write(octets)
            pn.pn_transport_pop(self._engine, len(octets))
        if pending < 0:
            self.leave_all()
            self._transport.close()
        elif full and self.takes():
            self.look_again()

    def connection_lost(self, error: Exception | None) -> None:
        """See `asyncio.Protocol`; releases what the engine holds."""
        super().connection_lost(error)
        if self._timer is not None:
            self._timer.cancel()
        pn.pn_transport_unbind(self._engine)
        pn.pn_collector_release(self._collector)
        pn.pn_decref(self._engine)
        pn.pn_decref(self._amqp)
        pn.pn_collector_free(self._collector)

    def refuse(self, link: Any, condition: str, text: str) -> None:
        """Close a link and say why."""
        self._forget(link)
        pn.pn_condition_set_name(pn.pn_link_condition(link), condition)
        pn.pn_condition_set_description(pn.pn_link_condition(link), text)
        pn.pn_link_close(link)
        self.store.dirty.add(self)

    def _held(self) -> int:
        return sum(pn.pn_session_outgoing_bytes(session) for session in self._sessions)

    def _let_in(self, data: bytes) -> bytes:
        """Answer SASL, which may be left out; return what follows it."""
        before = self._login or b""
        self._login = data = before + data
        if not data.startswith(SASL_HEADER):
            self._login = None
            return data
        if not before:
            self._transport.write(SASL_HEADER + _sasl_frame(_MECHANISMS))
        frame = data[len(SASL_HEADER) :]
        size = int.from_bytes(frame[:4], "big")
        if len(frame) >= 4 and size > _LONGEST_INIT:  # noqa: PLR2004  (a frame begins with its size)
            self._transport.abort()
            return b""
        if len(frame) < max(size, 8):
            return b""
        self._transport.write(_sasl_frame(_WELCOME))
        self._login = None
        return frame[size:]

    def _dispatch(self) -> None:
        """Act on every event that the engine has gathered."""
        while event := pn.pn_collector_peek(self._collector):
            handler = self._handlers.get(pn.pn_event_type(event))
            if handler is not None:
                handler(event)
            pn.pn_collector_pop(self._collector)

    def _tick(self) -> None:
        """Honour the client's idle timeout: the engine says when it must next be told the time."""
        loop = asyncio.get_running_loop()
        due_ms = pn.pn_transport_tick(self._engine, max(1, int(loop.time() * 1_000)))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(due_ms / 1_000, self._on_time) if due_ms else None

    def _on_time(self) -> None:
        self._tick()
        self.flush()
        self.store.settle()

    def _on_session_open(self, event: Any) -> None:
        session = pn.pn_event_session(event)
        self._sessions.add(session)
        pn.pn_session_open(session)

    def _on_session_close(self, event: Any) -> None:
        session = pn.pn_event_session(event)
        for link in [one for one in (*self._receiving, *self._sending) if pn.pn_link_session(one) == session]:
            self._forget(link)
        self._sessions.discard(session)
        pn.pn_session_close(session)

    def _on_link_open(self, event: Any) -> None:
        link = pn.pn_event_link(event)
        gives = pn.pn_link_is_sender(link)
        remote = pn.pn_link_remote_source(link) if gives else pn.pn_link_remote_target(link)
        address = pn.pn_terminus_get_address(remote)
        dynamic = pn.pn_terminus_is_dynamic(remote)
        if gives and not address and not dynamic:
            pn.pn_link_open(link)
            self.refuse(link, "amqp:not-implemented", "name the queue in the link's address")
            return
        queue = self.store.make("" if dynamic else _queue_name(address)) if address or dynamic else None
        pn.pn_terminus_copy(pn.pn_link_source(link), pn.pn_link_remote_source(link))
        pn.pn_terminus_copy(pn.pn_link_target(link), pn.pn_link_remote_target(link))
        if dynamic and queue is not None:
            pn.pn_terminus_set_address(pn.pn_link_source(link) if gives else pn.pn_link_target(link), queue.name)
        mode = pn.pn_link_remote_snd_settle_mode(link)
        pn.pn_link_set_snd_settle_mode(link, mode)
        pn.pn_link_open(link)
        if gives and queue is not None:
            self._receiving[link] = Consumer10(self, queue, link, settled=mode == pn.PN_SND_SETTLED)
        else:
            self._sending[link] = queue
            pn.pn_link_flow(link, _CREDIT)

    def _on_link_end(self, link: Any, end: Callable[[Any], None]) -> None:
        self._forget(link)
        end(link)
        pn.pn_link_free(link)

    def _forget(self, link: Any) -> None:
        self._sending.pop(link, None)
        consumer = self._receiving.pop(link, None)
        if consumer in self.consumers:
            consumer.leave()

    def _on_delivery(self, delivery: Any) -> None:
        link = pn.pn_delivery_link(delivery)
        if link in self._sending:
            self._take(link, delivery)
        elif pn.pn_delivery_settled(delivery) or pn.pn_delivery_remote_state(delivery) not in {0, pn.PN_RECEIVED}:
            pn.pn_delivery_settle(delivery)  # for every outcome: nothing is delivered twice

    def _take(self, link: Any, delivery: Any) -> None:
        """Put a whole message into its queue, and accept it unless it came settled."""
        if pn.pn_delivery_aborted(delivery):
            pn.pn_delivery_settle(delivery)
        elif pn.pn_delivery_pending(delivery) > self.store.limit:
            self.refuse(link, "amqp:link:message-size-exceeded", f"at most {self.store.limit} octets")
            return
        elif pn.pn_delivery_readable(delivery) and not pn.pn_delivery_partial(delivery):
            encoded = bytes(pn.pn_link_recv(link, pn.pn_delivery_pending(delivery))[1])
            pn.pn_link_advance(link)
            queue = self._sending[link] or self._named_in(encoded)
            if not pn.pn_delivery_settled(delivery):
                pn.pn_delivery_update(delivery, pn.PN_REJECTED if queue is None else pn.PN_ACCEPTED)
            pn.pn_delivery_settle(delivery)
            self.store.publishers.add(self)
            if queue is not None:
                queue.put(Message10(encoded))
        if 2 * pn.pn_link_credit(link) <= _CREDIT:
            pn.pn_link_flow(link, _CREDIT - pn.pn_link_credit(link))

    def _named_in(self, encoded: bytes) -> RelayQueue | None:
        """Return the queue that a message names; None where it names none, or is no message."""
        message = ProtonMessage()
        try:
            message.decode(encoded)
        except (ProtonException, ValueError, TypeError):
            return None
        return self.store.make(_queue_name(message.address)) if message.address else None


def _queue_name(address: str) -> str:
    """Return the queue that an address means."""
    return unquote(address.removeprefix(_PREFIX)) if address.startswith(_PREFIX) else address
