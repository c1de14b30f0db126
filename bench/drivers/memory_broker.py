"""The scripted in-memory broker: a single server with a queue, on a virtual clock.

Message n, arriving at a_n, departs at d_n = max(a_n, d_(n-1)) + 1/capacity (Lindley 1952),
where service does not advance during a stall. A departure is delivery and confirmation at
once, unless consumers take nothing for a while (`hold`): then messages wait for them with
the broker, and they get at once no more than they may hold. Loss, duplicates and swaps are
scripted by the number of arrival, so that what a ledger must say is known beforehand. Only
`poll` lets time pass, from event to event.
"""

from collections import deque
from dataclasses import dataclass

import numpy as np

from bench.drivers.base import Deliveries, Int64, Outcome, PortSpec, Settlements, empty_deliveries, empty_settlements
from bench.drivers.description import Driver
from bench.host.clock import Clock
from bench.scenario.scenario import MemoryBroker
from bench.units import NS_PER_S

DRIVER = Driver(
    name="memory",
    protocol="memory",
    description="scripted in-memory broker on virtual time, exact and without noise",
    mixes=True,
    holds=True,
    inline=True,
)


@dataclass(frozen=True)
class _Message:
    number: int
    lane: int
    queue: str
    producer: int
    seq: int
    intended_ns: int
    sent_ns: int
    departs_ns: int


class MemoryPort:
    """All producers and consumers of a trial, and the broker between them."""

    def __init__(self, spec: PortSpec, clock: Clock, script: MemoryBroker) -> None:
        """Start the broker empty; stalls count from now."""
        self._spec = spec
        self._clock = clock
        self._service_ns = round(NS_PER_S / script.capacity)
        start_ns = clock.now_ns()
        self._stalls = [(start_ns + s.at, start_ns + s.at + s.length) for s in script.stalls]
        self._lose, self._duplicate, self._swap = (frozenset(n) for n in (script.lose, script.duplicate, script.swap))
        self._arrived = 0
        self._free_ns = start_ns
        self._queue: deque[_Message] = deque()
        self._unconfirmed: deque[_Message] = deque()
        self._hold_ns = 0
        self._most = spec.prefetch * max(len(spec.consumers), 1)
        self._held: _Message | None = None
        self._unsettled = np.zeros(max(len(spec.producers), 1), np.int64)
        self._consumer_of: dict[str, list[int]] = {}
        for lane, consumer in enumerate(spec.consumers):
            self._consumer_of.setdefault(consumer.queue, []).append(lane)

    def room(self) -> int:
        """Return the free window; without confirms the memory broker takes everything."""
        if not self._spec.confirm_window:
            return 1 << 20
        return int(self._spec.confirm_window - self._unsettled.max()) * len(self._spec.producers)

    def send(self, lane: Int64, seq: Int64, intended_ns: Int64) -> Int64:
        """Queue messages; they are sent now."""
        now_ns = self._clock.now_ns()
        for one_lane, one_seq, intended in zip(lane.tolist(), seq.tolist(), intended_ns.tolist(), strict=True):
            producer = self._spec.producers[one_lane]
            self._free_ns = self._served(max(now_ns, self._free_ns))
            message = _Message(
                self._arrived, one_lane, producer.queue, producer.producer, one_seq, intended, now_ns, self._free_ns
            )
            self._queue.append(message)
            if self._spec.confirm_window:
                self._unconfirmed.append(message)
            self._arrived += 1
        self._unsettled += np.bincount(lane, minlength=len(self._unsettled))
        return np.full(len(lane), now_ns, np.int64)

    def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
        """Let time pass to the next event or to the timeout; return what departed, and what was taken of it."""
        now_ns = self._clock.now_ns()
        until_ns = now_ns + timeout_ns
        if self._unconfirmed:
            until_ns = min(until_ns, max(now_ns, self._unconfirmed[0].departs_ns))
        if self._queue:
            until_ns = min(until_ns, max(now_ns, self._queue[0].departs_ns, self._hold_ns))
        self._clock.sleep_ns(until_ns - now_ns)
        confirmed: list[_Message] = []
        taken: list[_Message] = []
        while self._unconfirmed and self._unconfirmed[0].departs_ns <= until_ns:
            confirmed.append(self._unconfirmed.popleft())
        while self._queue and max(self._queue[0].departs_ns, self._hold_ns) <= until_ns and len(taken) < self._most:
            taken.append(self._queue.popleft())
        return self._settle(confirmed), self._deliver(taken, until_ns)

    def hold(self, until_ns: int) -> None:
        """Deliver nothing before an instant."""
        self._hold_ns = until_ns

    def depth(self) -> int:
        """Return the number of messages not served or not taken yet."""
        return len(self._queue)

    def counters(self) -> dict[str, int]:
        """Return the number of messages that arrived at the broker."""
        return {"arrived": self._arrived}

    def close(self) -> None:
        """Nothing is open."""

    def _served(self, begin_ns: int) -> int:
        end_ns = begin_ns + self._service_ns
        for stall_ns, over_ns in self._stalls:
            if stall_ns <= begin_ns < over_ns:
                end_ns = begin_ns = over_ns
                end_ns += self._service_ns
            elif begin_ns < stall_ns < end_ns:
                end_ns += over_ns - stall_ns
        return end_ns

    def _settle(self, gone: list[_Message]) -> Settlements:
        if not gone:
            return empty_settlements()
        lane = np.array([m.lane for m in gone], np.int64)
        self._unsettled -= np.bincount(lane, minlength=len(self._unsettled))
        return Settlements(
            lane,
            np.array([m.seq for m in gone], np.int64),
            np.full(len(gone), int(Outcome.CONFIRMED), np.int64),
            np.array([m.departs_ns for m in gone], np.int64),
        )

    def _deliver(self, gone: list[_Message], now_ns: int) -> Deliveries:
        rows: list[tuple[int, ...]] = []
        for message in gone:
            if message.number in self._swap and self._held is None:
                self._held = message
                continue
            if message.number not in self._lose:
                copies = 2 if message.number in self._duplicate else 1
                rows += [self._row(message, now_ns)] * copies
            if self._held is not None:
                rows.append(self._row(self._held, now_ns))
                self._held = None
        if not rows:
            return empty_deliveries()
        return Deliveries(*np.ascontiguousarray(np.array(rows, np.int64).T))

    def _row(self, message: _Message, received_ns: int) -> tuple[int, ...]:
        lanes = self._consumer_of[message.queue]
        lane = lanes[message.number % len(lanes)]
        return lane, message.producer, message.seq, message.intended_ns, message.sent_ns, received_ns, 0
