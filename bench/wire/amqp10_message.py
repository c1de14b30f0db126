"""AMQP 1.0: the sections of a message as they come, in pieces of any size, compiled (part 3.2).

Only a section's head, the header section and the first bytes of the body, those of a
stamp, are ever looked at; the rest is counted and passed over. Who answers also keeps the
properties. State lies in the lane's row, so that the
messages of many links may come interleaved. Frames and deliveries live elsewhere.
"""

import numpy as np

from bench.arrivals.stamp import COMPACT_SIZE, MAGIC, MOST_COMPACT_PRODUCERS, SEQ_MASK, TIME_BITS, TIME_MASK
from bench.jit import kernel_aside, kernel_part
from bench.wire.amqp10_layout import (
    E_BODY,
    E_CUT,
    E_NO_BODY,
    E_ORDER,
    E_SECTION,
    HEAD_SIZE,
    L_BODY,
    L_FILL,
    L_INTENDED,
    L_KEPT,
    L_LEFT,
    L_OURS_STAMP,
    L_PRODUCER,
    L_REDELIVERED,
    L_SECTION,
    L_SENT,
    L_SEQ,
    L_STAMP,
    MASK32,
    NEED,
    S_DATA,
    S_FOOTER,
    S_HEADER,
    S_PROPERTIES,
    S_SEQUENCE,
    S_VALUE,
    LinkTables,
)
from bench.wire.amqp10_types import BOOLEAN, UBYTE, UINT, descriptor, list_at, read_fields
from bench.wire.octets import Int64, Octets, copy, get32, get_little64, octet

_HEADER = np.array((BOOLEAN, UBYTE, UINT, BOOLEAN, UINT), np.int64)
_MOST_PRODUCER = MOST_COMPACT_PRODUCERS - 1
_REST = 1 << 62
"""Bytes to come of a message that is passed over: however many there are."""
_FIRST_ACQUIRER, _DELIVERY_COUNT = 3, 4
_HEADER_MAX = 4 + 2 + 2 + 5 + 2 + 5
"""Octets behind the size of the longest legal header section, of which 4 are the count."""


@kernel_part
def _read_stamp(buf: Octets, at: int, lanes: Int64, lane: int) -> None:
    """Keep the fields of a stamp that lies wholly at `at`, where it is one; of a compact one the time is folded."""
    word = get_little64(buf, at)
    if lanes[lane, L_STAMP] == COMPACT_SIZE:
        lanes[lane, L_OURS_STAMP] = 1
        lanes[lane, L_PRODUCER] = word >> TIME_BITS & _MOST_PRODUCER
        lanes[lane, L_SEQ] = get_little64(buf, at + 4) >> 32 & MASK32
        lanes[lane, L_INTENDED] = word & TIME_MASK
        return
    if word & MASK32 == MAGIC:
        lanes[lane, L_OURS_STAMP] = 1
        lanes[lane, L_PRODUCER] = word >> 32 & MASK32
        lanes[lane, L_SEQ] = get_little64(buf, at + 8) & SEQ_MASK
        lanes[lane, L_INTENDED] = get_little64(buf, at + 16)
        lanes[lane, L_SENT] = get_little64(buf, at + 24)


@kernel_part
def end_message(lanes: Int64, lane: int) -> int:
    """Return 0 where a message may end here, else an error."""
    if 0 < lanes[lane, L_LEFT] <= MASK32 or lanes[lane, L_FILL] > 0:
        return E_CUT
    return 0 if lanes[lane, L_SECTION] >= S_DATA else E_NO_BODY


@kernel_part
def _head(buf: Octets, at: int, end: int) -> tuple[int, int, int, int]:
    """Read a section's head: (descriptor, its value's constructor, size, next offset or status).

    The size is that of the bytes behind the head; -1 stands for a value that has none. A
    header section counts as head, with the whole of its list.
    """
    if at >= end:
        return 0, 0, 0, NEED
    if octet(buf, at) != 0x00:
        return 0, 0, 0, E_SECTION
    code, at = descriptor(buf, at + 1, end)
    if at < 0:
        return 0, 0, 0, at
    if code < S_HEADER or code > S_FOOTER:
        return 0, 0, 0, E_SECTION
    if at >= end:
        return 0, 0, 0, NEED
    form = octet(buf, at)
    kind = form >> 4
    size = -1
    if kind == 0xA or kind == 0xC:
        if at + 2 > end:
            return 0, 0, 0, NEED
        size, at = octet(buf, at + 1), at + 2
    elif kind == 0xB or kind == 0xD:
        if at + 5 > end:
            return 0, 0, 0, NEED
        size, at = get32(buf, at + 1), at + 5
    else:
        at += 1
        if form == 0x45:
            size = 0
    if code == S_HEADER:
        if size > _HEADER_MAX:
            return 0, 0, 0, E_SECTION
        if size > end - at:
            return 0, 0, 0, NEED
    return code, form, size, at


@kernel_part
def _pass_over(lanes: Int64, lane: int, code: int) -> int:
    """Begin a body that cannot be ours, of whatever values: it is passed over, with all that follows.

    Returns 0, or an error where no such body may stand.
    """
    if code == S_DATA:
        return E_BODY
    if lanes[lane, L_SECTION] >= S_DATA:
        return E_ORDER
    lanes[lane, L_SECTION] = S_FOOTER
    lanes[lane, L_LEFT] = _REST
    return 0


@kernel_part
def _enter(lanes: Int64, lane: int, code: int, form: int, size: int) -> int:
    """Begin a section: return 0, or an error where it may not stand here or has a wrong type."""
    last = lanes[lane, L_SECTION]
    if code == S_DATA or code == S_VALUE or code == S_SEQUENCE:
        if form != 0xA0 and form != 0xB0:
            return _pass_over(lanes, lane, code)
        if code == S_SEQUENCE:
            return E_BODY
        if last >= S_DATA and not (last == S_DATA and code == S_DATA):
            return E_ORDER
    else:
        if code <= last:
            return E_ORDER
        if code == S_FOOTER and last < S_DATA:
            return E_NO_BODY
        if code == S_HEADER or code == S_PROPERTIES:
            fits = form == 0x45 or form == 0xC0 or form == 0xD0
        else:
            fits = form == 0xC1 or form == 0xD1
        if not fits:
            return E_SECTION
    lanes[lane, L_SECTION] = code
    lanes[lane, L_LEFT] = size
    return 0


@kernel_aside
def _header(buf: Octets, at: int, stop: int, tables: LinkTables, lane: int) -> int:
    """Read the list of a header section, which ends at `stop`; return 0 or an error."""
    fields, lanes = tables.fields, tables.lanes
    count, first, last = list_at(buf, at, stop)
    if last != stop or read_fields(buf, first, stop, _HEADER, count, fields) < 0:
        return E_SECTION
    if fields[_DELIVERY_COUNT] > 0 or fields[_FIRST_ACQUIRER] == 0:
        lanes[lane, L_REDELIVERED] = 1
    lanes[lane, L_LEFT] = 0
    return 0


@kernel_part
def _section(buf: Octets, at: int, end: int, tables: LinkTables, lane: int) -> int:
    """Begin the section at `at`; return the offset behind its head, or a status."""
    code, form, size, stop = _head(buf, at, end)
    if stop < 0:
        return stop
    status = _enter(tables.lanes, lane, code, form, size)
    if status < 0:
        return status
    if code == S_PROPERTIES and tables.letters.shape[1] > 0:
        tables.letters[lane, 0] = form
    if code == S_HEADER:
        at = stop - (1 if form == 0x45 else 2 if form == 0xC0 else 5)
        stop += size
        status = _header(buf, at, stop, tables, lane)
        if status < 0:
            return status
    return stop


@kernel_aside
def _split_stamp(buf: Octets, at: int, size: int, tables: LinkTables, lane: int) -> None:
    """Gather the first bytes of a body, those of a stamp, that come in pieces."""
    lanes, own = tables.lanes, tables.scratch[lane]
    have, wanted = lanes[lane, L_BODY], lanes[lane, L_STAMP]
    more = min(size, wanted - have)
    copy(own, HEAD_SIZE + have, buf, at, more)
    lanes[lane, L_BODY] = have + more
    if have + more == wanted:
        _read_stamp(own, HEAD_SIZE, lanes, lane)


@kernel_aside
def _keep(buf: Octets, at: int, size: int, tables: LinkTables, lane: int) -> None:
    """Keep bytes of a properties section, as far as there is room for them."""
    lanes, own = tables.lanes, tables.letters[lane]
    have = 1 + lanes[lane, L_KEPT]
    if have + size <= len(own):
        copy(own, have, buf, at, size)
    lanes[lane, L_KEPT] += size


@kernel_part
def take_payload(buf: Octets, at: int, stop: int, tables: LinkTables, lane: int) -> int:
    """Take the bytes [at, stop) of a message; return 0 or an error."""
    lanes, own = tables.lanes, tables.scratch[lane]
    while at < stop:
        left = lanes[lane, L_LEFT]
        if left > 0:
            size = min(left, stop - at)
            have, wanted = lanes[lane, L_BODY], lanes[lane, L_STAMP]
            if have < wanted and S_DATA <= lanes[lane, L_SECTION] <= S_VALUE:
                if have == 0 and size >= wanted:
                    lanes[lane, L_BODY] = wanted
                    _read_stamp(buf, at, lanes, lane)
                else:
                    _split_stamp(buf, at, size, tables, lane)
            elif lanes[lane, L_SECTION] == S_PROPERTIES and tables.letters.shape[1] > 0:
                _keep(buf, at, size, tables, lane)
            lanes[lane, L_LEFT] = left - size
            at += size
            continue
        fill = lanes[lane, L_FILL]
        source, first, last = buf, at, stop
        if fill > 0:
            # A head that comes in pieces is gathered byte by byte until it is whole.
            if fill == HEAD_SIZE:
                return E_SECTION
            own[np.uint64(fill)] = octet(buf, at)
            source, first, last = own, fill - fill, fill + 1
        after = _section(source, first, last, tables, lane)
        if after == NEED:
            if fill == 0 and stop - at > HEAD_SIZE:
                return E_SECTION
            if fill == 0:
                copy(own, fill, buf, at, stop - at)
                lanes[lane, L_FILL] = stop - at
                return 0
            lanes[lane, L_FILL] = fill + 1
            at += 1
        elif after < 0:
            return after
        else:
            lanes[lane, L_FILL] = 0
            at = after if fill == 0 else at + 1
    return 0
