"""What the AMQP 1.0 codec costs: `python -m tests.evidence.codec10` prints ns a message.

Everything is in memory and in one thread: encoding, and scanning of what was encoded, of
transfers as RabbitMQ and Broker-J shape them, and of dispositions with ranges of 1 and 64.
Each figure is the lowest of several rounds, as noise only adds.
"""

import time
from collections.abc import Callable
from typing import cast

import numpy as np

from bench.arrivals.stamp import MAGIC
from bench.drivers.base import Sends
from bench.jit import packed
from bench.wire import amqp10_control as control
from bench.wire import amqp10_layout as x
from bench.wire.amqp10_answer import answer
from bench.wire.amqp10_control import Attach, Begin, Open, parse
from bench.wire.amqp10_encode import encode, resume
from bench.wire.amqp10_outgoing import make_template, room
from bench.wire.amqp10_scan import scan
from bench.wire.amqp10_table_rows import attached, begun, new_connection, new_receiver, new_sender, opened
from bench.wire.cursor import ROWS_WIDTH, Scanned
from bench.wire.octets import Octets
from bench.wire.templates import Templates, make_templates

_BATCH = 1024
_ROUNDS = 400
_NOW_NS = 123_456_789
_NUMBERS = np.arange(_BATCH)
_SENDS = Sends(lane=_NUMBERS * 0, seq=_NUMBERS, intended_ns=_NUMBERS, sent_ns=_NUMBERS)


class End:
    """One end of a connection with one link, open, and rows for what it scans."""

    def __init__(self, *, sends: bool, settled: bool = False, max_frame: int = 65_536) -> None:
        """Make its tables."""
        self.tables = x.make_link_tables(1, 1, 4 * _BATCH)
        new_connection(self.tables, 0, lane0=0, lanes=1, max_frame=max_frame, window=x.HALF32 - 1)
        if sends:
            new_sender(self.tables, 0, number=0, handle=0, producer=3, limit=0 if settled else _BATCH)
        else:
            new_receiver(self.tables, 0, number=0, handle=0, prefetch=4 * _BATCH, ack_batch=64)
        self.tables.conns[0, x.C_CHANNEL] = 0
        self.tables.lanes[0, x.L_HANDLE] = 0
        self.tally = np.zeros(x.TALLIES, np.int64)
        rows = np.zeros((ROWS_WIDTH, 8 * _BATCH), np.int64)
        self.found = Scanned(rows=rows, cursor=self.tally, out=np.zeros(0, np.uint8))

    def open_wide(self) -> None:
        """Forget all that bounds sending and receiving."""
        self.tables.conns[0, x.C_OUT_WINDOW] = self.tables.conns[0, x.C_IN_WINDOW] = x.HALF32 - 1
        self.tables.conns[0, x.C_OLDEST] = self.tables.conns[0, x.C_DELIVERY]
        self.tables.conns[0, x.C_DUE] = 0
        self.tables.lanes[0, x.L_CREDIT] = x.HALF32 - 1
        self.tables.lanes[0, (x.L_INFLIGHT, x.L_PENDING, x.L_RUNS)] = 0
        self.tally[:] = 0

    def scan(self, buffer: Octets, end: int) -> int:
        """Scan a buffer that holds whole frames; return the number of rows."""
        status, at, _ = scan(buffer, 0, end, _NOW_NS, packed(self.tables), 0, packed(self.found))
        assert (status, at) == (x.DONE, end), (status, at)
        return int(self.tally[x.T_DELIVERIES] + self.tally[x.T_SETTLEMENTS])


def best(work: Callable[[], int], before: Callable[[], object]) -> float:
    """Return the lowest ns a message of many rounds of `work`, which returns its messages."""
    lowest = float("inf")
    for _ in range(_ROUNDS):
        before()
        start_ns = time.perf_counter_ns()
        done = work()
        lowest = min(lowest, (time.perf_counter_ns() - start_ns) / done)
    return lowest


def one_size(size: int) -> Templates:
    """Return what messages of one size are made of."""
    made = make_template(size, durable=False)
    return make_templates([made.frame], [made.stamp], None)


def write(templates: Templates, sender: End, buffer: Octets, count: int) -> int:
    """Encode a batch; return the bytes."""
    at, taken = encode(buffer, 0, packed(templates), packed(sender.tables), packed(_SENDS), _NOW_NS, 0, count)
    assert taken == count
    return at


def repeated(work: Callable[[], object], times: int = 100) -> int:
    """Do something some times over; return how many."""
    for _ in range(times):
        work()
    return times


def broker_transfers(count: int, *, settled: bool) -> Octets:
    """Return transfers of 100 B bodies in the shape of Broker-J: list8, tag of 8 bytes, no header."""
    stamp = MAGIC.to_bytes(4, "little") + bytes(28)
    sections = b"\x00\x53\x75\xa0\x64" + stamp + bytes(68)
    stream = bytearray()
    for number in range(count):
        tail = b"\x41\x40\x40\x00\x53\x24\x45" if settled else b""
        fields = b"\x43\x70" + number.to_bytes(4, "big") + b"\xa0\x08" + bytes(8) + b"\x43" + tail
        listed = bytes((0xC0, len(fields) + 1, 8 if settled else 4)) + fields
        body = b"\x00\x53\x14" + listed + sections
        stream += (8 + len(body)).to_bytes(4, "big") + b"\x02\x00\x00\x00" + body
    return np.frombuffer(stream, np.uint8)


def dispositions(count: int, size: int) -> Octets:
    """Return dispositions for `count` messages, `size` in a range, in the shape of Broker-J."""
    stream = bytearray()
    for first in range(0, count, size):
        ids = b"".join(b"\x70" + n.to_bytes(4, "big") for n in (first, first + size - 1))
        fields = b"\x41" + ids + b"\x41\x00\x53\x24\x45"
        body = b"\x00\x53\x15\xc0" + bytes((len(fields) + 1, 5)) + fields
        stream += (8 + len(body)).to_bytes(4, "big") + b"\x02\x00\x00\x00" + body
    return np.frombuffer(stream, np.uint8)


def compiled() -> tuple[float, float]:
    """Call every kernel once; return the seconds that took, and those of CPU."""
    start, start_cpu = time.perf_counter(), time.process_time()
    sender, receiver, small = End(sends=True), End(sends=False), one_size(100)
    out = np.zeros(65_536, np.uint8)
    tables = packed(sender.tables)
    receiver.open_wide()
    sender.open_wide()
    receiver.scan(out, write(small, sender, out, 1))
    answer(out, 0, packed(receiver.tables), 0, receiver.tally, _NOW_NS)
    resume(out, 0, packed(small), tables, 0)
    room(len(small.octets), tables, 0, 1, 0, 1)
    return time.perf_counter() - start, time.process_time() - start_cpu


def opening_us() -> float:
    """Return the µs of Python for one connection: frames made, frames taken apart, rows filled."""
    tables = x.make_link_tables(1, 1, 256)
    opens = control.open_frame("broker", None, max_frame=65_536, idle_timeout_ms=60_000)
    begins = control.begin_frame(incoming_window=400, outgoing_window=400, handle_max=255)
    attaches = control.attach_frame(
        "link", 0, receives=True, settled=False, source=control.SourceTerminus("queue"), target="queue"
    )

    def work() -> int:
        new_connection(tables, 0, lane0=0, lanes=1, max_frame=65_536, window=65_536)
        new_sender(tables, 0, number=0, handle=0, producer=0, limit=256)
        control.open_frame("busbench-1", "host", max_frame=65_536, idle_timeout_ms=60_000)
        control.begin_frame(incoming_window=65_536, outgoing_window=65_536, handle_max=0)
        control.attach_frame("link", 0, receives=False, settled=False, target="queue")
        opened(tables, 0, cast("Open", parse(opens)))
        begun(tables, 0, cast("Begin", parse(begins)))
        attached(tables, 0, cast("Attach", parse(attaches)))
        return 1

    return best(work, lambda: None) / 1e3


def main() -> None:
    """Measure and print."""
    wall, cpu = compiled()
    print(f"first calls of all kernels, compiled or loaded: {wall:.2f} s, {cpu:.2f} s of CPU")
    sender, receiver = End(sends=True), End(sends=False)
    out = np.zeros(64 << 20, np.uint8)
    for size in (100, 1_024, 65_536, 1 << 20):
        template, count = one_size(size), max(1, min(_BATCH, (4 << 20) // size))
        sender.open_wide()
        end = write(template, sender, out, count)
        wrote = best(lambda t=template, c=count: c * bool(write(t, sender, out, c)), sender.open_wide)
        read = best(lambda e=end: receiver.scan(out, e), receiver.open_wide)
        print(f"{size:>9,} B: encode {wrote:10.1f} ns, scan {read:8.1f} ns a message")
    for settled in (False, True):
        stream = broker_transfers(_BATCH, settled=settled)
        took = best(lambda s=stream: receiver.scan(s, len(s)), receiver.open_wide)
        print(f"Broker-J's transfers of 100 B, {'settled' if settled else 'unsettled'}: scan {took:.1f} ns a message")
    for size in (1, 64):
        stream = dispositions(_BATCH, size)
        took = best(lambda s=stream: sender.scan(s, len(s)), lambda: fill_ring(sender))
        print(f"dispositions, ranges of {size}: scan {took:.1f} ns a message")
    small = one_size(100)
    wrote = best(lambda: repeated(lambda: write(small, sender, out, 1)), sender.open_wide)
    stream = broker_transfers(1, settled=True)
    read = best(lambda: repeated(lambda: receiver.scan(stream, len(stream))), receiver.open_wide)
    print(f"calls with one message: encode {wrote:.0f} ns, scan {read:.0f} ns")
    print(f"opening one connection: {opening_us():.0f} µs of Python")


def fill_ring(sender: End) -> None:
    """Make `_BATCH` messages wait for an outcome, from delivery-id 0 on."""
    sender.open_wide()
    sender.tables.conns[0, x.C_OLDEST], sender.tables.conns[0, x.C_DELIVERY] = 0, _BATCH
    sender.tables.rings[0, :_BATCH] = np.arange(_BATCH) + (1 << x.SEQ_BITS)


if __name__ == "__main__":
    main()
