"""The compiled passes against their slow twin, on batches that no driver would ever make."""

from collections import Counter
from collections.abc import Mapping

import numba
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.drivers.base import Deliveries, Int64, Settlements
from bench.loadgen.backpressure import Backpressure
from bench.record import batch_kernels, buckets
from bench.record.account import Account, ConsumerLog, ProducerLog, account, warm_kernels
from bench.record.histogram import HIGHEST_NS, Seconds
from bench.record.ledger import Bits
from bench.run.memory_trial import run_inline
from bench.scenario.scenario import MemoryBroker, Plan, Workload
from bench.units import NS_PER_S
from tests.bench.record.numpy_twin import Consumers, Episodes, Latency, Producers

Table = list[tuple[int, ...]]
Turn = tuple[list[tuple[int, bool]], Table, Table]

START_NS = 5 * NS_PER_S
LANES = 3

# More seconds than are open at once, in any order; a few instants lie before the start.
due = st.integers(-NS_PER_S, 14 * NS_PER_S).map(lambda after: START_NS + after)
late = st.one_of(st.integers(-50, 5_000), st.integers(0, 20 * NS_PER_S), st.integers(HIGHEST_NS - 5, HIGHEST_NS + 5))
lanes = st.integers(0, LANES - 1)
numbers = st.one_of(st.integers(0, 40), st.sampled_from([4_095, 4_096, 20_000]))
sends = st.lists(st.tuples(lanes, numbers, due, late), max_size=30)
settlements = st.lists(st.tuples(lanes, numbers, st.integers(1, 3), due), max_size=30)
rooms = st.lists(st.tuples(st.integers(0, NS_PER_S), st.booleans()), max_size=6)
senders = st.integers(-1, 4)
stamps = st.one_of(numbers, st.sampled_from([-1, (1 << 36), 1 << 60]))
lags = st.one_of(st.just(0), st.integers(1, 5_000), st.just(HIGHEST_NS + 1))
deliveries = st.lists(st.tuples(lanes, senders, stamps, due, late, late, st.integers(0, 1), lags), max_size=30)


def columns(rows: Table, width: int) -> Int64:
    """Return the columns of some rows as the contiguous rows of a table."""
    return np.ascontiguousarray(np.array(rows, np.int64).reshape(-1, width).T)


def by_second(part: Seconds | None) -> tuple[dict[tuple[int, int], int], dict[int, list[int]]]:
    """Return counts by second and bucket, and totals by second, of what may stand in several rows."""
    counts: Counter[tuple[int, int]] = Counter()
    totals: dict[int, Int64] = {}
    if part is not None:
        for second, index, count in zip(part.second.tolist(), part.index.tolist(), part.count.tolist(), strict=True):
            counts[second, index] += count
        for second, *row in part.totals.tolist():
            totals[second] = totals.get(second, np.zeros(3, np.int64)) + row
    return dict(counts), {second: row.tolist() for second, row in totals.items()}


def check_latencies(found: Account, twin: Mapping[str, Latency]) -> None:
    """Every histogram and total is the twin's."""
    for tag, wanted in twin.items():
        counts, totals = by_second(found.latencies.get(tag))
        assert counts == dict(wanted.counts), tag
        seconds = {second for second, _ in wanted.counts} | set(wanted.negative) | set(wanted.above)
        assert totals == {s: [wanted.sums[s], wanted.negative[s], wanted.above[s]] for s in seconds}, tag


def check_ticks(found: Account, twin: Mapping[str, Counter[int]]) -> None:
    """Every row of ticks is the twin's, as long as its last event."""
    for name, wanted in twin.items():
        row = found.ticks[name]
        assert {tick: count for tick, count in enumerate(row.tolist()) if count} == dict(wanted), name
        assert len(row) == max(wanted, default=-1) + 1


def marked(bits: Bits) -> set[tuple[int, int]]:
    """Return the marks of a bitmap."""
    rows, places = np.nonzero(np.unpackbits(bits, axis=1, bitorder="little"))
    return set(zip(rows.tolist(), places.tolist(), strict=True))


@given(
    turns=st.lists(st.tuples(rooms, sends, settlements), max_size=4),
    closed=st.booleans(),
    window=st.sampled_from([0, 1, 7, 256]),
)
def test_producers_are_recorded_as_by_the_twin(*, turns: list[Turn], closed: bool, window: int) -> None:
    """Sends and settlements of any order, lateness and second: every number equals the obvious formula's."""
    log, twin = (
        ProducerLog((4, 5, 6), START_NS, window, closed=closed),
        Producers(LANES, START_NS, window, closed=closed),
    )
    backpressure, episodes, now_ns = Backpressure(), Episodes(), START_NS
    for changes, sent, settled in turns:
        for step_ns, room in changes:
            now_ns += step_ns
            backpressure.update(now_ns, room=room)
            episodes.update(now_ns, room=room)
        lane, seq, intended, lateness = columns(sent, 4)
        log.sent(lane, seq, intended, intended + lateness, backpressure)
        twin.sent(lane, seq, intended, intended + lateness, episodes)
        rows = Settlements(*columns(settled, 4))
        log.settled(rows)
        twin.settled(rows)
    found = account(log, None, {})
    check_latencies(found, twin.latencies)
    check_ticks(found, twin.ticks)
    assert found.sent is not None
    assert found.sent.sent.tolist() == twin.sent_counts.tolist()
    assert marked(found.sent.confirmed) == twin.confirmed
    assert (found.sent.refused, found.sent.returned) == (twin.outcomes[2], twin.outcomes[3])
    assert found.sent.settled == twin.outcomes.total()
    assert found.intended_sum_ns == twin.intended_sum_ns


@given(
    batches=st.lists(st.tuples(deliveries, st.integers(0, 3)), max_size=4),
    closed=st.booleans(),
    shape=st.sampled_from([(1, 1), (3, 1), (4, 2), (5, 2)]),
)
def test_consumers_are_recorded_as_by_the_twin(
    *, batches: list[tuple[Table, int]], closed: bool, shape: tuple[int, int]
) -> None:
    """Duplicates, strays, redelivery, disorder, any second: every number equals the obvious formula's."""
    producers, queues = shape
    log = ConsumerLog(LANES, producers, queues, START_NS, closed=closed)
    twin = Consumers(producers, queues, START_NS, closed=closed)
    for batch, foreign in batches:
        lane, producer, seq, intended, send_lag, way, redelivered, lag = columns(batch, 8)
        # What one queue's consumer sees comes from that queue's producers alone.
        producer = np.where((producer >= 0) & (producer < producers), producer - producer % queues, producer)
        sent_ns = intended + send_lag
        received_ns = sent_ns + way
        rows = Deliveries(lane, producer, seq, intended, sent_ns, received_ns, redelivered, foreign, received_ns + lag)
        assert log.received(rows).tolist() == twin.received(rows)
    found = account(None, log, {})
    check_latencies(found, twin.latencies)
    check_ticks(found, twin.ticks)
    assert found.received is not None
    assert marked(found.received.bits) == twin.seen
    for name in ("duplicated", "redelivered", "reordered", "foreign", "stray"):
        assert getattr(found.received, name) == twin.counts[name], name
    assert found.received_sum_ns == twin.received_sum_ns


@pytest.mark.compiled
def test_sums_do_not_overflow() -> None:
    """A million messages, each due hours after the start, have a sum beyond 64 bits, and it is exact."""
    log, rows, hours = ProducerLog((0,), 0, 1, closed=True), 1_000, 36_000 * NS_PER_S
    zero, at = np.zeros(rows, np.int64), np.full(rows, hours)
    for _ in range(1_000):
        log.sent(zero, zero, at, at, Backpressure())
    assert log.intended_sum_ns == rows * 1_000 * hours > 1 << 63


@pytest.mark.parametrize(("lane", "outcome"), [(1, 1), (-1, 1), (0, 4), (0, -1)])
def test_rows_out_of_range_are_refused(lane: int, outcome: int) -> None:
    """A lane or an outcome that does not exist is an error of its driver, and never a write beside an array."""
    log, consumer = ProducerLog((0,), 0, 1, closed=True), ConsumerLog(1, 1, 1, 0, closed=True)
    one = np.ones(1, np.int64)
    with pytest.raises(IndexError):
        log.settled(Settlements(one * lane, one, one * outcome, one))
    if lane:
        with pytest.raises(IndexError):
            log.sent(one * lane, one, one, one, Backpressure())
        with pytest.raises(IndexError):
            consumer.received(Deliveries(one * lane, one - 1, one, one, one, one, one))


def test_the_ledger_takes_an_eighth_of_a_byte_a_message() -> None:
    """Two million numbers of one producer take 256 KiB on either side (the next power of two)."""
    producer, consumer = ProducerLog((0,), 0, 1, closed=True), ConsumerLog(1, 1, 1, 0, closed=True)
    last, zero = np.array([(1 << 21) - 1]), np.zeros(1, np.int64)
    producer.settled(Settlements(zero, last, zero + 1, zero))
    consumer.received(Deliveries(zero, zero, last, zero, zero, zero, zero))
    found = account(producer, consumer, {})
    assert found.sent is not None
    assert found.received is not None
    assert found.sent.confirmed.nbytes == found.received.bits.nbytes == 1 << 18


@pytest.mark.compiled
@pytest.mark.skipif(numba.config.DISABLE_JIT, reason="nothing is compiled")
def test_a_trial_compiles_nothing_after_warming() -> None:
    """The kernels are warmed with the very types of a trial, open or closed, so that none is compiled in it."""
    warm_kernels()
    kernels = (batch_kernels.record_sent, batch_kernels.record_settled, batch_kernels.record_received, buckets.take_out)
    warmed = [list(kernel.signatures) for kernel in kernels]
    script = MemoryBroker.model_validate({"name": "m", "kind": "memory", "duplicate": [7]})
    plan = Plan.model_validate({"warm_up": {"settle": "0s"}, "drain": "1s"})
    for load in ({"kind": "rate", "rate": 50}, {"kind": "in_flight", "in_flight": [2]}):
        work = Workload.model_validate({"name": "w", "duration": "1s", "load": load})
        run_inline(work, script, plan, 1, ("q",))
    assert [list(kernel.signatures) for kernel in kernels] == warmed
    assert all(len(signatures) == 1 for signatures in warmed)


@pytest.mark.parametrize("seed", range(3))
def test_many_episodes_are_kept_and_forgotten(seed: int) -> None:
    """However many episodes there are, and whichever are forgotten, a message's share is the twin's."""
    rng = np.random.default_rng(seed)
    backpressure, episodes, now_ns, first_ns = Backpressure(), Episodes(), 0, 0
    for with_room, without, behind in rng.integers(0, [9, 9, 2_500], (2_000, 3)).tolist():
        for step_ns, room in ((with_room, False), (without, True)):
            now_ns += step_ns
            backpressure.update(now_ns, room=room)
            episodes.update(now_ns, room=room)
        first_ns = max(first_ns, now_ns - behind - 1_000)
        intended = np.array([first_ns, (first_ns + now_ns) // 2, now_ns])
        sent = np.array([now_ns, now_ns + 1, now_ns - 1])
        assert backpressure.split(intended, sent).tolist() == episodes.split(intended, sent).tolist()
    assert backpressure.episodes.shape[1] > 64
