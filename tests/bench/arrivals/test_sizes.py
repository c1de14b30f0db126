"""Mixed sizes: a function of producer, number and seed, in the shares that were asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.arrivals.sizes import Sizes
from bench.jit import kernel_entry
from bench.scenario.scenario import RateLoad, Workload
from bench.wire.octets import Int64
from bench.wire.templates import class_of, make_templates

MIX = Sizes((100, 1_000, 10_000), (5.0, 3.0, 2.0), seed=7)
numbers = st.integers(0, (1 << 36) - 1)


def sizes_of(mix: Sizes, producer: int, count: int) -> Int64:
    """Return the sizes of a producer's first messages."""
    return np.array([mix.of(producer, seq) for seq in range(count)])


@kernel_entry
def classes_of(classes: Int64, producer: Int64, seq: Int64, found: Int64) -> None:
    """Fill in the class of each message."""
    for i in range(len(seq)):
        found[i] = class_of(classes, producer[i], seq[i])


@given(
    st.lists(st.tuples(st.integers(0, 10_000), numbers), min_size=1, max_size=50),
    st.integers(0, (1 << 63) - 1),
    st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=9),
)
def test_python_and_compiled_code_agree(rows: list[tuple[int, int]], seed: int, weights: list[float]) -> None:
    """One message at a time, and in a kernel: the same size."""
    mix = Sizes(tuple(range(32, 32 + len(weights))), tuple(weights), seed)
    producer, seq = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    one_by_one = [mix.of(*row) for row in rows]
    templates = [np.zeros(size, np.uint8) for size in mix.sizes]
    found = np.zeros(len(rows), np.int64)
    classes_of(make_templates(templates, mix.sizes, mix).classes, producer, seq, found)
    assert [mix.sizes[row] for row in found.tolist()] == one_by_one


@pytest.mark.parametrize("seed", [0, 7, 1 << 40])
@pytest.mark.parametrize("producer", [0, 1, 77])
def test_shares_are_those_of_the_weights(seed: int, producer: int) -> None:
    """Of 20,000 messages of a producer, and each tenth of them, sizes have their shares within 4 standard errors."""
    mix = Sizes(MIX.sizes, MIX.weights, seed)
    found = sizes_of(mix, producer, 20_000)
    for part in (found, *found.reshape(10, -1)):
        for size, share in zip(mix.sizes, (0.5, 0.3, 0.2), strict=True):
            error = np.sqrt(share * (1 - share) / len(part))
            assert np.mean(part == size) == pytest.approx(share, abs=4 * error)


def test_messages_that_follow_each_other_are_as_good_as_independent() -> None:
    """Sizes of successors, and of the same number of two producers, are uncorrelated within 4 standard errors."""
    first, second = (sizes_of(MIX, producer, 20_000) == 100 for producer in (0, 1))
    for one, other in ((first[:-1], first[1:]), (first, second), (first[:-2], first[2:])):
        assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(len(one))


def test_seeds_differ() -> None:
    """Another seed gives other sizes, the same one the same."""
    first, again, other = (sizes_of(Sizes(MIX.sizes, MIX.weights, seed), 0, 1_000) for seed in (7, 7, 8))
    assert (again == first).all()
    assert (other != first).any()


def test_a_list_of_sizes_is_a_mix() -> None:
    """`size` takes a list; the largest stands for all, and is what a port is told as the most."""
    sizes = [{"size": 100, "weight": 9}, {"size": 1_100}]
    work = Workload.model_validate({"name": "w", "load": {"kind": "rate", "rate": 1}, "size": sizes})
    assert work.size == 1_100
    mix = work.mix(3)
    assert mix is not None
    assert (mix.sizes, mix.weights, mix.seed, mix.mean) == ((100, 1_100), (9.0, 1.0), 3, 200.0)
    assert Workload.model_validate_json(work.model_dump_json()) == work


def test_one_size_is_no_mix() -> None:
    """Neither a number nor a list of one."""
    assert Workload(name="w", load=RateLoad(kind="rate", rate=1), size=64).mix(0) is None
    listed = Workload.model_validate({"name": "w", "load": {"kind": "rate", "rate": 1}, "size": [{"size": 64}]})
    assert (listed.size, listed.mix(0)) == (64, None)
