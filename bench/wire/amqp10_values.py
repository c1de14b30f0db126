"""AMQP 1.0: values of every type in plain Python, for the frames that open and close things.

Encoding offers the types that such frames need, decoding takes any legal encoding (part 1
of the standard). Not for messages: those are the kernels' business. Pure.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Buffer = bytes | bytearray | memoryview

_DEEPEST = 16
"""Values within values; what nests deeper is taken for hostile."""

_MOST_EMPTY = 1024
"""Elements without bytes of their own that an array may have."""

NULL = b"\x40"


class WireError(ValueError):
    """The bytes are no legal AMQP 1.0."""


class Symbol(str):
    """A symbolic value, which is ASCII."""

    __slots__ = ()


@dataclass(frozen=True)
class Described:
    """A value with its descriptor, a number or a symbol."""

    descriptor: Any
    value: Any


def boolean(value: bool) -> bytes:
    """Encode a boolean."""
    return b"\x41" if value else b"\x42"


def ubyte(value: int) -> bytes:
    """Encode an unsigned byte."""
    return bytes((0x50, value))


def ushort(value: int) -> bytes:
    """Encode an unsigned number of two bytes."""
    return struct.pack(">BH", 0x60, value)


def uint(value: int) -> bytes:
    """Encode an unsigned number of four bytes."""
    if value == 0:
        return b"\x43"
    return bytes((0x52, value)) if value <= 0xFF else struct.pack(">BI", 0x70, value)


def _sized(short: int, payload: bytes) -> bytes:
    if len(payload) <= 0xFF:
        return bytes((short, len(payload))) + payload
    return struct.pack(">BI", short + 0x10, len(payload)) + payload


def binary(value: bytes) -> bytes:
    """Encode bytes."""
    return _sized(0xA0, value)


def string(value: str) -> bytes:
    """Encode text."""
    return _sized(0xA1, value.encode())


def symbol(value: str) -> bytes:
    """Encode a symbol."""
    return _sized(0xA3, value.encode("ascii"))


def listed(*fields: bytes) -> bytes:
    """Encode a list of encoded values; nulls at its end are left out."""
    count = len(fields)
    while count and fields[count - 1] == NULL:
        count -= 1
    if not count:
        return b"\x45"
    payload = b"".join(fields[:count])
    if len(payload) < 0xFF and count <= 0xFF:
        return bytes((0xC0, len(payload) + 1, count)) + payload
    return struct.pack(">BII", 0xD0, len(payload) + 4, count) + payload


def described(code: int, value: bytes) -> bytes:
    """Encode a described value."""
    return bytes((0x00, 0x53, code)) + value


def decode(buffer: Buffer, at: int, end: int, depth: int = 0) -> tuple[Any, int]:
    """Decode the value at `at`: (value, next offset).

    Lists and arrays become lists, maps dicts, decimals and UUIDs bytes, timestamps ms.

    Raises:
        WireError: it is no legal value, or does not end before `end`.
    """
    if at >= end:
        raise WireError("a value is cut short")
    form = buffer[at]
    if form == 0x00:
        if depth == _DEEPEST:
            raise WireError("values nest too deep")
        descriptor, at = decode(buffer, at + 1, end, depth + 1)
        value, at = decode(buffer, at, end, depth + 1)
        return Described(descriptor, value), at
    return _bare(buffer, form, at + 1, end, depth)


def _bare(buffer: Buffer, form: int, at: int, end: int, depth: int) -> tuple[Any, int]:
    """Decode a value whose constructor `form` lies before `at`, or, in an array, once for all."""
    fixed = _FIXED.get(form)
    if fixed is not None:
        width, read = fixed
        if at + width > end:
            raise WireError("a value is cut short")
        return read(buffer, at), at + width
    reader = _VARIABLE.get(form & 0xEF)
    if reader is None or form < 0xA0:
        message = f"0x{form:02x} is no constructor of AMQP 1.0"
        raise WireError(message)
    width = 4 if form & 0x10 else 1
    if at + width > end:
        raise WireError("a value is cut short")
    start = at + width
    stop = start + int.from_bytes(buffer[at:start], "big")
    if stop > end:
        raise WireError("a value is cut short")
    return reader(buffer, start, stop, width, depth), stop


def _text(encoding: str) -> Callable[[Buffer, int, int, int, int], str]:
    def read(buffer: Buffer, start: int, stop: int, _width: int, _depth: int) -> str:
        try:
            return str(buffer[start:stop], encoding)
        except UnicodeDecodeError as error:
            message = f"text is not {encoding}"
            raise WireError(message) from error

    return read


def _symbol(buffer: Buffer, start: int, stop: int, width: int, depth: int) -> Symbol:
    return Symbol(_text("ascii")(buffer, start, stop, width, depth))


def _count(buffer: Buffer, start: int, stop: int, width: int, depth: int) -> int:
    if start + width > stop:
        raise WireError("a compound value is shorter than its count")
    if depth == _DEEPEST:
        raise WireError("values nest too deep")
    return int.from_bytes(buffer[start : start + width], "big")


def _list(buffer: Buffer, start: int, stop: int, width: int, depth: int) -> list[Any]:
    count, at = _count(buffer, start, stop, width, depth), start + width
    values = []
    for _ in range(count):
        value, at = decode(buffer, at, stop, depth + 1)
        values.append(value)
    if at != stop:
        raise WireError("a compound value does not end where it says")
    return values


def _map(buffer: Buffer, start: int, stop: int, width: int, depth: int) -> dict[Any, Any]:
    values = _list(buffer, start, stop, width, depth)
    if len(values) % 2:
        raise WireError("a map has a key without a value")
    try:
        return dict(zip(values[::2], values[1::2], strict=True))
    except TypeError as error:
        raise WireError("a map's key is a compound value") from error


def _array(buffer: Buffer, start: int, stop: int, width: int, depth: int) -> list[Any]:
    count, at = _count(buffer, start, stop, width, depth), start + width
    descriptors = []
    while at < stop and buffer[at] == 0x00:
        descriptor, at = decode(buffer, at + 1, stop, depth + 1)
        descriptors.append(descriptor)
    if at >= stop:
        raise WireError("an array has no constructor")
    form, at = buffer[at], at + 1
    if form in _FIXED and _FIXED[form][0] == 0 and count > _MOST_EMPTY:
        raise WireError("an array has too many elements")
    values = []
    for _ in range(count):
        value, at = _bare(buffer, form, at, stop, depth + 1)
        for descriptor in reversed(descriptors):
            value = Described(descriptor, value)
        values.append(value)
    if at != stop:
        raise WireError("a compound value does not end where it says")
    return values


def _unpacker(layout: str) -> tuple[int, Callable[[Buffer, int], Any]]:
    parts = struct.Struct(layout)
    return parts.size, lambda buffer, at: parts.unpack_from(buffer, at)[0]


def _truth(buffer: Buffer, at: int) -> bool:
    if buffer[at] > 1:
        raise WireError("a boolean is neither 0 nor 1")
    return buffer[at] == 1


def _character(buffer: Buffer, at: int) -> str:
    code = int.from_bytes(buffer[at : at + 4], "big")
    if code > 0x10FFFF:
        raise WireError("a character is beyond Unicode")
    return chr(code)


_FIXED: dict[int, tuple[int, Callable[[Buffer, int], Any]]] = {
    0x40: (0, lambda _buffer, _at: None),
    0x41: (0, lambda _buffer, _at: True),
    0x42: (0, lambda _buffer, _at: False),
    0x43: (0, lambda _buffer, _at: 0),
    0x44: (0, lambda _buffer, _at: 0),
    0x45: (0, lambda _buffer, _at: []),
    0x50: _unpacker(">B"),
    0x51: _unpacker(">b"),
    0x52: _unpacker(">B"),
    0x53: _unpacker(">B"),
    0x54: _unpacker(">b"),
    0x55: _unpacker(">b"),
    0x56: (1, _truth),
    0x60: _unpacker(">H"),
    0x61: _unpacker(">h"),
    0x70: _unpacker(">I"),
    0x71: _unpacker(">i"),
    0x72: _unpacker(">f"),
    0x73: (4, _character),
    0x74: _unpacker(">4s"),
    0x80: _unpacker(">Q"),
    0x81: _unpacker(">q"),
    0x82: _unpacker(">d"),
    0x83: _unpacker(">q"),
    0x84: _unpacker(">8s"),
    0x94: _unpacker(">16s"),
    0x98: _unpacker(">16s"),
}
"""Width and reader of values of fixed width, by constructor."""

_VARIABLE: dict[int, Callable[[Buffer, int, int, int, int], Any]] = {
    0xA0: lambda buffer, start, stop, _width, _depth: bytes(buffer[start:stop]),
    0xA1: _text("utf-8"),
    0xA3: _symbol,
    0xC0: _list,
    0xC1: _map,
    0xE0: _array,
}
"""Readers of values that begin with their size, by constructor of the short form."""
