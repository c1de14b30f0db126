"""The logs of a worker: what each figure counts and what it leaves out."""

import numpy as np
import pytest

from bench.arrivals.keys import in_turn
from bench.drivers.base import MOST_PLANNED, Deliveries, Outcome, Settlements
from bench.loadgen.backpressure import Backpressure
from bench.record.account import ConsumerLog, Owing, ProducerLog, Receiving, account, warm_kernels


def test_only_confirms_are_confirm_latencies() -> None:
    """A refusal or a return settles a message and is no confirm: a broker that refuses fast is not fast."""
    log = ProducerLog((0,), 0, 8, closed=False)
    zero, seq = np.zeros(3, np.int64), np.arange(3)
    log.sent(zero, seq, zero, zero, Backpressure())
    outcomes = np.array([Outcome.CONFIRMED, Outcome.REFUSED, Outcome.RETURNED], np.int64)
    log.settled(Settlements(zero, seq, outcomes, zero + 500))
    found = account(log, None, {})
    assert found.latencies["confirm"].count.sum() == 1
    assert found.ticks["confirmed"].sum() == 1
    assert found.sent is not None
    assert (found.sent.settled, found.sent.refused, found.sent.returned) == (3, 1, 1)


def test_duplicates_have_no_latency() -> None:
    """The second copy of a message is counted in the ledger and nowhere else."""
    log = ConsumerLog(1, 1, 1, 0, closed=False)
    zero, seq = np.zeros(3, np.int64), np.array([0, 1, 1])
    fresh = log.received(Deliveries(zero, zero, seq, zero, zero, zero + 700, zero))
    found = account(None, log, {})
    assert len(fresh) == 2
    assert found.latencies["response"].count.sum() == 2
    assert found.received is not None
    assert found.received.duplicated == 1
    assert found.received_sum_ns == 1400


def test_a_closed_loop_has_neither_response_nor_send_lag() -> None:
    """Nothing is due in a closed loop, so nothing is late and nothing has a response."""
    producer, consumer = ProducerLog((0,), 0, 8, closed=True), ConsumerLog(1, 1, 1, 0, closed=True)
    one = np.array([0])
    producer.sent(one, one, one, one + 30, Backpressure())
    producer.settled(Settlements(one, one, one + int(Outcome.CONFIRMED), one + 130))
    consumer.received(Deliveries(one, one, one, one, one + 30, one + 530, one, read_ns=one + 540))
    found = account(producer, consumer, {})
    assert set(found.latencies) == {"service", "confirm", "receive_lag"}
    assert found.latencies["confirm"].sum_ns == 100
    assert found.latencies["service"].sum_ns == 500


def test_warming_the_kernels_leaves_no_trace() -> None:
    """It can be called at any time."""
    warm_kernels()
    warm_kernels()


def test_confirms_of_a_plan_find_the_times_they_are_about() -> None:
    """A port may send thousands of planned messages, and take their confirms, before any of it is recorded."""
    count = MOST_PLANNED
    log = ProducerLog((0,), 0, 4, closed=False)
    lane, seq = np.zeros(count, np.int64), np.arange(count)
    intended_ns = seq * 1_000
    log.sent(lane, seq, intended_ns, intended_ns + 1, Backpressure())
    log.settled(Settlements(lane, seq, np.full(count, int(Outcome.CONFIRMED)), intended_ns + 700))
    confirm = account(log, None, {}).latencies["confirm"]
    assert (int(confirm.count.sum()), confirm.sum_ns, confirm.negative) == (count, count * 700, 0)


@pytest.mark.parametrize("batch", [1, 3])
def test_what_is_refused_is_neither_owed_nor_in_the_integral(batch: int) -> None:
    """Copies of a refused or returned message leave both sums, by its key."""
    owing = Owing(in_turn(3), np.array([2, 0, 5]))
    log = ProducerLog((4, 6), 1_000, 8, closed=False, owing=owing)
    lane, seq = np.array([0, 1, 0, 1, 0]), np.array([0, 0, 1, 1, 2])  # keys 1, 0, 2, 1, 0
    intended_ns = 1_000 + np.array([10, 20, 30, 40, 50])
    log.sent(lane, seq, intended_ns, intended_ns, Backpressure())
    assert (log.owed, log.intended_sum_ns) == (9, 2 * 20 + 5 * 30 + 2 * 50)
    outcomes = np.array([Outcome.RETURNED, Outcome.REFUSED, Outcome.CONFIRMED], np.int64)
    rows = lane[:3], seq[:3], outcomes, intended_ns[:3] + 5
    for first in range(0, 3, batch):
        log.settled(Settlements(*(np.ascontiguousarray(row[first : first + batch]) for row in rows)))
    assert (log.owed, log.intended_sum_ns) == (7, 5 * 30 + 2 * 50)


def test_what_no_queue_is_bound_for_counts_as_returned() -> None:
    """A broker may refuse it before it returns it; what a bound queue refuses counts as refused."""
    owing = Owing(in_turn(2), np.array([0, 1]), np.array([1, 0]))
    log = ProducerLog((0,), 0, 8, closed=False, owing=owing)
    lane, seq = np.zeros(4, np.int64), np.arange(4)  # keys 0, 1, 0, 1
    log.sent(lane, seq, seq, seq, Backpressure())
    outcomes = np.array([Outcome.REFUSED, Outcome.REFUSED, Outcome.RETURNED, Outcome.CONFIRMED], np.int64)
    log.settled(Settlements(lane, seq, outcomes, seq + 5))
    found = log.ledger.finish()
    assert (found.refused, found.returned, found.settled, log.owed) == (1, 2, 4, 1)


@pytest.mark.parametrize("copies", [2, 3])
def test_the_last_of_several_copies_has_a_latency_of_its_own(copies: int) -> None:
    """When all have come, in whatever order; of what misses one there is none."""
    receiving = Receiving(np.arange(copies), copies, first_producer=7, last_of=copies)
    log = ConsumerLog(copies, 1, 1, 0, closed=False, receiving=receiving)
    order = [(lane, seq) for lane in reversed(range(copies)) for seq in (2, 0, 1) if (lane, seq) != (0, 1)]
    lane, seq = np.array(order, np.int64).T.copy()
    intended_ns, zero = seq * 100, np.zeros_like(seq)
    received_ns = 1_000 + 10 * np.arange(len(seq))
    log.received(Deliveries(lane, zero + 7, seq, intended_ns, intended_ns, received_ns, zero))
    found = account(None, log, {}).latencies["last"]
    last = {number: int(received_ns[seq == number].max()) - 100 * number for number in (0, 2)}
    assert (int(found.count.sum()), found.sum_ns) == (2, sum(last.values()))


def test_a_subscriber_far_behind_hides_no_later_message() -> None:
    """Of messages that are too far apart the earlier are given up, and counted; the later have their last copy."""
    log = ConsumerLog(2, 1, 1, 0, closed=False, receiving=Receiving(np.arange(2), 2, last_of=2))
    count, followed = 20_000, 1 << 14
    seq, zero = np.arange(count), np.zeros(count, np.int64)
    for lane in range(2):
        log.received(Deliveries(zero + lane, zero, seq, zero, zero, zero + 100 * (lane + 1), zero))
    found = account(None, log, {})
    assert (found.latencies["last"].count.sum(), found.latencies["last"].sum_ns) == (followed, 200 * followed)
    assert found.counters == {"last_unknown": count - followed}


def test_answers_after_their_time_out_are_counted() -> None:
    """Late is what takes longer than the time-out, by intended time; it is received all the same."""
    log = ConsumerLog(1, 1, 1, 0, closed=False, receiving=Receiving(np.zeros(1, np.int64), late_ns=500))
    zero, seq = np.zeros(3, np.int64), np.arange(3)
    log.received(Deliveries(zero, zero, seq, zero, zero + 400, np.array([499, 500, 501]), zero))
    found = log.ledger.finish()
    assert (found.late, found.duplicated, found.stray) == (1, 0, 0)
