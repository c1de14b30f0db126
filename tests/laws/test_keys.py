"""Which key a message has: compiled and in Python alike, and as often as its weight says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.arrivals.key_kernels import key_of, message_hash
from bench.arrivals.keys import Int64, by_producer, drawn, in_turn, keys_of, zipf
from bench.arrivals.sizes import MASK, hash_of
from bench.drivers.base import Consuming, PortSpec
from bench.drivers.refusals import Disposition, Refusals
from bench.jit import kernel_entry

pytestmark = pytest.mark.compiled


@kernel_entry
def _fill(choice: Int64, producer: int, first: int, found: Int64) -> None:
    for i in range(len(found)):
        found[i] = key_of(choice, producer, first + i)


@kernel_entry
def _hash(seed: int, producer: int, seq: int) -> int:
    return message_hash(seed, producer, seq)


choices = st.one_of(
    st.integers(1, 50).map(by_producer),
    st.integers(1, 50).map(in_turn),
    st.tuples(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=40), st.integers(0, 2**63 - 1)).map(
        lambda given: drawn(*given)
    ),
)


@given(choices, st.integers(0, 2**31), st.one_of(st.integers(0, 2**20), st.integers(2**32 - 9, 2**40)))
def test_compiled_keys_are_those_of_python(choice: Int64, producer: int, first: int) -> None:
    """Any choice, any producer, numbers beyond 32 bits as well."""
    found = np.empty(20, np.int64)
    _fill(choice, producer, first, found)
    assert found.tolist() == keys_of(choice, producer, first, 20).tolist()


@given(st.integers(0, MASK), st.integers(0, 2**31), st.integers(0, 2**56 - 1))
def test_the_compiled_hash_is_that_of_python(seed: int, producer: int, seq: int) -> None:
    """Which messages a consumer rejects is the same for every driver."""
    assert _hash(seed, producer, seq) == hash_of(seed, producer, seq)


@pytest.mark.parametrize(
    "weights", [(1.0, 1.0), (9.0, 1.0), (5.0, 0.001, 2.0), zipf(50, 1.0), zipf(1_000, 1.5)], ids=len
)
@pytest.mark.parametrize("seed", [1, 2**40])
def test_keys_come_as_often_as_their_weights(weights: tuple[float, ...], seed: int) -> None:
    """Each count of 200,000 is within five standard errors of its binomial."""
    count, shares = 200_000, np.array(weights) / sum(weights)
    found = np.bincount(keys_of(drawn(weights, seed), 3, 0, count), minlength=len(weights))
    assert (np.abs(found - count * shares) <= 5 * np.sqrt(count * shares * (1 - shares)) + 1).all()


def test_zipf_is_its_law() -> None:
    """The k-th key comes as often as k to the power of minus the exponent."""
    assert zipf(4, 2.0) == pytest.approx((1, 1 / 4, 1 / 9, 1 / 16))
    assert zipf(3, 0.0) == (1.0, 1.0, 1.0)


def test_shares_of_what_consumers_refuse() -> None:
    """A message is rejected or given back once, never both; without acknowledgements nothing is."""
    refusals = Refusals(PortSpec(None, (), (), 100, ack_batch=1, consuming=Consuming(reject=0.2, requeue=0.3)))
    said = [refusals.of(0, seq, redelivered=False) for seq in range(20_000)]
    assert said.count(Disposition.REJECTED) == pytest.approx(4_000, abs=300)
    assert said.count(Disposition.REQUEUED) == pytest.approx(6_000, abs=330)
    again = [refusals.of(0, seq, redelivered=True) for seq in range(20_000)]
    assert again.count(Disposition.REQUEUED) == 0
    assert not Refusals(PortSpec(None, (), (), 100, ack_batch=0, consuming=Consuming(reject=1.0)))
