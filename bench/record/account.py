"""Everything recorded of one worker: latencies, ticks, ledgers, and the account made of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import cast

import numpy as np

from bench.arrivals.keys import by_producer
from bench.drivers.base import MOST_PLANNED, Deliveries, Int64, Outcome, Sends, Settlements
from bench.jit import packed
from bench.loadgen.backpressure import Backpressure
from bench.pauses.filter import CENSORED, EXCLUDED, Marks, Meter, PauseFilter
from bench.record.batch_kernels import (
    FURTHER_OF_CONSUMER,
    FURTHER_OF_PRODUCER,
    RESPONSE,
    SERVICE,
    ConsumerState,
    ProducerState,
    record_received,
    record_sent,
    record_settled,
    total_ns,
)
from bench.record.histogram import Seconds, SecondsRecorder, less
from bench.record.ledger import GIVEN_UP, Received, ReceivedLedger, Sent, SentLedger
from bench.record.ticks import Ticks, tick_of
from bench.units import NS_PER_S, TICK_NS

NEVER_LATE_NS = 1 << 62
"""A latency that nothing has."""
FIRST_SENT, LAST_SETTLED, FIRST_RECEIVED, LAST_RECEIVED = (
    "first_sent",
    "last_settled",
    "first_received",
    "last_received",
)
OPENED = "opened"
"""Names of `Account.times`."""
DUE, DROPPED = range(2)
"""Rows of the ticks of dropped messages: when they were due, and when they were dropped."""


@dataclass(frozen=True)
class Owing:
    """What the broker owes of a producer's messages; by default one copy of each.

    Attributes:
        choice: which key a message has, see `bench.arrivals.keys`.
        copies: int64, copies owed of a message with each key; one entry where all have as many.
        nowhere: int64, as long as `copies`: 1 where no queue is bound to the key.
    """

    choice: Int64 = field(default_factory=lambda: by_producer(1))
    copies: Int64 = field(default_factory=lambda: np.ones(1, np.int64))
    nowhere: Int64 = field(default_factory=lambda: np.zeros(1, np.int64))


@dataclass(frozen=True)
class Receiving:
    """How a worker's deliveries are counted.

    Attributes:
        columns: int64 (lanes,), in which column of the ledger a lane's messages are.
        column_count: columns of the ledger.
        first_producer: number of the flow's first producer.
        last_of: copies of each message that this worker receives, so that it knows when the last one came; else 1.
        late_ns: latency from which a reply is late.
    """

    columns: Int64
    column_count: int = 1
    first_producer: int = 0
    last_of: int = 1
    late_ns: int = NEVER_LATE_NS


_FOLLOWED, _FOLLOWED_EACH = 1 << 20, 1 << 14
"""Messages whose last copy is looked for at once: of all producers, and of one at most."""


def _followed(producers: int) -> int:
    """Return how many messages of a producer are followed, a power of two."""
    return min(_FOLLOWED_EACH, max(1 << 6, 1 << (_FOLLOWED // producers).bit_length() - 1))


class ProducerLog:
    """Everything recorded of a worker's producers.

    Attributes:
        ledger: what was sent, and how it was settled.
        times: see `Account`.
    """

    times: Mapping[str, int] = MappingProxyType({})

    def __init__(
        self,
        producers: tuple[int, ...],
        start_ns: int,
        window: int,
        *,
        closed: bool,
        meter: Meter | None = None,
        owing: Owing | None = None,
    ) -> None:
        """Record lanes with these numbers; `window` bounds the unsettled messages of a lane."""
        self._closed = closed
        self._numbers = np.array(producers, np.int64)
        self._owing = owing or Owing()
        self._owed = np.zeros(1, np.int64)
        self._start_ns = start_ns
        self.ledger = SentLedger(producers)
        self.filter = PauseFilter(meter, FURTHER_OF_PRODUCER, slots=2)
        self.seconds = SecondsRecorder(start_ns, self.filter.tags)
        self.ticks = Ticks(start_ns, rows=3)
        self.drops = Ticks(start_ns, rows=2)
        self._sums = np.zeros(2, np.int64)
        # The intended times of the last messages of each lane, for their confirms.
        # A port that sends what is planned may tell of confirms before we record what they are about.
        ahead = MOST_PLANNED if len(producers) == 1 else 0
        self._ring = np.zeros((len(producers), 1 << (max(window, 1) + ahead).bit_length()), np.int64)
        self._state = self._current()

    @property
    def owed(self) -> int:
        """Copies owed of all that was sent and neither refused nor returned."""
        return int(self._owed[0])

    @property
    def intended_sum_ns(self) -> int:
        """Sum over copies that are owed of intended times after the start."""
        return total_ns(self._sums)

    def sent(self, lane: Int64, seq: Int64, intended_ns: Int64, sent_ns: Int64, backpressure: Backpressure) -> None:
        """Record a batch of sends; in a closed loop a message is intended when it is sent."""
        rows, done = len(seq), 0
        # `packed(Sends(lane=lane, ...))` is the same, and takes a tenth of the pump's turn where messages come singly.
        sends = cast("Sends", (lane, seq, intended_ns, sent_ns))
        if backpressure.end and rows and not self._closed:
            backpressure.forget(int(intended_ns[0]))
        while True:
            done = record_sent(sends, done, self._state, backpressure.episodes, backpressure.first, backpressure.end)
            if done == rows:
                return
            due_ns, at_ns = int(intended_ns[done]), int(sent_ns[done])
            if not self._closed:
                self.seconds.open(due_ns)
            self.ticks.reach(max(due_ns, at_ns))
            self._state = self._current()

    def dropped(self, intended_ns: Int64, now_ns: int) -> None:
        """Record messages that were dropped now instead of being sent."""
        self.drops.reach(max(now_ns, int(intended_ns[-1])))
        due = np.bincount((intended_ns - self._start_ns) // TICK_NS)
        self.drops.counts[DUE, : len(due)] += due
        self.drops.counts[DROPPED, tick_of(now_ns, self._start_ns)] += len(intended_ns)

    def settled(self, rows: Settlements) -> None:
        """Record a batch of settlements."""
        done, settlements = 0, packed(rows)
        while True:
            done = record_settled(settlements, done, self._state)
            if done == len(rows.seq):
                return
            seq = int(rows.seq[done])
            self.seconds.open(int(self._ring[rows.lane[done], seq & (self._ring.shape[1] - 1)]))
            self.ticks.reach(int(rows.at_ns[done]))
            self.ledger.confirmed.reach(seq)
            self._state = self._current()

    def _current(self) -> ProducerState:
        """Return what kernels need, as it is after room was made."""
        state = ProducerState(
            closed=self._closed,
            start_ns=self._start_ns,
            stride=self.seconds.stride,
            cells=self.seconds.cells,
            ticks=self.ticks.counts,
            ring=self._ring,
            bits=self.ledger.confirmed.bits,
            counts=self.ledger.counts,
            outcomes=self.ledger.outcomes,
            sums=self._sums,
            numbers=self._numbers,
            choice=self._owing.choice,
            copies=self._owing.copies,
            nowhere=self._owing.nowhere,
            owed=self._owed,
            pauses=self.filter.cells,
            board=self.filter.board,
        )
        return packed(state)


class CountedProducerLog(ProducerLog):
    """A log that also keeps when the first message was sent and the last one settled, for a run by count."""

    def sent(self, lane: Int64, seq: Int64, intended_ns: Int64, sent_ns: Int64, backpressure: Backpressure) -> None:
        """Record a batch of sends, as its base."""
        if FIRST_SENT not in self.times:
            self.times = {**self.times, FIRST_SENT: int(sent_ns.min())}
        super().sent(lane, seq, intended_ns, sent_ns, backpressure)

    def settled(self, rows: Settlements) -> None:
        """Record a batch of settlements, as its base."""
        last_ns = int(rows.at_ns.max())
        self.times = {**self.times, LAST_SETTLED: max(last_ns, self.times.get(LAST_SETTLED, last_ns))}
        super().settled(rows)


class ConsumerLog:
    """Everything recorded of a worker's consumers.

    Attributes:
        ledger: what was received.
        times: see `Account`.
    """

    times: Mapping[str, int] = MappingProxyType({})

    def __init__(
        self,
        lanes: int,
        producers: int,
        queues: int,
        start_ns: int,
        *,
        closed: bool,
        meter: Meter | None = None,
        receiving: Receiving | None = None,
    ) -> None:
        """Record `lanes` consumers of a flow with that many producers and queues."""
        self._closed = closed
        self._start_ns = start_ns
        self._queues = queues
        self._senders = producers
        self._receiving = receiving or Receiving(np.zeros(max(lanes, 1), np.int64))
        self.ledger = ReceivedLedger(lanes, producers, queues, self._receiving.column_count)
        self.filter = PauseFilter(meter, FURTHER_OF_CONSUMER, slots=2)
        follows = self._receiving.last_of > 1
        self.seconds = SecondsRecorder(start_ns, self.filter.tags + follows)
        self._followed = np.full((3, producers if follows else 1, _followed(producers) if follows else 1), -1, np.int64)
        self.ticks = Ticks(start_ns, rows=1)
        self._sums = np.zeros(2, np.int64)
        self._producers = np.zeros(1, np.int64)
        self._state = self._current()

    @property
    def given_up(self) -> int:
        """Messages of which it is not known when their last copy came: too many others came before it."""
        return int(self.ledger.counts[GIVEN_UP])

    @property
    def received_sum_ns(self) -> int:
        """Sum over messages of received times after the start."""
        return total_ns(self._sums)

    def received(self, rows: Deliveries) -> Int64:
        """Record a batch of deliveries; return the producers of those that are new, counted within their flow."""
        if rows.read_ns is None:
            rows = rows._replace(read_ns=rows.received_ns)
        length, done, new, deliveries = len(rows.seq), 0, 0, packed(rows)
        self.ledger.foreign += rows.foreign
        if length > len(self._producers):
            self._producers = np.zeros(2 * length, np.int64)
            self._state = self._current()
        while True:
            done, new = record_received(deliveries, done, new, self._state)
            if done == length:
                given = new == length and not self._receiving.first_producer
                return rows.producer if given else self._producers[:new].copy()
            self._make_room(rows, done)

    def quantiles_ns(self, now_ns: int) -> tuple[int, int]:
        """Return p50 and p99 of the last full second, for people to watch; 0 where it is empty."""
        second = (now_ns - self._start_ns) // NS_PER_S - 1
        p50_ns, p99_ns = self.seconds.quantiles_ns(second, (0.5, 0.99), SERVICE if self._closed else RESPONSE)
        return p50_ns, p99_ns

    def _make_room(self, rows: Deliveries, row: int) -> None:
        self.seconds.open(int((rows.sent_ns if self._closed else rows.intended_ns)[row]))
        self.ticks.reach(int(rows.received_ns[row]))
        self.ledger.bitmap.reach(int(rows.seq[row]))
        self._state = self._current()

    def _current(self) -> ConsumerState:
        """Return what kernels need, as it is after room was made."""
        state = ConsumerState(
            closed=self._closed,
            start_ns=self._start_ns,
            queues=self._queues,
            first=self._receiving.first_producer,
            senders=self._senders,
            late_ns=self._receiving.late_ns,
            copies=self._receiving.last_of if self._receiving.last_of > 1 else 0,
            last_tag=self.filter.tags,
            followed=self._followed,
            columns=self._receiving.columns,
            stride=self.seconds.stride,
            cells=self.seconds.cells,
            ticks=self.ticks.counts,
            bits=self.ledger.bitmap.bits,
            last=self.ledger.last,
            counts=self.ledger.counts,
            sums=self._sums,
            producers=self._producers,
            pauses=self.filter.cells,
            board=self.filter.board,
        )
        return packed(state)


class CountedConsumerLog(ConsumerLog):
    """A log that also keeps when the first and the last message came, for a run by count."""

    def received(self, rows: Deliveries) -> Int64:
        """Record a batch of deliveries, as its base."""
        if len(rows.seq):
            first_ns, last_ns = int(rows.received_ns.min()), int(rows.received_ns.max())
            self.times = {
                FIRST_RECEIVED: min(first_ns, self.times.get(FIRST_RECEIVED, first_ns)),
                LAST_RECEIVED: max(last_ns, self.times.get(LAST_RECEIVED, last_ns)),
            }
        return super().received(rows)


class ResponderLog:
    """Everything recorded of a worker that answers.

    Attributes:
        seconds: our own lateness, by the second in which a request was intended.
        answered: requests that were answered.
    """

    def __init__(self, start_ns: int) -> None:
        """Record from `start_ns` on."""
        self.seconds = SecondsRecorder(start_ns)
        self.answered = 0

    def replied(self, intended_ns: Int64, lag_ns: Int64) -> None:
        """Record a batch of replies, and by how much each was later than it should be."""
        self.answered += len(lag_ns)
        self.seconds.record(intended_ns, lag_ns)


@dataclass(frozen=True)
class Account:
    """What a worker hands over when its loop has ended.

    Attributes:
        latencies: by tag, see `bench.results.records.TAGS`.
        ticks: counts by the tick of 100 ms: offered, sent, received, confirmed; of messages that
            were dropped, dropped_due and dropped, by when they were due and when they were dropped.
        sent, received: the ledgers; None where the worker has no such lanes.
        intended_sum_ns, received_sum_ns: sums over messages of intended and received
            times after the start, the two sides of Little's law.
        counters: what the driver counted.
        flow: number of the worker's flow within its workload.
        marks: pauses as the filter saw them, and messages on their way; the consumers' where there are any; None
            without a meter.
        times: of a run by count, monotonic ns: when the first message was sent, the last one settled, the first and
            the last one received; and when consumers that were held had subscribed.
    """

    latencies: dict[str, Seconds]
    ticks: dict[str, Int64]
    sent: Sent | None
    received: Received | None
    intended_sum_ns: int
    received_sum_ns: int
    counters: dict[str, int]
    marks: Marks | None = None
    flow: int = 0
    times: Mapping[str, int] = field(default_factory=dict)


def account(
    producer: ProducerLog | None,
    consumer: ConsumerLog | None,
    counters: dict[str, int],
    *,
    responder: ResponderLog | None = None,
    flow: int = 0,
) -> Account:
    """Close the logs of a worker."""
    latencies: dict[str, Seconds] = {} if responder is None else {"reply_lag": responder.seconds.finish()}
    ticks: dict[str, Int64] = {}
    marks = None
    if producer is not None:
        marks = producer.filter.finish(producer.seconds)
        tags, slots = ("send_lag", "backpressure", "confirm"), ("send_lag", "confirm")
        latencies |= _latencies(producer.seconds, producer.filter.tags, tags, slots)
        ticks |= {name: producer.ticks.finish(i) for i, name in enumerate(("offered", "sent", "confirmed"))}
        ticks |= {name: producer.drops.finish(row) for name, row in (("dropped_due", DUE), ("dropped", DROPPED))}
    if consumer is not None:
        marks = consumer.filter.finish(consumer.seconds) or marks
        tags, slots = ("service", "response", "receive_lag"), ("service", "response")
        latencies |= _latencies(consumer.seconds, consumer.filter.tags, tags, slots)
        if consumer.seconds.tags > consumer.filter.tags:
            latencies["last"] = consumer.seconds.finish(consumer.filter.tags)
            counters = counters | {"last_unknown": consumer.given_up}
        ticks["received"] = consumer.ticks.finish(0)
    return Account(
        latencies={tag: part for tag, part in latencies.items() if len(part.totals)},
        ticks=ticks,
        sent=producer.ledger.finish() if producer else None,
        received=consumer.ledger.finish() if consumer else None,
        intended_sum_ns=producer.intended_sum_ns if producer else 0,
        received_sum_ns=consumer.received_sum_ns if consumer else 0,
        counters=counters,
        marks=marks,
        flow=flow,
        times={name: at_ns for log in (producer, consumer) if log is not None for name, at_ns in log.times.items()},
    )


def _latencies(
    seconds: SecondsRecorder, kept: int, tags: tuple[str, ...], slots: tuple[str, ...]
) -> dict[str, Seconds]:
    """Return what was recorded of each tag and, where there is a meter, the events and the censored of each slot."""
    found = {tag: seconds.finish(i) for i, tag in enumerate(tags)}
    if kept > len(tags):
        for slot, tag in enumerate(slots):
            excluded, censored = (seconds.finish(len(tags) + 2 * slot + part) for part in (EXCLUDED, CENSORED))
            found |= {f"{tag}_events": less(found[tag], excluded), f"{tag}_censored": censored}
    return found


def warm_kernels() -> None:
    """Call every kernel of the logs once, so that none is compiled or loaded while messages are measured."""
    one = np.array([1], np.int64)
    producer, consumer = ProducerLog((0,), 0, 1, closed=False), ConsumerLog(1, 1, 1, 0, closed=False)
    producer.sent(one - 1, one - 1, one, one, Backpressure())
    producer.settled(Settlements(one - 1, one - 1, one * int(Outcome.CONFIRMED), one))
    consumer.received(Deliveries(one - 1, one - 1, one - 1, one, one, one, one - 1))
    account(producer, consumer, {})
