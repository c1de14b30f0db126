"""The compiled receiving loop of AMQP 0-9-1; see `bench.drivers.wire.receive`."""

from bench.drivers.wire.receive import AT, END, GO_ON, NOW, begin, read_more, settle_up
from bench.kernels import kernel
from bench.wire.amqp091_scan import scan
from bench.wire.cursor import OUT, TAKEN
from bench.wire.octets import Int64, Octets


@kernel
def receive(
    descriptor: int,
    wake: int,
    conn: int,
    until_ns: int,
    gather_ns: int,
    enough: int,
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
) -> int:
    """Receive on one connection until `until_ns`; return a `bench.drivers.wire.receive.Stop`.

    Args:
        descriptor: of the connected socket, which does not block.
        wake: a descriptor that ends the wait, or -1.
        conn: row of the connection.
        until_ns: when to return where nothing comes, monotonic ns.
        gather_ns: how long to go on after the first octets; 0 = return at the first news.
        enough: rows after which to return.
        inbox: uint8; an unfinished rest lies in state[AT]..state[END].
        conns: this and what follows up to `acks`: see `bench.wire.amqp091_scan.scan`.
        lanes: see there.
        heads: see there.
        ring: see there.
        rows: see there.
        cursor: see there.
        acks: see there.
        times: this and what follows: see `bench.drivers.wire.receive.read_more`.
        polls: see there.
        state: see there.
    """
    begin(descriptor, wake, until_ns, polls, state)
    stop = GO_ON
    while stop == GO_ON:
        stop = read_more(descriptor, wake, gather_ns, inbox, times, polls, state)
        if stop == GO_ON:
            end, now_ns = state[END], state[NOW]
            status = scan(inbox, state[AT], end, conns, conn, lanes, heads, ring, rows, cursor, acks, now_ns)
            length = cursor[OUT]
            cursor[OUT] = 0
            at = cursor[TAKEN]
            stop = settle_up(descriptor, status, at, length, cursor, enough, gather_ns, inbox, acks, state)
    return stop
