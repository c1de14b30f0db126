"""The compiled loops of AMQP 0-9-1: one that receives, and one of a producer, whose messages go out at their times.

Meanwhile confirms are taken. What is due, and when, the caller has decided; see `bench.drivers.wire.receive_loop`
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
    WINDOW,
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
from bench.wire.amqp091_encode import encode
from bench.wire.amqp091_layout import IN_FLIGHT, REPLIES, ChannelTables
from bench.wire.amqp091_scan import scan
from bench.wire.amqp091_settle import room
from bench.wire.cursor import Scanned
from bench.wire.templates import Templates

_TIME, _NO_ROOM = int(Stop.TIME), int(Stop.NO_ROOM)


@kernel_entry
def receive(loop: Loop, tables: ChannelTables, conn: int, found: Scanned) -> int:
    """Receive on one connection until state[UNTIL]; return a `bench.drivers.wire.receive_loop.Stop`.

    Args:
        loop: what is asked for, and where it is answered.
        tables: the state of all connections.
        conn: row of the connection.
        found: where rows and acknowledgements go; these are sent.
    """
    loop, tables, found = Loop(*loop), ChannelTables(*tables), Scanned(*found)
    state, stop = loop.state, GO_ON
    begin(loop)
    while stop == GO_ON:
        stop = read_more(loop, found)
        if stop == GO_ON:
            status = scan(loop.inbox, state[AT], state[END], loop.received[LAST_RECEIVED_NS], tables, conn, found)
            stop = settle_up(loop, found, status)
    return stop


@kernel_entry
def pace(loop: Loop, templates: Templates, tables: ChannelTables, conn: int, found: Scanned, sends: Sends) -> int:
    """Send messages of one lane at their times; return a `bench.drivers.wire.receive_loop.Stop`.

    state[COUNT] is how many were sent, from the front. TIME is also returned when all were.

    Args:
        loop: what is asked for, and where it is answered.
        templates: see `bench.wire.amqp091_encode.encode`.
        tables: the state of all connections.
        conn: row of the connection, which takes all that was written.
        found: where rows go; `out` has room for state[STEP] messages, and for what is owed to the peer.
        sends: messages; `lane` is the row of the lane in each, `intended_ns` never decreases.
    """
    loop, templates, tables = Loop(*loop), Templates(*templates), ChannelTables(*tables)
    found, sends = Scanned(*found), Sends(*sends)
    state, due_ns, ring = loop.state, sends.intended_ns, tables.ring
    until_ns, window, lane = state[UNTIL], state[WINDOW], sends.lane[0]
    count, held_ns, stop = 0, 0, GO_ON
    begin(loop)
    while stop == GO_ON and count < len(due_ns):
        at_ns = now_ns(loop.times)
        next_ns = max(due_ns[count], held_ns)
        end = due_end(due_ns, count, state[STEP], at_ns) if at_ns >= next_ns else count
        length, full = 0, False
        if window and end > count:
            end = min(end, count + room(tables.lanes, lane, 1, window, ring.shape[1]))
            full = end == count
        if end > count:
            length = encode(found.out, 0, templates, tables, sends, at_ns, count, end)
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
            awaited = tables.lanes[lane, IN_FLIGHT] + tables.lanes[lane, REPLIES]
            stop = await_confirms(loop, found, awaited)
            if stop == GO_ON:
                status = scan(loop.inbox, state[AT], state[END], loop.received[LAST_RECEIVED_NS], tables, conn, found)
                stop = settle_up(loop, found, status)
            elif stop == _TIME:
                stop = GO_ON
    state[COUNT] = count
    return _TIME if stop == GO_ON else stop
