"""Handing over: an account survives its file, down to the last bit."""

from pathlib import Path

import numpy as np

from bench.drivers.base import Deliveries, Outcome, Settlements
from bench.loadgen.backpressure import Backpressure
from bench.record.account import Account, ConsumerLog, ProducerLog, account
from bench.run import worker_account


def make_account() -> Account:
    """Return an account of 100 messages, three of them unconfirmed."""
    producer, consumer = ProducerLog((4,), 0, 256, closed=False), ConsumerLog(1, 5, 1, 0, closed=False)
    seq = np.arange(100)
    lane, intended = np.zeros(100, np.int64), seq * 10_000_000
    producer.sent(lane, seq, intended, intended + 500, Backpressure())
    told = Settlements(lane[3:], seq[3:], np.full(97, int(Outcome.CONFIRMED)), intended[3:] + 900)
    producer.settled(told)
    consumer.received(
        Deliveries(lane, lane + 4, seq, intended, intended + 500, intended + 800, lane, 0, intended + 850)
    )
    return account(producer, consumer, {"flow_frames": 2})


def test_an_account_survives(tmp_path: Path) -> None:
    """Latencies, ticks, ledgers, sums and counters come back equal."""
    before = make_account()
    worker_account.save(tmp_path / "a.npz", before)
    after = worker_account.load(tmp_path / "a.npz")
    assert (
        before.latencies.keys()
        == after.latencies.keys()
        == {"send_lag", "backpressure", "confirm", "response", "service", "receive_lag"}
    )
    for tag, part in before.latencies.items():
        for name in ("second", "index", "count", "totals"):
            assert (getattr(part, name) == getattr(after.latencies[tag], name)).all()
    assert {name: row.tolist() for name, row in before.ticks.items()} == {
        name: row.tolist() for name, row in after.ticks.items()
    }
    assert before.sent is not None
    assert after.sent is not None
    assert (before.sent.confirmed == after.sent.confirmed).all()
    assert after.sent.settled == 97
    assert after.received is not None
    assert (after.intended_sum_ns, after.received_sum_ns) == (before.intended_sum_ns, before.received_sum_ns)
    assert after.counters == {"flow_frames": 2}
    assert not list(tmp_path.glob("*.part"))


def test_one_sided_accounts_survive(tmp_path: Path) -> None:
    """A worker that only produced has no received part, and the other way round."""
    worker_account.save(tmp_path / "p.npz", account(ProducerLog((0,), 0, 1, closed=True), None, {}))
    assert worker_account.load(tmp_path / "p.npz").received is None
    worker_account.save(tmp_path / "c.npz", account(None, ConsumerLog(1, 1, 1, 0, closed=True), {}))
    assert worker_account.load(tmp_path / "c.npz").sent is None
