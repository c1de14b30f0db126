"""What happened to every message: a bit each, kept apart by producers and by consumers.

A producing worker notes which numbers were confirmed, a consuming one which arrived; only
the merge of both can say what was lost. Numbers of one producer are 0, 1, 2, … without
gaps, so a bitmap row for each producer is exact and small (an eighth of a byte a message
and side).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.drivers.base import Int64, Outcome
from bench.jit import kernel
from bench.results.records import Ledger

Bits = NDArray[np.uint8]

_ROW_JUMP, _ALL_JUMP = 1 << 20, 1 << 27
"""How high a number may be before anything is received: of each producer at least, and of all together."""
_SPREAD = 64
"""How much higher with each message received: a worker sees but a share of them, and some are lost."""

DUPLICATED, REDELIVERED, REORDERED, STRAY, FIRST = range(5)
"""Cells of what a consuming worker counts."""

_FIRST_CAPACITY = 1 << 12


@kernel
def beyond(rows: int, received: int) -> int:
    """Return the number from which on a stamp is a stray, where so many messages of so many producers were received.

    Numbers of a producer come nearly in order. A few wrong stamps, such as 2³³, must not cost gigabytes.
    """
    return int(max(_ROW_JUMP, _ALL_JUMP // rows) + _SPREAD * received)


@kernel
def is_marked(bits: Bits, row: int, seq: int) -> bool:
    """Return whether a bit is set."""
    return int(bits[row, seq >> 3]) >> (seq & 7) & 1 == 1


@kernel
def mark(bits: Bits, row: int, seq: int) -> None:
    """Set a bit."""
    bits[row, seq >> 3] = int(bits[row, seq >> 3]) | 1 << (seq & 7)


@kernel
def judge_first(last: Int64, lane: int, column: int, seq: int, redelivered: int, counts: Int64) -> None:
    """Count a first delivery: redelivered, or else in order or out of it."""
    if redelivered:
        counts[REDELIVERED] += redelivered
    elif seq < last[lane, column]:
        counts[REORDERED] += 1
    else:
        last[lane, column] = seq


@kernel
def judge_again(counts: Int64, redelivered: int) -> None:
    """Count a delivery beyond the first."""
    counts[DUPLICATED] += 1
    counts[REDELIVERED] += redelivered


class Bitmap:
    """A row of bits for each producer that grows with the numbers seen."""

    def __init__(self, rows: int) -> None:
        """Make `rows` empty rows."""
        self.bits: Bits = np.zeros((rows, _FIRST_CAPACITY >> 3), np.uint8)

    def reach(self, seq: int) -> None:
        """Make the rows long enough for a number."""
        needed, have = seq + 1, self.bits.shape[1] << 3
        if needed > have:
            size = have
            while size < needed:
                size *= 2
            wider = np.zeros((self.bits.shape[0], size >> 3), np.uint8)
            wider[:, : have >> 3] = self.bits
            self.bits = wider


@dataclass(frozen=True)
class Sent:
    """A producing worker's account.

    Attributes:
        producer: int64 (n,), number of each lane in the whole trial.
        sent: int64 (n,), messages sent by each.
        confirmed: uint8 (n, bytes), a bit for each confirmed number.
        refused, returned: messages so settled.
        settled: messages settled in whatever way.
    """

    producer: Int64
    sent: Int64
    confirmed: Bits
    refused: int
    returned: int
    settled: int


@dataclass(frozen=True)
class Received:
    """A consuming worker's account.

    Attributes:
        bits: uint8 (producers of the whole trial, bytes), a bit for each number received.
        duplicated, redelivered, reordered, foreign, stray: deliveries so counted.
    """

    bits: Bits
    duplicated: int
    redelivered: int
    reordered: int
    foreign: int
    stray: int


class SentLedger:
    """Counts what a worker's producers sent and what became of it.

    Attributes:
        counts: int64 (n,), messages sent by each lane, for kernels.
        outcomes: int64, messages settled by `Outcome`, for kernels.
        confirmed: a bit for each confirmed number.
    """

    def __init__(self, producers: Sequence[int]) -> None:
        """Account for producing lanes with these numbers."""
        self._producers = np.array(producers, np.int64)
        self.counts = np.zeros(len(producers), np.int64)
        self.confirmed = Bitmap(len(producers))
        self.outcomes = np.zeros(max(Outcome) + 1, np.int64)

    @property
    def gone(self) -> int:
        """Messages that were refused or returned."""
        return int(self.outcomes[Outcome.REFUSED] + self.outcomes[Outcome.RETURNED])

    def finish(self) -> Sent:
        """Return the account."""
        return Sent(
            self._producers,
            self.counts,
            self.confirmed.bits,
            int(self.outcomes[Outcome.REFUSED]),
            int(self.outcomes[Outcome.RETURNED]),
            int(self.outcomes.sum()),
        )


class ReceivedLedger:
    """Counts what a worker's consumers received.

    Order is judged for each consuming lane and producer, as no broker promises more: two
    consumers of one queue may well see two messages in either order.

    Attributes:
        bitmap: a bit for each number received.
        last: int64 (lanes, producers of a queue), highest number seen, for kernels.
        counts: int64, deliveries by `DUPLICATED` and so on, and first ones, for kernels.
        foreign: bodies that were not ours.
    """

    def __init__(self, lanes: int, producers: int, queues: int) -> None:
        """Account for `lanes` consumers of a trial with that many producers and queues."""
        self.bitmap = Bitmap(producers)
        self.last = np.full((max(lanes, 1), -(-producers // queues)), -1, np.int64)
        self.counts = np.zeros(FIRST + 1, np.int64)
        self.foreign = 0

    def finish(self) -> Received:
        """Return the account."""
        duplicated, redelivered, reordered, stray, _ = self.counts.tolist()
        return Received(self.bitmap.bits, duplicated, redelivered, reordered, self.foreign, stray)


def _first(bits: Bits, length: int) -> Bits:
    """Return the first bits of a row, as bytes of which the last is filled up with zeros."""
    found = np.zeros((length + 7) >> 3, np.uint8)
    part = bits[: len(found)]
    found[: len(part)] = part
    if length & 7:
        found[-1] &= (1 << (length & 7)) - 1
    return found


def _set(bits: Bits) -> int:
    return int(np.bitwise_count(bits).sum(dtype=np.int64))


def balance(sent: Sequence[Sent], received: Sequence[Received], *, confirms: bool, left: int | None = 0) -> Ledger:
    """Merge the accounts of all workers of a trial into one ledger.

    A number is *lost* when the broker confirmed it (without confirms: when it was sent),
    it never arrived, and the broker does not hold it any more. A number received by two
    workers is a duplicate. Deliveries of numbers never sent are strays.

    Args:
        sent: accounts of producing workers.
        received: accounts of consuming workers.
        confirms: whether confirms were asked for.
        left: messages that lay on the broker at the end; None where the trial was cut or
            the broker could not say, so that nothing can be called lost.
    """
    counts = dict.fromkeys(("confirmed", "unique", "lost", "missing", "again", "stray"), 0)
    for part in sent:
        for i, producer in enumerate(part.producer.tolist()):
            # Bits are compared as bits: a hundred million messages are 12.5 MB a side.
            total = int(part.sent[i])
            arrived, everywhere = np.zeros((total + 7) >> 3, np.uint8), 0
            strays = np.zeros(max((other.bits.shape[1] for other in received), default=0), np.uint8)
            for other in received:
                row = other.bits[producer]
                own = _first(row, total)
                everywhere += _set(own)
                arrived |= own
                strays[: len(row)] |= row
            strays[: len(arrived)] &= ~_first(np.full(len(arrived), 255, np.uint8), total)[: len(strays)]
            confirmed = _first(part.confirmed[i], total)
            unique = _set(arrived)
            counts["confirmed"] += _set(confirmed) if confirms else 0
            counts["unique"] += unique
            counts["missing"] += total - unique
            counts["lost"] += _set(confirmed & ~arrived) if confirms else total - unique
            counts["again"] += everywhere - unique
            counts["stray"] += _set(strays)
    promised = counts["lost"]
    undelivered = promised if left is None else min(promised, left)
    total_sent = sum(int(part.sent.sum()) for part in sent)
    settled = sum(part.settled for part in sent)
    return Ledger(
        sent=total_sent,
        confirmed=counts["confirmed"],
        refused=sum(part.refused for part in sent),
        returned=sum(part.returned for part in sent),
        unknown=total_sent - settled if confirms else 0,
        received=counts["unique"],
        lost=promised - undelivered,
        undelivered=undelivered,
        unconfirmed_missing=counts["missing"] - promised,
        duplicated=counts["again"] + sum(part.duplicated for part in received),
        redelivered=sum(part.redelivered for part in received),
        reordered=sum(part.reordered for part in received),
        foreign=sum(part.foreign for part in received),
        stray=counts["stray"] + sum(part.stray for part in received),
        balanced=_balanced(sent, counts, total_sent, settled, confirms=confirms),
    )


def _balanced(sent: Sequence[Sent], counts: dict[str, int], total_sent: int, settled: int, *, confirms: bool) -> bool:
    told_apart = counts["confirmed"] + sum(part.refused + part.returned for part in sent)
    return (
        counts["unique"] + counts["missing"] == total_sent
        and 0 <= counts["lost"] <= counts["missing"]
        and counts["stray"] == 0
        and (not confirms or (settled <= total_sent and told_apart == settled))
    )
