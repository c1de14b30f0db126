"""AMQP 1.0: frames out of a receive buffer, compiled (parts 2.3 and 2.6).

`scan` reads as far as it can. Transfers, flows and dispositions change the tables and add
rows; every other frame is handed to Python by its bounds. The payload of a transfer is
consumed as it comes, so that what a caller must keep for the next read is at most a
performative. Messages are the business of `amqp10_message`, outcomes of `amqp10_settle`.
"""

from bench.jit import kernel_entry, kernel_part
from bench.wire.amqp10_layout import (
    ANSWER,
    C_CHANNEL,
    C_DUE,
    C_INSIDE,
    C_MAX_IN,
    CLOSE,
    CONTROL,
    DISPOSITION,
    DONE,
    DUE_NOW,
    E_CHANNEL,
    E_FRAME_OFFSET,
    E_FRAME_SIZE,
    E_FRAME_TYPE,
    E_LIST,
    E_PERFORMATIVE,
    FLOW,
    HEADER,
    NEED,
    OPEN,
    PROTOCOL_WORD,
    ROWS_FULL,
    T_DELIVERIES,
    T_DISPOSITIONS,
    T_FLOWS,
    T_HEARTBEATS,
    TRANSFER,
    LinkTables,
)
from bench.wire.amqp10_settle import (
    DISPOSITION_SCHEMA,
    FLOW_SCHEMA,
    flow,
    settle,
)
from bench.wire.amqp10_transfer import (
    performative,
    take_frame_payload,
    take_transfer,
)
from bench.wire.amqp10_types import descriptor
from bench.wire.cursor import Scanned
from bench.wire.octets import Octets, get16, get32, octet


@kernel_part
def _state(
    buf: Octets, after: int, stop: int, code: int, now_ns: int, tables: LinkTables, conn: int, found: Scanned
) -> int:
    """Act on a flow or disposition that has wholly come, up to `stop`; return a status."""
    tally = found.cursor
    schema = FLOW_SCHEMA if code == FLOW else DISPOSITION_SCHEMA
    after = performative(buf, after, stop, stop, schema, tables)
    if after != stop:
        return after if after < 0 else E_LIST
    if code == FLOW:
        tally[T_FLOWS] += 1
        return flow(tables, conn, tally)
    status = settle(now_ns, tables, conn, found)
    if status == DONE:
        tally[T_DISPOSITIONS] += 1
    return status


@kernel_part
def _code(buf: Octets, at: int, end: int, stop: int) -> tuple[int, int]:
    """Read the descriptor of a performative whose frame ends at `stop`: (its number or a status, next offset)."""
    limit = min(end, stop)
    if at < limit and octet(buf, at) != 0x00:
        return E_PERFORMATIVE, at
    code, after = descriptor(buf, at + 1, limit)
    if after == NEED and stop > end:
        return NEED, at
    return code if after >= 0 and OPEN <= code <= CLOSE else E_PERFORMATIVE, after


@kernel_part
def _frame(buf: Octets, at: int, end: int, most: int) -> tuple[int, int, int]:
    """Read a frame's header: (what it holds or a status, offset behind what was read, offset of its end).

    It holds nothing (0), a performative of the hot kind by its number, something for
    `CONTROL`, or it is a protocol `HEADER`.
    """
    if end - at < 8:
        return NEED, at, at
    size = get32(buf, at)
    if size == PROTOCOL_WORD:
        return HEADER, at, at + 8
    if size < 8 or size > most:
        return E_FRAME_SIZE, at, at
    body = at + 4 * octet(buf, at + 4)
    if body < at + 8 or body > at + size:
        return E_FRAME_OFFSET, at, at
    kind = octet(buf, at + 5)
    if kind > 1:
        return E_FRAME_TYPE, at, at
    if kind == 1 or body == at + size:
        return CONTROL if kind == 1 else 0, body, at + size
    code, after = _code(buf, body, end, at + size)
    return CONTROL if code > DISPOSITION or 0 <= code < FLOW else code, after, at + size


@kernel_entry
def scan(
    buf: Octets, start: int, end: int, now_ns: int, tables: LinkTables, conn: int, found: Scanned
) -> tuple[int, int, int]:
    """Read the bytes [start, end) of a connection, which came at `now_ns`.

    Rows are added to `found` at the columns that its cursor, int64 (TALLIES,), tells, which is
    counted up. The buffer must be writable; nothing outside of [start, end) is read.

    Returns:
        (status, at, stop): everything before `at` is consumed. After `CONTROL` and `HEADER`
        the caller reads on at `stop`, after a protocol error no more.
    """
    tables, found = LinkTables(*tables), Scanned(*found)
    conns, tally = tables.conns, found.cursor
    at = start
    while True:
        if conns[conn, C_DUE] & DUE_NOW:
            return ANSWER, at, at
        if tally[T_DELIVERIES] == found.rows.shape[1]:
            return ROWS_FULL, at, at
        if conns[conn, C_INSIDE] == 1:
            status, at = take_frame_payload(buf, at, end, now_ns, tables, conn, found)
            if status < 0:
                return DONE if status == NEED else status, at, at
            continue
        code, after, stop = _frame(buf, at, end, conns[conn, C_MAX_IN])
        if code == TRANSFER:
            status = take_transfer(buf, at, after, end, stop, tables, conn, tally)
            if status < 0:
                return DONE if status == NEED else status, at, at
            at = status
        elif code < 0 or stop > end:
            return DONE if code >= NEED else code, at, at
        elif code == CONTROL or code == HEADER:
            return code, at, stop
        else:
            status = DONE
            if code == 0:
                tally[T_HEARTBEATS] += 1
            elif get16(buf, at + 6) != conns[conn, C_CHANNEL]:
                status = E_CHANNEL
            else:
                status = _state(buf, after, stop, code, now_ns, tables, conn, found)
            if status != DONE:
                return status, at, at
            at = stop
