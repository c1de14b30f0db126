"""The compiled loop of an AMQP 1.0 producer: each message goes out at its time, and outcomes are taken meanwhile.

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
from bench.wire.amqp10_encode import encode
from bench.wire.amqp10_room import room
from bench.wire.amqp10_take import take
from bench.wire.cursor import OUT, TAKEN
from bench.wire.octets import Int64, Octets
from bench.wire.templates import LONGEST

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
    row: Int64,
    seq: Int64,
    due_ns: Int64,
    sent_ns: Int64,
    outbox: Octets,
    template: Octets,
    stamp: int,
    inbox: Octets,
    conns: Int64,
    lanes: Int64,
    scratch: Octets,
    rings: Int64,
    runs: Int64,
    deliveries: Int64,
    settlements: Int64,
    cursor: Int64,
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
            below 0: 0, and where there is no room wait for it instead of returning.
        enough: rows after which to return.
        step: messages that go out in one write at most.
        row: int64 (n,), the lane's row, n times.
        seq: int64 (n,), numbers of the messages.
        due_ns: int64 (n,), when each is due, monotonic ns, never decreasing.
        sent_ns: int64 (n,), where the time of each stamp is written.
        outbox: uint8, room for `step` messages, and for what is owed to the peer.
        template: this and the next: see `bench.wire.amqp10_encode.encode`.
        stamp: see there.
        inbox: this and the next ones: see `bench.drivers.wire.wire10_receive.receive`.
        conns: see there.
        lanes: see there.
        scratch: see there.
        rings: see there.
        runs: see there.
        deliveries: see there.
        settlements: see there.
        cursor: see there.
        times: see there.
        polls: see there.
        state: see there.
        classes: see `bench.wire.templates`.
    """
    begin(descriptor, -1, until_ns, polls, state)
    count, held_ns, stop = 0, 0, GO_ON
    while stop == GO_ON and count < len(due_ns):
        at_ns = now_ns(times)
        next_ns = max(due_ns[count], held_ns)
        length, end, full = 0, count, False
        if at_ns >= next_ns:
            free = room(int(classes[0, LONGEST]), conns, lanes, rings, row[0], 1, 0, step)
            length, end = encode(
                outbox,
                0,
                template,
                stamp,
                conns,
                lanes,
                rings,
                row,
                seq,
                due_ns,
                at_ns,
                count,
                due_end(due_ns, count, free, at_ns),
                classes,
            )
            full = end == count
        if end > count:
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
                status = take(
                    inbox,
                    state[AT],
                    state[END],
                    state[NOW],
                    conns,
                    conn,
                    lanes,
                    scratch,
                    rings,
                    runs,
                    deliveries,
                    settlements,
                    cursor,
                    outbox,
                )
                length, cursor[OUT] = cursor[OUT], 0
                at = cursor[TAKEN]
                stop = settle_up(descriptor, status, at, length, cursor, enough, _LONG_NS, inbox, outbox, state)
            elif stop == _TIME:
                stop = GO_ON
    state[COUNT] = count
    return _TIME if stop == GO_ON else stop
