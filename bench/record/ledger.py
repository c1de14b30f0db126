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
from bench.kernels import kernel
from bench.results import Ledger

Bits = NDArray[np.uint8]

_MAX_SEQ = 1 << 36
_FIRST_CAPACITY = 1 << 12


@kernel
def _mark(bits: Bits, row: Int64, seq: Int64, fresh: Bits) -> int:
    again = 0
    for i in range(len(seq)):
        byte, bit = seq[i] >> 3, np.uint8(1 << (seq[i] & 7))
        if bits[row[i], byte] & bit:
            fresh[i] = 0
            again += 1
        else:
            bits[row[i], byte] |= bit
            fresh[i] = 1
    return again


@kernel
def _disorder(last: Int64, lane: Int64, column: Int64, seq: Int64) -> int:
    before = 0
    for i in range(len(seq)):
        if seq[i] < last[lane[i], column[i]]:
            before += 1
        else:
            last[lane[i], column[i]] = seq[i]
    return before


class Bitmap:
    """A row of bits for each producer that grows with the numbers seen."""

    def __init__(self, rows: int) -> None:
        """Make `rows` empty rows."""
        self.bits: Bits = np.zeros((rows, _FIRST_CAPACITY >> 3), np.uint8)

    def mark(self, row: Int64, seq: Int64) -> Bits:
        """Set bits; return uint8 per entry, 1 where it was not set before."""
        fresh = np.ones(len(seq), np.uint8)
        if len(seq):
            self._grow(int(seq.max()) + 1)
            _mark(self.bits, row, seq, fresh)
        return fresh

    def _grow(self, needed: int) -> None:
        have = self.bits.shape[1] << 3
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
    """Counts what a worker's producers sent and what became of it."""

    def __init__(self, producers: Sequence[int]) -> None:
        """Account for producing lanes with these numbers."""
        self._producers = np.array(producers, np.int64)
        self._sent = np.zeros(len(producers), np.int64)
        self._confirmed = Bitmap(len(producers))
        self._outcomes = np.zeros(max(Outcome) + 1, np.int64)

    def send(self, lane: Int64) -> None:
        """Count messages sent, one entry each."""
        self._sent += np.bincount(lane, minlength=len(self._sent))

    def settle(self, lane: Int64, seq: Int64, outcome: Int64) -> None:
        """Count what the broker said."""
        confirmed = outcome == Outcome.CONFIRMED
        self._outcomes += np.bincount(outcome, minlength=len(self._outcomes))
        self._confirmed.mark(lane[confirmed], seq[confirmed])

    def finish(self) -> Sent:
        """Return the account."""
        return Sent(
            self._producers,
            self._sent,
            self._confirmed.bits,
            int(self._outcomes[Outcome.REFUSED]),
            int(self._outcomes[Outcome.RETURNED]),
            int(self._outcomes.sum()),
        )


class ReceivedLedger:
    """Counts what a worker's consumers received.

    Order is judged for each consuming lane and producer, as no broker promises more: two
    consumers of one queue may well see two messages in either order.
    """

    def __init__(self, lanes: int, producers: int, queues: int) -> None:
        """Account for `lanes` consumers of a trial with that many producers and queues."""
        self._bitmap = Bitmap(producers)
        self._producers = producers
        self._queues = queues
        self._last = np.full((max(lanes, 1), -(-producers // queues)), -1, np.int64)
        self._counts = dict.fromkeys(("duplicated", "redelivered", "reordered", "foreign", "stray"), 0)

    def receive(self, lane: Int64, producer: Int64, seq: Int64, redelivered: Int64, foreign: int) -> Bits:
        """Count deliveries; return uint8 per entry, 1 where the message is new."""
        self._counts["foreign"] += foreign
        if not len(seq):
            return np.empty(0, np.uint8)
        ours = (producer >= 0) & (producer < self._producers) & (seq >= 0) & (seq < _MAX_SEQ)
        fresh = np.zeros(len(seq), np.uint8)
        if ours.all():
            fresh = self._count(lane, producer, seq, redelivered)
        else:
            self._counts["stray"] += int((~ours).sum())
            fresh[ours] = self._count(lane[ours], producer[ours], seq[ours], redelivered[ours])
        return fresh

    def finish(self) -> Received:
        """Return the account."""
        return Received(self._bitmap.bits, **self._counts)

    def _count(self, lane: Int64, producer: Int64, seq: Int64, redelivered: Int64) -> Bits:
        fresh = self._bitmap.mark(producer, seq)
        first = (fresh == 1) & (redelivered == 0)
        self._counts["duplicated"] += len(seq) - int(fresh.sum())
        self._counts["redelivered"] += int(redelivered.sum())
        self._counts["reordered"] += int(
            _disorder(self._last, lane[first], producer[first] // self._queues, seq[first])
        )
        return fresh


def _row(bits: Bits, row: int, length: int) -> NDArray[np.bool_]:
    found = np.unpackbits(bits[row], count=min(length, bits.shape[1] << 3), bitorder="little")
    return np.pad(found, (0, length - len(found))).astype(bool)


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
            total = int(part.sent[i])
            length = max([total] + [_highest(other.bits[producer]) for other in received])
            seen = np.zeros(length, np.int64)
            for other in received:
                seen += _row(other.bits, producer, length)
            arrived = seen[:total] > 0
            confirmed = _row(part.confirmed, i, total) if confirms else np.ones(total, bool)
            counts["confirmed"] += int(confirmed.sum()) if confirms else 0
            counts["unique"] += int(arrived.sum())
            counts["missing"] += int((~arrived).sum())
            counts["lost"] += int((confirmed & ~arrived).sum())
            counts["again"] += int(np.maximum(seen[:total] - 1, 0).sum())
            counts["stray"] += int((seen[total:] > 0).sum())
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


def _highest(row: Bits) -> int:
    used = np.flatnonzero(row)
    return 0 if not len(used) else (int(used[-1]) << 3) + int(row[used[-1]]).bit_length()


def _balanced(sent: Sequence[Sent], counts: dict[str, int], total_sent: int, settled: int, *, confirms: bool) -> bool:
    told_apart = counts["confirmed"] + sum(part.refused + part.returned for part in sent)
    return (
        counts["unique"] + counts["missing"] == total_sent
        and 0 <= counts["lost"] <= counts["missing"]
        and counts["stray"] == 0
        and (not confirms or (settled <= total_sent and told_apart == settled))
    )
