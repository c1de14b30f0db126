"""What became of messages that a rule of their queue ended: they are taken out of the queues of dead letters.

Time to live, greatest length, delivery limit and rejecting consumers end messages lawfully.
Where a queue names where such messages go, each is found there after the trial, with the
reason that the broker wrote into it, so that the ledger can tell them from losses one by
one.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.arrivals import stamp
from bench.drivers.base import Int64
from bench.record.ledger import Bitmap, Bits, Owed
from bench.topology.layout import FlowRoute, Layout
from brokers.base import Broker

MOST = 1_000_000
"""Dead letters of a queue that are looked at, at most."""
UNTOLD = "dead-lettered"
"""The reason where the broker tells none."""


@dataclass(frozen=True)
class DeadLetters:
    """Messages that were ended for one reason, off one queue.

    Attributes:
        reason: in the broker's words.
        queue: off which queue, by its name on the broker; empty where it does not tell.
        producer, seq: int64, rows of equal length.
    """

    reason: str
    queue: str
    producer: Int64
    seq: Int64


def collect(broker: Broker, layout: Layout, *, compact: bool) -> tuple[DeadLetters, ...]:
    """Take the dead letters of a trial out of their queues; bodies without our stamp are passed over.

    Args:
        broker: it has them.
        layout: of the workload.
        compact: whether bodies without a full stamp have a compact one.

    Raises:
        BrokerError: it does not answer, or refuses.
    """

    def found() -> Iterator[tuple[str, str, int, int]]:
        for queue in layout.dead:
            for taken in broker.take(queue, MOST):
                read = stamp.unpack(taken.body)
                if read is None and compact:
                    read = stamp.unpack_compact(taken.body, 0)
                if read is not None:
                    yield taken.reason or UNTOLD, taken.queue, read[0], read[1]

    return by_reason(found())


def by_reason(letters: Iterable[tuple[str, str, int, int]]) -> tuple[DeadLetters, ...]:
    """Return dead letters, each of a reason, a queue, a producer and a number, by reason and queue."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for reason, queue, producer, seq in letters:
        found.setdefault((reason, queue), []).append((producer, seq))
    return tuple(_letters(reason, queue, rows) for (reason, queue), rows in found.items())


def owed(route: FlowRoute, layout: Layout, producers: int, dead: Sequence[DeadLetters] = ()) -> Owed:
    """Return how a flow's ledger is read; where not all dead letters were looked at, the rest may be by rules too."""
    cut = sum(len(letters.seq) for letters in dead) >= MOST
    rules = cut or any(queue in layout.rules for queue in route.queues)
    return Owed(route.first_producer, producers, route.choosing, route.owed_by_column(), rules)


def ended(route: FlowRoute, dead: Iterable[DeadLetters], producers: int, sent: int) -> dict[str, Bits]:
    """Return what a flow's dead letters tell: by reason, bits as the ledger has them.

    Numbers beyond the messages `sent` are of someone else, and cost no memory.
    """
    found: dict[str, Bitmap] = {}
    for letters in dead:
        # What died in a queue that nobody consumes was owed to nobody, and says nothing of the others' copies.
        if letters.queue and letters.queue not in route.queues:
            continue
        mine = (letters.producer >= route.first_producer) & (letters.producer < route.first_producer + producers)
        mine &= letters.seq < sent
        if not mine.any():
            continue
        column = route.columns[route.queues.index(letters.queue)] if letters.queue else 0
        row, seq = column * producers + letters.producer[mine] - route.first_producer, letters.seq[mine]
        bits = found.setdefault(letters.reason, Bitmap(route.column_count * producers))
        bits.reach(int(seq.max()))
        np.bitwise_or.at(bits.bits, (row, seq >> 3), (1 << (seq & 7)).astype(np.uint8))
    return {reason: bitmap.bits for reason, bitmap in found.items()}


def _letters(reason: str, queue: str, rows: Iterable[tuple[int, int]]) -> DeadLetters:
    producer, seq = np.array([*rows], np.int64).T
    return DeadLetters(reason, queue, np.ascontiguousarray(producer), np.ascontiguousarray(seq))
