"""A 0-9-1 broker of few words: it opens what is asked, and the test says the rest.

Frames are made and read by pika's codec. It runs in a thread until its client is gone.
"""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Queue
from typing import Any

from pika import frame, spec

from brokers.endpoint import Endpoint

NAMED = "amq.gen-of-the-server"
"""The name of a queue that is declared without one."""
ANSWERS: dict[type, Callable[[Any], Any]] = {
    spec.Connection.Open: lambda _: spec.Connection.OpenOk(),
    spec.Connection.Close: lambda _: spec.Connection.CloseOk(),
    spec.Channel.Open: lambda _: spec.Channel.OpenOk(),
    spec.Channel.Close: lambda _: spec.Channel.CloseOk(),
    spec.Exchange.Declare: lambda _: spec.Exchange.DeclareOk(),
    spec.Queue.Declare: lambda asked: spec.Queue.DeclareOk(asked.queue or NAMED, 0, 0),
    spec.Queue.Bind: lambda _: spec.Queue.BindOk(),
    spec.Confirm.Select: lambda _: spec.Confirm.SelectOk(),
    spec.Basic.Qos: lambda _: spec.Basic.QosOk(),
    spec.Basic.Consume: lambda asked: spec.Basic.ConsumeOk(asked.consumer_tag),
}


class Amqp091Server:
    """Serves one client.

    Attributes:
        endpoint: where it listens.
        asked: methods that it answered, each with its channel.
        heard: methods that it did not answer, as they come.
        heartbeats: heartbeat frames that came.
        headers: of the messages that came.
        bodies: of the messages that came, each as long as its header says.
    """

    def __init__(self, *, confirms: bool = True, heartbeat_s: int = 0) -> None:
        """Listen; `confirms` says whether the capability is advertised."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._capabilities = {"publisher_confirms": True, "basic.nack": True} if confirms else {}
        port = self._listener.getsockname()[1]
        self.endpoint = Endpoint(
            "amqp091", "127.0.0.1", port, "/", None, "guest", "guest", confirms_unadvertised=not confirms
        )
        self.asked: list[tuple[int, Any]] = []
        self.heard: Queue[Any] = Queue()
        self.heartbeats = 0
        self.headers: list[frame.Header] = []
        self.bodies: list[bytes] = []
        self._body, self._expected = b"", 0
        self._tune = spec.Connection.Tune(10, 131_072, heartbeat_s)
        self._client: socket.socket | None = None
        self._consumer = ""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def say(self, method: Any, channel: int = 1) -> None:
        """Send a method frame."""
        assert self._client is not None
        self._client.sendall(frame.Method(channel, method).marshal())

    def delivery(self, tag: int, body: bytes, *, redelivered: bool = False, reply_to: str | None = None) -> bytes:
        """Return the octets of a message to the consumer."""
        method = frame.Method(1, spec.Basic.Deliver(self._consumer, tag, redelivered, "", "q")).marshal()
        header = frame.Header(1, len(body), spec.BasicProperties(reply_to=reply_to)).marshal()
        return method + header + (frame.Body(1, body).marshal() if body else b"")

    def deliver(self, tag: int, body: bytes, *, redelivered: bool = False, reply_to: str | None = None) -> None:
        """Send a message to the consumer."""
        assert self._client is not None
        self._client.sendall(self.delivery(tag, body, redelivered=redelivered, reply_to=reply_to))

    def hear(self, kind: type) -> Any:
        """Return the next unanswered method of that kind, passing over others; wait at most 5 s."""
        while True:
            method = self.heard.get(timeout=5)
            if isinstance(method, kind):
                return method

    def hear_while(self, kind: type, act: Callable[[], object]) -> Any:
        """Do something again and again until an unanswered method of that kind has come; return it."""
        until = time.monotonic() + 5
        while time.monotonic() < until:
            act()
            with suppress(Empty):
                while not isinstance(method := self.heard.get_nowait(), kind):
                    pass
                return method
        raise TimeoutError(kind)

    def stop(self) -> None:
        """Hang up."""
        if self._client is not None:
            with suppress(OSError):  # it may be gone; without this its reader would not wake
                self._client.shutdown(socket.SHUT_RDWR)
            self._client.close()
        self._listener.close()
        self._thread.join(5)

    def _serve(self) -> None:
        self._client, _ = self._listener.accept()
        # Else a second small segment waits until the first is acknowledged, which a client that sleeps puts off.
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = spec.Connection.Start(
            server_properties={"capabilities": self._capabilities}, mechanisms="PLAIN", locales="en_US"
        )
        data = b""
        while len(data) < len(b"AMQP\0\0\x09\x01"):
            data += self._client.recv(8)
        self.say(start, 0)
        data = b""
        try:
            while received := self._client.recv(1 << 16):
                data += received
                while (decoded := frame.decode_frame(data))[1] is not None:
                    data = data[decoded[0] :]
                    self._act(decoded[1])
        except OSError:
            return

    def _act(self, came: Any) -> None:
        self.heartbeats += isinstance(came, frame.Heartbeat)
        if isinstance(came, frame.Header):
            self._body, self._expected = b"", came.body_size
            self.headers.append(came)
        elif isinstance(came, frame.Body):
            self._body += came.fragment
            if len(self._body) >= self._expected:
                assert len(self._body) == self._expected
                self.bodies.append(self._body)
        if not isinstance(came, frame.Method):
            return
        if isinstance(came.method, spec.Connection.StartOk):
            self.say(self._tune, 0)
            return
        if isinstance(came.method, spec.Basic.Consume):
            self._consumer = came.method.consumer_tag
        answer = ANSWERS.get(type(came.method))
        if answer is None:
            self.heard.put(came.method)
        else:
            self.asked.append((came.channel_number, came.method))
            self.say(answer(came.method), came.channel_number)
