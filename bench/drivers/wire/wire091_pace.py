"""The compiled loop of an AMQP 0-9-1 producer: each message goes out at its time, and confirms are taken meanwhile.

What is due, and when, the caller has decided; see `bench.drivers.wire.receive` for the parts.
"""

from bench.drivers.wire.pace import due_end, note_sent
from bench.drivers.wire.receive import (
    AT,
    COUNT,
    END,
    GO_ON,
    NOW,
    UNTIL,
    Stop,
    begin,
    now_ns,
    read_more,
    send_all,
    settle_up,
)
from bench.kernels import kernel
from bench.wire.amqp091_encode import encode
from bench.wire.amqp091_scan import scan
from bench.wire.amqp091_settle import room
from bench.wire.cursor import OUT, TAKEN
from bench.wire.octets import Int64, Octets

_TIME, _NO_ROOM = int(Stop.TIME), int(Stop.NO_ROOM)
_LONG_NS = 1 << 60


@kernel
def pace(
    descriptor: int,
    conn: int,
    until_ns: int,
    coalesce_ns: int,
    enough: int,
    step: int,
    window: int,
    row: Int64,
    seq: Int64,
    due_ns: Int64,
    sent_ns: Int64,
    outbox: Octets,
    prefixes: Octets,
    body: Octets,
    frame_max: int,
    inbox: Octets,
    conns: Int64,
    lanes: Int64,
    heads: Octets,
    ring: Int64,
    rows: Int64,
    cursor: Int64,
    acks: Octets,
    times: Int64,
    polls: Int64,
    state: Int64,
    classes: Int64,
) -> int:
    """Send messages of one lane at their times; return a `bench.drivers.wire.receive.Stop`.

    state[COUNT] is how many were sent, from the front. TIME is also returned when all were.

    Args:
        descriptor: of the connected socket, which does not block and takes all that was written.
        conn: row of the connection.
        until_ns: when to return, monotonic ns.
        coalesce_ns: shortest time between two writes, unless messages are left over;
            below 0: 0, and where the window is full wait for room instead of returning.
        enough: rows after which to return.
        step: messages that go out in one write at most.
        window: unconfirmed messages that the lane may have; 0 = confirms are not awaited.
        row: int64 (n,), the lane's row, n times.
        seq: int64 (n,), numbers of the messages.
        due_ns: int64 (n,), when each is due, monotonic ns, never decreasing.
        sent_ns: int64 (n,), where the time of each stamp is written.
        outbox: uint8, room for `step` messages.
        prefixes: this and the next two: see `bench.wire.amqp091_encode.encode`.
        body: see there.
        frame_max: see there.
        inbox: this and the next ones: see `bench.drivers.wire.wire091_receive.receive`.
        conns: see there.
        lanes: see there.
        heads: see there.
        ring: see there.
        rows: see there.
        cursor: see there.
        acks: see there.
        times: see there.
        polls: see there.
        state: see there.
        classes: see `bench.wire.templates`.
    """
    begin(descriptor, -1, until_ns, polls, state)
    lane, count, held_ns, stop = row[0], 0, 0, GO_ON
    while stop == GO_ON and count < len(due_ns):
        at_ns = now_ns(times)
        next_ns = max(due_ns[count], held_ns)
        end = due_end(due_ns, count, step, at_ns) if at_ns >= next_ns else count
        full = False
        if window and end > count:
            end = min(end, count + room(lanes, lane, 1, window, ring.shape[1]))
            full = end == count
        if end > count:
            length = encode(
                outbox,
                0,
                prefixes,
                body,
                frame_max,
                lanes,
                ring,
                window > 0,
                row,
                seq,
                due_ns,
                at_ns,
                count,
                end,
                classes,
            )
            held_ns = note_sent(sent_ns, due_ns, count, end, at_ns, max(0, coalesce_ns))
            count = end
            stop = send_all(descriptor, outbox, length, state)
        elif full and coalesce_ns >= 0:
            stop = _NO_ROOM
        elif at_ns >= until_ns:
            stop = _TIME
        else:
            state[UNTIL] = until_ns if full else min(until_ns, next_ns)
            stop = read_more(descriptor, -1, _LONG_NS, inbox, times, polls, state)
            if stop == GO_ON:
                read_ns = state[NOW]
                status = scan(
                    inbox, state[AT], state[END], conns, conn, lanes, heads, ring, rows, cursor, acks, read_ns
                )
                at, cursor[OUT] = cursor[TAKEN], 0
                stop = settle_up(descriptor, status, at, 0, cursor, enough, _LONG_NS, inbox, acks, state)
            elif stop == _TIME:
                stop = GO_ON
    state[COUNT] = count
    return _TIME if stop == GO_ON else stop
