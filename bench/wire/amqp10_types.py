"""AMQP 1.0: values out of bytes, compiled (part 1.6 of the standard).

A reader gets the offset of its first byte and the end of what may be read, and returns the
offset behind it, or `NEED` where the bytes end too early, or an error; it never looks at a
byte at or behind the end. What a list of fields means lives elsewhere.
"""

import numpy as np

from bench.jit import kernel_aside, kernel_part
from bench.wire.amqp10_layout import (
    E_CONSTRUCTOR,
    E_FIELD,
    E_FIELDS,
    E_LIST,
    HALF32,
    MASK32,
    NAMES,
    NEED,
)
from bench.wire.octets import Int64, Octets, get32, octet

ANY, UINT, BOOLEAN, UBYTE, BINARY, STATE = 0, 1, 2, 3, 4, 5
"""Types of fields, as schemas have them."""

NULL = -1
"""Value of a field that is null or absent."""

_KINDS = np.full(256, ANY, np.int64)
_WIDTHS = np.full(256, -1, np.int64)
_VALUES = np.zeros(256, np.int64)
for _form in range(0x40, 0x100):
    _kind = _form >> 4
    _WIDTHS[_form] = (1 << _kind - 4) >> 1 if _kind < 0xA else (1, 4)[_kind % 2]
for _form, _kind in ((0x43, UINT), (0x52, UINT), (0x70, UINT), (0x41, BOOLEAN), (0x42, BOOLEAN), (0x56, BOOLEAN)):
    _KINDS[_form] = _kind
for _form, _kind in ((0x50, UBYTE), (0xA0, BINARY), (0xB0, BINARY), (0x00, STATE), (0x40, NULL)):
    _KINDS[_form] = _kind
_VALUES[0x40], _VALUES[0x41] = NULL, 1
# By constructor: type of field, bytes of a value of fixed width or of a size (-1 where there
# is no such constructor), and the value of a constructor without bytes.

UNKNOWN = 0
"""Descriptor that is none of the standard's."""

_LONGEST_NAME = max(len(name) for name in NAMES)
_NAME_BYTES = np.zeros((len(NAMES), _LONGEST_NAME), np.uint8)
_NAME_LENGTHS = np.array([len(name) for name in NAMES], np.int64)
_NAME_CODES = np.array(list(NAMES.values()), np.int64)
for _row, _name in enumerate(NAMES):
    _NAME_BYTES[_row, : len(_name)] = np.frombuffer(_name.encode(), np.uint8)


@kernel_part
def ahead(later: int, earlier: int) -> int:
    """Return how far one serial number is ahead of another, negative behind (RFC 1982)."""
    return ((later - earlier + HALF32) & MASK32) - HALF32


@kernel_part
def _named(buf: Octets, at: int, length: int) -> int:
    """Return the descriptor that a symbol stands for."""
    for row in range(len(_NAME_CODES)):
        if _NAME_LENGTHS[row] == length:
            same = 0
            while same < length and octet(buf, at + same) == _NAME_BYTES[row, same]:
                same += 1
            if same == length:
                return int(_NAME_CODES[row])
    return UNKNOWN


@kernel_aside
def _wide_descriptor(buf: Octets, at: int, end: int) -> tuple[int, int]:
    """Read a descriptor in any other form than that of one byte."""
    if at >= end:
        return UNKNOWN, NEED
    form = octet(buf, at)
    if form == 0x44:
        return UNKNOWN, at + 1
    if form == 0x80:
        if at + 9 > end:
            return UNKNOWN, NEED
        known = get32(buf, at + 1) == 0 and get32(buf, at + 5) <= 0xFF
        return get32(buf, at + 5) if known else UNKNOWN, at + 9
    if form == 0x53:
        return UNKNOWN, NEED
    if form != 0xA3 and form != 0xB3:
        return UNKNOWN, E_CONSTRUCTOR
    width = 1 if form == 0xA3 else 4
    start = at + 1 + width
    if start > end:
        return UNKNOWN, NEED
    length = octet(buf, at + 1) if width == 1 else get32(buf, at + 1)
    if length > _LONGEST_NAME:
        return UNKNOWN, start
    if start + length > end:
        return UNKNOWN, NEED
    return _named(buf, start, length), start + length


@kernel_part
def descriptor(buf: Octets, at: int, end: int) -> tuple[int, int]:
    """Read the descriptor behind a 0x00: (its number or `UNKNOWN`, next offset or status).

    The offset tells nothing where the descriptor is unknown.
    """
    if at + 2 <= end and octet(buf, at) == 0x53:
        return octet(buf, at + 1), at + 2
    return _wide_descriptor(buf, at, end)


@kernel_aside
def skip(buf: Octets, at: int, end: int) -> int:
    """Pass over any value; what is inside of lists, maps and arrays is not looked at."""
    more = 1
    while more > 0:
        if at >= end:
            return NEED
        form = octet(buf, at)
        at += 1
        if form == 0x00:
            # A descriptor and a value instead of one value.
            more += 1
            continue
        width = _WIDTHS[form]
        if width < 0:
            return E_CONSTRUCTOR
        at += width
        if at > end:
            return NEED
        if form >= 0xA0:
            at += octet(buf, at - 1) if width == 1 else get32(buf, at - 4)
        more -= 1
    return at if at <= end else NEED


@kernel_part
def list_at(buf: Octets, at: int, end: int) -> tuple[int, int, int]:
    """Read the head of a list: (fields, offset of the first, offset behind the last).

    The last is `NEED` or an error where there is no list; the fields themselves need not
    have come.
    """
    if at >= end:
        return 0, 0, NEED
    form = octet(buf, at)
    if form == 0x45:
        return 0, at + 1, at + 1
    if form == 0xC0:
        if at + 3 > end:
            return 0, 0, NEED
        size = octet(buf, at + 1)
        return octet(buf, at + 2), at + 3, at + 2 + size if size >= 1 else E_LIST
    if form == 0xD0:
        if at + 9 > end:
            return 0, 0, NEED
        size = get32(buf, at + 1)
        return get32(buf, at + 5), at + 9, at + 5 + size if size >= 4 else E_LIST
    return 0, 0, E_LIST


@kernel_part
def read_fields(buf: Octets, at: int, stop: int, schema: Int64, count: int, fields: Int64) -> int:
    """Read the fields of a list that lies wholly in [at, stop) into `fields`; return 0 or an error.

    Numbers and booleans as they are, of binary the length, of a state the descriptor;
    `NULL` for what is null or absent. The list must end with its last field.
    """
    if count > len(schema):
        return E_FIELDS
    for field in range(count):
        if at >= stop:
            return E_LIST
        form = octet(buf, at)
        kind, width = _KINDS[form], _WIDTHS[form]
        wanted = schema[field]
        if kind != wanted and kind != NULL and wanted != ANY:
            return E_FIELD
        if form == 0x00:
            fields[field] = descriptor(buf, at + 1, stop)[0]
            at = skip(buf, at, stop)
            if at < 0:
                return E_LIST if at == NEED else at
            continue
        if width < 0:
            return E_CONSTRUCTOR
        value = _VALUES[form]
        at += 1 + width
        if at > stop:
            return E_LIST
        if width == 4:
            value = get32(buf, at - 4)
        elif width == 1:
            value = octet(buf, at - 1)
        if form >= 0xA0:
            at += value
        elif kind == BOOLEAN and value > 1:
            return E_FIELD
        fields[field] = value
    for field in range(count, len(schema)):
        fields[field] = NULL
    return 0 if at == stop else E_LIST
