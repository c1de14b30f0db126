"""An AMQP 1.0 broker of few words: it takes PLAIN, opens what is asked, and the test says the rest.

Everything but SASL is Proton's engine in the role of a server. It runs in a thread until
its client is gone; what a test asks of it runs in that thread.
"""

import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from queue import Empty, Queue
from typing import Any

from proton import Collector, Connection, Event, Transport

from brokers.endpoint import Endpoint

_SASL_HEADER = b"AMQP\x03\x01\x00\x00"
_MECHANISMS = b"\x00\x53\x40\xc0\x08\x01\xa3\x05PLAIN"
_OUTCOME = b"\x00\x53\x44\xc0\x03\x01\x50"


def _sasl_frame(body: bytes) -> bytes:
    return struct.pack(">IBBH", 8 + len(body), 2, 1, 0) + body


class Amqp10Server:
    """Serves one client.

    Attributes:
        endpoint: where it listens.
        link: the client's link as the server sees it, once it is open; the last one of several.
        names: of the links that were opened.
        deliveries: of the client's transfers, in order.
        bodies: what they carried.
        messages: what each of them carried.
        sasl: outcome code it answers with.
        frames: number of frames the client has sent.
        keeps_filters: whether it echoes the filters of a source.
    """

    def __init__(
        self, *, sasl: int = 0, idle_timeout_s: float = 0, grant: int = 100, max_frame: int = 0, frames: int = 0
    ) -> None:
        """Listen.

        Args:
            sasl: outcome code to answer with.
            idle_timeout_s: silence that it bears; 0 = any.
            grant: credit given to a sender when it attaches.
            max_frame: largest frame that it takes; 0 = any.
            frames: incoming window of a session; 0 = large.
        """
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = Endpoint(
            "amqp10", "127.0.0.1", self._listener.getsockname()[1], "/", "vhost:/", "guest", "guest"
        )
        self.sasl = sasl
        self.keeps_filters = True
        self.link: Any = None
        self.names: list[str] = []
        self.deliveries: list[Any] = []
        self.bodies = b""
        self.messages: list[bytes] = []
        self._message = b""
        self._grant = grant
        self._raw: Queue[bytes] = Queue()
        self._asked: Queue[Callable[[], object]] = Queue()
        self._connection, self._transport, self._collector = Connection(), Transport(Transport.SERVER), Collector()
        self._transport.idle_timeout = idle_timeout_s
        if max_frame:
            self._transport.max_frame_size = max_frame
        self._session_bytes = frames * max_frame
        self._connection.collect(self._collector)
        self._transport.bind(self._connection)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def do(self, action: Callable[[], object]) -> None:
        """Run an action in the server's thread and send what it gives rise to."""
        self._asked.put(action)

    def deliver(self, message: bytes) -> None:
        """Send a message to the client's link; to be done in the server's thread."""
        self.link.delivery("tag")
        self.link.send(message)
        self.link.advance()

    def raw(self, data: bytes) -> None:
        """Send bytes past Proton, which would never send them."""
        self.do(lambda: self._raw.put(data))

    @property
    def frames(self) -> int:
        """Frames received so far, empty ones included."""
        return int(self._transport.frames_input)

    def stop(self) -> None:
        """Wait until the client has hung up."""
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        client, _ = self._listener.accept()
        with client:
            self._shake(client)
            while not self._transport.closed:
                if select.select([client], [], [], 0.002)[0]:
                    try:
                        data = client.recv(self._transport.capacity())
                    except ConnectionError:
                        return
                    if not data:
                        return
                    self._transport.push(data)
                self._step()
                while not self._raw.empty():
                    client.sendall(self._raw.get())
                while (pending := self._transport.pending()) > 0:
                    client.sendall(self._transport.peek(pending))
                    self._transport.pop(pending)

    def _shake(self, client: socket.socket) -> None:
        client.sendall(_SASL_HEADER + _sasl_frame(_MECHANISMS))
        assert client.recv(8, socket.MSG_WAITALL) == _SASL_HEADER
        (size,) = struct.unpack(">I", client.recv(4, socket.MSG_WAITALL))
        assert b"\x00guest\x00guest" in client.recv(size - 4, socket.MSG_WAITALL)
        client.sendall(_sasl_frame(_OUTCOME + bytes((self.sasl,))))

    def _step(self) -> None:
        while (event := self._collector.peek()) is not None:
            self._on(event)
            self._collector.pop()
        try:
            while True:
                self._asked.get_nowait()()
        except Empty:
            self._transport.tick(time.monotonic())

    def _on(self, event: Event) -> None:
        if event.type == Event.CONNECTION_REMOTE_OPEN:
            event.connection.open()
        elif event.type == Event.SESSION_REMOTE_OPEN:
            if self._session_bytes:
                event.session.incoming_capacity = self._session_bytes
            event.session.open()
        elif event.type == Event.LINK_REMOTE_OPEN:
            self._open(event.link)
        elif event.type == Event.LINK_REMOTE_CLOSE:
            event.link.close()
        elif event.type == Event.CONNECTION_REMOTE_CLOSE:
            event.connection.close()
        elif event.type == Event.DELIVERY and event.link.is_receiver and event.delivery.readable:
            part = event.link.recv(event.delivery.pending)
            self.bodies += part
            self._message += part
            if not event.delivery.partial:
                self.messages.append(self._message)
                self._message = b""
                self.deliveries.append(event.delivery)
                event.link.advance()

    def _open(self, link: Any) -> None:
        link.source.copy(link.remote_source)
        if not self.keeps_filters:
            link.source.filter.clear()
        link.target.copy(link.remote_target)
        link.snd_settle_mode = link.remote_snd_settle_mode
        link.open()
        if link.is_receiver:
            link.flow(self._grant)
        self.link = link
        self.names.append(link.name)
