"""AMQP 1.0: the frames that open and close things (parts 2.7 and 5.3).

They are few, so Proton encodes and decodes their values. `parse` takes apart a frame that
`scan` has found, and keeps the fields that a benchmark needs. Pure.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from proton import Data, DataException, Described, symbol, ubyte, uint, ulong, ushort

from bench.wire.amqp10_layout import (
    ATTACH,
    BEGIN,
    CLOSE,
    DETACH,
    END,
    ERROR,
    MASK32,
    NAMES,
    OPEN,
    SMALLEST_FRAME,
    SOURCE,
    TARGET,
)

SASL_HEADER = b"AMQP\x03\x01\x00\x00"
AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
EMPTY = b"\x00\x00\x00\x08\x02\x00\x00\x00"
"""A heartbeat."""

UNSETTLED, SETTLED, MIXED = 0, 1, 2
"""Settlement modes of a sender."""

_FILTER, _REPLY_TO = 7, 4
"""Fields of a source (3.5.3) and of the properties section (3.2.4), counted from 0."""
_UNREADABLE = (DataException, ValueError, TypeError, OverflowError, RecursionError)
"""What Proton raises of bytes that are no legal value."""
_HEAD = struct.Struct(">IBBH")
_Kind = TypeVar("_Kind")


class WireError(ValueError):
    """The bytes are no legal AMQP 1.0."""


@dataclass(frozen=True)
class Condition:
    """Why the peer ended something."""

    name: str
    description: str = ""

    def __str__(self) -> str:
        """Return it as `name: description`."""
        return f"{self.name}: {self.description}" if self.description else self.name


@dataclass(frozen=True)
class Open:
    """The peer's connection; `idle_timeout_ms` is how long it bears our silence, 0 = for ever."""

    max_frame: int = MASK32
    idle_timeout_ms: int = 0


@dataclass(frozen=True)
class Begin:
    """The peer's session."""

    channel: int
    next_outgoing_id: int
    incoming_window: int
    handle_max: int = MASK32


@dataclass(frozen=True)
class SourceTerminus:
    """Where a receiving link takes its messages from (3.5.3).

    Attributes:
        address: of a node; empty where the peer is to make one and name it (dynamic).
        filters: name and value of each filter, which is described by its name.
    """

    address: str
    filters: tuple[tuple[str, str | int | bool], ...] = ()

    def fields(self) -> list[Any]:
        """Return the fields of the terminus, as Proton's types."""
        filters = {symbol(name): Described(symbol(name), value) for name, value in self.filters}
        fields = [self.address or None, None, None, None, not self.address, None, None, filters]
        return fields if filters else fields[:5] if not self.address else fields[:1]


@dataclass(frozen=True)
class Attach:
    """The peer's end of a link; without source or target it is about to be detached.

    Attributes:
        name: of the link.
        handle: the peer's.
        receives: the peer does.
        has_source: it has one.
        has_target: it has one.
        snd_settle_mode: settlement of the sender.
        initial_delivery_count: of a peer that sends.
        source_address: of the source; empty where it has none.
        filters: names of the filters that its source has.
    """

    name: str
    handle: int
    receives: bool
    has_source: bool
    has_target: bool
    snd_settle_mode: int = MIXED
    initial_delivery_count: int = 0
    source_address: str = ""
    filters: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Detach:
    """The peer's end of a link is gone."""

    handle: int
    condition: Condition | None = None


@dataclass(frozen=True)
class End:
    """The peer's session is over."""

    condition: Condition | None = None


@dataclass(frozen=True)
class Close:
    """The peer's connection is over."""

    condition: Condition | None = None


Control = Open | Begin | Attach | Detach | End | Close


def control_frame(code: int, *fields: Any, kind: int = 0) -> bytes:
    """Make a frame of any performative, of fields of Proton's types; kind 1 = SASL."""
    data = Data()
    data.put_object(Described(ulong(code), list(fields)))
    body = data.encode()
    return _HEAD.pack(_HEAD.size + len(body), 2, kind, 0) + body


def open_frame(container: str, hostname: str | None, *, max_frame: int, idle_timeout_ms: int = 0) -> bytes:
    """Open a connection of one channel; `idle_timeout_ms` is how long we bear the peer's silence, 0 = for ever."""
    idle = uint(idle_timeout_ms) if idle_timeout_ms else None
    return control_frame(OPEN, container, hostname, uint(max_frame), ushort(0), idle)


def begin_frame(
    *, incoming_window: int, outgoing_window: int, handle_max: int, remote_channel: int | None = None
) -> bytes:
    """Begin a session on channel 0, with 0 as next-outgoing-id; a remote channel is one that it answers."""
    answered = None if remote_channel is None else ushort(remote_channel)
    return control_frame(BEGIN, answered, uint(0), uint(incoming_window), uint(outgoing_window), uint(handle_max))


def attach_frame(
    name: str,
    handle: int,
    *,
    receives: bool,
    settled: bool,
    source: SourceTerminus | None = None,
    target: str | None = None,
) -> bytes:
    """Attach a link between two addresses; one that sends has 0 as initial delivery-count.

    A target without address is the anonymous terminus, where one sends.
    """
    return control_frame(
        ATTACH,
        name,
        uint(handle),
        receives,
        ubyte(SETTLED if settled else UNSETTLED),
        ubyte(0),
        Described(ulong(SOURCE), [None] if source is None else source.fields()),
        Described(ulong(TARGET), [target]),
        None,
        None,
        None if receives else uint(0),
    )


def detach_frame(handle: int, condition: Condition | None = None) -> bytes:
    """Close a link."""
    return control_frame(DETACH, uint(handle), True, _error(condition))  # noqa: FBT003  (closed)


def end_frame(condition: Condition | None = None) -> bytes:
    """End the session."""
    return control_frame(END, _error(condition))


def close_frame(condition: Condition | None = None) -> bytes:
    """Close the connection."""
    return control_frame(CLOSE, _error(condition))


def _error(condition: Condition | None) -> Described | None:
    if condition is None:
        return None
    return Described(ulong(ERROR), [symbol(condition.name), condition.description or None])


class _Fields:
    """The fields of a performative, by number; what is absent is null."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def any(self, index: int) -> Any:
        """Return a field as it was decoded."""
        return self._values[index] if index < len(self._values) else None

    def get(self, index: int, kind: type[_Kind], default: _Kind | None = None) -> _Kind:
        """Return a field, its default where it is null.

        Raises:
            WireError: it is of another type, or null without a default.
        """
        value = self.any(index)
        if value is None:
            value = default
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        message = f"field {index} of a performative is {value!r}, not a value of type {kind.__name__}"
        raise WireError(message)

    def number(self, index: int, most: int = MASK32, default: int | None = None) -> int:
        """Return a field that is a number from 0 to `most`, its default where it is null.

        Raises:
            WireError: it is none, or null without a default.
        """
        value = self.get(index, int, default)
        if 0 <= value <= most:
            return int(value)
        message = f"field {index} of a performative is {value}, beyond {most}"
        raise WireError(message)

    def source(self, index: int) -> tuple[str, frozenset[str]]:
        """Return address and names of filters of a source; what is no legal one has neither."""
        value = self.any(index)
        fields = _Fields(value.value if isinstance(value, Described) and isinstance(value.value, list) else [])
        address, filters = fields.any(0), fields.any(_FILTER)
        names = filters if isinstance(filters, dict) else {}
        return str(address) if isinstance(address, str) else "", frozenset(map(str, names))

    def condition(self, index: int) -> Condition | None:
        """Return an error; one that is no legal error is told by what it is."""
        value = self.any(index)
        if value is None:
            return None
        inner = value.value if isinstance(value, Described) else value
        if isinstance(inner, list) and inner and isinstance(inner[0], str):
            return Condition(str(inner[0]), str(inner[1]) if len(inner) > 1 and inner[1] is not None else "")
        return Condition("amqp:undefined-error", repr(inner))


_MAKERS: dict[int, Callable[[_Fields, int], Control]] = {
    OPEN: lambda its, _: Open(max(SMALLEST_FRAME, its.number(2, default=MASK32)), its.number(4, default=0)),
    BEGIN: lambda its, channel: Begin(channel, its.number(1), its.number(2), its.number(4, default=MASK32)),
    ATTACH: lambda its, _: Attach(
        its.get(0, str),
        its.number(1),
        its.get(2, bool),
        its.any(5) is not None,
        its.any(6) is not None,
        its.number(3, MIXED, MIXED),
        its.number(9, default=0),
        *its.source(5),
    ),
    DETACH: lambda its, _: Detach(its.number(0), its.condition(2)),
    END: lambda its, _: End(its.condition(0)),
    CLOSE: lambda its, _: Close(its.condition(0)),
}


def parse(frame: bytes) -> Control:
    """Take apart a frame that opens or closes something.

    Raises:
        WireError: it is no such frame, or its bytes are wrong.
    """
    if len(frame) < _HEAD.size:
        raise WireError("a frame is shorter than its header")
    size, offset, kind, channel = _HEAD.unpack_from(frame)
    if size != len(frame) or not _HEAD.size <= 4 * offset <= size:
        raise WireError("a frame's size or data offset is wrong")
    data = Data()
    try:
        end = data.decode(frame[4 * offset :])
        data.rewind()
        data.next()
        performative = data.get_object()
    except _UNREADABLE as error:
        raise WireError("a frame holds no legal value") from error
    if end != size - 4 * offset:
        raise WireError("bytes follow a performative that has no payload")
    if not isinstance(performative, Described) or not isinstance(performative.value, list):
        raise WireError("a frame does not begin with a performative")
    named = performative.descriptor
    code = NAMES.get(named) if isinstance(named, str) else named
    maker = _MAKERS.get(code) if isinstance(code, int) and kind == 0 else None
    if maker is None:
        message = f"a frame holds performative {named!r}, which is not expected here"
        raise WireError(message)
    return maker(_Fields(performative.value), channel)


def reply_to(properties: bytes) -> str:
    """Return `reply-to` of a properties section (3.2.4): the constructor of its list, then what follows its size.

    Empty where there is none, or where this is no such list.
    """
    width = {0xC0: 1, 0xD0: 4}.get(properties[0]) if properties else None
    if width is None:
        return ""
    data = Data()
    try:
        data.decode(properties[:1] + (len(properties) - 1).to_bytes(width, "big") + properties[1:])
        data.rewind()
        data.next()
        fields = data.get_object()
    except _UNREADABLE:
        return ""
    found = fields[_REPLY_TO] if isinstance(fields, list) and len(fields) > _REPLY_TO else None
    return found if isinstance(found, str) else ""
