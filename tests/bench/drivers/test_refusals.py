"""Which deliveries are refused: shares of all messages, the same for every driver and consumer."""

import pytest

from bench.arrivals.sizes import Sizes
from bench.drivers.base import Consuming, PortSpec
from bench.drivers.refusals import Disposition, Refusals


def spec(consuming: Consuming, ack_batch: int = 1) -> PortSpec:
    """Return what consumers are asked for."""
    return PortSpec(None, (), (), 100, consuming=consuming, ack_batch=ack_batch)


def test_shares_lie_side_by_side() -> None:
    """As an oracle that draws by weights from the same hash says; each share comes as often as it should."""
    refusals = Refusals(spec(Consuming(reject=0.2, requeue=0.3)))
    oracle = Sizes((0, 1, 2), (0.2, 0.3, 0.5), seed=1)
    order = (Disposition.REJECTED, Disposition.REQUEUED, Disposition.ACCEPTED)
    dispositions = [refusals.of(5, seq, redelivered=False) for seq in range(10_000)]
    assert dispositions == [order[oracle.of(5, seq)] for seq in range(10_000)]
    assert [dispositions.count(one) / 10_000 for one in order] == pytest.approx([0.2, 0.3, 0.5], abs=0.02)


def test_what_was_given_back_is_taken_when_it_comes_again() -> None:
    """What is rejected stays so."""
    refusals = Refusals(spec(Consuming(reject=0.2, requeue=0.8)))
    assert {refusals.of(1, seq, redelivered=False) for seq in range(100)} == {
        Disposition.REJECTED,
        Disposition.REQUEUED,
    }
    assert {refusals.of(1, seq, redelivered=True) for seq in range(100)} == {Disposition.REJECTED, Disposition.ACCEPTED}


@pytest.mark.parametrize("asked", [spec(Consuming()), spec(Consuming(reject=0.5), ack_batch=0)])
def test_who_refuses_nothing_says_so(asked: PortSpec) -> None:
    """Nothing was asked for, or there is no acknowledgement."""
    assert not Refusals(asked)
    assert Refusals(spec(Consuming(requeue=1.0)))
