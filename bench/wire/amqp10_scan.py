"""AMQP 1.0: frames out of a receive buffer, compiled (parts 2.3 and 2.6).

`scan` reads as far as it can. Transfers, flows and dispositions change the tables and add
rows; every other frame is handed to Python by its bounds. The payload of a transfer is
consumed as it comes, so that what a caller must keep for the next read is at most a
performative. Messages are the business of `amqp10_message`, outcomes of `amqp10_settle`.
"""

from bench.kernels import kernel_entry, kernel_part
from bench.wire.amqp10_layout import (
    ANSWER,
    C_CHANNEL,
    C_DUE,
    C_FIELDS,
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
    Bytes,
    Int64,
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
from bench.wire.amqp10_types import (
    descriptor,
    get8,
    get16,
    get32,
)


@kernel_part
def _state(
    buf: Bytes,
    at: int,
    after: int,
    stop: int,
    code: int,
    now_ns: int,
    conns: Int64,
    conn: int,
    lanes: Int64,
    rings: Int64,
    settlements: Int64,
    tally: Int64,
    fields: Int64,
) -> int:
    """Act on a flow or disposition frame [at, stop) that has wholly come; return a status."""
    if get16(buf, at + 6) != conns[conn, C_CHANNEL]:
        return E_CHANNEL
    schema = FLOW_SCHEMA if code == FLOW else DISPOSITION_SCHEMA
    after = performative(buf, after, stop, stop, schema, fields)
    if after != stop:
        return after if after < 0 else E_LIST
    if code == FLOW:
        tally[T_FLOWS] += 1
        return flow(fields, conns, conn, lanes)
    status = settle(fields, now_ns, conns, conn, lanes, rings, settlements, tally)
    if status == DONE:
        tally[T_DISPOSITIONS] += 1
    return status


@kernel_part
def _frame(buf: Bytes, at: int, max_frame: int) -> tuple[int, int, int]:
    """Read a frame's header of 8 bytes: (size or an error, offset of its body, type)."""
    size = get32(buf, at)
    offset = get8(buf, at + 4) * 4
    kind = get8(buf, at + 5)
    if size == PROTOCOL_WORD:
        return 8, 8, HEADER
    if size < 8 or size > max_frame:
        return E_FRAME_SIZE, 0, 0
    if offset < 8 or offset > size:
        return E_FRAME_OFFSET, 0, 0
    if kind > 1:
        return E_FRAME_TYPE, 0, 0
    return size, at + offset, 0 if kind == 0 else CONTROL


@kernel_part
def _code(buf: Bytes, at: int, end: int, frame_end: int) -> tuple[int, int]:
    """Read a performative's descriptor: (its number or a status, next offset)."""
    limit = min(end, frame_end)
    if at < limit and get8(buf, at) != 0x00:
        return E_PERFORMATIVE, at
    code, after = descriptor(buf, at + 1, limit)
    if after == NEED and frame_end > end:
        return NEED, at
    return code if after >= 0 and OPEN <= code <= CLOSE else E_PERFORMATIVE, after


@kernel_entry
def scan(
    buf: Bytes,
    start: int,
    end: int,
    now_ns: int,
    conns: Int64,
    conn: int,
    lanes: Int64,
    scratch: Bytes,
    rings: Int64,
    runs: Int64,
    deliveries: Int64,
    settlements: Int64,
    tally: Int64,
) -> tuple[int, int, int]:
    """Read the bytes [start, end) of a connection.

    Args:
        buf: a writable buffer; nothing outside of [start, end) is read.
        start: first byte not yet read.
        end: the offset behind the last byte that has come.
        now_ns: when they came.
        conns: see `Tables`, as are lanes, scratch, rings and runs.
        conn: row of the connection.
        lanes: its links and those of others.
        scratch: unfinished heads of sections.
        rings: messages sent.
        runs: acknowledgements to write.
        deliveries: int64[7, n], filled from column `tally[T_DELIVERIES]` on.
        settlements: int64[4, n], filled from column `tally[T_SETTLEMENTS]` on.
        tally: int64[TALLIES], counted up.

    Returns:
        (status, at, stop): everything before `at` is consumed. A protocol error's frame
        begins at `at`, or its payload went wrong there; the connection cannot be read on.
        After `CONTROL` and `HEADER` the caller reads on at `stop`.
    """
    fields = conns[conn, C_FIELDS:]
    at = start
    while True:
        if conns[conn, C_DUE] & DUE_NOW:
            return ANSWER, at, at
        if tally[T_DELIVERIES] == deliveries.shape[1]:
            return ROWS_FULL, at, at
        if conns[conn, C_INSIDE] == 1:
            status, at = take_frame_payload(
                buf, at, end, now_ns, conns, conn, lanes, scratch, runs, deliveries, tally, fields
            )
            if status < 0:
                return DONE if status == NEED else status, at, at
            continue
        if end - at < 8:
            return DONE, at, at
        size, body, kind = _frame(buf, at, conns[conn, C_MAX_IN])
        if size < 0:
            return size, at, at
        stop = at + size
        code, after = (kind, body) if kind != 0 or body == stop else _code(buf, body, end, stop)
        if code == TRANSFER:
            status = take_transfer(buf, at, after, end, stop, conns, conn, lanes, tally, fields)
            if status < 0:
                return DONE if status == NEED else status, at, at
            at = status
        elif code < 0:
            return DONE if code == NEED else code, at, at
        elif stop > end:
            return DONE, at, at
        elif code == 0:
            tally[T_HEARTBEATS] += 1
            at = stop
        elif code == HEADER:
            return HEADER, at, stop
        elif code != FLOW and code != DISPOSITION:
            return CONTROL, at, stop
        else:
            status = _state(buf, at, after, stop, code, now_ns, conns, conn, lanes, rings, settlements, tally, fields)
            if status != DONE:
                return status, at, at
            at = stop
