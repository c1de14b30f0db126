"""The compiled loops of AMQP 1.0: one that receives, and one of a producer, whose messages go out at their times.

Meanwhile outcomes are taken. What is due, and when, the caller has decided; see `bench.drivers.wire.receive_loop`
for the parts, and `bench.drivers.wire.send_loop`.
"""

from bench.drivers.base import Sends
from bench.drivers.wire.kernel_timestamps import LAST_RECEIVED_NS
from bench.drivers.wire.receive_loop import (
    AT,
    COALESCE,
    COUNT,
    END,
    GO_ON,
    STEP,
    UNTIL,
    Loop,
    Stop,
    await_confirms,
    begin,
    now_ns,
    read_more,
    send_all,
    settle_up,
)
from bench.drivers.wire.send_loop import due_end, note_sent
from bench.jit import kernel_entry
from bench.wire.amqp10_encode import encode
from bench.wire.amqp10_layout import L_INFLIGHT, LinkTables
from bench.wire.amqp10_outgoing import room
from bench.wire.amqp10_scan_answer import take
from bench.wire.cursor import Scanned
from bench.wire.templates import LONGEST, Templates

_TIME, _NO_ROOM = int(Stop.TIME), int(Stop.NO_ROOM)


@kernel_entry
def receive(loop: Loop, tables: LinkTables, conn: int, found: Scanned) -> int:
    """Receive on one connection until state[UNTIL]; return a `Stop`. Arguments are those of `wire091_loops.receive`."""
    loop, tables, found = Loop(*loop), LinkTables(*tables), Scanned(*found)
    state, stop = loop.state, GO_ON
    begin(loop)
    while stop == GO_ON:
        stop = read_more(loop, found)
        if stop == GO_ON:
            status = take(loop.inbox, state[AT], state[END], loop.received[LAST_RECEIVED_NS], tables, conn, found)
            stop = settle_up(loop, found, status)
    return stop


@kernel_entry
def pace(loop: Loop, templates: Templates, tables: LinkTables, conn: int, found: Scanned, sends: Sends) -> int:
    """Send messages of one lane at their times; return a `Stop`. Arguments and answers are `wire091_loops.pace`'s."""
    loop, templates, tables = Loop(*loop), Templates(*templates), LinkTables(*tables)
    found, sends = Scanned(*found), Sends(*sends)
    state, due_ns = loop.state, sends.intended_ns
    until_ns, longest, lane = state[UNTIL], int(templates.classes[0, LONGEST]), sends.lane[0]
    count, held_ns, stop = 0, 0, GO_ON
    begin(loop)
    while stop == GO_ON and count < len(due_ns):
        at_ns = now_ns(loop.times)
        next_ns = max(due_ns[count], held_ns)
        length, end, full = 0, count, False
        if at_ns >= next_ns:
            due = due_end(due_ns, count, room(longest, tables, lane, 1, 0, state[STEP]), at_ns)
            length, end = encode(found.out, 0, templates, tables, sends, at_ns, count, due)
            full = end == count
        if end > count:
            held_ns = note_sent(sends, count, end, at_ns, state[COALESCE])
            count = end
            stop = send_all(loop, found.out, length)
        elif full and state[COALESCE] >= 0:
            stop = _NO_ROOM
        elif at_ns >= until_ns:
            stop = _TIME
        else:
            state[UNTIL] = until_ns if full else min(until_ns, next_ns)
            stop = await_confirms(loop, found, tables.lanes[lane, L_INFLIGHT])
            if stop == GO_ON:
                status = take(loop.inbox, state[AT], state[END], loop.received[LAST_RECEIVED_NS], tables, conn, found)
                stop = settle_up(loop, found, status)
            elif stop == _TIME:
                stop = GO_ON
    state[COUNT] = count
    return _TIME if stop == GO_ON else stop
