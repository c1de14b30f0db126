"""The loop of those who answer: a request is taken, thought about for a set time, and answered. It knows no protocol.

It works on many requests at once, as a server does: each is due for its reply a think time
after it came. What is later than that is our own doing, or a driver without room, and is
recorded: reply sent - request received - think time.
"""

from typing import cast

import numpy as np

from bench.drivers.base import Deliveries, Int64, Port, ReplyingPort
from bench.host.clock import Clock
from bench.loadgen.pump import Cells, PumpCounters
from bench.loadgen.source import BEAT_NS
from bench.record.account import ResponderLog

_FIELDS = ("producer", "seq", "intended_ns", "sent_ns", "received_ns")
_RECEIVED = _FIELDS.index("received_ns")
_MOST_AT_ONCE = 4096


class _Pending:
    """Requests that wait for their time, in the order in which they came: a ring of rows that grows."""

    def __init__(self) -> None:
        self._rows: Int64 = np.empty((len(_FIELDS), _MOST_AT_ONCE), np.int64)
        self._first = self._end = 0

    def __len__(self) -> int:
        return self._end - self._first

    def add(self, deliveries: Deliveries) -> None:
        """Take requests in."""
        count = len(deliveries.seq)
        if self._end + count > self._rows.shape[1]:
            waiting = self._rows[:, self._first : self._end]
            size = self._rows.shape[1]
            while size < 2 * (len(self) + count):
                size *= 2
            self._rows = np.empty((len(_FIELDS), size), np.int64)
            self._rows[:, : waiting.shape[1]] = waiting
            self._first, self._end = 0, waiting.shape[1]
        for row, name in zip(self._rows, _FIELDS, strict=True):
            row[self._end : self._end + count] = getattr(deliveries, name)
        self._end += count

    def due(self, received_by_ns: int) -> int:
        """Return how many of the next requests came by then."""
        waiting = self._rows[_RECEIVED, self._first : min(self._end, self._first + _MOST_AT_ONCE)]
        late = waiting > received_by_ns
        return int(late.argmax()) if late.any() else len(waiting)

    def next_ns(self) -> int:
        """Return when the next request came."""
        return int(self._rows[_RECEIVED, self._first])

    def take(self, count: int) -> Int64:
        """Return the next requests, int64 (5, count), which wait no longer."""
        taken = self._rows[:, self._first : self._first + count]
        self._first += count
        return taken


class Responder:
    """One worker's loop over a port that answers."""

    def __init__(self, port: Port, clock: Clock, cells: Cells, log: ResponderLog, think_ns: int) -> None:
        """Answer each request `think_ns` after it was received."""
        self._port = cast("ReplyingPort", port)
        self._clock, self._cells, self._log, self._think_ns = clock, cells, log, think_ns
        self._pending = _Pending()
        self._beat_ns = self._foreign = 0

    def run(self) -> None:
        """Loop until the cells say stop.

        Raises:
            DriverError: the port failed; what was recorded until then is in the log.
        """
        while not self._cells.stopped():
            now_ns = self._clock.now_ns()
            if now_ns - self._beat_ns >= BEAT_NS // 2:
                self._beat_ns = now_ns
                self._cells.beat(PumpCounters(done=True), now_ns)
            deliveries = self._port.poll(self._answer(now_ns))[1]
            self._foreign += deliveries.foreign
            if len(deliveries.seq):
                self._pending.add(deliveries)

    def counters(self) -> dict[str, int]:
        """Return `requests` that came, how many were `answered`, and bodies that were no requests of ours."""
        return {
            "requests": self._log.answered + len(self._pending),
            "answered": self._log.answered,
            "foreign_requests": self._foreign,
        }

    def _answer(self, now_ns: int) -> int:
        """Answer what is due and there is room for; return how long to wait for news."""
        while len(self._pending):
            due = self._pending.due(now_ns - self._think_ns)
            count = min(due, self._port.room())
            if not count:
                return BEAT_NS if due else min(BEAT_NS, max(0, self._pending.next_ns() + self._think_ns - now_ns))
            producer, seq, intended_ns, sent_ns, received_ns = self._pending.take(count)
            answered_ns = self._port.reply(producer, seq, intended_ns, sent_ns)
            self._log.replied(intended_ns, answered_ns - received_ns - self._think_ns)
            now_ns = self._clock.now_ns()
        return BEAT_NS
