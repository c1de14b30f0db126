"""Everything recorded of one worker: latencies, ticks, ledgers, and the account made of them."""

from dataclasses import dataclass

import numpy as np

from bench.blocked import Blocked
from bench.drivers.base import Deliveries, Int64, Outcome, Settlements
from bench.record.histogram import Seconds, SecondsRecorder
from bench.record.ledger import Received, ReceivedLedger, Sent, SentLedger
from bench.record.timeline import TickCounter
from bench.units import NS_PER_S


class ProducerLog:
    """Everything recorded of a worker's producers."""

    def __init__(self, producers: tuple[int, ...], start_ns: int, window: int, *, closed: bool) -> None:
        """Record lanes with these numbers; `window` bounds the unsettled messages of a lane."""
        self._closed = closed
        self.ledger = SentLedger(producers)
        self.slip = SecondsRecorder(start_ns)
        self.blocked = SecondsRecorder(start_ns)
        self.confirm = SecondsRecorder(start_ns)
        self.offered_ticks = TickCounter(start_ns)
        self.sent_ticks = TickCounter(start_ns)
        self.confirmed_ticks = TickCounter(start_ns)
        self.intended_sum_ns = 0
        self._start_ns = start_ns
        self._mask = (1 << max(window, 1).bit_length()) - 1
        self._intended = np.zeros((len(producers), self._mask + 1), np.int64)

    def sent(self, lane: Int64, seq: Int64, intended_ns: Int64, sent_ns: Int64, blocked: Blocked) -> None:
        """Record a batch of sends; in a closed loop a message is intended when it is sent."""
        if self._closed:
            intended_ns = sent_ns
        self.ledger.send(lane)
        self._intended[lane, seq & self._mask] = intended_ns
        self.intended_sum_ns += int((intended_ns - self._start_ns).sum())
        self.offered_ticks.count(intended_ns)
        self.sent_ticks.count(sent_ns)
        if not self._closed:
            blocked_ns = blocked.split(intended_ns, sent_ns)
            self.slip.record(intended_ns, sent_ns - intended_ns - blocked_ns)
            self.blocked.record(intended_ns, blocked_ns)

    def settled(self, rows: Settlements) -> None:
        """Record a batch of settlements."""
        self.ledger.settle(rows.lane, rows.seq, rows.outcome)
        # A refusal is no confirm: a broker that refuses fast must not look fast.
        good = rows.outcome == Outcome.CONFIRMED
        intended_ns = self._intended[rows.lane[good], rows.seq[good] & self._mask]
        self.confirm.record(intended_ns, rows.at_ns[good] - intended_ns)
        self.confirmed_ticks.count(rows.at_ns[good])


class ConsumerLog:
    """Everything recorded of a worker's consumers."""

    def __init__(self, lanes: int, producers: int, queues: int, start_ns: int, *, closed: bool) -> None:
        """Record `lanes` consumers of a trial with that many producers and queues."""
        self._closed = closed
        self.ledger = ReceivedLedger(lanes, producers, queues)
        self.response = SecondsRecorder(start_ns)
        self.service = SecondsRecorder(start_ns)
        self.received_ticks = TickCounter(start_ns)
        self.received_sum_ns = 0
        self._start_ns = start_ns

    def received(self, rows: Deliveries) -> Int64:
        """Record a batch of deliveries; return the producers of those that are new."""
        fresh = self.ledger.receive(rows.lane, rows.producer, rows.seq, rows.redelivered, rows.foreign) == 1
        if not fresh.all():
            rows = Deliveries(
                *(column[fresh] for column in (rows.lane, rows.producer, rows.seq)),
                *(column[fresh] for column in (rows.intended_ns, rows.sent_ns, rows.received_ns, rows.redelivered)),
            )
        self.received_sum_ns += int((rows.received_ns - self._start_ns).sum())
        intended_ns = rows.sent_ns if self._closed else rows.intended_ns
        self.service.record(intended_ns, rows.received_ns - rows.sent_ns)
        if not self._closed:
            self.response.record(intended_ns, rows.received_ns - intended_ns)
        self.received_ticks.count(rows.received_ns)
        return rows.producer

    def p99_ns(self, now_ns: int) -> int:
        """Return the p99 of the last full second, for people to watch; 0 where it is empty."""
        second = (now_ns - self._start_ns) // NS_PER_S - 1
        return (self.service if self._closed else self.response).quantile_ns(second, 0.99)


@dataclass(frozen=True)
class Account:
    """What a worker hands over when its loop has ended.

    Attributes:
        latencies: by tag, see `bench.results.TAGS`.
        ticks: counts by the tick of 100 ms: offered, sent, received, confirmed.
        sent, received: the ledgers; None where the worker has no such lanes.
        intended_sum_ns, received_sum_ns: sums over messages of intended and received
            times after the start, the two sides of Little's law.
        counters: what the driver counted.
    """

    latencies: dict[str, Seconds]
    ticks: dict[str, Int64]
    sent: Sent | None
    received: Received | None
    intended_sum_ns: int
    received_sum_ns: int
    counters: dict[str, int]


def account(producer: ProducerLog | None, consumer: ConsumerLog | None, counters: dict[str, int]) -> Account:
    """Close the logs of a worker."""
    latencies: dict[str, Seconds] = {}
    ticks: dict[str, Int64] = {}
    if producer is not None:
        latencies |= {name: getattr(producer, name).finish() for name in ("slip", "blocked", "confirm")}
        ticks |= {name: getattr(producer, f"{name}_ticks").finish() for name in ("offered", "sent", "confirmed")}
    if consumer is not None:
        latencies |= {name: getattr(consumer, name).finish() for name in ("response", "service")}
        ticks["received"] = consumer.received_ticks.finish()
    return Account(
        latencies={tag: part for tag, part in latencies.items() if len(part.totals)},
        ticks=ticks,
        sent=producer.ledger.finish() if producer else None,
        received=consumer.ledger.finish() if consumer else None,
        intended_sum_ns=producer.intended_sum_ns if producer else 0,
        received_sum_ns=consumer.received_sum_ns if consumer else 0,
        counters=counters,
    )


def warm_kernels() -> None:
    """Call every kernel of the logs once, so that none is compiled or loaded while messages are measured."""
    one = np.array([1], np.int64)
    producer, consumer = ProducerLog((0,), 0, 1, closed=False), ConsumerLog(1, 1, 1, 0, closed=False)
    producer.sent(one - 1, one - 1, one, one, Blocked())
    producer.settled(Settlements(one - 1, one - 1, one * int(Outcome.CONFIRMED), one))
    consumer.received(Deliveries(one - 1, one - 1, one - 1, one, one, one, one - 1))
    consumer.p99_ns(0)
