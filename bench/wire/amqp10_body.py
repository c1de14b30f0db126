"""The bare minimum of AMQP 1.0 message format: a message to send, and where a body begins.

Sections and types are those of OASIS AMQP 1.0, parts 1.6 and 3.2. Pure.
"""

import struct
from dataclasses import dataclass

Buffer = bytes | bytearray | memoryview

_HEADER, _DATA, _VALUE = 0x70, 0x75, 0x77
_DESCRIBED, _SMALL_ULONG, _ULONG = 0x00, 0x53, 0x80
_TRUE, _FALSE, _BOOLEAN = 0x41, 0x42, 0x56
_UINT, _SMALL_UINT = 0x70, 0x52
_BINARY8, _BINARY32 = 0xA0, 0xB0
_LIST8, _LIST32 = 0xC0, 0xD0
_BYTE_MAX = 0xFF
_FIXED_WIDTHS = {0x4: 0, 0x5: 1, 0x6: 2, 0x7: 4, 0x8: 8, 0x9: 16}
"""Bytes of a value by the upper half of its constructor (1.2)."""
_SHORT_SIZES = frozenset((0xA, 0xC, 0xE))
"""Upper halves of constructors whose value begins with its size in one byte."""
_LONG_SIZES = frozenset((0xB, 0xD, 0xF))
"""As above, in four bytes."""
_FIRST_ACQUIRER, _DELIVERY_COUNT = 3, 4
"""Fields of the header section (3.2.1), counted from 0."""


@dataclass(frozen=True)
class Body:
    """Where the body of an encoded message lies.

    Attributes:
        start: offset of its first byte.
        length: bytes.
        redelivered: the header says that this is not its first delivery: delivery-count
            above 0 or first-acquirer false; a missing header says nothing.
    """

    start: int
    length: int
    redelivered: bool


def opening(size: int, *, durable: bool) -> bytes:
    """Return what precedes a body of `size` bytes: a header section and a data section's start.

    `durable` is written in both cases, as brokers differ in what its absence means.
    """
    header = bytes((_DESCRIBED, _SMALL_ULONG, _HEADER, _LIST8, 2, 1, _TRUE if durable else _FALSE))
    length = bytes((_BINARY8, size)) if size <= _BYTE_MAX else struct.pack(">BI", _BINARY32, size)
    return header + bytes((_DESCRIBED, _SMALL_ULONG, _DATA)) + length


def find_body(message: Buffer) -> Body | None:
    """Return where the first data section, or a binary amqp-value, lies.

    None stands for a message with another kind of body, or bytes that are no message.
    """
    try:
        return _find_body(message)
    except (IndexError, KeyError, struct.error):
        return None


def _find_body(message: Buffer) -> Body | None:
    at, redelivered = 0, False
    while at < len(message):
        section, value = _descriptor(message, at)
        end = _end(message, value)
        if end > len(message):
            return None
        if section == _HEADER:
            redelivered = _redelivered(message, value)
        elif section in (_DATA, _VALUE):
            start = _binary_start(message, value)
            return None if start is None else Body(start, end - start, redelivered)
        at = end
    return None


def _descriptor(message: Buffer, at: int) -> tuple[int, int]:
    """Return a section's numeric descriptor and where its value begins."""
    if message[at] == _DESCRIBED and message[at + 1] == _SMALL_ULONG:
        return message[at + 2], at + 3
    if message[at] == _DESCRIBED and message[at + 1] == _ULONG:
        return struct.unpack_from(">Q", message, at + 2)[0], at + 10
    raise KeyError(message[at])


def _end(message: Buffer, at: int) -> int:
    """Return the offset behind the value whose constructor is at `at`."""
    kind = message[at] >> 4
    if kind in _SHORT_SIZES:
        return at + 2 + message[at + 1]
    if kind in _LONG_SIZES:
        size: int = struct.unpack_from(">I", message, at + 1)[0]
        return at + 5 + size
    return at + 1 + _FIXED_WIDTHS[kind]


def _binary_start(message: Buffer, at: int) -> int | None:
    return {_BINARY8: at + 2, _BINARY32: at + 5}.get(message[at])


def _redelivered(message: Buffer, at: int) -> bool:
    """Return what a header section's list says of earlier deliveries."""
    if message[at] == _LIST8:
        count, at = message[at + 2], at + 3
    elif message[at] == _LIST32:
        count, at = struct.unpack_from(">I", message, at + 5)[0], at + 9
    else:
        return False
    for field in range(count):
        if field == _FIRST_ACQUIRER and _is_false(message, at):
            return True
        if field == _DELIVERY_COUNT and _uint(message, at) > 0:
            return True
        at = _end(message, at)
    return False


def _is_false(message: Buffer, at: int) -> bool:
    return message[at] == _FALSE or (message[at] == _BOOLEAN and message[at + 1] == 0)


def _uint(message: Buffer, at: int) -> int:
    """Return a uint; 0 for null and uint0."""
    if message[at] == _SMALL_UINT:
        return message[at + 1]
    if message[at] == _UINT:
        value: int = struct.unpack_from(">I", message, at + 1)[0]
        return value
    return 0
