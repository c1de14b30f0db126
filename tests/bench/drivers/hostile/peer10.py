"""A broker over AMQP 1.0 that misbehaves in one way, which is a row of a table, and is an honest one otherwise.

As `peer091`, over another protocol. Frames are made and read by Proton's encoding of data; what it would not write is
made by hand.
"""

import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from proton import Data, Described, symbol, ubyte, uint, ulong, ushort

from brokers.endpoint import Endpoint
from tests.bench.drivers.hostile.peer import Listening, Talking
from tests.bench.drivers.hostile.peer091 import AT, BODIES, EVIL, Hangs, Leaves

SASL_HEADER = b"AMQP\x03\x01\x00\x00"
AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
OPEN, BEGIN, ATTACH, FLOW, TRANSFER, DISPOSITION, DETACH, END, CLOSE = range(0x10, 0x19)
MECHANISMS, INIT, CHALLENGE, OUTCOME = 0x40, 0x41, 0x42, 0x44
ERROR, ACCEPTED, REJECTED, RELEASED, MODIFIED = 0x1D, 0x24, 0x25, 0x26, 0x27
_CREDIT = 20
_VBIN8 = b"\x00\x53\x75\xa0"
"""Opens a data section of at most 255 bytes; its length follows."""
_BODY = 40


def encoded(value: Any) -> bytes:
    """Return a value as Proton encodes it."""
    data = Data()
    data.put_object(value)
    octets: bytes = data.encode()
    return octets


def raw_frame(body: bytes, channel: int = 0, kind: int = 0, offset: int = 2, size: int | None = None) -> bytes:
    """Return a frame; its header may say anything."""
    return struct.pack(">IBBH", 8 + len(body) if size is None else size, offset, kind, channel) + body


def frame(code: int, fields: list[Any], payload: bytes = b"", channel: int = 0, kind: int = 0) -> bytes:
    """Return the frame of a performative."""
    return raw_frame(encoded(Described(ulong(code), fields)) + payload, channel, kind)


def error(condition: str = "amqp:internal-error", text: str = (EVIL * 9)[:250]) -> Described:
    """Return an error."""
    return Described(ulong(ERROR), [symbol(condition), text])


def state(code: int) -> Described:
    """Return an outcome."""
    return Described(ulong(code), [])


Act = Callable[["Talk"], None]


def _says(octets: bytes) -> Act:
    return lambda talk: talk.send(octets)


def _says_and(octets: bytes, then: type[Exception]) -> Act:
    def say(talk: "Talk") -> None:
        talk.send(octets)
        raise then

    return say


def _endless(octets: bytes) -> Act:
    def pour(talk: "Talk") -> None:
        while not talk.broker.over.is_set():
            talk.send(octets * (1 + 65_536 // len(octets)))

    return pour


def _after(first: bytes, act: Act) -> Act:
    def both(talk: "Talk") -> None:
        talk.send(first)
        act(talk)

    return both


def _trickle(talk: "Talk") -> None:
    for octet in SASL_HEADER + frame(MECHANISMS, [symbol("PLAIN")], kind=1):
        talk.send(bytes((octet,)))
        talk.broker.over.wait(1.0)


def _resets(talk: "Talk") -> None:
    talk.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Leaves


def _flow(credit: int, handle: int | None = 0, **other: int) -> bytes:
    window, following = other.get("window", 2048), other.get("next_in", 0)
    session = [uint(following), uint(window), uint(0), uint(2048)]
    if handle is None:
        return frame(FLOW, session)
    return frame(FLOW, [*session, uint(handle), uint(other.get("count", 0)), uint(credit)])


GREETINGS: dict[str, Act] = {
    "silent": _says_and(b"", Hangs),
    "leaves-at-header": _says_and(b"", Leaves),
    "no-sasl": _says_and(AMQP_HEADER, Hangs),
    "amqp-0-9-1": _says_and(b"AMQP\x00\x00\x09\x01", Leaves),
    "http": _says_and(b"HTTP/1.1 400 Bad Request\r\nX: \x1b[31m\r\n\r\n", Leaves),
    "huge-frame": _says_and(SASL_HEADER + raw_frame(b"AAAA", kind=1, size=0xFFFF_FFFF), Hangs),
    "huge-frame-flood": _after(SASL_HEADER + raw_frame(b"", kind=1, size=0x7FFF_FFFF), _endless(b"A" * 1000)),
    "tiny-frame": _says_and(SASL_HEADER + raw_frame(b"", kind=1, size=3), Hangs),
    "trickle": _trickle,
    "no-plain": _says_and(SASL_HEADER + frame(MECHANISMS, [symbol("EXTERNAL")], kind=1), Hangs),
    "mechanisms-cut": _says_and(SASL_HEADER + raw_frame(b"\x00\x53\x40\xc0\xff\x01\xa3\x05PLAIN", kind=1), Hangs),
}
"""What it answers to the header of SASL."""


def _outcome(code: int) -> Act:
    return _says_and(frame(OUTCOME, [ubyte(code)], kind=1), Hangs)


STEPS: dict[str, tuple[int, Act]] = {
    "login-silent": (INIT, _says_and(b"", Hangs)),
    "login-refused": (INIT, _outcome(1)),
    "login-outcome-9": (INIT, _outcome(9)),
    "login-challenge": (INIT, _says_and(frame(CHALLENGE, [b"who?"], kind=1), Hangs)),
    "leaves-at-login": (INIT, _says_and(b"", Leaves)),
    "open-silent": (OPEN, _says_and(b"", Hangs)),
    "open-refused": (OPEN, _says_and(frame(OPEN, ["evil"]) + frame(CLOSE, [error()]), Hangs)),
    "open-leaves": (OPEN, _says_and(b"", Leaves)),
    "open-huge-frame": (OPEN, _says_and(raw_frame(b"", size=0xFFFF_FFFF), Hangs)),
    "open-of-nothing": (OPEN, _says_and(raw_frame(b"\x00\x53\x10\x45"), Hangs)),
    "begin-silent": (BEGIN, _says_and(b"", Hangs)),
    "begin-ended": (
        BEGIN,
        _says_and(frame(BEGIN, [ushort(0), uint(0), uint(9), uint(9)]) + frame(END, [error()]), Hangs),
    ),
    "attach-silent": (ATTACH, _says_and(b"", Hangs)),
    "attach-of-nobody": (ATTACH, _says_and(frame(ATTACH, ["nobody", uint(0), True]), Hangs)),
    "close-silent": (CLOSE, _says_and(b"", Hangs)),
}
"""What it does at a step of opening or closing, instead of the answer."""

OPENS: dict[str, list[Any]] = {
    "frame-max-0": ["evil", None, uint(0), ushort(9)],
    "frame-max-1": ["evil", None, uint(1), ushort(9)],
    "frame-max-512": ["evil", None, uint(512), ushort(9)],
    "frame-max-huge": ["evil", None, uint(0xFFFF_FFFF), ushort(0xFFFF)],
    "idle-1-ms": ["evil", None, uint(65_536), ushort(9), uint(1)],
    "no-channels": ["evil", None, uint(65_536), ushort(0)],
    "evil-name": [EVIL, None, uint(65_536), ushort(9)],
}
"""Fields of open."""

BEGINS: dict[str, list[Any]] = {
    "window-0": [uint(0), uint(0), uint(2048)],
    "window-1": [uint(0), uint(1), uint(2048)],
    "window-huge": [uint(0), uint(0xFFFF_FFFF), uint(0xFFFF_FFFF)],
    "no-handles": [uint(0), uint(2048), uint(2048), uint(0)],
}
"""Fields of begin, behind the channel."""

CREDITS: dict[str, list[bytes]] = {
    "no-credit": [],
    "credit-huge": [_flow(0xFFFF_FFFF)],
    "credit-taken-back": [_flow(_CREDIT), _flow(0)],
    "credit-to-nobody": [_flow(_CREDIT, 77)],
    "credit-count-ahead": [_flow(_CREDIT, count=1_000_000)],
    "credit-window-ahead": [_flow(_CREDIT, next_in=1_000_000)],
}
"""Flows to a sender that has attached."""

ONCE: dict[str, Act] = {
    "stalls": _says_and(b"", Hangs),
    "resets": _resets,
    "detaches": _says_and(frame(DETACH, [uint(0), True, error("amqp:resource-deleted")]), Hangs),
    "ends": _says_and(frame(END, [error()]), Hangs),
    "closes": _says_and(frame(CLOSE, [error("amqp:connection:forced")]), Hangs),
    "frame-of-4-gib": _says_and(raw_frame(b"", size=0xFFFF_FFFF), Hangs),
    "frame-of-3-octets": _says(raw_frame(b"", size=3)),
    "bad-offset": _says(raw_frame(b"\x00\x53\x13\x45", offset=200)),
    "bad-type": _says(raw_frame(b"\x00\x53\x13\x45", kind=7)),
    "unknown-performative": _says(raw_frame(b"\x00\x53\x99\x45")),
    "unknown-channel": _says(frame(FLOW, [uint(0), uint(9), uint(0), uint(9)], channel=99)),
    "unknown-handle": _says(_flow(9, 77)),
    "cut-frame": _says(raw_frame(b"\x00\x53\x13\xc0\xff\x04")),
    "flows-without-end": _endless(_flow(0, None)),
    "empty-frames-without-end": _endless(raw_frame(b"")),
    "outcomes-without-end": _endless(frame(DISPOSITION, [True, uint(0), uint(0), True, state(ACCEPTED)])),
}
"""What it does once, when the message `AT` has come, before that is settled."""


def _settled(first: int, last: int | None = None, code: int = ACCEPTED, *, settled: bool = True) -> bytes:
    end = None if last is None else uint(last & 0xFFFF_FFFF)
    return frame(DISPOSITION, [True, uint(first & 0xFFFF_FFFF), end, settled, state(code)])


OUTCOMES: dict[str, Callable[[int], bytes]] = {
    "no-outcomes": lambda _: b"",
    "outcome-never-sent": lambda number: _settled(number) + _settled(number + 1_000_000),
    "outcome-twice": lambda number: 2 * _settled(number),
    "outcome-of-all": lambda number: _settled(0, number),
    "outcome-beyond": lambda number: _settled(number, number + 1_000),
    "outcome-of-the-world": lambda number: _settled(number, number + 0x7FFF_0000),
    "outcome-backwards": lambda number: _settled(number, number - 1),
    "rejects": lambda number: _settled(number, code=REJECTED),
    "releases": lambda number: _settled(number, code=RELEASED),
    "modifies": lambda number: _settled(number, code=MODIFIED),
    "accepts-unsettled": lambda number: _settled(number, settled=False),
    "outcome-unknown": lambda number: _settled(number, code=0x99),
    "outcome-missing": lambda number: frame(DISPOSITION, [True, uint(number), None, True]),
    "outcome-of-a-sender": lambda number: frame(DISPOSITION, [False, uint(number), None, True, state(ACCEPTED)]),
}
"""What is said of the message with a delivery-id, instead of `accepted` and settled."""


def _transfer(handle: int, number: int, payload: bytes, **other: Any) -> bytes:
    tag = other.get("tag", struct.pack(">I", number & 0xFFFF_FFFF))
    fields = [uint(handle), other.get("id", uint(number & 0xFFFF_FFFF)), tag, uint(0), False, other.get("more", False)]
    if other.get("aborted"):
        fields += [None, None, None, True]
    return frame(TRANSFER, fields, payload)


DELIVERIES: dict[str, Callable[[int, int, bytes], bytes]] = {
    "loses": lambda at, number, load: b"" if number % 10 == 9 else _transfer(at, number, load),
    "delivers-twice": lambda at, number, load: 2 * _transfer(at, number, load),
    "floods": lambda at, number, load: b"".join(_transfer(at, 200 * number + more, load) for more in range(200)),
    "id-repeats": lambda at, _, load: _transfer(at, 0, load),
    "id-missing": lambda at, number, load: _transfer(at, number, load, id=None),
    "tag-of-40-octets": lambda at, number, load: _transfer(at, number, load, tag=b"t" * 40),
    "aborts": lambda at, number, load: _transfer(at, number, load, aborted=True),
    "never-ends": lambda at, number, load: _transfer(at, number, load, more=True),
    "handle-unknown": lambda _, number, load: _transfer(77, number, load),
    "no-sections": lambda at, number, _: _transfer(at, number, b""),
    "section-unknown": lambda at, number, load: _transfer(at, number, b"\x00\x53\x99\x45" + load),
    "sections-out-of-order": lambda at, number, load: _transfer(at, number, load + b"\x00\x53\x70\x45"),
    "body-cut": lambda at, number, load: _transfer(at, number, load[:-10]),
    "body-of-4-gib": lambda at, number, load: _transfer(at, number, b"\x00\x53\x75\xb0\xff\xff\xff\xff" + load),
    "body-of-text": lambda at, number, _: _transfer(at, number, b"\x00\x53\x77\xa1\x03abc"),
    "garbage": lambda at, number, load: _transfer(at, number, b"\xff" * len(load)),
}
"""What is delivered of a message on a link of a handle, given the number of the delivery."""

BODY_MODES = tuple(BODIES)
MODES = (
    *("honest", *GREETINGS, *STEPS, *OPENS, *BEGINS, *CREDITS, *ONCE, *OUTCOMES, *BODY_MODES, *DELIVERIES),
    "attach-refused",
)


class Hostile10(Listening):
    """The broker.

    Attributes:
        endpoint: where it listens.
        mode: how it misbehaves.
        takers: those who consume, with the handle of their link; one queue is enough.
    """

    def __init__(self, mode: str) -> None:
        """Listen; `mode` is one of `MODES`."""
        super().__init__()
        self.mode = mode
        self.takers: list[Talk] = []
        self.endpoint = Endpoint("amqp10", "127.0.0.1", self.port, "/", "vhost:/", "guest", "guest")
        self.begin()

    def _talk_with(self, client: socket.socket) -> "Talk":
        return Talk(self, client)


class Talk(Talking):
    """One connection.

    Attributes:
        broker: whose it is.
    """

    def __init__(self, broker: Hostile10, client: socket.socket) -> None:
        """Take a client of a broker's."""
        super().__init__(client)
        self.broker = broker
        self._came = self._delivered = self._credit = self._granted = 0
        self._waiting: deque[bytes] = deque()
        self._steps: dict[int, Act] = {code: act for name, (code, act) in STEPS.items() if name == broker.mode}

    def deliver(self, payload: bytes) -> None:
        """Deliver a message as soon as there is credit for it."""
        with self._sending:
            self._waiting.append(payload)
            self._hand_out()

    def _hand_out(self) -> None:
        while self._credit > 0 and self._waiting:
            self._credit -= 1
            number, self._delivered = self._delivered, self._delivered + 1
            payload = _changed(self._waiting.popleft(), self.broker.mode)
            made = DELIVERIES.get(self.broker.mode, _transfer)
            self.socket.sendall(made(0, number, payload))

    def _run(self) -> None:
        with suppress(OSError, EOFError):
            try:
                self._talk()
            except Hangs:
                self.broker.over.wait()
            except Leaves:
                self.socket.close()
        if self in self.broker.takers:
            self.broker.takers.remove(self)

    def _talk(self) -> None:
        mode = self.broker.mode
        if self._read(8) != SASL_HEADER:
            self.send(SASL_HEADER)
            raise Leaves
        if mode in GREETINGS:
            GREETINGS[mode](self)
            raise Hangs
        self.send(SASL_HEADER + frame(MECHANISMS, [symbol("PLAIN")], kind=1))
        self._frame()
        if INIT in self._steps:
            self._steps[INIT](self)
        self.send(frame(OUTCOME, [ubyte(0)], kind=1))
        assert self._read(8) == AMQP_HEADER
        self.send(AMQP_HEADER)
        while True:
            body = self._frame()
            if body:
                data = Data()
                used = data.decode(body)
                data.rewind()
                data.next()
                came = data.get_object()
                self._act(int(came.descriptor), list(came.value), body[used:])

    def _frame(self) -> bytes:
        size, offset, _, _ = struct.unpack(">IBBH", self._read(8))
        return self._read(size - 8)[4 * offset - 8 :]

    def _read(self, count: int) -> bytes:
        octets = b""
        while len(octets) < count:
            more = self.socket.recv(count - len(octets))
            if not more:
                raise EOFError
            octets += more
        return octets

    def _act(self, code: int, fields: list[Any], payload: bytes) -> None:
        mode = self.broker.mode
        if code in self._steps:
            self._steps[code](self)
        elif code == OPEN:
            self.send(frame(OPEN, OPENS.get(mode, ["a peer", None, uint(65_536), ushort(9)])))
        elif code == BEGIN:
            self.send(frame(BEGIN, [ushort(0), *BEGINS.get(mode, [uint(0), uint(2048), uint(2048)])]))
        elif code == ATTACH:
            self._attach(fields)
        elif code == FLOW and len(fields) > 6 and fields[4] is not None:
            with self._sending:
                self._credit = int(fields[6]) + int(fields[5] or 0) - self._delivered
                self._hand_out()
        elif code == TRANSFER:
            self._take(int(fields[1]), payload)
        elif code in (DETACH, END, CLOSE):
            self.send(frame(code, [uint(0), True] if code == DETACH else []))
            if code == CLOSE:
                raise Leaves

    def _attach(self, fields: list[Any]) -> None:
        fields += [None] * (7 - len(fields))
        name, receives, source, target = fields[0], fields[2], fields[5], fields[6]
        if self.broker.mode == "attach-refused":
            self.send(frame(ATTACH, [name, uint(0), not receives, None, None, None, None, None, None, uint(0)]))
            self.send(frame(DETACH, [uint(0), True, error("amqp:not-found")]))
            raise Hangs
        count = uint(0) if receives else None
        self.send(frame(ATTACH, [name, uint(0), not receives, ubyte(2), ubyte(0), source, target, None, None, count]))
        if receives:
            self.broker.takers.append(self)
        else:
            for flow in CREDITS.get(self.broker.mode, [_flow(_CREDIT, window=_window(self.broker.mode))]):
                self.send(flow)
            self._granted = _CREDIT

    def _take(self, number: int, payload: bytes) -> None:
        """Settle a message, deliver it, and give credit again."""
        mode = self.broker.mode
        self._came += 1
        if self._came == AT and mode in ONCE:
            ONCE[mode](self)
        self.send(OUTCOMES.get(mode, _settled)(number))
        if mode not in CREDITS and self._granted - self._came < _CREDIT // 2:
            self._granted = self._came + _CREDIT
            self.send(_flow(_CREDIT, count=self._came, next_in=self._came, window=_window(mode)))
        for taker in self.broker.takers[:1]:
            with suppress(OSError):
                taker.deliver(payload)


def _window(mode: str) -> int:
    return int(BEGINS[mode][1]) if mode in BEGINS else 2048


def _changed(payload: bytes, mode: str) -> bytes:
    """Return a message with another body, as the mode has it; the body is the end of what a client sends."""
    change = BODIES.get(mode)
    if change is None:
        return payload
    body = change(payload[-_BODY:])
    return _VBIN8 + bytes((len(body),)) + body
