"""AMQP 1.0: whole frames that open and close things, made in plain Python (parts 2.7 and 5.3). Pure."""

import struct

from bench.wire import amqp10_values as v
from bench.wire.amqp10_control import SETTLED, UNSETTLED, Condition
from bench.wire.amqp10_layout import (
    ATTACH,
    BEGIN,
    CLOSE,
    DETACH,
    END,
    ERROR,
    OPEN,
    SASL_INIT,
    SOURCE,
    TARGET,
)
from bench.wire.amqp10_values import NULL

SASL_HEADER = b"AMQP\x03\x01\x00\x00"
AMQP_HEADER = b"AMQP\x00\x01\x00\x00"
EMPTY = b"\x00\x00\x00\x08\x02\x00\x00\x00"
"""A heartbeat."""

_HEAD = struct.Struct(">IBBH")


def control_frame(code: int, *fields: bytes, kind: int = 0, channel: int = 0) -> bytes:
    """Make a frame of any performative of encoded fields; kind 1 = SASL."""
    body = v.described(code, v.listed(*fields))
    return _HEAD.pack(_HEAD.size + len(body), 2, kind, channel) + body


def _optional(value: str | None) -> bytes:
    return NULL if value is None else v.string(value)


def _error(condition: Condition | None) -> bytes:
    if condition is None:
        return NULL
    return v.described(ERROR, v.listed(v.symbol(condition.name), _optional(condition.description or None)))


def sasl_init(mechanism: str, response: bytes, hostname: str | None) -> bytes:
    """Choose a mechanism, with its first response."""
    host = _optional(hostname)
    return control_frame(SASL_INIT, v.symbol(mechanism), v.binary(response), host, kind=1)


def plain(username: str, password: str) -> bytes:
    """Return the response of mechanism PLAIN."""
    return b"\0" + username.encode() + b"\0" + password.encode()


def open_frame(
    container: str, hostname: str | None, *, max_frame: int, channel_max: int = 0, idle_timeout_ms: int = 0
) -> bytes:
    """Open a connection; `idle_timeout_ms` is how long we bear the peer's silence, 0 = for ever."""
    idle = v.uint(idle_timeout_ms) if idle_timeout_ms else NULL
    return control_frame(OPEN, v.string(container), _optional(hostname), v.uint(max_frame), v.ushort(channel_max), idle)


def begin_frame(*, incoming_window: int, outgoing_window: int, handle_max: int) -> bytes:
    """Begin a session on channel 0, with 0 as next-outgoing-id."""
    return control_frame(BEGIN, NULL, v.uint(0), v.uint(incoming_window), v.uint(outgoing_window), v.uint(handle_max))


def attach_sender(
    name: str,
    handle: int,
    address: str,
    *,
    settled: bool,
    capabilities: tuple[str, ...] = (),
) -> bytes:
    """Attach a link that sends to an address, with 0 as initial delivery-count."""
    target = v.described(TARGET, v.listed(v.string(address), *[NULL] * 5, _symbols(capabilities)))
    mode = v.ubyte(SETTLED if settled else UNSETTLED)
    source = v.described(SOURCE, v.listed())
    return control_frame(
        ATTACH,
        v.string(name),
        v.uint(handle),
        v.boolean(False),  # noqa: FBT003  (role: a value, not a switch)
        mode,
        v.ubyte(0),
        source,
        target,
        NULL,
        NULL,
        v.uint(0),
    )


def attach_receiver(
    name: str,
    handle: int,
    address: str,
    *,
    settled: bool,
    capabilities: tuple[str, ...] = (),
) -> bytes:
    """Attach a link that receives from an address."""
    source = v.described(SOURCE, v.listed(v.string(address), *[NULL] * 9, _symbols(capabilities)))
    mode = v.ubyte(SETTLED if settled else UNSETTLED)
    role = v.boolean(True)  # noqa: FBT003  (role: a value, not a switch)
    target = v.described(TARGET, v.listed())
    return control_frame(ATTACH, v.string(name), v.uint(handle), role, mode, v.ubyte(0), source, target)


def _symbols(names: tuple[str, ...]) -> bytes:
    """Encode several symbols as an array, one as itself."""
    if len(names) <= 1:
        return v.symbol(names[0]) if names else NULL
    elements = b"".join(struct.pack(">I", len(name)) + name.encode("ascii") for name in names)
    return struct.pack(">BIIB", 0xF0, len(elements) + 5, len(names), 0xB3) + elements


def detach_frame(handle: int, condition: Condition | None = None) -> bytes:
    """Close a link."""
    return control_frame(DETACH, v.uint(handle), v.boolean(True), _error(condition))  # noqa: FBT003  (closed)


def end_frame(condition: Condition | None = None) -> bytes:
    """End the session."""
    return control_frame(END, _error(condition))


def close_frame(condition: Condition | None = None) -> bytes:
    """Close the connection."""
    return control_frame(CLOSE, _error(condition))
