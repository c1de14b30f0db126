"""Merging workers: cut at the measured seconds, counted by intended time."""

import numpy as np

from bench.drivers.base import Deliveries, Int64
from bench.loadgen.backpressure import Backpressure
from bench.record.account import Account, ConsumerLog, ProducerLog, account
from bench.run.merge import Merged, merge_accounts, total_counters
from bench.units import NS_PER_MS, NS_PER_S


def accounts(late_ns: int = 0, missing: int = 0) -> list[Account]:
    """Return a producer's and a consumer's account of 4 s at 100/s, every response 2 ms + `late_ns`."""
    seq = np.arange(400)
    zero = np.zeros(400, np.int64)
    intended = seq * 10 * NS_PER_MS
    producer, consumer = ProducerLog((0,), 0, 0, closed=False), ConsumerLog(1, 1, 1, 0, closed=False)
    producer.sent(zero, seq, intended, intended + late_ns, Backpressure())

    def cut(row: Int64) -> Int64:
        return row[: 400 - missing]

    received = intended + late_ns + 2 * NS_PER_MS
    rows = (zero, zero, seq, intended, intended + late_ns, received, zero)
    consumer.received(Deliveries(*map(cut, rows)))
    return [account(producer, None, {"bytes_out": 3}), account(None, consumer, {"bytes_out": 4, "bytes_in": 1})]


def merge(given: list[Account], *, drained: bool = True) -> Merged:
    """Merge, with seconds 1 and 2 measured."""
    due = np.arange(400) * 10 * NS_PER_MS
    return merge_accounts(given, range(1, 3), confirms=False, drained=drained, due=due)


def test_the_measured_part_is_cut_by_intended_time() -> None:
    """Two of four seconds are measured, however late their messages arrive."""
    for late_ns in (0, 5 * NS_PER_S):
        merged = merge(accounts(late_ns))
        assert (merged.offered, merged.sent, merged.received) == (200, 200, 200)
        assert merged.measured["response"].count == 200
        assert merged.latencies["response"].count.sum() == 400


def test_the_achieved_rate_counts_arrivals_within_the_window() -> None:
    """Messages that arrive after the measured part do not count for its rate."""
    assert merge(accounts()).achieved_rate == 100.0
    assert merge(accounts(5 * NS_PER_S)).achieved_rate == 0.0


def test_backlog_is_due_less_received() -> None:
    """At the end of each tick; what never comes stays in it."""
    backlog = merge(accounts(missing=7), drained=False).ticks["backlog"]
    assert backlog[-1] == 7
    assert backlog.min() >= 0


def test_little_compares_both_sides() -> None:
    """The sums agree on a sound trial; a drain that failed has none."""
    merged = merge(accounts())
    assert merged.little is not None
    assert merged.little.holds
    assert merged.little.response_sum_s == 400 * 0.002
    assert merge(accounts(), drained=False).little is None


def test_counters_add_up() -> None:
    """What drivers counted is summed by name."""
    assert merge(accounts()).counters == {"bytes_out": 7, "bytes_in": 1}


def test_what_drivers_counted_is_summed_over_flows() -> None:
    """By name: the bytes of a trial are those of all its flows, as its messages are."""
    assert total_counters([{"bytes_in": 2, "acks": 1}, {"bytes_in": 3}]) == {"bytes_in": 5, "acks": 1}
