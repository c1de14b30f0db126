"""AMQP 1.0: the frames that open and close things, in plain Python (parts 2.7 and 5.3).

`parse` takes apart a frame that `scan` has found; `amqp10_frames` makes them. Only the fields
that a benchmark needs are kept. Pure.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from bench.wire import amqp10_values as v
from bench.wire.amqp10_layout import (
    ATTACH,
    BEGIN,
    CLOSE,
    DETACH,
    END,
    MASK32,
    NAMES,
    OPEN,
    SASL_MECHANISMS,
    SASL_OUTCOME,
    SMALLEST_FRAME,
)
from bench.wire.amqp10_values import Buffer, Described, WireError

UNSETTLED, SETTLED, MIXED = 0, 1, 2
"""Settlement modes of a sender."""

_HEAD = struct.Struct(">IBBH")
_ULONG = (1 << 64) - 1
_Kind = TypeVar("_Kind")


@dataclass(frozen=True)
class Condition:
    """Why the peer ended something."""

    name: str
    description: str = ""

    def __str__(self) -> str:
        """Return it as `name: description`."""
        return f"{self.name}: {self.description}" if self.description else self.name


@dataclass(frozen=True)
class Mechanisms:
    """SASL mechanisms that the peer offers."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class SaslOutcome:
    """End of SASL; 0 = ok, 1 = wrong credentials, 2 to 4 = the peer cannot say."""

    code: int


@dataclass(frozen=True)
class Open:
    """The peer's connection; `idle_timeout_ms` is how long it bears our silence, 0 = for ever."""

    container: str
    max_frame: int = MASK32
    channel_max: int = 0xFFFF
    idle_timeout_ms: int = 0
    properties: dict[Any, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Begin:
    """The peer's session; `remote_channel` is ours where it answers our begin."""

    channel: int
    remote_channel: int | None
    next_outgoing_id: int
    incoming_window: int
    outgoing_window: int
    handle_max: int = MASK32


@dataclass(frozen=True)
class Attach:
    """The peer's end of a link; without source or target it is about to be detached."""

    name: str
    handle: int
    receives: bool
    has_source: bool
    has_target: bool
    snd_settle_mode: int = MIXED
    rcv_settle_mode: int = 0
    initial_delivery_count: int = 0
    max_message_size: int = 0


@dataclass(frozen=True)
class Detach:
    """The peer's end of a link is gone."""

    handle: int
    closed: bool = False
    condition: Condition | None = None


@dataclass(frozen=True)
class End:
    """The peer's session is over."""

    condition: Condition | None = None


@dataclass(frozen=True)
class Close:
    """The peer's connection is over."""

    condition: Condition | None = None


Control = Mechanisms | SaslOutcome | Open | Begin | Attach | Detach | End | Close


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
            return value
        message = f"field {index} of a performative is {value}, beyond {most}"
        raise WireError(message)

    def condition(self, index: int) -> Condition | None:
        """Return an error; one that is no legal error is told by what it is."""
        value = self.any(index)
        if value is None:
            return None
        inner = value.value if isinstance(value, Described) else value
        if isinstance(inner, list) and inner and isinstance(inner[0], str):
            return Condition(str(inner[0]), str(inner[1]) if len(inner) > 1 and inner[1] is not None else "")
        return Condition("amqp:undefined-error", repr(inner))


def _mechanisms(fields: _Fields, _channel: int) -> Mechanisms:
    if isinstance(one := fields.any(0), str):
        return Mechanisms((str(one),))
    return Mechanisms(tuple(str(name) for name in fields.get(0, list)))


def _open(fields: _Fields, _channel: int) -> Open:
    return Open(
        fields.get(0, str),
        max(SMALLEST_FRAME, fields.number(2, default=MASK32)),
        fields.number(3, 0xFFFF, 0xFFFF),
        fields.number(4, default=0),
        fields.get(9, dict, {}),
    )


def _begin(fields: _Fields, channel: int) -> Begin:
    return Begin(
        channel,
        fields.number(0, 0xFFFF) if fields.any(0) is not None else None,
        fields.number(1),
        fields.number(2),
        fields.number(3),
        fields.number(4, default=MASK32),
    )


def _attach(fields: _Fields, _channel: int) -> Attach:
    return Attach(
        fields.get(0, str),
        fields.number(1),
        fields.get(2, bool),
        fields.any(5) is not None,
        fields.any(6) is not None,
        fields.number(3, MIXED, MIXED),
        fields.number(4, 1, 0),
        fields.number(9, default=0),
        fields.number(10, _ULONG, 0),
    )


def _detach(fields: _Fields, _channel: int) -> Detach:
    return Detach(fields.number(0), fields.get(1, bool, default=False), fields.condition(2))


_MAKERS: dict[int, Callable[[_Fields, int], Control]] = {
    SASL_MECHANISMS: _mechanisms,
    SASL_OUTCOME: lambda fields, _channel: SaslOutcome(fields.number(0)),
    OPEN: _open,
    BEGIN: _begin,
    ATTACH: _attach,
    DETACH: _detach,
    END: lambda fields, _channel: End(fields.condition(0)),
    CLOSE: lambda fields, _channel: Close(fields.condition(0)),
}


def parse(frame: Buffer) -> Control:
    """Take apart a frame that opens or closes something.

    Raises:
        WireError: it is no such frame, or its bytes are wrong.
    """
    if len(frame) < _HEAD.size:
        raise WireError("a frame is shorter than its header")
    size, offset, kind, channel = _HEAD.unpack_from(frame)
    if size != len(frame) or not _HEAD.size <= 4 * offset <= size:
        raise WireError("a frame's size or data offset is wrong")
    performative, at = v.decode(frame, 4 * offset, size)
    if at != size:
        raise WireError("bytes follow a performative that has no payload")
    if not isinstance(performative, Described) or not isinstance(performative.value, list):
        raise WireError("a frame does not begin with a performative")
    named = performative.descriptor
    code = NAMES.get(named, 0) if isinstance(named, str) else named
    maker = _MAKERS.get(code) if isinstance(code, int) else None
    if maker is None or (code >= SASL_MECHANISMS) != (kind == 1):
        message = f"a frame holds performative {named!r}, which is not expected here"
        raise WireError(message)
    return maker(_Fields(performative.value), channel)
