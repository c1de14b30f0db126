"""Routing keys as text are those that the compiled choice says."""

import numpy as np
import pytest

from bench.arrivals.keys import Int64, by_producer, drawn, in_turn, keys_of
from bench.drivers.base import ProducerLane, Route
from bench.drivers.message_keys import MessageKeys

KEYS = ("a", "b", "c")


@pytest.mark.parametrize("choice", [in_turn(3), drawn((5, 3, 1), 11), by_producer(3)])
def test_keys_are_those_of_the_choice_in_any_order(choice: Int64) -> None:
    """Over the blocks in which they are worked out, and back."""
    keys = MessageKeys(Route("events", KEYS, choice), ProducerLane(4, ""))
    expected = [KEYS[which] for which in keys_of(choice, 4, 0, 3_000).tolist()]
    numbers = [*range(3_000), 5, 2_500, 0]
    assert [keys.of(seq) for seq in numbers] == [expected[seq] for seq in numbers]
    assert keys.exchange == "events"


def test_a_key_that_all_messages_have_is_known() -> None:
    """So that a link may be attached to it: of one key alone, and where each producer has its own."""
    assert MessageKeys(Route("x", KEYS, by_producer(3)), ProducerLane(4, "")).only == "b"
    assert MessageKeys(Route("x", ("k",), in_turn(1)), ProducerLane(4, "")).only == "k"
    assert MessageKeys(Route("x", KEYS, in_turn(3)), ProducerLane(4, "")).only is None


def test_without_a_route_the_key_is_the_queue() -> None:
    """By the default exchange."""
    keys = MessageKeys(None, ProducerLane(4, "q"))
    assert (keys.exchange, keys.only, keys.of(np.iinfo(np.int64).max)) == ("", "q", "q")
