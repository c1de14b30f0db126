"""The ledger: exactly the messages that were scripted to go wrong, and no others."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.drivers.base import Deliveries, Int64, Outcome, Settlements
from bench.loadgen.backpressure import Backpressure
from bench.record.account import ConsumerLog, ProducerLog
from bench.record.ledger import Bitmap, Received, Sent, balance, is_marked, mark
from bench.results.records import Ledger

pytestmark = pytest.mark.compiled


TOTAL = 1_000_000


def row(value: int, length: int) -> Int64:
    """Return a constant int64 array."""
    return np.full(length, value, np.int64)


def sender(total: int, confirmed: Int64) -> Sent:
    """Return the account of one producer that sent `total` messages."""
    log, count = ProducerLog((0,), 0, total, closed=False), len(confirmed)
    log.sent(row(0, total), np.arange(total), row(5, total), row(6, total), Backpressure())
    log.settled(
        Settlements(lane=row(0, count), seq=confirmed, outcome=row(Outcome.CONFIRMED, count), at_ns=row(7, count))
    )
    return log.ledger.finish()


def deliveries(producer: Int64, seq: Int64, foreign: int = 0) -> Deliveries:
    """Return messages that one consumer received, all at once."""
    none, at = row(0, len(seq)), row(5, len(seq))
    return Deliveries(
        none, producer, seq, intended_ns=at, sent_ns=at, received_ns=at, redelivered=none, foreign=foreign
    )


def receiver(seqs: Int64) -> Received:
    """Return the account of one consumer that received these numbers in this order."""
    log = ConsumerLog(1, 1, 1, 0, closed=False)
    for part in np.array_split(seqs, 50):
        log.received(deliveries(row(0, len(part)), part))
    return log.ledger.finish()


@pytest.mark.compiled
@pytest.mark.parametrize("faults", [0, 1, 137])
def test_a_million_messages_with_scripted_faults(faults: int) -> None:
    """Among a million, k lost, k doubled and k swapped messages are reported as exactly k each."""
    rng = np.random.default_rng(faults)
    # Faults lie apart, so that a swap never moves a lost or a doubled message.
    places = rng.permutation(TOTAL // 10)[: 3 * faults] * 10
    lost, doubled, swapped = places[:faults], places[faults : 2 * faults], places[2 * faults :]
    order = np.arange(TOTAL)
    order[swapped], order[swapped + 1] = order[swapped + 1], order[swapped].copy()
    order = np.repeat(order, np.where(np.isin(order, doubled), 2, 1))
    order = order[~np.isin(order, lost)]

    ledger = balance([sender(TOTAL, np.arange(TOTAL))], [receiver(order)], confirms=True)

    # The second copy of a doubled message is a duplicate, not a disorder.
    assert (ledger.lost, ledger.duplicated, ledger.reordered) == (faults, faults, faults)
    assert (ledger.sent, ledger.confirmed, ledger.received) == (TOTAL, TOTAL, TOTAL - faults)
    assert ledger.balanced


def test_unconfirmed_and_missing_is_no_loss() -> None:
    """What was never confirmed may be missing: it is counted, and not as lost."""
    confirmed = np.arange(90)
    ledger = balance([sender(100, confirmed)], [receiver(np.arange(80))], confirms=True)
    assert (ledger.lost, ledger.unconfirmed_missing, ledger.unknown) == (10, 10, 10)


def test_without_confirms_everything_missing_is_lost() -> None:
    """Where no confirm was asked for, a message sent and not received is lost."""
    ledger = balance([sender(100, np.empty(0, np.int64))], [receiver(np.arange(99))], confirms=False)
    assert (ledger.lost, ledger.unconfirmed_missing, ledger.unknown) == (1, 0, 0)


def test_strays_unbalance_the_ledger() -> None:
    """A number that was never sent cannot be received."""
    ledger = balance([sender(10, np.arange(10))], [receiver(np.arange(12))], confirms=True)
    assert ledger.stray == 2
    assert not ledger.balanced


def test_one_message_at_two_consumers_is_a_duplicate() -> None:
    """Two workers that received the same number have one duplicate between them."""
    ledger = balance([sender(10, np.arange(10))], [receiver(np.arange(6)), receiver(np.arange(5, 10))], confirms=True)
    assert (ledger.received, ledger.duplicated, ledger.lost) == (10, 1, 0)


def test_foreign_producers_are_strays_not_errors() -> None:
    """A stamp with an impossible producer or number is counted, not obeyed."""
    log = ConsumerLog(1, 2, 1, 0, closed=False)
    new = log.received(deliveries(np.array([0, 7, 1]), np.array([0, 0, 1 << 60]), foreign=4))
    found = log.ledger.finish()
    assert new.tolist() == [0]
    assert (found.stray, found.foreign) == (2, 4)


@pytest.mark.parametrize("seq", [2**33, 2**36 - 1, 2**62, -1])
def test_a_wrong_number_is_a_stray_and_costs_nothing(seq: int) -> None:
    """A stamp far beyond all others would want a gigabyte of bits; it is counted, and the rest is recorded."""
    log = ConsumerLog(1, 4, 1, 0, closed=False)
    numbers = np.array([0, seq, 1])
    assert log.received(deliveries(row(0, 3), numbers)).tolist() == [0, 0]
    found = log.ledger.finish()
    assert found.stray == 1
    assert found.bits.nbytes < 10_000


def test_a_few_numbers_ahead_of_the_others_are_no_strays() -> None:
    """As where a consumer begins in the middle, or a producer is far ahead of the other."""
    log = ConsumerLog(1, 2, 1, 0, closed=False)
    log.received(deliveries(np.array([0, 1, 0]), np.array([0, 900_000, 5_000_000])))
    assert log.ledger.finish().stray == 0


def unpacked(sent: list[Sent], received: list[Received], *, confirms: bool) -> dict[str, int]:
    """Return what a ledger counts of bitmaps, one byte a message: the slow and obvious way."""

    def bits(held: NDArray[np.uint8], length: int) -> NDArray[np.bool_]:
        found = np.unpackbits(held, bitorder="little")[:length]
        return np.pad(found, (0, length - len(found))).astype(bool)

    found = dict.fromkeys(("confirmed", "received", "lost", "unconfirmed_missing", "duplicated", "stray"), 0)
    for part in sent:
        for i, producer in enumerate(part.producer.tolist()):
            total = int(part.sent[i])
            length = max([total, *(other.bits.shape[1] * 8 for other in received)])
            seen = sum((bits(other.bits[producer], length).astype(int) for other in received), np.zeros(length, int))
            arrived = seen[:total] > 0
            told = bits(part.confirmed[i], total) if confirms else np.ones(total, bool)
            found["confirmed"] += int(told.sum()) if confirms else 0
            found["received"] += int(arrived.sum())
            found["lost"] += int((told & ~arrived).sum())
            found["unconfirmed_missing"] += int((~told & ~arrived).sum())
            found["duplicated"] += int(np.maximum(seen[:total] - 1, 0).sum())
            found["stray"] += int((seen[total:] > 0).sum())
    return found


@st.composite
def bitmaps(draw: st.DrawFn, rows: int) -> NDArray[np.uint8]:
    """Return rows of bits, of any length."""
    width = draw(st.integers(0, 6))
    held = draw(st.lists(st.integers(0, 255), min_size=rows * width, max_size=rows * width))
    return np.array(held, np.uint8).reshape(rows, width)


@given(st.data(), st.booleans())
def test_bits_compared_as_bits_give_what_bytes_give(data: st.DataObject, confirms: object) -> None:
    """Any bitmaps of two senders and up to three receivers, whatever their lengths and however they disagree."""
    sent = [
        Sent(
            np.array(producers, np.int64),
            np.array([data.draw(st.integers(0, 45)) for _ in producers], np.int64),
            data.draw(bitmaps(len(producers))),
            *(0, 0, 0),
        )
        for producers in ([0, 2], [1])
    ]
    received = [Received(data.draw(bitmaps(3)), *(0, 0, 0, 0, 0)) for _ in range(data.draw(st.integers(0, 3)))]
    ledger = balance(sent, received, confirms=bool(confirms))
    assert {name: getattr(ledger, name) for name in unpacked(sent, received, confirms=bool(confirms))} == unpacked(
        sent, received, confirms=bool(confirms)
    )


MANY = """
import resource
import numpy as np
from bench.record.ledger import Bitmap, Received, Sent, balance
from bench.record.account import ConsumerLog
from tests.laws.test_ledger import deliveries, row

TOTAL, BATCH = 100_000_000, 100_000
log = ConsumerLog(1, 1, 1, 0, closed=False)
log.received(deliveries(row(0, 1), np.array([0])))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for first in range(0, TOTAL, BATCH):
    seqs = np.arange(max(first, 1), first + BATCH)
    log.received(deliveries(row(0, len(seqs)), seqs))
confirmed = np.full((1, TOTAL >> 3), 255, np.uint8)
sent = Sent(np.array([0]), np.array([TOTAL]), confirmed, 0, 0, TOTAL)
ledger = balance([sent], [log.ledger.finish()], confirms=True)
assert ledger.balanced and ledger.received == ledger.confirmed == TOTAL and ledger.lost == 0, ledger
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.soak
def test_a_hundred_million_messages_fit(tmp_path: Path) -> None:
    """Recorded and balanced in less than 100 MB beside what the process held before."""
    script = tmp_path / "many.py"
    script.write_text(MANY)
    variables = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, script], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100_000


SUBSCRIBERS = """
import resource, sys
import numpy as np
from bench.arrivals.keys import in_turn
from bench.record.account import ConsumerLog, Receiving
from bench.record.ledger import Owed, Sent, balance
from tests.laws.test_ledger import deliveries, row

TOTAL, QUEUES, BATCH = int(sys.argv[1]), 10, 100_000
OWED = {"all": np.ones((QUEUES, 1), np.int64), "by key": 1 - np.eye(QUEUES, dtype=np.int64)}[sys.argv[2]]
log = ConsumerLog(QUEUES, 1, 1, 0, closed=False, receiving=Receiving(np.arange(QUEUES), QUEUES))
log.received(deliveries(row(0, 0), row(0, 0)))
owed = Owed(producers=1, choice=in_turn(OWED.shape[1]), columns=OWED)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
copies = 0
for first in range(0, TOTAL, BATCH):
    seqs = np.arange(first, first + BATCH)
    for queue in range(QUEUES):
        mine = seqs[OWED[queue, seqs % OWED.shape[1]] == 1]
        copies += len(mine)
        log.received(deliveries(row(0, len(mine)), mine)._replace(lane=row(queue, len(mine))))
confirmed = np.full((1, TOTAL >> 3), 255, np.uint8)
sent = Sent(np.array([0]), np.array([TOTAL]), confirmed, 0, 0, TOTAL)
ledger = balance([sent], [log.ledger.finish()], confirms=True, owed=owed)
assert ledger.balanced and ledger.received == ledger.owed == copies and ledger.lost == ledger.duplicated == 0, ledger
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("total", [10**6, pytest.param(10**7, marks=pytest.mark.soak)])
@pytest.mark.parametrize("owed", ["all", "by key"])
def test_messages_to_ten_subscribers_fit(total: int, owed: str, tmp_path: Path) -> None:
    """Recorded and balanced in less than 100 MB beside what the process held before: ten bits a message."""
    script = tmp_path / "subscribers.py"
    script.write_text(SUBSCRIBERS)
    variables = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    order = [sys.executable, script, str(total), owed]
    done = subprocess.run(order, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100_000


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 20_000)), max_size=80))
def test_bitmap_equals_a_set(marks: list[tuple[int, int]]) -> None:
    """A bitmap says new exactly when a set of pairs would."""
    bitmap, seen, expected = Bitmap(3), set[tuple[int, int]](), []
    found = []
    for producer, seq in marks:
        expected.append((producer, seq) not in seen)
        seen.add((producer, seq))
        bitmap.reach(seq)
        found.append(not is_marked(bitmap.bits, producer, seq))
        mark(bitmap.bits, producer, seq)
    assert found == expected


@given(
    st.integers(0, 40),
    st.sets(st.integers(0, 39)),
    st.lists(st.integers(0, 39), max_size=60),
)
def test_balance_equals_sets(total: int, confirmed: set[int], arrived: list[int]) -> None:
    """Every figure of the ledger is what plain sets say."""
    told = {c for c in confirmed if c < total}
    seen = [a for a in arrived if a < total]
    ledger: Ledger = balance(
        [sender(total, np.array(sorted(told), np.int64))], [receiver(np.array(seen, np.int64))], confirms=True
    )
    unique = set(seen)
    assert ledger.received == len(unique)
    assert ledger.lost == len(told - unique)
    assert ledger.unconfirmed_missing == total - len(unique) - len(told - unique)
    assert ledger.duplicated == len(seen) - len(unique)
    assert ledger.unknown == total - len(told)
    assert ledger.balanced
