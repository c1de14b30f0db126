"""AMQP 1.0: the sections of a message that stand before its body, encoded once a port (parts 1.6 and 3.2). Pure.

Where messages differ in `to`, `subject` or `reply-to`, those fields are left out here, and `split` tells where
`bench.wire.amqp10_pieces` puts them in. A `{seq}` becomes digits that are written anew for each message.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from bench.drivers.base import Properties

SEQ = "{seq}"
SEQ_DIGITS = 13
"""Digits of a sequence number in a text: enough for each that a driver can send (below 2⁴⁰)."""

_NULL = b"\x40"
_TRUE, _FALSE = b"\x41", b"\x42"
_STRING, _SYMBOL = (0xA1, 0xB1), (0xA3, 0xB3)
_HEADER, _PROPERTIES, _APPLICATION = b"\0\x53\x70", b"\0\x53\x73", b"\0\x53\x74"
_MARK = b"\xff" * SEQ_DIGITS
"""Stands for digits until all sections are made: no text has such octets, and no number so many of them."""
_BYTE_MAX = 0xFF


@dataclass(frozen=True)
class Varying:
    """Which properties of a message are put in for each message.

    Attributes:
        destination: `to` and `subject`; else they are those of the front.
        reply_to: `reply-to`; else there is none.
    """

    destination: bool = False
    reply_to: bool = False


@dataclass(frozen=True)
class Front:
    """What precedes a body's section.

    Attributes:
        octets: the sections, with zeros for digits.
        digits: where the digits of a sequence number begin, each time.
        split: where properties are put in; 0 = nowhere.
        size_at: where the size of the properties section's list stands, four octets; 0 where nothing is put in.
        size: that size, while nothing is put in.
    """

    octets: bytes
    digits: tuple[int, ...] = ()
    split: int = 0
    size_at: int = 0
    size: int = 0


def make_front(
    properties: Properties, *, durable: bool, to: str = "", subject: str = "", varying: Varying | None = None
) -> Front:
    """Return the front of messages.

    What section 3.2 has no place for, `type` and `app_id`, are application properties. No `{seq}` is read in `to` and
    `subject`.
    """
    varies = varying or Varying()
    header = _header(properties, durable=durable)
    fields = [
        _template(properties.message_id),
        _NULL,
        text_value(to),
        text_value(subject),
        _NULL,
        _template(properties.correlation_id),
        _template(properties.content_type, _SYMBOL),
        _template(properties.content_encoding, _SYMBOL),
    ]
    if not varies.destination and not varies.reply_to:
        listed = _list(fields)
        octets = header + (_PROPERTIES + listed if listed else b"") + _application(properties)
        return _finished(octets)
    first = 2 if varies.destination else 4  # the fields before those that are put in
    last = 5 if varies.reply_to else 4  # and the first behind them
    before, behind = b"".join(fields[:first]), b"".join(fields[last:])
    size = 4 + len(before) + len(behind)
    opened = header + _PROPERTIES + b"\xd0"
    octets = opened + struct.pack(">II", size, len(fields)) + before
    split = len(octets)
    return _finished(octets + behind + _application(properties), split, len(opened), size)


def text_value(text: str) -> bytes:
    """Return a string, null where it is empty."""
    return _sized(text.encode(), _STRING) if text else _NULL


def data_head(size: int) -> bytes:
    """Return what precedes the octets of a data section."""
    return b"\0\x53\x75" + (bytes((0xA0, size)) if size <= _BYTE_MAX else struct.pack(">BI", 0xB0, size))


def _finished(octets: bytes, split: int = 0, size_at: int = 0, size: int = 0) -> Front:
    """Find the digits."""
    places, at = [], octets.find(_MARK)
    while at >= 0:
        places.append(at)
        at = octets.find(_MARK, at + SEQ_DIGITS)
    return Front(octets.replace(_MARK, b"0" * SEQ_DIGITS), tuple(places), split, size_at, size)


def _header(properties: Properties, *, durable: bool) -> bytes:
    """Return a header section; `durable` is written in both cases, as brokers differ in what its absence means."""
    fields = [_TRUE if durable else _FALSE, _NULL, _NULL]
    if properties.priority is not None:
        fields[1] = bytes((0x50, properties.priority))
    if properties.expiration_ms is not None:
        fields[2] = struct.pack(">BI", 0x70, properties.expiration_ms)
    fields = _trimmed(fields)
    listed = b"".join(fields)
    return _HEADER + bytes((0xC0, len(listed) + 1, len(fields))) + listed


def _application(properties: Properties) -> bytes:
    """Return the section of application properties, or nothing."""
    more = [(name, text) for name, text in (("type", properties.type), ("app_id", properties.app_id)) if text]
    pairs = [*properties.headers, *more]
    if not pairs:
        return b""
    octets = b"".join(_sized(name.encode(), _STRING) + _value(value) for name, value in pairs)
    return _APPLICATION + struct.pack(">BII", 0xD1, 4 + len(octets), 2 * len(pairs)) + octets


def _value(value: str | int | bool) -> bytes:
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    if isinstance(value, int):
        return struct.pack(">Bq", 0x81, value)
    return _template(value) if value else _sized(b"", _STRING)


def _template(text: str, kind: tuple[int, int] = _STRING) -> bytes:
    """Return a string or symbol with the marks of digits, null where it is empty."""
    return _sized(_MARK.join(part.encode() for part in text.split(SEQ)), kind) if text else _NULL


def _sized(octets: bytes, kind: tuple[int, int]) -> bytes:
    """Return a value of variable width in the shorter of two forms."""
    short, long = kind
    length = len(octets)
    return (bytes((short, length)) if length <= _BYTE_MAX else struct.pack(">BI", long, length)) + octets


def _list(fields: Sequence[bytes]) -> bytes:
    """Return a list, or nothing where all fields are null."""
    kept = _trimmed(fields)
    listed = b"".join(kept)
    return struct.pack(">BII", 0xD0, 4 + len(listed), len(kept)) + listed if kept else b""


def _trimmed(fields: Sequence[bytes]) -> list[bytes]:
    """Return fields without the null ones at the end."""
    kept = list(fields)
    while kept and kept[-1] == _NULL:
        kept.pop()
    return kept
