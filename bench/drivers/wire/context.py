"""What the connections of one compiled port share: buffers, the rows that `poll` returns, counts, times.

Everything large is here once a worker, not once a connection, so that ten thousand
connections cost little. The tables of a protocol's own codec are made by its driver.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bench.drivers.base import DriverError, Int64, PortSpec
from bench.drivers.sockets.timers import Timers
from bench.drivers.wire.kernel_timestamps import make_timestamps
from bench.drivers.wire.receive_loop import STATE_WIDTH, WINDOW, Loop
from bench.host.clock import Clock
from bench.wire.cursor import ROWS_WIDTH
from brokers.endpoint import Endpoint

if TYPE_CHECKING:
    from bench.drivers.wire.socket import WireSocket

READ_BYTES = 256 * 1024
"""Octets read at once: about 1,500 messages of 100 B."""

_CARRY_BYTES = 256 * 1024
"""Room for the unfinished frame in front of what is read; control frames are at most 128 KiB long."""

ROWS = 8_192
"""Settlements, and deliveries, that one `poll` returns at most."""

IO_WIDTH = 4
LAST_IN, LAST_OUT, SAY_EVERY, SILENT_AFTER = range(IO_WIDTH)
"""Columns of `io`: when octets last came and went, how often something must be said (0 = never),
after how long a silent peer is lost (0 = never); monotonic ns and ns."""


@dataclass
class WireContext:
    """What the connections of a port share.

    Attributes:
        spec: what the port was asked for.
        endpoint: where the broker is.
        clock: time.
        io: int64 (connections, IO_WIDTH), when they last heard and spoke.
        rows: int64 (ROWS_WIDTH, ROWS), columns of settlements and deliveries, see `bench.wire.cursor`.
        cursor: int64, how many of them are filled; its layout is the codec's, which begins
            with settlements, deliveries, foreign bodies. `marks` is it, and `io_marks` is `io`,
            for Python, to which a number in an array costs ten times that in a memoryview.
        loop: what compiled loops work with; `state_marks` is its state and `received_marks` when octets came, for
            Python; `inbox_view` is its inbox, uint8.
        outbox: uint8, where messages are made; `grow_outbox` makes room for large ones.
        timers: callbacks that `poll` makes when they are due.
        failures: why connections broke, oldest first.
        counters: what was counted, by name.
        bytes_in: octets received.
        bytes_out: octets sent.
        laggards: connections that have octets which the kernel did not take.
        stopped: connections whose broker asked not to be sent anything.
        watch_writable: tells the port that a connection waits, or waits no longer, for its
            socket to take more.
        held_ns: until when consumers take nothing, see `bench.drivers.base.HoldingPort`; 0 = they do.
    """

    spec: PortSpec
    endpoint: Endpoint
    clock: Clock
    io: Int64
    cursor: Int64
    rows: Int64 = field(default_factory=lambda: np.zeros((ROWS_WIDTH, ROWS), np.int64))
    timers: Timers = field(default_factory=Timers)
    failures: list[DriverError] = field(default_factory=list)
    counters: dict[str, int] = field(default_factory=dict)
    bytes_in: int = 0
    bytes_out: int = 0
    laggards: "set[WireSocket]" = field(default_factory=set)
    stopped: "set[WireSocket]" = field(default_factory=set)
    watch_writable: "Callable[[WireSocket, bool], None]" = lambda _connection, _wanted: None
    held_ns: int = 0

    def __post_init__(self) -> None:
        """Make the buffers."""
        times = make_timestamps()
        self.loop = Loop(
            inbox=np.zeros(_CARRY_BYTES + READ_BYTES, np.uint8),
            state=np.zeros(STATE_WIDTH, np.int64),
            times=times.clock,
            polls=np.zeros(2, np.int64),
            received=times.cells,
            message=times.message,
        )
        self.loop.state[WINDOW] = self.spec.confirm_window
        self.inbox_view = self.loop.inbox.data
        self.marks = self.cursor.data
        self.state_marks = self.loop.state.data
        self.received_marks = self.loop.received.data
        self.io_marks = self.io.reshape(-1).data
        self.grow_outbox(1 << 16)

    def grow_outbox(self, octets: int) -> None:
        """Make the outbox at least so long; what it held is lost."""
        self.outbox = np.zeros(octets, np.uint8)
        self.outbox_view = self.outbox.data

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        self.counters[name] = self.counters.get(name, 0) + by
