"""AMQP 1.0: rows of the tables from what was opened, begun and attached. Pure Python, not hot."""

from bench.wire.amqp10_control import Attach, Begin, Open
from bench.wire.amqp10_layout import (
    C_CHANNEL,
    C_DUE,
    C_IN_SIZE,
    C_IN_WINDOW,
    C_LANE0,
    C_LANES,
    C_MAX_IN,
    C_MAX_OUT,
    C_NEXT_IN,
    C_OUT_WINDOW,
    C_PARKED,
    DUE_LANES,
    L_ACK_BATCH,
    L_CONN,
    L_COUNT,
    L_CREDIT,
    L_FLOW,
    L_HANDLE,
    L_LAST,
    L_LIMIT,
    L_NUMBER,
    L_OFFSET,
    L_OPEN,
    L_OURS,
    L_PARKED,
    L_PENDING,
    L_PREFETCH,
    L_PRODUCER,
    L_REJECT,
    L_REQUEUE,
    L_RUNS,
    L_SENDS,
    L_STAMP,
    MASK32,
    SMALLEST_FRAME,
    STAMP_SIZE,
    LinkTables,
)


def new_connection(tables: LinkTables, conn: int, *, lane0: int, lanes: int, max_frame: int, window: int) -> None:
    """Make the row of a connection that is not open yet.

    Args:
        tables: where.
        conn: its row.
        lane0: first row of its lanes.
        lanes: number of them.
        max_frame: largest frame that we take, and the largest that we make.
        window: incoming window of its session, in frames.
    """
    row = tables.conns[conn]
    row[:] = 0
    row[C_LANE0], row[C_LANES] = lane0, lanes
    row[C_CHANNEL] = -1
    row[C_MAX_IN], row[C_MAX_OUT] = max_frame, max_frame
    row[C_IN_WINDOW] = row[C_IN_SIZE] = window
    tables.rings[conn : conn + 1] = 0
    tables.lanes[lane0 : lane0 + lanes] = 0
    tables.lanes[lane0 : lane0 + lanes, L_HANDLE] = -1
    tables.lanes[lane0 : lane0 + lanes, L_CONN] = conn


def new_sender(
    tables: LinkTables, lane: int, *, number: int, handle: int, producer: int, limit: int, last: int = 0
) -> None:
    """Make the row of a lane that sends, at most `limit` unsettled, or pre-settled where that is 0.

    Where `last` is not 0, it is attached anew after so many messages.
    """
    row = tables.lanes[lane]
    row[L_NUMBER], row[L_OURS], row[L_SENDS] = number, handle, 1
    row[L_PRODUCER], row[L_LIMIT], row[L_LAST] = producer, limit, last


def new_receiver(
    tables: LinkTables,
    lane: int,
    *,
    number: int,
    handle: int,
    prefetch: int,
    ack_batch: int,
    stamp: int = STAMP_SIZE,
    shares: tuple[float, float] = (0.0, 0.0),
) -> None:
    """Make the row of a lane that receives.

    Args:
        tables: where.
        lane: its row.
        number: the lane as the pump knows it.
        handle: our handle.
        prefetch: messages it may hold unacknowledged.
        ack_batch: messages acknowledged at once; 0 where the peer is to settle.
        stamp: octets of the stamps.
        shares: of the deliveries: those that are rejected, and those that are given back the first time.
    """
    row = tables.lanes[lane]
    row[L_NUMBER], row[L_OURS], row[L_SENDS] = number, handle, 0
    row[L_PREFETCH], row[L_ACK_BATCH], row[L_STAMP] = prefetch, ack_batch, stamp
    rejected, requeued = shares
    row[L_REJECT] = round(rejected * (MASK32 + 1))
    row[L_REQUEUE] = round((rejected + requeued) * (MASK32 + 1))


def opened(tables: LinkTables, conn: int, peer: Open) -> None:
    """Take over the frame size that the peer bears."""
    row = tables.conns[conn]
    row[C_MAX_OUT] = max(SMALLEST_FRAME, min(int(row[C_MAX_OUT]), peer.max_frame))


def begun(tables: LinkTables, conn: int, peer: Begin) -> None:
    """Take over the peer's session."""
    row = tables.conns[conn]
    row[C_CHANNEL] = peer.channel
    row[C_NEXT_IN] = peer.next_outgoing_id
    row[C_OUT_WINDOW] = peer.incoming_window


def attached(tables: LinkTables, lane: int, peer: Attach) -> None:
    """Take over the peer's end of a link; a receiver's first credit is due at once."""
    row = tables.lanes[lane]
    row[L_HANDLE] = peer.handle
    if not row[L_SENDS]:
        row[L_COUNT] = peer.initial_delivery_count
        tables.conns[row[L_CONN], C_DUE] |= DUE_LANES


def detached(tables: LinkTables, lane: int) -> None:
    """Forget the peer's end of a link, so that the lane may be attached anew.

    Messages sent on it that wait for an outcome go on waiting.
    """
    row = tables.lanes[lane]
    tables.conns[row[L_CONN], C_PARKED] -= row[L_PARKED]
    row[L_HANDLE] = -1
    for column in (L_COUNT, L_CREDIT, L_FLOW, L_OPEN, L_PENDING, L_RUNS, L_PARKED, L_OFFSET):
        row[column] = 0
