"""The compiled receiving loop of AMQP 1.0; see `bench.drivers.wire.receive_loop`."""

from bench.drivers.wire.receive_loop import AT, END, GO_ON, NOW, Loop, begin, read_more, settle_up
from bench.jit import kernel_entry
from bench.wire.amqp10_layout import LinkTables
from bench.wire.amqp10_scan_answer import take
from bench.wire.cursor import Scanned


@kernel_entry
def receive(loop: Loop, tables: LinkTables, conn: int, found: Scanned) -> int:
    """Receive on one connection until state[UNTIL]; return a `bench.drivers.wire.receive_loop.Stop`.

    Args:
        loop: what is asked for, and where it is answered.
        tables: the state of all connections.
        conn: row of the connection.
        found: where rows and acknowledgements go; these are sent.
    """
    loop, tables, found = Loop(*loop), LinkTables(*tables), Scanned(*found)
    state, stop = loop.state, GO_ON
    begin(loop)
    while stop == GO_ON:
        stop = read_more(loop)
        if stop == GO_ON:
            status = take(loop.inbox, state[AT], state[END], state[NOW], tables, conn, found)
            stop = settle_up(loop, found, status)
    return stop
