"""The scripted in-memory broker: a single server with queues behind it, on a virtual clock.

A message has a copy for each queue that its key is bound to, served one after the other in
the order of bindings. Copy n, arriving at a_n, departs at d_n = max(a_n, d_(n-1)) + 1/capacity
(Lindley 1952), where service does not advance during a stall. A departure is the arrival in
a queue, and that of the last copy the confirmation. Consumers take what comes at once, unless
they take nothing for a while (`hold`): then copies wait for them in their queues, where rules
of the queue may end them, and consumers get at once no more than they may hold. Loss,
duplicates and swaps are scripted by the number of the copy, so that what a ledger must say is
known beforehand. Only `poll` lets time pass, from event to event.

Requests go to responders of its own, who answer each a set time after it departed. Replies
have a server for themselves, of the same capacity: a call passes two queues in tandem.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from bench.arrivals.keys import keys_of
from bench.drivers.base import (
    ConsumerLane,
    Deliveries,
    Int64,
    Outcome,
    PortSpec,
    Settlements,
    empty_deliveries,
    empty_settlements,
)
from bench.drivers.description import Driver
from bench.drivers.refusals import Disposition, Refusals
from bench.host.clock import Clock
from bench.scenario.scenario import MemoryBroker
from bench.units import NS_PER_S

DRIVER = Driver(
    name="memory",
    protocol="memory",
    description="scripted in-memory broker on virtual time, exact and without noise",
    mixes=True,
    holds=True,
    shapes=("route", "compact", "consuming", "requests"),
    inline=True,
)

_NEVER_NS = 1 << 62
_REPLY = -1
"""Number of a reply: the script counts requests."""
_KEYS_BITS = 10
"""How many keys of a producer are looked up together, as a power of two."""


@dataclass(frozen=True)
class QueueRules:
    """By what rules a queue of the scripted broker ends copies.

    Attributes:
        ttl_ns: how long a copy may wait: one that would wait longer ends then.
        most: copies that may wait.
        refuses: whether a copy too many is refused; else the one that waited longest is dropped.
        dead: by key, whether what ends is kept as a dead letter.
    """

    ttl_ns: int = _NEVER_NS
    most: int | None = None
    refuses: bool = False
    dead: tuple[bool, ...] = ()


@dataclass(frozen=True)
class MemoryRouting:
    """What the scripted broker knows beyond a queue for each producer.

    Attributes:
        queues_of: by key, the queues that get a copy.
        rules: of queues that have some.
        think_ns: how long its responders think, where messages are requests.
    """

    queues_of: tuple[tuple[str, ...], ...] = ()
    rules: Mapping[str, QueueRules] = field(default_factory=dict)
    think_ns: int = 0


class DeadLetter(NamedTuple):
    """A copy that was ended, in the words of `bench.run.dead_letters.DeadLetters`."""

    reason: str
    queue: str
    producer: int
    seq: int


@dataclass(slots=True, eq=False)
class _Message:
    lane: int
    producer: int
    seq: int
    key: int
    intended_ns: int
    sent_ns: int
    settled_ns: int = 0
    outcome: Outcome = Outcome.CONFIRMED


@dataclass(slots=True, eq=False)
class _Queue:
    name: str
    lanes: list[int] = field(default_factory=list)
    rules: QueueRules = QueueRules()
    waiting: "deque[_Copy]" = field(default_factory=deque)
    dealt: int = 0


@dataclass(slots=True, eq=False)
class _Copy:
    message: _Message
    queue: _Queue
    number: int
    departs_ns: int
    lane: int = 0
    redelivered: bool = False
    ended: bool = False

    @property
    def expires_ns(self) -> int:
        return self.departs_ns + self.queue.rules.ttl_ns


class MemoryPort:
    """All producers and consumers of a trial, and the broker between them.

    Attributes:
        dead: dead letters that are kept.
        locked: whether consumers are kept out altogether, until that is taken back.
    """

    def __init__(
        self, spec: PortSpec, clock: Clock, script: MemoryBroker, routing: MemoryRouting | None = None
    ) -> None:
        """Start the broker empty; stalls count from now. Without `routing` each producer has a queue."""
        self._spec = spec
        self._clock = clock
        self._routing = routing or MemoryRouting()
        self._service_ns = round(NS_PER_S / script.capacity)
        start_ns = clock.now_ns()
        self._stalls = [(start_ns + s.at, start_ns + s.at + s.length) for s in script.stalls]
        self._lose, self._duplicate, self._swap = (frozenset(n) for n in (script.lose, script.duplicate, script.swap))
        self._refusals = Refusals(spec)
        self._counters = {"arrived": 0} | ({"rejected": 0, "requeued": 0} if self._refusals else {})
        self._copies = 0
        self._free_ns = self._replies_free_ns = start_ns
        self._unserved: deque[_Copy] = deque()
        self._ready: deque[_Copy] = deque()
        self._unconfirmed: deque[_Message] = deque()
        self.dead: list[DeadLetter] = []
        self._hold_ns = 0
        self.locked = False
        self._most = spec.prefetch * max(len(spec.consumers), 1)
        self._held: _Copy | None = None
        self._unsettled = np.zeros(max(len(spec.producers), 1), np.int64)
        self._keys: dict[int, tuple[int, list[int]]] = {}
        self._replies = [_Queue(lane.queue, [row]) for row, lane in enumerate(spec.consumers) if lane.reply]
        self._queues = self._declared(spec.consumers)

    def _declared(self, consumers: tuple[ConsumerLane, ...]) -> dict[str, _Queue]:
        named = [lane.queue for lane in self._spec.producers if lane.queue]
        named += [name for names in self._routing.queues_of for name in names]
        found = {name: _Queue(name, rules=self._routing.rules.get(name, QueueRules())) for name in named}
        for row, lane in enumerate(consumers):
            if not lane.reply:
                found.setdefault(lane.queue, _Queue(lane.queue)).lanes.append(row)
        return found

    def room(self) -> int:
        """Return the free window; without confirms the memory broker takes everything."""
        if not self._spec.confirm_window:
            return 1 << 20
        return int(self._spec.confirm_window - self._unsettled.max()) * len(self._spec.producers)

    def send(self, lane: Int64, seq: Int64, intended_ns: Int64) -> Int64:
        """Take messages; they are sent now."""
        now_ns = self._clock.now_ns()
        for one_lane, one_seq, intended in zip(lane.tolist(), seq.tolist(), intended_ns.tolist(), strict=True):
            producer = self._spec.producers[one_lane]
            key = 0
            names: tuple[str, ...] = (producer.queue,)
            if self._spec.route is not None:
                key = self._key(self._spec.route.choice, producer.producer, one_seq)
                names = self._routing.queues_of[key]
            message = _Message(one_lane, producer.producer, one_seq, key, intended, now_ns)
            self._route(message, names)
            if self._spec.confirm_window:
                self._unconfirmed.append(message)
        self._counters["arrived"] += len(lane)
        self._unsettled += np.bincount(lane, minlength=len(self._unsettled))
        return np.full(len(lane), now_ns, np.int64)

    def poll(self, timeout_ns: int) -> tuple[Settlements, Deliveries]:
        """Let time pass to the next event or to the timeout; return what departed, and what was taken of it."""
        now_ns = self._clock.now_ns()
        until_ns = now_ns + timeout_ns
        if self._unconfirmed:
            until_ns = min(until_ns, max(now_ns, self._unconfirmed[0].settled_ns))
        hold_ns = _NEVER_NS if self.locked else self._hold_ns
        if self._ready:
            until_ns = min(until_ns, max(now_ns, hold_ns))
        elif self._unserved:
            until_ns = min(until_ns, max(now_ns, self._unserved[0].departs_ns, hold_ns))
        self._clock.sleep_ns(until_ns - now_ns)
        self._serve(until_ns)
        confirmed: list[_Message] = []
        while self._unconfirmed and self._unconfirmed[0].settled_ns <= until_ns:
            confirmed.append(self._unconfirmed.popleft())
        return self._settle(confirmed), self._deliver(self._take(until_ns), until_ns)

    def hold(self, until_ns: int) -> None:
        """Deliver nothing before an instant."""
        self._hold_ns = until_ns

    def depth(self) -> int:
        """Return the number of copies not served or not taken yet, but for queues that nobody consumes."""
        now_ns = self._clock.now_ns()
        self._serve(now_ns)
        for queue in self._queues.values():
            self._expire(queue, now_ns)
        waiting = (len(queue.waiting) for queue in (*self._queues.values(), *self._replies) if queue.lanes)
        return sum(waiting) + sum(bool(copy.queue.lanes) for copy in self._unserved)

    def counters(self) -> dict[str, int]:
        """Return how many messages arrived at the broker, and how many deliveries were rejected or requeued."""
        return dict(self._counters)

    def close(self) -> None:
        """Nothing is open."""

    def _key(self, choice: Int64, producer: int, seq: int) -> int:
        block = seq >> _KEYS_BITS
        if self._keys.get(producer, (-1,))[0] != block:
            self._keys[producer] = block, keys_of(choice, producer, block << _KEYS_BITS, 1 << _KEYS_BITS).tolist()
        return self._keys[producer][1][seq & (1 << _KEYS_BITS) - 1]

    def _route(self, message: _Message, names: tuple[str, ...]) -> None:
        """Line a copy up for each queue; a message without any is returned when its turn comes."""
        for name in names:
            queue = self._queues[name]
            self._free_ns = self._served(max(message.sent_ns, self._free_ns))
            copy = _Copy(message, queue, self._copies, self._free_ns)
            self._copies += 1
            if self._spec.requests:
                self._ask(copy)
                continue
            if queue.lanes:
                copy.lane = queue.lanes[queue.dealt % len(queue.lanes)]
                queue.dealt += 1
            self._unserved.append(copy)
        if not names:
            message.outcome = Outcome.RETURNED
        message.settled_ns = max(message.sent_ns, self._free_ns)

    def _ask(self, request: _Copy) -> None:
        """Let a request that departs be answered, lost, answered twice, or after its successor."""
        if request.number in self._swap and self._held is None:
            self._held = request
            return
        if request.number not in self._lose:
            for _ in range(2 if request.number in self._duplicate else 1):
                self._answer(request.message, request.departs_ns)
        if self._held is not None:
            self._answer(self._held.message, request.departs_ns)
            self._held = None

    def _answer(self, message: _Message, asked_ns: int) -> None:
        self._replies_free_ns = self._served(max(asked_ns + self._routing.think_ns, self._replies_free_ns))
        self._unserved.append(
            _Copy(message, self._replies[message.lane], _REPLY, self._replies_free_ns, lane=message.lane)
        )

    def _served(self, begin_ns: int) -> int:
        end_ns = begin_ns + self._service_ns
        for stall_ns, over_ns in self._stalls:
            if stall_ns <= begin_ns < over_ns:
                end_ns = begin_ns = over_ns
                end_ns += self._service_ns
            elif begin_ns < stall_ns < end_ns:
                end_ns += over_ns - stall_ns
        return end_ns

    def _serve(self, until_ns: int) -> None:
        """Put into queues what departs until then."""
        while self._unserved and self._unserved[0].departs_ns <= until_ns:
            copy = self._unserved.popleft()
            queue, rules = copy.queue, copy.queue.rules
            self._expire(queue, copy.departs_ns)
            full = rules.most is not None and len(queue.waiting) >= rules.most
            if full and rules.refuses:
                copy.message.outcome = Outcome.REFUSED
                continue
            queue.waiting.append(copy)
            if queue.lanes:
                self._ready.append(copy)
            if full:
                self._end(queue.waiting.popleft(), "maxlen")

    def _expire(self, queue: _Queue, now_ns: int) -> None:
        """End what has waited for too long; what is taken at the very end of its time is not."""
        while queue.waiting and queue.waiting[0].expires_ns < now_ns:
            self._end(queue.waiting.popleft(), "expired")

    def _end(self, copy: _Copy, reason: str) -> None:
        copy.ended, message = True, copy.message
        if copy.queue.rules.dead and copy.queue.rules.dead[message.key]:
            self.dead.append(DeadLetter(reason, copy.queue.name, message.producer, message.seq))

    def _take(self, now_ns: int) -> list[_Copy]:
        """Return what consumers take now, in the order in which it came to the queues."""
        taken: list[_Copy] = []
        while self._ready and not self.locked and self._hold_ns <= now_ns and len(taken) < self._most:
            copy = self._ready.popleft()
            if not copy.ended:
                self._expire(copy.queue, now_ns)
            if not copy.ended:
                copy.queue.waiting.popleft()
                taken.append(copy)
        return taken

    def _settle(self, gone: list[_Message]) -> Settlements:
        if not gone:
            return empty_settlements()
        lane = np.array([m.lane for m in gone], np.int64)
        self._unsettled -= np.bincount(lane, minlength=len(self._unsettled))
        return Settlements(
            lane,
            np.array([m.seq for m in gone], np.int64),
            np.array([m.outcome for m in gone], np.int64),
            np.array([m.settled_ns for m in gone], np.int64),
        )

    def _deliver(self, gone: list[_Copy], now_ns: int) -> Deliveries:
        rows: list[tuple[int, ...]] = []
        given_back: list[_Copy] = []
        for copy in gone:
            scripted = not copy.redelivered  # what was given back comes as it is
            if scripted and copy.number in self._swap and self._held is None:
                self._held = copy
                continue
            if not scripted or copy.number not in self._lose:
                times = 2 if scripted and copy.number in self._duplicate else 1
                rows += [self._row(copy, now_ns)] * times
                given_back += self._judge(copy)
            if self._held is not None:
                rows.append(self._row(self._held, now_ns))
                given_back += self._judge(self._held)
                self._held = None
        for copy in reversed(given_back):
            copy.redelivered = True
            copy.queue.waiting.appendleft(copy)
            self._ready.appendleft(copy)
        if not rows:
            return empty_deliveries()
        return Deliveries(*np.ascontiguousarray(np.array(rows, np.int64).T))

    def _judge(self, copy: _Copy) -> list[_Copy]:
        """Let a consumer accept or reject what it took; return what it gives back."""
        if not self._refusals:
            return []
        said = self._refusals.of(copy.message.producer, copy.message.seq, redelivered=copy.redelivered)
        if said is Disposition.ACCEPTED:
            return []
        self._counters[said.value] += 1
        if said is Disposition.REQUEUED:
            return [copy]
        self._end(copy, "rejected")
        return []

    def _row(self, copy: _Copy, received_ns: int) -> tuple[int, ...]:
        message = copy.message
        # A compact stamp has no room for the time of sending.
        sent_ns = message.intended_ns if self._spec.compact else message.sent_ns
        stamp = message.producer, message.seq, message.intended_ns, sent_ns
        return copy.lane, *stamp, received_ns, int(copy.redelivered)
