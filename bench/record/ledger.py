"""What happened to every message: a bit each, kept apart by producers and by consumers.

A producing worker notes which numbers were confirmed, a consuming one which arrived; only
the merge of both can say what was lost. Numbers of one producer are 0, 1, 2, … without
gaps, so a bitmap row for each producer is exact and small (an eighth of a byte a message
and side).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bench.arrivals.keys import by_producer, keys_of
from bench.drivers.base import Int64, Outcome
from bench.jit import kernel
from bench.results.records import Ledger

Bits = NDArray[np.uint8]

_ROW_JUMP, _ALL_JUMP = 1 << 20, 1 << 27
"""How high a number may be before anything is received: of each producer at least, and of all together."""
_SPREAD = 64
"""How much higher with each message received: a worker sees but a share of them, and some are lost."""

DUPLICATED, REDELIVERED, REORDERED, STRAY, FIRST, LATE, GIVEN_UP = range(7)
"""Cells of what a consuming worker counts."""

_FIRST_CAPACITY = 1 << 12
_PART = 1 << 20
"""Messages whose keys are looked at together; a multiple of eight."""


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
        bits: uint8 (columns x producers of the flow, bytes), a bit for each number received.
        duplicated, redelivered, reordered, foreign, stray: deliveries so counted.
        late: replies that came after their time-out.
    """

    bits: Bits
    duplicated: int
    redelivered: int
    reordered: int
    foreign: int
    stray: int
    late: int = 0


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
        bitmap: a bit for each number received; a row for each producer, and as many for each further column.
        last: int64 (lanes, producers of a queue), highest number seen, for kernels.
        counts: int64, deliveries by `DUPLICATED` and so on, and first ones, for kernels.
        foreign: bodies that were not ours.
    """

    def __init__(self, lanes: int, producers: int, queues: int, columns: int = 1) -> None:
        """Account for `lanes` consumers of a flow with that many producers, queues, and columns of its ledger."""
        self.bitmap = Bitmap(columns * producers)
        self.last = np.full((max(lanes, 1), -(-producers // queues)), -1, np.int64)
        self.counts = np.zeros(GIVEN_UP + 1, np.int64)
        self.foreign = 0

    def finish(self) -> Received:
        """Return the account."""
        duplicated, redelivered, reordered, stray, _, late, _ = self.counts.tolist()
        return Received(self.bitmap.bits, duplicated, redelivered, reordered, self.foreign, stray, late)


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


@dataclass(frozen=True)
class Owed:
    """Who is owed a copy of what: how a flow's ledger is read. By default each message is owed once.

    Attributes:
        first_producer: number of the flow's first producer.
        producers: of the flow; 0 = as many as sent something.
        choice: see `bench.arrivals.keys`.
        columns: int64 (columns, keys), 1 where a message with a key is owed a copy in a column.
        rules: whether a queue may end messages by a rule of its own.
    """

    first_producer: int = 0
    producers: int = 0
    choice: Int64 = field(default_factory=lambda: by_producer(1))
    columns: Int64 = field(default_factory=lambda: np.ones((1, 1), np.int64))
    rules: bool = False

    def bits(self, column: int, producer: int, length: int) -> Bits:
        """Return a bit for each of the first numbers of a producer: whether it is owed a copy in a column."""
        wanted = self.columns[column]
        if wanted.all():
            return _first(np.full((length + 7) >> 3, 255, np.uint8), length)
        found = np.zeros((length + 7) >> 3, np.uint8)
        if wanted.any():
            for first in range(0, length, _PART):
                keys = keys_of(self.choice, producer, first, min(_PART, length - first))
                part = np.packbits(wanted[keys].astype(np.uint8), bitorder="little")
                found[first >> 3 : (first >> 3) + len(part)] = part
        return found


@dataclass
class _Counts:
    confirmed: int = 0
    owed: int = 0
    unique: int = 0
    missing: int = 0
    lost: int = 0
    again: int = 0
    stray: int = 0


def balance(
    sent: Sequence[Sent],
    received: Sequence[Received],
    *,
    confirms: bool,
    left: int | None = 0,
    owed: Owed | None = None,
    ended: Mapping[str, Bits] | None = None,
) -> Ledger:
    """Merge the accounts of all workers of a flow into one ledger.

    A copy is *lost* when the broker confirmed its message (without confirms: when it was
    sent), it never arrived, it did not end by a rule, and the broker does not hold it any
    more. A copy received by two workers is a duplicate. Deliveries of numbers never sent,
    or to a queue that they are not owed to, are strays.

    Args:
        sent: accounts of producing workers.
        received: accounts of consuming workers.
        confirms: whether confirms were asked for.
        left: messages that lay on the broker at the end; None where the trial was cut or
            the broker could not say, so that nothing can be called lost.
        owed: who is owed what; by default each message is owed once.
        ended: by reason, bits as those of `Received`, of messages that the broker ended by a rule (dead letters).
    """
    owed, ended = owed or Owed(), ended or {}
    counts, ends = _Counts(), dict.fromkeys(ended, 0)
    senders = owed.producers or sum(len(part.producer) for part in sent)
    for part in sent:
        for i, producer in enumerate(part.producer.tolist()):
            total, row = int(part.sent[i]), producer - owed.first_producer
            confirmed = _first(part.confirmed[i], total)
            counts.confirmed += _set(confirmed) if confirms else 0
            for column in range(len(owed.columns)):
                line = column * senders + row
                wanted = owed.bits(column, producer, total)
                arrived = _arrived([other.bits[line] for other in received], total, wanted, counts)
                missing = wanted & ~arrived
                for reason, bits in ended.items():
                    by_rule = _first(bits[line], total) & missing
                    ends[reason] += _set(by_rule)
                    missing &= ~by_rule
                counts.missing += _set(missing)
                counts.lost += _set(confirmed & missing) if confirms else _set(missing)
    return _ledger(sent, received, counts, ends, confirms=confirms, left=left, rules=owed.rules)


def _arrived(rows: Sequence[Bits], total: int, wanted: Bits, counts: _Counts) -> Bits:
    """Return the bits of what arrived anywhere, of numbers that were sent and are owed; count the rest."""
    # Bits are compared as bits: a hundred million messages are 12.5 MB a side.
    arrived, everywhere = np.zeros((total + 7) >> 3, np.uint8), 0
    strays = np.zeros(max(map(len, rows), default=0), np.uint8)
    for row in rows:
        own = _first(row, total) & wanted
        everywhere += _set(own)
        arrived |= own
        strays[: len(row)] |= row
    strays[: len(wanted)] &= ~wanted[: len(strays)]
    unique = _set(arrived)
    counts.owed += _set(wanted)
    counts.unique += unique
    counts.again += everywhere - unique
    counts.stray += _set(strays)
    return arrived


def _ledger(
    sent: Sequence[Sent],
    received: Sequence[Received],
    counts: _Counts,
    ends: Mapping[str, int],
    *,
    confirms: bool,
    left: int | None,
    rules: bool,
) -> Ledger:
    promised = counts.lost
    undelivered = promised if left is None else min(promised, left)
    gone = promised - undelivered
    total_sent = sum(int(part.sent.sum()) for part in sent)
    settled = sum(part.settled for part in sent)
    return Ledger(
        sent=total_sent,
        owed=counts.owed,
        confirmed=counts.confirmed,
        refused=sum(part.refused for part in sent),
        returned=sum(part.returned for part in sent),
        unknown=total_sent - settled if confirms else 0,
        received=counts.unique,
        lost=0 if rules else gone,
        by_rule=gone if rules else 0,
        # What a consumer rejected was received.
        ended={reason: count for reason, count in ends.items() if count},
        undelivered=undelivered,
        unconfirmed_missing=counts.missing - promised,
        duplicated=counts.again + sum(part.duplicated for part in received),
        redelivered=sum(part.redelivered for part in received),
        reordered=sum(part.reordered for part in received),
        foreign=sum(part.foreign for part in received),
        stray=counts.stray + sum(part.stray for part in received),
        late=sum(part.late for part in received),
        balanced=_balanced(sent, counts, ends, confirms=confirms),
    )


def _balanced(sent: Sequence[Sent], counts: _Counts, ends: Mapping[str, int], *, confirms: bool) -> bool:
    total_sent, settled = sum(int(part.sent.sum()) for part in sent), sum(part.settled for part in sent)
    told_apart = counts.confirmed + sum(part.refused + part.returned for part in sent)
    return (
        counts.unique + counts.missing + sum(ends.values()) == counts.owed
        and 0 <= counts.lost <= counts.missing
        and counts.stray == 0
        and (not confirms or (settled <= total_sent and told_apart == settled))
    )
