"""A broker over AMQP 0-9-1 that misbehaves in one way, which is a row of a table, and is an honest one otherwise.

It keeps each queue in the order of publishing, confirms and delivers at once, and takes any number of connections,
each in a thread of its own. Frames are made and read by pika's codec; what no codec would write is made by hand.
"""

import socket
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from pika import BasicProperties, frame, spec

from brokers.endpoint import Endpoint
from tests.bench.drivers.hostile.peer import Listening, Talking

EVIL = "\x1b]0;owned\x07\x1b[31m<script>alert(1)</script>\n::error::injected "
"""Moves a terminal's title and colour, is HTML, and begins a line as an annotation of a CI."""
AT = 20
"""The message at which what happens once happens."""
_FRAME_END = b"\xce"
_HEADER = b"AMQP\x00\x00\x09\x01"


class Hangs(Exception):  # noqa: N818  (what it does from then on)
    """Keep the connection, and never speak again."""


class Leaves(Exception):  # noqa: N818
    """Close the connection."""


def method(what: Any, channel: int = 1) -> bytes:
    """Return a method frame."""
    octets: bytes = frame.Method(channel, what).marshal()
    return octets


def begun(size: int, kind: int = 1, channel: int = 0) -> bytes:
    """Return the header of a frame of that size."""
    return struct.pack(">BHI", kind, channel, size)


def content(what: Any, body: bytes, channel: int = 1, size: int | None = None) -> bytes:
    """Return a message: its method, a header that tells its size, its body."""
    header = frame.Header(channel, len(body) if size is None else size, BasicProperties()).marshal()
    return method(what, channel) + header + (frame.Body(channel, body).marshal() if body else b"")


def _endless(octets: bytes) -> Callable[["Conversation"], None]:
    def pour(peer: "Conversation") -> None:
        while not peer.broker.over.is_set():
            peer.send(octets * (1 + 65_536 // len(octets)))

    return pour


def _says(octets: bytes) -> Callable[["Conversation"], None]:
    def say(peer: "Conversation") -> None:
        peer.send(octets)

    return say


def _says_and_hangs(octets: bytes) -> Callable[["Conversation"], None]:
    def say(peer: "Conversation") -> None:
        peer.send(octets)
        raise Hangs

    return say


def _says_and_leaves(octets: bytes) -> Callable[["Conversation"], None]:
    def say(peer: "Conversation") -> None:
        peer.send(octets)
        raise Leaves

    return say


def _trickle(peer: "Conversation") -> None:
    for octet in peer.broker.greeting():
        peer.send(bytes((octet,)))
        peer.broker.over.wait(1.0)


def _resets(peer: "Conversation") -> None:
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Leaves


GREETINGS: dict[str, Callable[["Conversation"], None]] = {
    "silent": _says_and_hangs(b""),
    "leaves-at-header": _says_and_leaves(b""),
    "other-version": _says_and_leaves(b"AMQP\x00\x00\x0a\x02"),
    "other-version-hangs": _says_and_hangs(b"AMQP\x00\x00\x0a\x02"),
    "http": _says_and_leaves(b"HTTP/1.1 400 Bad Request\r\nX: \x1b[31m\r\n\r\n"),
    "huge-frame": _says_and_hangs(begun(0xFFFF_FFFF) + b"A" * 7),
    "huge-frame-flood": lambda peer: (peer.send(begun(0x7FFF_FFFF)), _endless(b"A" * 1000)(peer))[-1],
    "trickle": _trickle,
}
"""What it answers to the protocol header, instead of connection.start."""

TUNES: dict[str, tuple[int, int, int]] = {
    "tune-0": (2047, 0, 0),
    "tune-1": (2047, 1, 0),
    "tune-huge": (2047, 0xFFFF_FFFF, 0),
    "tune-4096": (2047, 4096, 0),
    "one-channel": (1, 131_072, 0),
    "heartbeat-1": (2047, 131_072, 1),
}
"""Channels, frame size and heartbeat of connection.tune."""


def _close(code: int, text: str) -> Callable[["Conversation"], None]:
    return _says_and_hangs(method(spec.Connection.Close(code, text, 0, 0), 0))


STEPS: dict[str, tuple[type, Callable[["Conversation"], None]]] = {
    "leaves-at-login": (spec.Connection.StartOk, _says_and_leaves(b"")),
    "login-refused": (spec.Connection.StartOk, _close(403, "ACCESS_REFUSED - Login was refused " + EVIL)),
    "open-silent": (spec.Connection.Open, _says_and_hangs(b"")),
    "declare-refused": (spec.Queue.Declare, _says_and_hangs(method(spec.Channel.Close(403, (EVIL * 9)[:250], 50, 10)))),
    "declare-silent": (spec.Queue.Declare, _says_and_hangs(b"")),
    "confirm-silent": (spec.Confirm.Select, _says_and_hangs(b"")),
    "consume-silent": (spec.Basic.Consume, _says_and_hangs(b"")),
    "close-silent": (spec.Connection.Close, _says_and_hangs(b"")),
}
"""What it does at a step of opening or closing, instead of the answer."""

ONCE: dict[str, Callable[["Conversation"], None]] = {
    "stalls": _says_and_hangs(b""),
    "resets": _resets,
    "channel-close": _says_and_hangs(method(spec.Channel.Close(406, (EVIL * 9)[:250], 60, 40))),
    "connection-close": _close(541, (EVIL * 9)[:250]),
    "frame-of-4-gib": _says_and_hangs(begun(0xFFFF_FFFF, 1, 1)),
    "bad-frame-end": _says(begun(4, 1, 1) + b"\x00\x3c\x00\x50\x00"),
    "unknown-method": _says(begun(4, 1, 1) + b"\x00\xc8\x00\xc8" + _FRAME_END),
    "unknown-channel": _says(method(spec.Basic.Ack(1), 99)),
    "channel-twice": _says(method(spec.Channel.OpenOk(), 77)),
    "cut-method": _says(begun(5, 1, 1) + b"\x00\x3c\x00\x50\x00" + _FRAME_END),
    "returns-without-end": _endless(content(spec.Basic.Return(312, "x", "", "q"), b"y" * 40)),
    "heartbeats-without-end": _endless(frame.Heartbeat().marshal()),
    "lies-and-stalls": _says_and_hangs(method(spec.Basic.Ack(1_000_000)) + method(spec.Basic.Ack(1))),
    "blocks": _says(method(spec.Connection.Blocked(EVIL), 0)),
}
"""What it does once, when the message `AT` has come, before that is confirmed."""

CONFIRMS: dict[str, Callable[[int], list[Any]]] = {
    "no-confirms": lambda _: [],
    "confirm-never-sent": lambda tag: [spec.Basic.Ack(tag), spec.Basic.Ack(tag + 1_000_000)],
    "confirm-twice": lambda tag: [spec.Basic.Ack(tag), spec.Basic.Ack(tag)],
    "confirm-all": lambda _: [spec.Basic.Ack(0, multiple=True)],
    "confirm-beyond": lambda tag: [spec.Basic.Ack(2**63 + tag, multiple=True)],
    "confirm-far": lambda tag: [spec.Basic.Ack(tag + 1_000, multiple=True)],
    "nacks": lambda tag: [spec.Basic.Nack(tag)],
}
"""What is said of the n-th message, instead of its ack."""


def _stamped(at: int, octets: bytes) -> Callable[[bytes], bytes]:
    return lambda body: body[:at] + octets + body[at + len(octets) :]


BODIES: dict[str, Callable[[bytes], bytes]] = {
    "no-stamp": _stamped(0, bytes(8)),
    "times-before-all": _stamped(16, struct.pack("<qq", -(10**18), -(10**18))),
    "times-to-come": _stamped(16, struct.pack("<qq", 2**62, 2**62)),
    "producer-unknown": _stamped(4, b"\xff" * 4),
    "sequence-huge": _stamped(8, struct.pack("<q", 2**62)),
    "sequence-8-gib": _stamped(8, struct.pack("<q", 2**33)),
    "sequence-negative": _stamped(8, struct.pack("<q", -5)),
    "short-body": lambda body: body[:5],
    "empty-body": lambda _: b"",
}
"""What becomes of a body."""

DELIVERIES: dict[str, Callable[["Conversation", str, int, bytes], bytes]] = {
    "loses": lambda _, tag, number, body: b"" if number % 10 == 0 else content(_deliver(tag, number), body),
    "delivers-twice": lambda _, tag, number, body: 2 * content(_deliver(tag, number), body),
    "floods": lambda _, tag, number, body: 200 * content(_deliver(tag, number), body),
    "tag-repeats": lambda _, tag, _number, body: content(_deliver(tag, 1), body),
    "tag-zero": lambda _, tag, _number, body: content(_deliver(tag, 0), body),
    "consumer-unknown": lambda _, _tag, number, body: content(_deliver("nobody", number), body),
    "size-of-8-eib": lambda _, tag, number, body: content(_deliver(tag, number), body, size=2**63),
    "size-too-small": lambda _, tag, number, body: content(_deliver(tag, number), body, size=4),
    "body-without-header": lambda _, _tag, _number, body: bytes(frame.Body(1, body).marshal()),
}
"""What is delivered of a message."""

MODES = ("honest", *GREETINGS, *TUNES, *STEPS, *ONCE, *CONFIRMS, *BODIES, *DELIVERIES, "properties", "returns")


def _deliver(consumer: str, tag: int) -> Any:
    return spec.Basic.Deliver(consumer, tag, False, "", "q")  # noqa: FBT003  (pika's own order)


class Hostile091(Listening):
    """The broker.

    Attributes:
        endpoint: where it listens.
        mode: how it misbehaves.
        queues: names of those that are there.
        consumers: by queue, those who consume and their tags.
    """

    def __init__(self, mode: str, *, workers_only: bool = False) -> None:
        """Listen.

        Args:
            mode: one of `MODES`.
            workers_only: behave to who does not call itself a producer or consumer of ours, once that is known.
        """
        super().__init__()
        self.mode = mode
        self.queues = {"q"}
        self.consumers: dict[str, list[tuple[Conversation, str]]] = {}
        self._workers_only = workers_only
        self.endpoint = Endpoint("amqp091", "127.0.0.1", self.port, "/", None, "guest", "guest")
        self.begin()

    def greeting(self) -> bytes:
        """Return connection.start."""
        properties: Mapping[str, object] = {
            "product": "RabbitMQ",
            "version": EVIL if self.mode == "properties" else "4.0.5",
            "platform": EVIL if self.mode == "properties" else "Erlang/OTP",
            "capabilities": {"publisher_confirms": True, "basic.nack": True, "connection.blocked": True},
        }
        return method(spec.Connection.Start(server_properties=properties, mechanisms="PLAIN", locales="en_US"), 0)

    def _talk_with(self, client: socket.socket) -> "Conversation":
        return Conversation(self, client, self._workers_only)


class Conversation(Talking):
    """One connection.

    Attributes:
        broker: whose it is.
    """

    def __init__(self, broker: Hostile091, client: socket.socket, workers_only: bool) -> None:  # noqa: FBT001
        """Take a client of a broker's."""
        super().__init__(client)
        self.broker = broker
        self._mode = broker.mode
        self._workers_only = workers_only
        self._published = self._delivered = 0
        self._confirms = False
        self._queue, self._size, self._body = "", 0, b""

    def deliver(self, consumer: str, body: bytes) -> None:
        """Deliver a message to its consumer."""
        self._delivered += 1
        body = BODIES.get(self._mode, bytes)(body)
        made = DELIVERIES.get(self._mode)
        if made is None:
            self.send(content(_deliver(consumer, self._delivered), body))
        else:
            self.send(made(self, consumer, self._delivered, body))

    def _run(self) -> None:
        with suppress(OSError, EOFError):
            try:
                self._converse()
            except Hangs:
                self.broker.over.wait()
            except Leaves:
                self.socket.close()
        for queue in self.broker.consumers.values():
            queue[:] = [one for one in queue if one[0] is not self]

    def _converse(self) -> None:
        if self._read(len(_HEADER)) != _HEADER:
            self.send(_HEADER)
            raise Leaves
        if self._mode in GREETINGS:
            GREETINGS[self._mode](self)
        else:
            self.send(self.broker.greeting())
        while True:
            kind, channel, size = struct.unpack(">BHI", self._read(7))
            came = frame.decode_frame(struct.pack(">BHI", kind, channel, size) + self._read(size + 1))[1]
            if isinstance(came, frame.Method):
                self._act(channel, came.method)
            elif isinstance(came, frame.Header):
                self._size, self._body = came.body_size, b""
            elif isinstance(came, frame.Body):
                self._body += came.fragment
                if len(self._body) >= self._size:
                    self._take(channel)

    def _read(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            more = self.socket.recv(count - len(octets))
            if not more:
                raise EOFError
            octets += more
        return octets

    def _act(self, channel: int, what: Any) -> None:
        if isinstance(what, spec.Connection.StartOk) and self._workers_only:
            name = str(what.client_properties.get("connection_name"))
            self._mode = self._mode if "producer" in name or "consumer" in name else "honest"
        kind, act = STEPS.get(self._mode, (None, None))
        if act is not None and isinstance(what, kind or ()):
            act(self)
            return
        answer = self._answer(what)
        if answer is not None:
            self.send(method(answer, channel))
        if isinstance(what, spec.Connection.Close):
            raise Leaves

    def _answer(self, what: Any) -> Any:
        match what:
            case spec.Connection.StartOk():
                return spec.Connection.Tune(*TUNES.get(self._mode, (2047, 131_072, 0)))
            case spec.Queue.Declare():
                return self._declare(what)
            case spec.Basic.Consume():
                tag = what.consumer_tag or "consumer"
                self.broker.consumers.setdefault(what.queue, []).append((self, tag))
                return spec.Basic.ConsumeOk(tag)
            case spec.Queue.Delete():
                self.broker.queues.discard(what.queue)
            case spec.Basic.Publish():
                self._queue, self._published = what.routing_key, self._published + 1
            case spec.Confirm.Select():
                self._confirms = True
        plain = {
            spec.Connection.Open: spec.Connection.OpenOk,
            spec.Connection.Close: spec.Connection.CloseOk,
            spec.Channel.Open: spec.Channel.OpenOk,
            spec.Channel.Close: spec.Channel.CloseOk,
            spec.Queue.Delete: lambda: spec.Queue.DeleteOk(0),
            spec.Confirm.Select: spec.Confirm.SelectOk,
            spec.Basic.Qos: spec.Basic.QosOk,
            spec.Basic.Cancel: lambda: spec.Basic.CancelOk(what.consumer_tag),
        }
        answer = plain.get(type(what))
        return None if answer is None else answer()

    def _declare(self, what: Any) -> Any:
        if what.passive and what.queue not in self.broker.queues:
            return spec.Channel.Close(404, "NOT_FOUND", 50, 10)
        self.broker.queues.add(what.queue)
        return spec.Queue.DeclareOk(what.queue, 0, 0)

    def _take(self, channel: int) -> None:
        """Confirm a message, and deliver it."""
        if self._published == AT and self._mode in ONCE:
            ONCE[self._mode](self)
        if self._mode == "returns":
            self.send(content(spec.Basic.Return(312, EVIL, "", self._queue), self._body, channel))
        said_of = CONFIRMS.get(self._mode, lambda tag: [spec.Basic.Ack(tag)])
        for said in said_of(self._published) if self._confirms else ():
            self.send(method(said, channel))
        for consumer, tag in self.broker.consumers.get(self._queue, [])[:1]:
            with suppress(OSError):
                consumer.deliver(tag, self._body)
